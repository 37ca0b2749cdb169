"""Transitions given entry by entry: a tensor P[s, a, s'] or a sparse matrix of S·A rows.

Both are held as compressed rows of pairs, or of the distinct ones among them where most pairs share theirs with
others (grids/transitions/shared_rows.py).  Rows may sum to less than one; what is missing is the
probability that the pair terminates.  Rows are never rescaled: a row is stochastic if its n entries sum to one
within (n + 2) eps, which is what dividing n numbers by their sum can leave (eps/2 for each quotient, and n - 1
additions, rounded, of the sum divided by and of the sum tested).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.core.brief import briefly
from wpoflow.grids.smoothing import SeparableMap, Smoothing
from wpoflow.grids.transitions.base import StateFunction, checked_weights
from wpoflow.grids.transitions.policy_rows import Pattern, PolicyRows, pattern_of, pattern_of_entries
from wpoflow.grids.transitions.shared_rows import RowMap, shared_rows
from wpoflow.grids.transitions.sparse_kernels import (
    csr_matvec,
    gather_pairs,
    rows_combine,
    rows_pattern,
    scatter_add,
)

EPS = float(np.finfo(np.float64).eps)


@briefly
class TabulatedTransition:
    """Compressed rows of pairs: row s·A + a holds P(· | s, a).

    Parameters
    ----------
    rows : csr_array (S·A, S)
        Sub-stochastic rows; use ``tabulated_transition`` to have them checked.
    n_actions : int
    termination, clamped : array (S, A) or None
    description : str
    """

    def __init__(
        self,
        rows: sp.csr_array,
        n_actions: int,
        *,
        termination: FloatArray | None = None,
        clamped: FloatArray | None = None,
        description: str = "tabulated",
    ) -> None:
        self.n_states = int(rows.shape[1])
        self.n_actions = n_actions
        self.termination = termination
        self.clamped = clamped
        self.description = description
        self._indptr: IntArray = rows.indptr.astype(np.int64)
        self._indices: IndexArray = rows.indices.astype(np.int32)
        self._data: FloatArray = np.ascontiguousarray(rows.data, dtype=np.float64)
        self._identity = Smoothing(SeparableMap((None,), (self.n_states,)))
        self._index: IndexArray | None = None
        found = shared_rows(self._indptr, self._indices, self._data)
        if found is not None:
            distinct = sp.csr_array(rows[found[0]])
            self._map = RowMap(distinct)
            self._index = found[1].reshape(self.n_states, n_actions)
            self._indptr, self._indices, self._data = np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0)

    @property
    def rows(self) -> sp.csr_array:
        """Rows of pairs, (S·A, S)."""
        if self._index is not None:
            return sp.csr_array(self._map.sparse()[self._index.ravel()])
        shape = (self.n_states * self.n_actions, self.n_states)
        return sp.csr_array((self._data, self._indices, self._indptr), shape=shape)

    def expect(self, value: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """E[V(s') | s, a], (S, A)."""
        out = np.empty((self.n_states, self.n_actions)) if out is None else out
        if self._index is not None:
            gather_pairs(self._index, self._map.apply(value), out)
            return out
        csr_matvec(self._indptr, self._indices, self._data, np.ascontiguousarray(value), out.reshape(-1))
        return out

    @cached_property
    def _pattern(self) -> Pattern:
        pairs = (self._indptr, self._indices, self.n_actions)
        return pattern_of(self.n_states, self.n_states, lambda *a: rows_pattern(*pairs, *a))

    @cached_property
    def _places(self) -> tuple[Pattern, IndexArray | None]:
        """Pattern of M, and for every pair the place of its row's weight in it; None if they come in order."""
        assert self._index is not None
        states = np.arange(self.n_states, dtype=np.int64)[:, None]
        pattern, places = pattern_of_entries(states, self._index, self.n_states, self._map.size)
        return pattern, None if np.array_equal(places, np.arange(pattern.indices.size)) else places

    def under(self, policy: FloatArray) -> PolicyRows:
        """P^p for non-negative weights p, (S, A)."""
        weights = checked_weights(policy, (self.n_states, self.n_actions))
        if self._index is not None:
            shared, places = self._places
            if places is None:
                return PolicyRows(shared, weights.reshape(-1).copy(), self._map)
            data = np.empty(shared.indices.size)
            scatter_add(places, weights.reshape(-1), data)
            return PolicyRows(shared, data, self._map)
        pattern = self._pattern
        data = np.empty(pattern.indices.size)
        rows_combine(
            self._indptr, self._indices, self._data, weights, self.n_states, pattern.indptr, pattern.indices, data
        )
        return PolicyRows(pattern, data, self._identity)

    def terminal_expectation(self, function: StateFunction) -> FloatArray:
        """Refuse: the table does not say where a pair terminates.

        Raises
        ------
        ValueError
            Always, unless no pair terminates.
        """
        if self.termination is None:
            return np.zeros((self.n_states, self.n_actions))
        raise ValueError("a tabulated transition does not say where a pair ends; put the terminal cost into the cost")


def tabulated_transition(table: FloatArray | sp.sparray | sp.spmatrix) -> TabulatedTransition:
    """Transition from a tensor (S, A, S) or a sparse matrix (S·A, S).

    Rows whose n entries sum to one within (n + 2) eps are taken as they are; smaller sums mean termination.

    Raises
    ------
    ValueError
        A wrong shape; entries negative or not finite; a row summing to more than one, by however little beyond
        rounding (divide such rows by their sums).  Names the pair.
    """
    if sp.issparse(table):
        given: Any = table
        rows: sp.csr_array[np.float64, tuple[int, int]] = sp.csr_array(given.astype(np.float64).tocsr())
        if rows.shape[1] == 0 or rows.shape[0] % rows.shape[1] != 0 or rows.shape[0] == 0:
            raise ValueError(f"sparse transition has shape {rows.shape}; expected (states × actions, states)")
    else:
        tensor = np.asarray(table, dtype=np.float64)
        if tensor.ndim != 3 or tensor.shape[0] != tensor.shape[2] or tensor.size == 0:
            raise ValueError(f"transition has shape {tensor.shape}; expected (states, actions, states)")
        rows = sp.csr_array(tensor.reshape(-1, tensor.shape[2]))
    rows.sum_duplicates()
    n_actions = rows.shape[0] // rows.shape[1]
    pair_of_entry = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    for wrong, words in ((~np.isfinite(rows.data), "not finite"), (rows.data < 0, "negative")):
        if wrong.any():
            entry = int(wrong.argmax())
            pair = _pair(int(pair_of_entry[entry]), n_actions)
            raise ValueError(f"{pair}: probability {rows.data[entry]} of state {rows.indices[entry]} is {words}")
    total = np.bincount(pair_of_entry, weights=rows.data, minlength=rows.shape[0])
    rounding = EPS * (np.diff(rows.indptr) + 2.0)
    if np.any(total > 1.0 + rounding):
        worst = int((total - rounding).argmax())
        raise ValueError(
            f"{_pair(worst, n_actions)}: probabilities sum to {total[worst]:.17g}, more than one; divide by it"
        )
    missing = np.where(total < 1.0 - rounding, 1.0 - total, 0.0).reshape(rows.shape[1], n_actions)
    termination = missing if missing.any() else None
    return TabulatedTransition(
        rows, n_actions, termination=termination, description=f"tabulated, {rows.nnz} probabilities"
    )


def _pair(row: int, n_actions: int) -> str:
    return f"state {row // n_actions}, action {row % n_actions}"
