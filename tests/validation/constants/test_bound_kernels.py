"""Kernels of the bounds against plain NumPy twins and against the identities of their proofs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from tests.validation.constants.chains import axis_of, chains
from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.bakry_emery_kernels import bakry_emery_row, curvature_of_pair
from wpoflow.validation.constants.barthe_roberto_kernels import barthe_roberto_row, sharpened_side
from wpoflow.validation.constants.convex_reference_kernels import hull_slopes

SEEDS = st.integers(0, 2**32 - 1)
LOGARITHMS = st.floats(-60.0, 60.0)


@given(LOGARITHMS, st.floats(-25.0, 25.0))
def test_curvature_of_a_pair_is_the_minimum_from_below(log_a: float, log_ratio: float) -> None:
    a, b = math.exp(log_a), math.exp(log_a + log_ratio)

    def quotient(z: float) -> float:
        return a if z == 0.0 else (a * math.expm1(z) - b * math.expm1(-z)) / z

    ends = sorted((0.0, log_ratio))
    found = minimize_scalar(quotient, bounds=(ends[0] - 1e-3, ends[1] + 1e-3), method="bounded")
    exact = a + b + min(found.fun, a + b)
    assert curvature_of_pair(a, b) <= exact * (1.0 + 1e-14)
    assert curvature_of_pair(a, b) == pytest.approx(exact, rel=1e-9)
    assert curvature_of_pair(a, b) >= (math.sqrt(a) + math.sqrt(b)) ** 2 * (1.0 - 1e-12)
    assert curvature_of_pair(a, b) == curvature_of_pair(b, a)


def test_curvature_without_one_of_the_differences() -> None:
    assert curvature_of_pair(0.0, 3.0) == 3.0
    assert curvature_of_pair(2.0, 0.0) == 2.0
    assert curvature_of_pair(2.0, 2.0) == pytest.approx(8.0, rel=1e-13)


@given(SEEDS)
def test_derivative_of_the_dissipation(seed: int) -> None:
    """The identity behind Bakry–Émery: faces plus remainders give dD/dt along the flow, and remainders are >= 0."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    rates = chains((axis_of(np.exp(rng.uniform(-1, 1, n))),), rng.normal(size=n)).rates
    u, w, law = rates.right[0], rates.left[0], np.exp(rates.log_gibbs[0])
    c = u * law[:-1]
    f = rng.normal(size=n) * 2.0
    x = np.exp(f)
    flux = c * np.diff(x)
    change = np.diff(flux, prepend=0.0, append=0.0) / law  # dx/dt
    z = np.diff(f)
    derivative = np.sum(c * (np.diff(change) * z + np.diff(x) * np.diff(change / x)))
    a, b = u - np.append(u[1:], 0.0), w - np.append(0.0, w[:-1])
    faces = np.sum(flux * ((a + b) * z + a * np.expm1(z) - b * np.expm1(-z)))
    s, v = (x[:-2] + x[2:]) / x[1:-1], x[:-2] * x[2:] / x[1:-1] ** 2
    remainder = s * (np.log(v) - 1.0 + 1.0 / v) + 2.0 * (v - 1.0 - np.log(v))
    assert np.all(remainder >= -1e-12 * (1.0 + s / v))
    total = faces + np.sum(c[:-1] * u[1:] * x[1:-1] * remainder)
    size = np.sum(np.abs(flux * change.max())) + np.sum(np.abs(c * np.diff(change) * z)) + abs(faces)
    assert total == pytest.approx(-derivative, abs=1e-11 * size)


def test_a_difference_that_drowns_in_rounding_fails_the_hypothesis() -> None:
    rates = np.array([1.0, 1.0 - 1e-15, 0.5])
    slack = np.full(3, 1e-14)
    assert bakry_emery_row(rates, rates[::-1].copy(), slack, True) == 0.0
    assert bakry_emery_row(rates, rates[::-1].copy(), np.zeros(3), True) > 0.0


def plain_twin(law: FloatArray, conductance: FloatArray) -> float:
    """The plain bound by its formula, all centres tried."""
    n = law.size
    best = 0.0
    for m in range(n):
        worst = 0.0
        for k in [*range(m), *range(m + 1, n)]:
            tail = law[k:].sum() if k > m else law[: k + 1].sum()
            resistance = np.sum(1.0 / conductance[min(k, m) : max(k, m)])
            worst = max(worst, tail * math.log1p(math.e**2 / tail) * resistance)
        best = max(best, 1.0 / (2.0 * worst))
    return best


def best_weight(law: FloatArray, phi: FloatArray) -> float:
    """N = sup sum g phi h over h >= 0 with sum g (e^h - 1) <= e^2, by solving for its multiplier."""

    def excess(log_t: float) -> float:
        return float(np.sum(law * np.maximum(math.exp(log_t) * phi - 1.0, 0.0))) - math.e**2

    bracket = np.log([math.e**2, math.e**2 + law.sum()]) - math.log(law @ phi)
    t = math.exp(brentq(excess, bracket[0] - 1e-9, bracket[1] + 1e-9, xtol=1e-14, rtol=1e-14))
    return float(np.sum(law * phi * np.log(np.maximum(1.0, t * phi))))


def sharpened_side_twin(law: FloatArray, conductance: FloatArray, sharpenings: int) -> float:
    """max N_i/(c_i dphi_i) of one side of a centre, its best iterate."""
    if law.size == 0:
        return 0.0
    phi = np.sqrt(np.cumsum(1.0 / conductance))
    best = math.inf
    for _ in range(sharpenings):
        weights = np.array([best_weight(law[i:], phi[i:]) for i in range(law.size)])
        best = min(best, float(np.max(weights / (conductance * np.diff(phi, prepend=0.0)))))
        phi = np.cumsum(weights / conductance)
    return best


@given(SEEDS)
@settings(max_examples=25)
def test_barthe_roberto_against_its_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 10))
    spread = rng.uniform(1.0, 8.0)  # the wider, the more cells the optimal weights leave out
    law = np.exp(rng.normal(size=n) * 3.0)
    law /= law.sum()
    conductance = np.exp(rng.normal(size=n - 1) * spread)
    plain = math.exp(barthe_roberto_row(np.log(law), np.log(conductance), False))
    assert plain == pytest.approx(plain_twin(law, conductance), rel=1e-11)
    sharpened = math.exp(barthe_roberto_row(np.log(law), np.log(conductance), True))
    by_centre = [
        2.0
        / max(
            sharpened_side_twin(law[m + 1 :], conductance[m:], 10),
            sharpened_side_twin(law[:m][::-1], conductance[:m][::-1], 10),
        )
        for m in range(n)
    ]
    # the kernel tries three centres only
    assert any(sharpened == pytest.approx(value, rel=1e-9) for value in by_centre)
    assert sharpened <= max(by_centre) * (1.0 + 1e-9)


@pytest.mark.parametrize("weak", [1e-6, 1e-3, 1.0])
def test_one_side_with_its_mass_behind_a_barrier(weak: float) -> None:
    """The optimal weights leave the cells before the barrier out."""
    law, conductance = np.array([0.05, 0.1, 0.15, 0.3, 0.4]), np.array([1.0, 2.0, 1.0, weak, 1.0])
    found = math.exp(sharpened_side(np.log(law), np.log(conductance)))
    assert found == pytest.approx(sharpened_side_twin(law, conductance, 10), rel=1e-11)


@given(SEEDS)
def test_the_hull_is_the_largest_convex_function_below(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 12))
    x, y = np.cumsum(np.exp(rng.normal(size=n))), rng.normal(size=n)
    slopes = np.empty(n - 1)
    hull_slopes(x, y, slopes)
    assert np.all(np.diff(slopes) >= 0.0)
    hull = y[0] + np.concatenate(([0.0], np.cumsum(slopes * np.diff(x))))
    for k in range(n):
        chords = [
            y[i] + (y[j] - y[i]) * (x[k] - x[i]) / (x[j] - x[i]) for i in range(k + 1) for j in range(max(k, i + 1), n)
        ]
        assert hull[k] == pytest.approx(min([y[k], *chords]), abs=1e-12 * (1.0 + np.max(np.abs(y))))
