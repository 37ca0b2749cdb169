"""Elimination on circles against exact rational arithmetic: every entry to rounding, for any step size."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.solver.lines import exact_solution, largest_relative_error
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flux.sweep_circle import solve_circle_block


def solved(right: FloatArray, left: FloatArray, p: FloatArray) -> FloatArray:
    """Circles side by side, (n, lanes); nothing given is changed."""
    out, work = p.copy(), np.empty((2, *p.shape))
    solve_circle_block(right.copy(), left.copy(), out, work[0], work[1], np.empty((3, p.shape[1])))
    return out


@given(st.integers(2, 9), st.integers(0, 2**32 - 1), st.floats(-6.0, 12.0))
def test_every_entry_has_a_small_relative_error(n: int, seed: int, exponent: float) -> None:
    generator = np.random.default_rng(seed)
    right, left = 10.0**exponent * np.exp(6.0 * generator.standard_normal((2, n)))
    p = np.exp(6.0 * generator.standard_normal(n))
    found = solved(right[:, None], left[:, None], p[:, None])[:, 0]
    assert largest_relative_error(found, exact_solution(right, left, p, circle=True)) <= 1e-15 * (n + 2)


def test_one_cell_does_nothing() -> None:
    one = np.full((1, 1), 0.3)
    assert solved(np.ones((1, 1)), np.ones((1, 1)), one) == 0.3


@given(st.integers(1, 9), st.integers(1, 21), st.integers(0, 2**32 - 1), st.floats(-6.0, 12.0))
def test_a_line_has_the_same_bits_in_every_block(n: int, lanes: int, seed: int, exponent: float) -> None:
    """So each entry of positive lines has the small relative error of the test above; right-hand sides of any sign."""
    generator = np.random.default_rng(seed)
    right, left = 10.0**exponent * np.exp(6.0 * generator.standard_normal((2, n, lanes)))
    p = generator.standard_normal((n, lanes)) * np.exp(6.0 * generator.standard_normal((n, lanes)))
    together = solved(right, left, p)
    for j in range(lanes):
        one = np.s_[:, j : j + 1]
        assert np.array_equal(solved(right[one].copy(), left[one].copy(), p[one].copy()), together[one])
