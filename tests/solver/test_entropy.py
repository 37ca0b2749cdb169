"""Entropies against 60-digit decimal arithmetic."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.entropy import (
    distance_squared,
    gibbs_policy,
    log_gibbs_row,
    regularised_cost,
    relative_entropies_to_gibbs,
    relative_entropy_to_gibbs,
    relative_entropy_to_reference,
    soft_minimum,
)


def relative_entropy(p: FloatArray, log_g: FloatArray) -> float:
    """KL of one law to another, (A,), given by its logarithms."""
    out = np.empty(1)
    relative_entropy_to_reference(p[None], log_g, out)
    return float(out[0])


@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(-15.0, 1.0))
def test_relative_entropy_from_rounding_to_disjoint(n: int, seed: int, exponent: float) -> None:
    """KL(p|g) with p/g - 1 from 1e-15 up: absolute error below rounding of the ratio, squared or not."""
    generator = np.random.default_rng(seed)
    log_g = 3.0 * generator.standard_normal(n)
    p = np.exp(log_g) * np.exp(10.0**exponent * generator.standard_normal(n))
    with localcontext() as context:
        context.prec = 60
        exact = sum(
            Decimal(float(a)) * (Decimal(float(a)).ln() - Decimal(float(b)))
            - Decimal(float(a))
            + Decimal(float(b)).exp()
            for a, b in zip(p, log_g, strict=True)
        )
    mine = relative_entropy(p, log_g)
    ratio_error = 2e-15 * (1.0 + np.abs(log_g).max())
    mass = p.sum() + np.exp(log_g).sum()
    allowed = 1e-13 * float(exact) + 2.0 * ratio_error * np.sqrt(2.0 * float(exact) * mass) + mass * ratio_error**2
    assert abs(mine - float(exact)) <= allowed


def test_zero_entries_and_underflowing_gibbs_weights() -> None:
    log_g = np.array([0.0, -2000.0])
    assert relative_entropy(np.array([1.0, 0.0]), log_g) == 0.0
    assert relative_entropy(np.array([0.0, 1.0]), log_g) == 2000.0
    out = np.empty(1)
    relative_entropy_to_reference(np.array([[1.0, 0.0]]), np.log([0.25, 0.75]), out)
    np.testing.assert_allclose(out, np.log(4.0), rtol=1e-15)


@given(st.integers(1, 9), st.integers(0, 2**32 - 1), st.sampled_from([1e-4, 1.0, 1e2]))
def test_gibbs_policy_and_soft_minimum_against_numpy(n: int, seed: int, temperature: float) -> None:
    generator = np.random.default_rng(seed)
    q: FloatArray = generator.standard_normal((3, n)) + 100.0
    mass = np.exp(generator.standard_normal(n))
    mass /= mass.sum()
    weights = mass * np.exp(-(q - q.min(axis=1, keepdims=True)) / temperature)
    policy, least, logs = np.empty_like(q), np.empty(3), np.empty(n)
    gibbs_policy(q, np.log(mass), temperature, policy)
    soft_minimum(q, np.log(mass), temperature, least)
    np.testing.assert_allclose(policy, weights / weights.sum(axis=1, keepdims=True), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(least, q.min(axis=1) - temperature * np.log(weights.sum(axis=1)), rtol=1e-14)
    log_total = log_gibbs_row(q[0], np.log(mass), temperature, logs)
    np.testing.assert_allclose(-temperature * log_total, least[0], rtol=1e-15)


def test_regularised_cost_and_distance_against_numpy() -> None:
    generator = np.random.default_rng(7)
    p = generator.dirichlet(np.ones(5), 4)
    cost, mass = generator.standard_normal((4, 5)), generator.dirichlet(np.ones(5))
    out = np.empty(4)
    regularised_cost(p, cost, np.log(mass), 0.3, out)
    np.testing.assert_allclose(out, (p * (cost + 0.3 * np.log(p / mass))).sum(axis=1), rtol=1e-13)
    a, b = generator.random((2, 4, 5))
    distance_squared(a, b, p, p[::-1].copy(), out)
    weight = p + p[::-1] + a + np.abs(a - b)
    np.testing.assert_allclose(out, ((a - b) ** 2 / weight).sum(axis=1), rtol=1e-13)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1.0]))
def test_both_relative_entropies_are_those_of_one(n: int, seed: int, temperature: float) -> None:
    """Two policies against one Gibbs policy at once: the bits of each alone, and the definition by plain NumPy."""
    generator = np.random.default_rng(seed)
    policies, q = generator.dirichlet(np.ones(n), (2, 70)), generator.standard_normal((70, n))
    mass = generator.dirichlet(np.full(n, 5.0))
    log_mass, one, both = np.log(mass), np.empty((2, 70)), np.empty((2, 70))
    relative_entropies_to_gibbs(policies[0], policies[1], q, log_mass, temperature, both[0], both[1])
    for policy, alone in zip(policies, one, strict=True):
        relative_entropy_to_gibbs(policy, q, log_mass, temperature, alone)
    assert np.array_equal(one, both)
    weights = log_mass - q / temperature
    weights -= weights.max(axis=1, keepdims=True)
    log_g = weights - np.log(np.exp(weights).sum(axis=1, keepdims=True))
    expected = (policies * (np.log(policies) - log_g)).sum(axis=-1)
    np.testing.assert_allclose(both, expected, rtol=1e-11, atol=1e-13)


def test_infinite_and_negative_policies_are_found_in_the_sums() -> None:
    """NaN and negative entries, on which an evaluation must fail, make the cost NaN; a zero takes no part in it."""
    p = np.full((3, 9), 1.0 / 9.0)
    p[0, 4], p[1, 8], p[2, 0] = np.nan, -1e-3, 0.0
    cost, out = np.ones((3, 9)), np.empty(3)
    cost[2, 0] = np.inf
    with np.errstate(all="ignore"):
        regularised_cost(p, cost, np.zeros(9), 0.1, out)
    assert np.isnan(out[0])
    assert np.isnan(out[1])
    assert np.isfinite(out[2])
