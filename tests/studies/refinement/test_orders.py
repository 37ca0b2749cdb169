"""Orders, extrapolation and the grid convergence index: exact on model errors, and what is unusable is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.orders import check_order
from wpoflow.studies.refinement.orders import extrapolate, observed_order, observed_orders

SIZES = 0.1 / np.array([1.0, 2.0, 4.0, 8.0])
UNEVEN = np.array([0.11, 0.08, 0.03])


def test_orders_of_pure_powers() -> None:
    np.testing.assert_allclose(observed_orders(SIZES, -3.0 * SIZES**2.5), 2.5, rtol=1e-12)
    uneven = np.array([0.3, 0.2, 0.07, 0.01])
    np.testing.assert_allclose(observed_orders(uneven, uneven**2), 2.0, rtol=1e-12)


def test_check_returns_orders_that_tend_to_the_claim() -> None:
    orders = check_order(SIZES, SIZES**2 * (1 + SIZES), 2.0, cap=1e-3)
    assert len(orders) == 3
    assert orders[-1] == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize(
    "errors",
    [
        SIZES**1.6,
        SIZES**2.5,
        np.array([1.0, 0.25, 0.0625, 0.05]),
        np.array([1.0, 0.5, 0.0625, 0.0156]),
    ],
    ids=["too low", "too high", "floor reached", "one bad pair"],
)
def test_check_refuses_other_orders(errors: np.ndarray) -> None:
    with pytest.raises(AssertionError, match="orders outside"):
        check_order(SIZES, errors, 2.0, cap=10.0)


def test_check_refuses_a_large_last_error() -> None:
    with pytest.raises(AssertionError, match="finest mesh above"):
        check_order(SIZES, 100.0 * SIZES**2, 2.0, cap=1e-3)


def test_check_looks_at_the_finest_three_of_four() -> None:
    with pytest.raises(AssertionError, match="at least 4"):
        check_order(SIZES[:3], SIZES[:3] ** 2, 2.0, cap=1.0)
    sizes = 0.2 / 2.0 ** np.arange(5)
    errors = sizes**2
    errors[0] = 0.3 * errors[0]
    assert len(check_order(sizes, errors, 2.0, cap=1.0)) == 4


@pytest.mark.parametrize(
    ("sizes", "errors", "line"),
    [
        (SIZES[:1], SIZES[:1] ** 2, "at least 2"),
        (SIZES, SIZES[:3], "one to one"),
        (SIZES[::-1], SIZES**2, "decreasing"),
        (SIZES, [1.0, np.nan, 0.1, 0.1], "finite"),
        (SIZES, [1.0, 0.0, 0.1, 0.1], "exactly zero"),
    ],
)
def test_unusable_errors_are_refused(sizes: np.ndarray, errors: np.ndarray, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        observed_orders(sizes, errors)


@given(
    order=st.floats(0.2, 8.0),
    first=st.floats(1.1, 3.0),
    second=st.floats(1.1, 3.0),
    constant=st.floats(0.1, 10.0),
    limit=st.floats(-1.0, 1.0),
)
def test_any_power_is_found_on_any_meshes(
    order: float, first: float, second: float, constant: float, limit: float
) -> None:
    """For an error that is a pure power the order, the limit and the band are exact, whatever the two ratios.

    Rounding of the finer difference limits the order to about its relative size.
    """
    sizes = np.array([1.0, 1.0 / first, 1.0 / (first * second)])
    values = limit + constant * sizes**order
    lost = 1e-15 * (1.0 + constant) / abs(values[1] - values[2]) / math.log(min(first, second))
    assert observed_order(sizes, values) == pytest.approx(order, rel=1e-9 + 200.0 * lost)
    found = extrapolate(sizes, values)
    if lost < 1e-9:
        assert found.behaviour == "monotone"
        assert found.value == pytest.approx(limit, rel=1e-5, abs=1e-5 * constant)
        assert found.gci == pytest.approx(1.25 * abs(values[-1] - limit), rel=1e-4)


def test_the_worked_example_of_celik() -> None:
    """Table 1 of Celik et al. 2008: monotone convergence on 18000, 8000 and 4500 cells in two dimensions.

    Values 6.063, 5.972 and 5.863 with ratios 1.5 and 1.333 as printed; order 1.53, extrapolated 6.1685, GCI 2.2 %.
    """
    sizes = np.array([2.0, 1.5, 1.0])
    values = np.array([5.863, 5.972, 6.063])
    found = extrapolate(sizes, values)
    assert found.order == pytest.approx(1.53, abs=0.02)
    assert found.value == pytest.approx(6.1685, abs=2e-3)
    assert found.gci / values[-1] == pytest.approx(0.022, abs=5e-4)


def test_the_index_is_no_smaller_for_an_accidentally_high_order() -> None:
    values = 1.0 + SIZES[:3] ** 5
    free, limited = extrapolate(SIZES[:3], values), extrapolate(SIZES[:3], values, design=2.0)
    assert limited.order == free.order == pytest.approx(5.0)
    assert limited.gci == pytest.approx(1.25 * abs(values[1] - values[2]) / 3.0)
    assert limited.gci > 5.0 * free.gci


def test_behaviours() -> None:
    swinging = extrapolate(SIZES[:3], np.array([1.0, 0.6, 0.7]))
    assert swinging.behaviour == "oscillatory"
    assert swinging.gci == pytest.approx(0.2)
    assert math.isnan(swinging.order)
    assert math.isnan(swinging.value)
    for values in ([1.0, 1.1, 1.3], [1.0, 1.1, 0.8]):
        growing = extrapolate(SIZES[:3], np.array(values))
        assert growing.behaviour == "divergent"
        assert math.isnan(growing.gci)
        assert math.isnan(growing.value)
    for values in ([3.0, 3.0, 3.0], [3.0, 3.1, 3.1 + 1e-15]):
        still = extrapolate(SIZES[:3], np.array(values))
        assert still.behaviour == "unresolved"
        assert still.value == values[-1]
        assert 0.0 < still.gci < 1e-13
    noisy = extrapolate(SIZES[:3], np.array([1.0, 0.9, 0.88]), noise=0.05)
    assert (noisy.behaviour, noisy.value, noisy.gci) == ("unresolved", 0.88, 0.05)


def test_no_order_beyond_the_highest_is_claimed() -> None:
    assert observed_order([4.0, 2.0, 1.0], [1.0, 1e-300, 0.0]) == 64.0


def test_the_least_order_on_uneven_meshes_is_not_a_ratio_of_one() -> None:
    """An error of order p -> 0 is a logarithm: differences in the ratio ln q/ln r, below which nothing converges."""
    logarithm = np.log(UNEVEN)
    assert math.isnan(observed_order(UNEVEN, logarithm + 1e-3 * np.array([0.0, 1.0, 0.0])))
    assert observed_order(UNEVEN, UNEVEN**0.01) == pytest.approx(0.01, rel=1e-6)


def test_unusable_values_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        extrapolate([0.2, 0.1], [1.0, 2.0])
    with pytest.raises(ValueError, match="decreasing"):
        extrapolate([0.1, 0.2, 0.3], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="three are needed"):
        observed_order([0.4, 0.3, 0.2, 0.1], [4.0, 3.0, 2.0, 1.0])
