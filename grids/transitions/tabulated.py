"""Transitions given entry by entry: a tensor P[s, a, s'] or a sparse matrix of S·A rows.

Both are held as compressed rows of pairs, or of the distinct ones among them where most pairs share theirs with
others (grids/transitions/shared_rows.py).  Rows are never rescaled, and that a pair ends is never read from a sum: a
row that misses one is as likely a row written with four digits, or forgotten.  It is said, by the probability with
which each pair ends, or by saying that the remainder is meant.  A row is stochastic if its n entries (with the
probability of an end, n + 1) sum to one within (n + 2) eps, which is what dividing n numbers by their sum can leave
(eps/2 for each quotient, and n - 1 additions, rounded, of the sum divided by and of the sum tested).
"""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import BoolArray, FloatArray, IndexArray, IntArray, read_only, real_array
from wpoflow.core.brief import briefly
from wpoflow.core.slabs import Slab
from wpoflow.grids.coarsening import Coarsening
from wpoflow.grids.smoothing import SeparableMap, Smoothing
from wpoflow.grids.transitions.base import StateFunction, checked_weights, ends_in_words
from wpoflow.grids.transitions.policy_rows import Pattern, PolicyRows, pattern_of, pattern_of_entries
from wpoflow.grids.transitions.shared_rows import RowMap, shared_rows
from wpoflow.grids.transitions.sparse_kernels import (
    csr_matvec,
    gather_pairs,
    rows_combine,
    rows_pattern,
    scatter_add,
)

MOST_WITHOUT_ORDER = 2  # actions, which have one order and its mirror image
IN_ORDER = "actions are cells on a line in this order, which makes barriers if they are labels"
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
        self.n_states = self._rows = int(rows.shape[1])
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

    def of_slab(self, slab: Slab) -> Self:
        """The same with the pairs of a slab's states alone; it was built of all, to find rows that are the same."""
        cut, pairs = copy(self), slice(slab.start * self.n_actions, slab.stop * self.n_actions)
        states = slice(slab.start, slab.stop)
        cut._rows = slab.rows
        cut.termination = None if self.termination is None else self.termination[states].copy()
        cut.clamped = None if self.clamped is None else self.clamped[states].copy()
        if self._index is not None:
            cut._index = self._index[states].copy()
        else:
            entries = slice(*self._indptr[[pairs.start, pairs.stop]])
            cut._indptr = self._indptr[pairs.start : pairs.stop + 1] - entries.start
            cut._indices, cut._data = self._indices[entries].copy(), self._data[entries].copy()
        return cut

    @property
    def rows(self) -> sp.csr_array:
        """Rows of pairs, (S·A, S); they cannot be written on."""
        if self._index is not None:
            return sp.csr_array(self._map.sparse()[self._index.ravel()])
        shape = (self._rows * self.n_actions, self.n_states)
        shown = read_only(self._data), read_only(self._indices), read_only(self._indptr)
        return sp.csr_array(shown, shape=shape)

    def expect(self, value: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """E[V(s') | s, a], (S, A)."""
        out = np.empty((self._rows, self.n_actions)) if out is None else out
        if self._index is not None:
            gather_pairs(self._index, self._map.apply(value), out)
            return out
        csr_matvec(self._indptr, self._indices, self._data, np.ascontiguousarray(value), out.reshape(-1))
        return out

    @cached_property
    def _pattern(self) -> Pattern:
        pairs = (self._indptr, self._indices, self.n_actions)
        return pattern_of(self._rows, self.n_states, lambda *a: rows_pattern(*pairs, *a))

    @cached_property
    def _places(self) -> tuple[Pattern, IndexArray | None]:
        """Pattern of M, and for every pair the place of its row's weight in it; None if they come in order."""
        assert self._index is not None
        states = np.arange(self._rows, dtype=np.int64)[:, None]
        pattern, places = pattern_of_entries(states, self._index, self._rows, self._map.size)
        return pattern, None if np.array_equal(places, np.arange(pattern.indices.size)) else places

    def under(self, policy: FloatArray) -> PolicyRows:
        """P^p for non-negative weights p, (S, A)."""
        weights = checked_weights(policy, (self._rows, self.n_actions))
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

    def coarser(self, coarsening: Coarsening) -> TabulatedTransition:
        """See `Transition`: for expectations and policies, of ends it knows no more than the rows' sums."""
        before, states = coarsening.interpolation.sparse(), coarsening.states
        if self._index is None:
            rows = sp.csr_array((self._data, self._indices, self._indptr), (self._rows * self.n_actions, self.n_states))
            pairs = (states[:, None] * self.n_actions + np.arange(self.n_actions)).ravel()
            return TabulatedTransition(_sorted(rows[pairs] @ before), self.n_actions)
        cut = copy(self)
        cut.__dict__.pop("_places", None)
        cut.n_states = cut._rows = states.size
        cut._map = RowMap(_sorted(self._map.sparse() @ before))
        cut._index = self._index[states].copy()
        return cut

    def terminal_expectation(self, function: StateFunction) -> FloatArray:
        """Refuse: the table does not say where a pair terminates.

        Raises
        ------
        ValueError
            Always, unless no pair terminates.
        """
        if self.termination is None:
            return np.zeros((self._rows, self.n_actions))
        raise ValueError("a tabulated transition does not say where a pair ends; put the terminal cost into the cost")


def _sorted(rows: sp.csr_array) -> sp.csr_array:
    """The same rows, columns ascending."""
    sorted_rows = sp.csr_array(rows)
    sorted_rows.sort_indices()
    return sorted_rows


def tabulated_transition(
    table: FloatArray | sp.sparray | sp.spmatrix, ends: FloatArray | Literal["remainder"] | None = None
) -> TabulatedTransition:
    """Transition from a tensor (S, A, S) or a sparse matrix (S·A, S), row s·A + a the law after (s, a).

    Parameters
    ----------
    table : array or sparse matrix
        Probabilities of the next states.
    ends : array (S, A) or "remainder", optional
        Probability that the process ends with the pair; or, in a word, whatever its row misses to one.  By default no
        pair ends.

    Raises
    ------
    ValueError
        A wrong shape or type; a mask; entries negative or not finite; a row that with the probability of an end does
        not sum to one within (n + 2) eps, n its number of entries.  Names the pair, its sum, and what may be done.
    """
    rows = _checked_rows(table)
    n_states, n_actions = rows.shape[1], rows.shape[0] // rows.shape[1]
    total: FloatArray = np.bincount(_row_of_entry(rows), weights=rows.data, minlength=rows.shape[0]).astype(float)
    rounding = EPS * (np.diff(rows.indptr) + 2.0)
    if isinstance(ends, str):
        if ends != "remainder":
            raise ValueError(f'ends is {ends!r}; give (S, A) probabilities, "remainder", or nothing')
        _refuse_sums(total, total > 1.0 + rounding, n_actions, "more than one; divide such rows by their sums")
        stated = np.where(total < 1.0 - rounding, 1.0 - total, 0.0)
    elif ends is None:
        _refuse_sums(total, np.abs(total - 1.0) > rounding, n_actions, f"not to one; {_WAYS_OUT}{_precision(table)}")
        stated = np.zeros(total.size)
    else:
        stated = _checked_ends(ends, (n_states, n_actions)).ravel()
        wrong = np.abs(total + stated - 1.0) > rounding + EPS
        words = f"and with it not to one; divide both by their sum{_precision(table)}"
        _refuse_sums(total, wrong, n_actions, words, stated)
    termination = stated.reshape(n_states, n_actions) if stated.any() else None
    said = [ends_in_words(termination)] if termination is not None else []
    labels = [IN_ORDER] if n_actions > MOST_WITHOUT_ORDER else []
    return TabulatedTransition(
        rows,
        n_actions,
        termination=termination,
        description="; ".join([f"tabulated, {rows.nnz} probabilities", *labels, *said]),
    )


_WAYS_OUT = (
    "divide rows that are meant to sum to one by their sums, or say what ends: ends=(S, A) probabilities, "
    'or ends="remainder" where what is missing is the probability of an end'
)


def _checked_rows(table: Any) -> sp.csr_array:
    """Rows of pairs, canonical, in arrays of their own, with entries that are finite and not negative."""
    if sp.issparse(table):
        given: Any = table
        entries = getattr(given, "data", None)
        real_array(entries if isinstance(entries, np.ma.MaskedArray) else np.empty(0, given.dtype), "transition")
        rows: sp.csr_array[np.float64, tuple[int, int]] = sp.csr_array(given.astype(np.float64).tocsr())
        if rows.shape[1] == 0 or rows.shape[0] % rows.shape[1] != 0 or rows.shape[0] == 0:
            raise ValueError(f"sparse transition has shape {rows.shape}; expected (states × actions, states)")
    else:
        tensor = real_array(table, "transition")
        if tensor.ndim != 3 or tensor.shape[0] != tensor.shape[2] or tensor.size == 0:
            raise ValueError(f"transition has shape {tensor.shape}; expected (states, actions, states)")
        rows = sp.csr_array(tensor.reshape(-1, tensor.shape[2]))
    rows.sum_duplicates()
    n_actions = rows.shape[0] // rows.shape[1]
    for wrong, words in ((~np.isfinite(rows.data), "not finite"), (rows.data < 0, "negative")):
        if wrong.any():
            entry = int(wrong.argmax())
            pair = _pair(int(_row_of_entry(rows)[entry]), n_actions)
            raise ValueError(f"{pair}: probability {rows.data[entry]} of state {rows.indices[entry]} is {words}")
    return rows


def _row_of_entry(rows: sp.csr_array) -> IntArray:
    return np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))


def _checked_ends(ends: Any, shape: tuple[int, int]) -> FloatArray:
    stated = real_array(ends, "ends")
    if stated.shape != shape:
        raise ValueError(f"ends has shape {stated.shape}; expected (states, actions), which is {shape}")
    wrong = ~((stated >= 0.0) & (stated <= 1.0))
    if wrong.any():
        pair = _pair(int(wrong.argmax()), shape[1])
        raise ValueError(f"{pair}: the probability of an end is {stated[wrong][0]}; it must lie between 0 and 1")
    return stated


def _refuse_sums(
    total: FloatArray, wrong: BoolArray, n_actions: int, words: str, stated: FloatArray | None = None
) -> None:
    """Raise ValueError naming the pair whose probabilities miss one by most among those that are wrong."""
    if not wrong.any():
        return
    missed = np.abs(total + (0.0 if stated is None else stated) - 1.0)
    worst = int(np.where(wrong, missed, -1.0).argmax())
    others = int(np.count_nonzero(wrong)) - 1
    more = f" (and {others} more {'pair' if others == 1 else 'pairs'} likewise)" if others else ""
    end = "" if stated is None else f", the probability of an end is {stated[worst]:.17g}"
    raise ValueError(f"{_pair(worst, n_actions)}: probabilities sum to {total[worst]:.17g}{end}{more}, {words}")


def _precision(table: Any) -> str:
    """What else to do where numbers of less precision were given, whose sums miss one by more."""
    dtype = np.dtype(getattr(table, "dtype", np.float64))
    if dtype.kind != "f" or dtype.itemsize >= np.dtype(np.float64).itemsize:
        return ""
    return f" (its numbers are {dtype}: convert them before dividing, P = P.astype(float))"


def _pair(row: int, n_actions: int) -> str:
    return f"state {row // n_actions}, action {row % n_actions}"
