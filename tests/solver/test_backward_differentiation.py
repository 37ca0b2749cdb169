"""Backward differentiation on unequal times: exactness, known coefficients, orders, error constants."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.orders import check_order
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.schemes.backward_differentiation import (
    HIGHEST_ORDER,
    error_constant,
    formula,
    prediction_weights,
    predictions_around,
    slope_weights,
)

ORDERS = range(1, HIGHEST_ORDER + 1)
KLOPFENSTEIN = {1: -0.1850, 2: -1.0 / 9.0, 3: -0.0823, 4: -0.0415, 5: 0.0}  # Shampine & Reichelt, table 1
BDF = {  # of the past values, newest first, over the last number, which is c's denominator too
    1: ([1], 1, 1),
    2: ([4, -1], 2, 3),
    3: ([18, -9, 2], 6, 11),
    4: ([48, -36, 16, -3], 12, 25),
    5: ([300, -300, 200, -75, 12], 60, 137),
}


@st.composite
def step_patterns(draw: st.DrawFn) -> FloatArray:
    """Seven past times, newest first and before zero, of steps in any ratio up to sixteen."""
    steps = draw(st.lists(st.floats(-2.0, 2.0).map(lambda x: float(2.0**x)), min_size=7, max_size=7))
    return -np.cumsum(steps)


@given(step_patterns(), st.integers(1, 7), st.floats(-1.0, 2.0))
def test_weights_are_exact_on_polynomials(past: FloatArray, count: int, time: float) -> None:
    times = past[:count].copy()
    values, slopes = prediction_weights(times, time), slope_weights(times, time)
    size = np.abs(values).sum()
    slope_size = np.abs(slopes).sum() + 1e-300
    for degree in range(count):
        powers = times**degree
        largest = np.abs(powers).max() + abs(time) ** degree
        assert abs(values @ powers - time**degree) <= 1e-13 * size * largest
        slope = degree * time ** (degree - 1) if degree else 0.0
        assert abs(slopes @ powers - slope) <= 1e-12 * (slope_size * largest + abs(slope))
    assert abs(values.sum() - 1.0) <= 1e-14 * size
    assert abs(slopes.sum()) <= 1e-12 * slope_size


def test_a_prediction_at_a_past_time_is_the_value_there() -> None:
    np.testing.assert_allclose(prediction_weights(np.array([0.0, -1.0, -3.0]), -1.0), [0.0, 1.0, 0.0], atol=1e-15)


def known_formula(order: int, kappa: float) -> FloatArray:
    """Coefficients of p', p, ... in sum_{m <= k} (1/m) nabla^m p' - kappa gamma_k nabla^{k+1} p' = h L p'."""
    harmonic = sum(1.0 / m for m in range(1, order + 1))
    return np.array(
        [
            (-1) ** j
            * (sum(math.comb(m, j) / m for m in range(1, order + 1)) - kappa * harmonic * math.comb(order + 1, j))
            for j in range(order + 2)
        ]
    )


@pytest.mark.parametrize("order", ORDERS)
def test_with_equal_steps_it_is_the_known_formula(order: int) -> None:
    """The NDF with Klopfenstein's kappa, of which BDF is the case kappa = 0."""
    numerators, top, bottom = BDF[order]
    plain = known_formula(order, 0.0)
    np.testing.assert_allclose(-plain[1:] / plain[0], [*np.array(numerators) / bottom, 0.0], rtol=0.0, atol=1e-13)
    assert 1.0 / plain[0] == pytest.approx(top / bottom, rel=1e-14)
    h, full = 0.25, known_formula(order, KLOPFENSTEIN[order])
    c, weights = formula(3.0 - h * np.arange(order + 1.0), 3.0 + h, order)
    assert c == pytest.approx(h / full[0], rel=1e-14)
    np.testing.assert_allclose(weights, -full[1:] / full[0], rtol=0.0, atol=1e-13)


@given(step_patterns(), st.integers(1, HIGHEST_ORDER))
def test_order_k_is_exact_for_polynomials_of_degree_k_and_no_more(past: FloatArray, order: int) -> None:
    times = past[: order + 1].copy()
    c, weights = formula(times, 0.0, order)
    assert weights.size == order + 1
    assert c > 0.0
    for degree in range(order + 2):
        slope = 1.0 if degree == 1 else 0.0
        value = 1.0 if degree == 0 else 0.0
        defect = abs(weights @ times**degree + c * slope - value)
        largest = np.abs(times**degree).max() * np.abs(weights).sum() + c
        if degree <= order:
            assert defect <= 1e-12 * largest


@pytest.mark.parametrize("order", ORDERS)
def test_one_degree_more_is_not_exact(order: int) -> None:
    times = -np.arange(1.0, order + 2.0)
    _, weights = formula(times, 0.0, order)
    assert abs(weights @ times ** (order + 1)) > 0.1


def test_with_one_past_time_the_step_is_backward_euler() -> None:
    c, weights = formula(np.array([0.5]), 0.75, 1)
    assert c == 0.25
    np.testing.assert_array_equal(weights, [1.0])


def _decay(order: int, times: FloatArray, rate: float) -> float:
    """Error at the end of y' = -rate y, from exact values at the first ``order + 1`` times."""
    values = list(np.exp(-rate * times[: order + 1]))
    for n in range(order + 1, times.size):
        past = times[n - 1 :: -1][: order + 1].copy()
        c, weights = formula(past, times[n], order)
        values.append(float(weights @ np.array(values[::-1][: order + 1])) / (1.0 + c * rate))
    return float(abs(values[-1] - math.exp(-rate * times[-1])))


@pytest.mark.parametrize("order", ORDERS)
def test_orders_of_convergence_with_geometric_steps(order: int) -> None:
    """The last step is five times the first."""
    counts = np.array([24, 36, 54, 81]) * (4 if order == 1 else 2)
    found = [_decay(order, (5.0 ** (np.arange(n + 1) / n) - 1.0) / 4.0 * 2.0, 1.0) for n in counts]
    check_order(1.0 / counts, found, order, cap=1e-2)


@pytest.mark.parametrize("order", ORDERS)
def test_orders_of_convergence_with_random_steps(order: int) -> None:
    """Step ratios between 2/3 and 3/2, the pattern of each repeated on the finer meshes."""
    generator = np.random.default_rng(order)
    pattern = np.exp(generator.uniform(-0.2, 0.2, 24))
    found, counts = [], (2, 4, 8, 16)
    for repeats in counts:
        steps = np.tile(pattern, repeats)
        found.append(_decay(order, np.concatenate(([0.0], np.cumsum(steps))) * 2.0 / steps.sum(), 1.0))
    slopes = np.diff(np.log(found)) / np.diff(np.log(1.0 / np.array(counts)))
    assert slopes.min() >= order - 0.25


@pytest.mark.parametrize("order", ORDERS)
def test_error_constant_of_equal_steps(order: int) -> None:
    """C (p' - P(t')) over the local error is alpha + C: the formula divides by alpha, and p' holds the error too."""
    kappa, harmonic = KLOPFENSTEIN[order], sum(1.0 / m for m in range(1, order + 1))
    h = 2e-2 if order > 2 else 1e-3
    times = -h * np.arange(1.0, order + 2.0)
    estimate, error = _local_error(times, order)
    constant = 1.0 / (order + 1) + kappa * harmonic
    assert error_constant(times, 0.0, order) == pytest.approx(constant, rel=1e-13)
    assert estimate / error == pytest.approx((1.0 - kappa) * harmonic + constant, rel=0.05)


@pytest.mark.parametrize("ratio", [0.4, 0.7, 0.9, 1.1, 1.5, 2.0])
@pytest.mark.parametrize("order", ORDERS)
def test_the_error_constant_bounds_the_local_error_while_steps_grow_or_shrink(order: int, ratio: float) -> None:
    steps = 2e-2 * ratio ** -np.arange(order + 1.0)
    steps *= 2e-2 / steps.max()
    estimate, error = _local_error(-np.cumsum(steps), order)
    assert error <= 1.1 * estimate


@pytest.mark.parametrize("kept", range(1, 8))
@pytest.mark.parametrize("order", ORDERS)
def test_predictions_around_an_order(order: int, kept: int) -> None:
    """Columns exist where there is such an order and a past for it, and are the predictions of their degrees."""
    times = -np.cumsum(np.linspace(1.0, 2.0, kept))
    weights, constants = predictions_around(times, 0.0, order)
    for column, degree in enumerate((order - 1, order, order + 1)):
        if 1 <= degree <= HIGHEST_ORDER and degree < kept:
            expected = np.zeros(weights.shape[0])
            expected[: degree + 1] = prediction_weights(times[: degree + 1], 0.0)
            np.testing.assert_array_equal(weights[:, column], expected)
            assert constants[column] == pytest.approx(error_constant(times, 0.0, degree), rel=1e-14, abs=0.0)
        else:
            np.testing.assert_array_equal(weights[:, column], 0.0)
            assert constants[column] == np.inf


def _local_error(times: FloatArray, order: int) -> tuple[float, float]:
    """C |p' - P(t')|, and the true error of one step of y' = y to time zero from exact values."""
    c, weights = formula(times, 0.0, order)
    past = np.expm1(times)  # of y - 1, which keeps the digits: the combination of ones is one
    new = (weights @ past + c) / (1.0 - c)
    prediction = prediction_weights(times, 0.0) @ past
    return float(error_constant(times, 0.0, order) * abs(new - prediction)), float(abs(new))
