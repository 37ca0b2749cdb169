"""Combinations of past policies and their measures, against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.solver.random_mdps import random_policy
from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.arithmetic.extremes import oscillations
from wpoflow.solver.schemes.backward_differentiation import prediction_weights
from wpoflow.solver.schemes.history import combine_history, extrapolate_values, measure_change, measure_step

EPS = np.finfo(np.float64).eps


def past(seed: int, kept: int, states: int, actions: int) -> tuple[FloatArray, IntArray, np.random.Generator]:
    """Random policies in slots of a random order, newest first."""
    generator = np.random.default_rng(seed)
    history = np.stack([random_policy(generator, (states, actions), 2.0) for _ in range(kept)])
    return history, generator.permutation(kept), generator


def weights_of_one(generator: np.random.Generator, count: int) -> FloatArray:
    weights = np.asarray(generator.standard_normal(count))
    weights[0] += 1.0 - weights.sum()
    return weights


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 70), st.integers(1, 20))
def test_combinations(seed: int, kept: int, states: int, actions: int) -> None:
    history, slots, generator = past(seed, kept, states, actions)
    weights = weights_of_one(generator, kept)
    out = np.empty((states, actions))
    combine_history(history, slots, weights, out)
    terms = np.abs(weights) @ (history[slots] + history[slots[0]]).reshape(kept, -1)
    expected = np.tensordot(weights, history[slots], 1)
    assert np.all(np.abs(out - expected).ravel() <= 8.0 * kept * EPS * terms)
    np.testing.assert_allclose(out.sum(axis=1), 1.0, atol=1e-14 * np.abs(weights).sum())


def test_rounding_of_a_combination_is_that_of_the_differences() -> None:
    """Policies that differ by 1e-12 of themselves, of large weights: errors of 1e-27 of p are left, not of 1e-15."""
    generator = np.random.default_rng(4)
    base = random_policy(generator, (2, 8), 0.5)
    history = base * (1.0 + 1e-12 * generator.integers(-8, 9, (4, 2, 8)))
    weights, out = np.array([-99.0, 400.0, -600.0, 300.0]), np.empty((2, 8))
    combine_history(history, np.arange(4), weights, out)
    exact = np.array(history[0], dtype=np.longdouble)
    for weight, earlier in zip(weights[1:], history[1:], strict=True):
        exact = exact + np.longdouble(weight) * (np.array(earlier, dtype=np.longdouble) - history[0])
    np.testing.assert_allclose(out, exact.astype(np.float64), rtol=4.0 * EPS)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 70), st.integers(1, 20))
def test_measures_of_a_step(seed: int, kept: int, states: int, actions: int) -> None:
    history, slots, generator = past(seed, kept, states, actions)
    predictions = np.stack([weights_of_one(generator, kept) for _ in range(3)], axis=1)
    gibbs = random_policy(generator, (states, actions), 2.0)
    new = random_policy(generator, (states, actions), 2.0) + 1e-3 * generator.standard_normal((states, actions))
    given_mass, before = new.sum(axis=1), new.copy()
    squares, drift, negative = np.empty((5, states)), np.empty(states), np.empty(states, dtype=np.int64)
    measure_step(history, slots, predictions, gibbs, new, squares, drift, negative)

    newest = history[slots[0]]
    np.testing.assert_allclose(drift, given_mass - newest.sum(axis=1), atol=1e-15 * actions)
    np.testing.assert_allclose(new, before - drift[:, None] * before, rtol=1e-14, atol=1e-18)
    wrong = new - np.einsum("jm,jik->mik", predictions, history[slots])
    weight = np.abs(newest) + np.abs(new) + gibbs + np.abs(wrong).sum(axis=0)
    for m in range(3):
        np.testing.assert_allclose(squares[m], (wrong[m] ** 2 / weight).sum(axis=1), rtol=1e-10, atol=1e-18)
    np.testing.assert_allclose(squares[3], ((new - newest) ** 2 / weight).sum(axis=1), rtol=1e-10, atol=1e-18)
    np.testing.assert_allclose(squares[4], ((new - gibbs) ** 2 / weight).sum(axis=1), rtol=1e-10, atol=1e-18)
    np.testing.assert_array_equal(negative, (new < 0.0).sum(axis=1))


@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 20))
def test_measures_of_a_change(seed: int, states: int, actions: int) -> None:
    generator = np.random.default_rng(seed)
    before, gibbs, new = (random_policy(generator, (states, actions), 2.0) for _ in range(3))
    new += 1e-2 * generator.standard_normal((states, actions))
    difference, copy = 1e-3 * generator.standard_normal((states, actions)), new.copy()
    squares, drift, negative = np.empty((2, states)), np.empty(states), np.empty(states, dtype=np.int64)
    measure_change(before, gibbs, difference, new, squares, drift, negative)
    np.testing.assert_allclose(drift, (copy - before).sum(axis=1), atol=1e-15 * actions)
    np.testing.assert_allclose(new, copy - drift[:, None] * copy, rtol=1e-14, atol=1e-18)
    weight = before + np.abs(new) + gibbs + np.abs(difference)
    np.testing.assert_allclose(squares[0], (difference**2 / weight).sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(squares[1], ((new - gibbs) ** 2 / weight).sum(axis=1), rtol=1e-10, atol=1e-18)
    np.testing.assert_array_equal(negative, (new < 0.0).sum(axis=1))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 20))
def test_extrapolated_values_and_oscillations(seed: int, kept: int, states: int) -> None:
    """Values that are a polynomial in time come out exactly from its degree on; constants do not count."""
    generator = np.random.default_rng(seed)
    times = -np.cumsum(generator.uniform(0.5, 2.0, kept))
    slots = generator.permutation(kept)
    values, out = np.empty((kept, states)), np.empty((kept, states))
    coefficients = generator.standard_normal((kept, states))
    for slot, time in zip(slots, times, strict=True):
        values[slot] = sum(coefficients[j] * time**j for j in range(kept))
    extrapolate_values(values, slots, times, 0.7, out)
    for degree in range(kept):
        weights = prediction_weights(times[: degree + 1], 0.7)
        largest = np.abs(weights).sum() * np.abs(values).max()
        np.testing.assert_allclose(out[degree], weights @ values[slots[: degree + 1]], rtol=0.0, atol=1e-13 * largest)
    exact = sum(coefficients[j] * 0.7**j for j in range(kept))
    np.testing.assert_allclose(out[-1], exact, rtol=0.0, atol=1e-11 * largest)

    counted = generator.random(states) < 0.7
    counted[0] = True
    found = np.empty(kept)
    oscillations(values[0], out, counted, found)
    np.testing.assert_allclose(found, np.ptp((values[0] - out)[:, counted], axis=1), rtol=1e-12, atol=1e-15)
    out[0, 0] = np.nan
    oscillations(values[0], out, counted, found)
    assert not np.isfinite(found[0])


@pytest.mark.parametrize("kernel", ["step", "change"])
def test_cells_that_hold_nothing_measure_nothing(kernel: str) -> None:
    """An empty tail in all policies, where the weight of chi-square would be 0/0."""
    p = np.array([[0.5, 0.5, 0.0, 0.0]])
    new, drift, negative = p.copy(), np.empty(1), np.empty(1, dtype=np.int64)
    squares = np.empty((5 if kernel == "step" else 2, 1))
    if kernel == "step":
        measure_step(p[None], np.array([0]), np.ones((1, 3)), p, new, squares, drift, negative)
    else:
        measure_change(p, p, np.zeros_like(p), new, squares, drift, negative)
    np.testing.assert_array_equal(squares, 0.0)
    assert drift[0] == 0.0
