"""Cell-integrated rows: what is dropped from them is rounding, and what is not rounding is told."""

from __future__ import annotations

import numpy as np
import pytest

from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.transitions import cell_integrated_transition
from wpoflow.grids.transitions.cell_integrated import WEIGHT_ROUNDING, without_negligible


def test_entries_that_are_rounding_are_dropped_and_no_others() -> None:
    rows = np.array([[1.0, 1e-18, -1e-15, 1e-16], [0.0, 0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(without_negligible(rows), [[1.0, 0.0, 0.0, 1e-16], [0.0, 0.0, 0.0, 0.0]])


@pytest.mark.parametrize("wrong", [-1e-6, -2.0 * WEIGHT_ROUNDING, np.nan])
def test_a_negative_weight_that_is_not_rounding_is_an_error(wrong: float) -> None:
    rows = np.full((3, 4), 0.25)
    rows[1, 2] = wrong
    with pytest.raises(ArithmeticError, match="row 1: weight"):
        without_negligible(rows)


@pytest.mark.parametrize("boundary", ["clamp", "reflect", "periodic"])
def test_rows_sum_to_one_after_dropping(boundary: str) -> None:
    axis = uniform_axis("x", -1.0, 1.0, 300, boundary)
    generator = np.random.default_rng(2)
    mean = generator.uniform(-1.0, 1.0, (300, 4))
    sigma = np.exp(generator.uniform(np.log(1e-6), np.log(3.0), (300, 4)))
    transition = cell_integrated_transition(axis, mean, sigma)
    np.testing.assert_allclose(transition.expect(np.ones(300)), 1.0, rtol=4e-15)
