"""Products with compressed rows: by single entries, or by runs of neighbouring columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wpoflow.grids.smoothing import SeparableMap, Smoothing
from wpoflow.grids.transitions.policy_rows import LONG_RUN, SMALL, Pattern, PolicyRows

Rows = list[list[tuple[int, int]]]


def operator_of(rows: Rows, columns: int) -> PolicyRows:
    """Rows of random entries in ranges of columns."""
    found = [np.concatenate([np.arange(a, b) for a, b in row] or [np.arange(0)]) for row in rows]
    indices = np.concatenate(found).astype(np.int32)
    indptr = np.concatenate(([0], np.cumsum([row.size for row in found]))).astype(np.int64)
    data = np.random.default_rng(3).random(indices.size)
    return PolicyRows(Pattern(indptr, indices, columns), data, Smoothing(SeparableMap((None,), (columns,))))


def product(operator: PolicyRows, x: np.ndarray) -> np.ndarray:
    pattern = operator.pattern
    dense = np.zeros((operator.n_states, pattern.columns))
    dense[np.repeat(np.arange(operator.n_states), np.diff(pattern.indptr)), pattern.indices] = operator.data
    return np.asarray(dense @ x)


def test_runs_end_with_their_rows() -> None:
    """A run stops at the end of its row although the next row begins with the next column; rows may be empty."""
    columns = 2 * SMALL
    rows: Rows = [[(0, 100)], [(100, 200)], [], [(3, 4), (columns - 300, columns)], [(0, columns - 7)], []]
    operator = operator_of(rows, columns)
    assert operator.pattern.long_runs
    runs = operator.pattern.divided
    assert runs.starts.tolist() == [0, 100, 3, columns - 300, 0]
    assert runs.rows.tolist() == [0, 1, 2, 2, 4, 5, 5]
    x = np.random.default_rng(4).standard_normal(columns)
    assert operator.factors is None  # so that the runs are used
    np.testing.assert_allclose(operator.matvec(x), product(operator, x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("length", [LONG_RUN - 1, LONG_RUN])
def test_short_runs_are_multiplied_entry_by_entry(length: int) -> None:
    operator = operator_of([[(0, length), (20, 20 + length)]] * 3, 64)
    assert operator.pattern.long_runs is (length >= LONG_RUN)


@given(st.lists(st.lists(st.integers(0, 30), max_size=8, unique=True), min_size=1, max_size=5))
def test_any_rows_are_divided_into_runs(columns: list[list[int]]) -> None:
    """Runs cover every entry once and never leave their row, however rows look."""
    long = [(100, 400)]  # makes the mean length large enough
    rows: Rows = [[*((c, c + 1) for c in sorted(row)), *long] for row in columns]
    pattern = operator_of(rows, 400).pattern
    runs = pattern.divided
    assert runs.starts.size == pattern.run_count
    covered = [np.arange(runs.starts[r], runs.starts[r] + np.diff(runs.places)[r]) for r in range(runs.starts.size)]
    np.testing.assert_array_equal(np.concatenate(covered), pattern.indices)
    np.testing.assert_array_equal(runs.places[runs.rows], pattern.indptr)
