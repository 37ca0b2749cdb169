"""Orders, extrapolation and the grid convergence index: exact on model errors, honest on the others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wpoflow.studies.refinement.richardson import extrapolate, observed_order

SIZES = 0.1 / np.array([1.0, 2.0, 4.0])
UNEVEN = np.array([0.11, 0.08, 0.03])


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
    values = 1.0 + SIZES**5
    free, limited = extrapolate(SIZES, values), extrapolate(SIZES, values, design=2.0)
    assert limited.order == free.order == pytest.approx(5.0)
    assert limited.gci == pytest.approx(1.25 * abs(values[1] - values[2]) / 3.0)
    assert limited.gci > 5.0 * free.gci


def test_behaviours() -> None:
    swinging = extrapolate(SIZES, np.array([1.0, 0.6, 0.7]))
    assert swinging.behaviour == "oscillatory"
    assert swinging.gci == pytest.approx(0.2)
    assert math.isnan(swinging.order)
    assert math.isnan(swinging.value)
    for values in ([1.0, 1.1, 1.3], [1.0, 1.1, 0.8]):
        growing = extrapolate(SIZES, np.array(values))
        assert growing.behaviour == "divergent"
        assert math.isnan(growing.gci)
        assert math.isnan(growing.value)
    for values in ([3.0, 3.0, 3.0], [3.0, 3.1, 3.1 + 1e-15]):
        still = extrapolate(SIZES, np.array(values))
        assert still.behaviour == "unresolved"
        assert still.value == values[-1]
        assert 0.0 < still.gci < 1e-13
    noisy = extrapolate(SIZES, np.array([1.0, 0.9, 0.88]), noise=0.05)
    assert (noisy.behaviour, noisy.value, noisy.gci) == ("unresolved", 0.88, 0.05)


def test_the_least_order_on_uneven_meshes_is_not_a_ratio_of_one() -> None:
    """An error of order p -> 0 is a logarithm: differences in the ratio ln q/ln r, below which nothing converges."""
    logarithm = np.log(UNEVEN)
    assert math.isnan(observed_order(UNEVEN, logarithm + 1e-3 * np.array([0.0, 1.0, 0.0])))
    assert observed_order(UNEVEN, UNEVEN**0.01) == pytest.approx(0.01, rel=1e-6)


@pytest.mark.parametrize(
    ("sizes", "values", "line"),
    [
        ([0.2, 0.1], [1.0, 2.0], "at least 3"),
        ([0.1, 0.2, 0.3], [1.0, 2.0, 3.0], "decreasing"),
        ([0.3, 0.2, 0.1], [1.0, math.nan, 3.0], "finite"),
        ([0.3, 0.2, 0.1], [1.0, 2.0], "one to one"),
    ],
)
def test_unusable_input_is_refused(sizes: list[float], values: list[float], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        extrapolate(sizes, values)
    with pytest.raises(ValueError, match="three are needed"):
        observed_order([0.4, 0.3, 0.2, 0.1], [4.0, 3.0, 2.0, 1.0])
