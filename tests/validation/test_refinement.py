"""Observed orders: exact on model errors, and the check refuses what it should."""

import numpy as np
import pytest

from wpoflow.studies.refinement.orders import (
    OrderError,
    check_order,
    extrapolated,
    observed_orders,
    orders_without_exact,
)

SIZES = 0.1 / np.array([1.0, 2.0, 4.0, 8.0])


def test_orders_of_pure_powers() -> None:
    np.testing.assert_allclose(observed_orders(SIZES, -3.0 * SIZES**2.5), 2.5, rtol=1e-12)
    np.testing.assert_allclose(orders_without_exact(SIZES, 7.0 - 3.0 * SIZES**2), 2.0, rtol=1e-11)
    uneven = np.array([0.3, 0.2, 0.07, 0.01])
    np.testing.assert_allclose(observed_orders(uneven, uneven**2), 2.0, rtol=1e-12)


def test_extrapolation_removes_the_leading_error() -> None:
    values = 7.0 - 3.0 * SIZES**2 + SIZES**4
    assert abs(extrapolated(SIZES, values, 2.0) - 7.0) < 0.02 * abs(values[-1] - 7.0)


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
    with pytest.raises(OrderError, match="orders outside"):
        check_order(SIZES, errors, 2.0, cap=10.0)


def test_check_refuses_a_large_last_error() -> None:
    with pytest.raises(OrderError, match="finest mesh above"):
        check_order(SIZES, 100.0 * SIZES**2, 2.0, cap=1e-3)


def test_check_looks_at_the_finest_three() -> None:
    sizes = 0.2 / 2.0 ** np.arange(5)
    errors = sizes**2
    errors[0] = 0.3 * errors[0]
    assert len(check_order(sizes, errors, 2.0, cap=1.0)) == 4


@pytest.mark.parametrize(
    ("sizes", "errors", "line"),
    [
        (SIZES[:3], SIZES[:3] ** 2, "at least 4"),
        (SIZES, SIZES[:3], "one to one"),
        (SIZES[::-1], SIZES**2, "decreasing"),
        (SIZES, [1.0, np.nan, 0.1, 0.1], "finite"),
        (SIZES, [1.0, 0.0, 0.1, 0.1], "exactly zero"),
    ],
)
def test_unusable_input_is_refused(sizes: np.ndarray, errors: np.ndarray, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        check_order(sizes, errors, 2.0, cap=1.0)


def test_orders_without_exact_need_a_constant_ratio() -> None:
    with pytest.raises(ValueError, match="constant ratio"):
        orders_without_exact([0.3, 0.2, 0.1], [1.0, 2.0, 3.0])
