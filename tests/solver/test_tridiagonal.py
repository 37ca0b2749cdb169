"""Elimination against exact rational arithmetic: every entry to rounding, for any step size."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grids.arrays import FloatArray
from solver.tridiagonal import solve_circle, solve_circle_block, solve_path, solve_path_block


def exact_solution(right: FloatArray, left: FloatArray, p: FloatArray, circle: bool) -> list[Fraction]:
    """(I - dt L)^{-1} p by Gauss-Jordan elimination of fractions."""
    n = p.size
    matrix = [[Fraction(int(i == j)) for j in range(n)] + [Fraction(float(p[i]))] for i in range(n)]
    for k in range(n if circle else n - 1):
        after = (k + 1) % n
        u, w = Fraction(float(right[k])), Fraction(float(left[k]))
        matrix[k][k] += u
        matrix[after][k] -= u
        matrix[after][after] += w
        matrix[k][after] -= w
    for j in range(n):
        pivot = matrix[j][j]
        matrix[j] = [entry / pivot for entry in matrix[j]]
        for i in range(n):
            if i != j:
                factor = matrix[i][j]
                matrix[i] = [a - factor * b for a, b in zip(matrix[i], matrix[j], strict=True)]
    return [row[n] for row in matrix]


@pytest.mark.parametrize("circle", [False, True])
@given(st.integers(2, 9), st.integers(0, 2**32 - 1), st.floats(-6.0, 12.0))
def test_every_entry_has_a_small_relative_error(circle: bool, n: int, seed: int, exponent: float) -> None:
    generator = np.random.default_rng(seed)
    right, left = 10.0**exponent * np.exp(6.0 * generator.standard_normal((2, n)))
    p = np.exp(6.0 * generator.standard_normal(n))
    exact = exact_solution(right, left, p, circle)
    mine = p.copy()
    if circle:
        solve_circle(right.copy(), left.copy(), mine, np.empty(n), np.empty(n), n)
    else:
        solve_path(right, left, mine, np.empty(n), n)
    errors = [abs(float((Fraction(float(a)) - b) / b)) for a, b in zip(mine, exact, strict=True)]
    assert max(errors) <= 1e-15 * (n + 2)


def test_one_cell_does_nothing() -> None:
    path, circle = np.array([0.3]), np.array([0.3])
    solve_path(np.zeros(1), np.zeros(1), path, np.empty(1), 1)
    solve_circle(np.ones(1), np.ones(1), circle, np.empty(1), np.empty(1), 1)
    assert path[0] == circle[0] == 0.3


@pytest.mark.parametrize("circle", [False, True])
@given(st.integers(1, 9), st.integers(1, 21), st.integers(0, 2**32 - 1), st.floats(-6.0, 12.0))
def test_a_block_has_the_bits_of_its_lines(circle: bool, n: int, lanes: int, seed: int, exponent: float) -> None:
    """So each entry of positive lines has the small relative error of the test above; right-hand sides of any sign."""
    generator = np.random.default_rng(seed)
    right, left = 10.0**exponent * np.exp(6.0 * generator.standard_normal((2, n, lanes)))
    p = generator.standard_normal((n, lanes)) * np.exp(6.0 * generator.standard_normal((n, lanes)))
    block = p.copy()
    if circle:
        work = np.empty((2, n, lanes))
        solve_circle_block(right.copy(), left.copy(), block, work[0], work[1], np.empty((3, lanes)))
    else:
        solve_path_block(right, left, block, np.empty((n, lanes)))
    for j in range(lanes):
        u, w, line = right[:, j].copy(), left[:, j].copy(), p[:, j].copy()
        if circle:
            solve_circle(u, w, line, np.empty(n), np.empty(n), n)
        else:
            solve_path(u, w, line, np.empty(n), n)
        assert np.array_equal(block[:, j], line)
