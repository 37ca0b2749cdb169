"""The transition P^p of a policy as compressed rows over nodes times a smoothing: P^p = M G.

M[i, :] = Σ_k p[i, k] × (stencil of the pair), G the map from states to nodes.  Neither product needs
P^p itself: a product costs the entries of M plus the smoothing along each axis.  Kernels that are sums of
others give sums of such operators.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import BoolArray, FloatArray, IndexArray, IntArray
from wpoflow.grids.nearest_states import nearest_states
from wpoflow.grids.smoothing import SeparableMap, Smoothing
from wpoflow.grids.transitions.base import PolicyTransition
from wpoflow.grids.transitions.shared_rows import RowMap
from wpoflow.grids.transitions.sparse_kernels import (
    add_dense,
    add_parts,
    csr_matvec,
    csr_scatter,
    product_of_factors,
    runs_matvec,
)
from wpoflow.grids.transitions.thinned_kernels import representative_entries

SMALL = 1 << 16  # entries of a factor up to which one call does more than threads would
LONG_RUN = 8  # entries from which on, in the mean, a row is quicker by its runs of neighbouring columns
MOST_THINNED = 64  # entries of a row that is thinned
_MOST_PARTS = 16
_NO_LAWS: FloatArray = np.empty((0, 0))


@dataclass(frozen=True, eq=False)
class Pattern:
    """Places of the entries of M: ``indices[indptr[i] : indptr[i + 1]]`` ascending, below ``columns``."""

    indptr: IntArray
    indices: IndexArray
    columns: int

    @cached_property
    def runs(self) -> bool:
        """Whether the places of every row follow one another."""
        filled = np.diff(self.indptr) > 0
        first, last = self.indptr[:-1][filled], self.indptr[1:][filled] - 1
        return bool(np.all(self.indices[last] - self.indices[first] == last - first))

    def _begins(self) -> BoolArray:
        """Whether an entry begins a run: it is the first of its row, or does not follow the one before it."""
        begins = np.ones(self.indices.size, dtype=np.bool_)
        begins[1:] = self.indices[1:] != self.indices[:-1] + 1
        begins[self.indptr[:-1][np.diff(self.indptr) > 0]] = True
        return begins

    @cached_property
    def run_count(self) -> int:
        """Number of runs of neighbouring columns that all rows fall into."""
        return int(np.count_nonzero(self._begins()))

    @property
    def long_runs(self) -> bool:
        """Whether the runs are long enough for products by runs."""
        return are_long(self.run_count, self.indices.size)

    @cached_property
    def divided(self) -> Runs:
        """The runs that all rows fall into."""
        places = np.append(np.flatnonzero(self._begins()), self.indices.size)
        return Runs(np.searchsorted(places, self.indptr), self.indices[places[:-1]], places)


def are_long(runs: int, entries: int) -> bool:
    """Whether so many runs that hold so many entries are long enough for products by runs."""
    return runs <= entries // LONG_RUN


def pattern_of(states: int, columns: int, list_kernel: Callable[[IndexArray, IntArray, IndexArray], None]) -> Pattern:
    """Pattern from two passes of list(seen, indptr, indices): the first, without room for indices, counts."""
    indptr, indices = np.zeros(states + 1, dtype=np.int64), np.empty(0, dtype=np.int32)
    list_kernel(np.full(columns, -1, dtype=np.int32), indptr, indices)
    indices = np.empty(int(indptr[-1]), dtype=np.int32)
    list_kernel(np.full(columns, -1, dtype=np.int32), indptr, indices)
    return Pattern(indptr, indices, columns)


def pattern_of_entries(row: IntArray, column: IndexArray, rows: int, columns: int) -> tuple[Pattern, IndexArray]:
    """Pattern of entries listed in any order, some perhaps more than once, and the place of each in it."""
    entries, places = np.unique((row * columns + column).ravel(), return_inverse=True)
    indptr = np.searchsorted(entries, columns * np.arange(rows + 1, dtype=np.int64)).astype(np.int64)
    return Pattern(indptr, (entries % columns).astype(np.int32), columns), places.ravel().astype(np.int32)


class Runs(NamedTuple):
    """Rows as runs of neighbouring columns in arrays that kernels take; see `runs_matvec`."""

    rows: IntArray
    starts: IndexArray
    places: IntArray


class Factors(NamedTuple):
    """P^p = M T in arrays that kernels take; see `product_of_factors`."""

    indptr: IntArray
    indices: IndexArray
    runs: bool
    data: FloatArray
    laws: FloatArray


@dataclass(frozen=True, eq=False)
class PolicyRows:
    """P^p = M G.

    Parameters
    ----------
    pattern : Pattern
        Places of the entries of M, (S, nodes).
    data : array (entries,)
        The entries.
    smoothing : Smoothing or RowMap
        The map G from states to nodes.
    """

    pattern: Pattern
    data: FloatArray
    smoothing: Smoothing | RowMap

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return int(self.pattern.indptr.size - 1)

    @property
    def work(self) -> int:
        """Multiply-adds of one product."""
        return int(self.data.size) + self.smoothing.work

    @property
    def state_axes(self) -> int:
        """See `PolicyTransition`."""
        return state_axes_of(self.smoothing)

    @property
    def thins(self) -> bool:
        """See `PolicyTransition`."""
        return False

    def thinned(self) -> PolicyRows | None:
        """The entries in which quantiles of each row fall, scaled to its sum; see `representative_entries`."""
        if isinstance(self.smoothing, RowMap):
            return None
        owner, weight = nearest_states(self.smoothing)
        shape = (self.n_states, math.prod(same_states(self.smoothing).spread.shape_in))
        indices = owner[self.pattern.indices]
        data = self.data if weight is None else self.data * weight[self.pattern.indices]
        rows = sp.csr_array((data, indices, self.pattern.indptr), shape=shape, copy=True)
        rows.sum_duplicates()
        return thinned_rows(rows, self.smoothing)

    @cached_property
    def factors(self) -> Factors | None:
        """M and G as arrays, where G is dense or nothing and both are small."""
        laws = _NO_LAWS if self.smoothing.identity else self.smoothing.dense
        if laws is None or max(laws.size, self.data.size) > SMALL:
            return None
        return Factors(self.pattern.indptr, self.pattern.indices, self.pattern.runs, self.data, laws)

    def matvec(self, x: FloatArray) -> FloatArray:
        """P^p x, (S,)."""
        out = np.empty(self.n_states)
        factors = self.factors
        if factors is not None:
            product_of_factors(*factors, np.ascontiguousarray(x), np.empty(factors.laws.shape[0]), out)
            return out
        values = np.ascontiguousarray(x) if self.smoothing.identity else self.smoothing.apply(x)
        self.multiply(values, out, by_runs=self.pattern.long_runs)
        return out

    def multiply(self, values: FloatArray, out: FloatArray, *, by_runs: bool) -> None:
        """Set out to the product of M with values at nodes, row by row whatever the sizes; it has an entry a row."""
        if by_runs:
            runs_matvec(*self.pattern.divided, self.data, values, out)
        else:
            csr_matvec(self.pattern.indptr, self.pattern.indices, self.data, values, out)

    def rmatvec(self, x: FloatArray) -> FloatArray:
        """(P^p)ᵀ x, (S,)."""
        blocks = self.blocks(self.data.size)
        parts = np.zeros((blocks, self.pattern.columns))
        self.scatter(x, np.arange(blocks + 1) * self.n_states // blocks, parts)
        return self.added(parts)

    def blocks(self, entries: int) -> int:
        """In how many blocks of rows a transposed product is summed, where M has so many entries."""
        return min(_MOST_PARTS, 1 + entries // (4 * self.pattern.columns))

    def scatter(self, x: FloatArray, bounds: IntArray, parts: FloatArray) -> None:
        """Add Mᵀ x of the rows between bounds to parts, (blocks, nodes); x has an entry for each row."""
        csr_scatter(self.pattern.indptr, self.pattern.indices, self.data, np.ascontiguousarray(x), bounds, parts)

    def added(self, parts: FloatArray) -> FloatArray:
        """(P^p)ᵀ x, (S,), of the sums over all blocks of rows, (blocks, nodes)."""
        nodes = np.empty(self.pattern.columns)
        add_parts(parts, nodes)
        return nodes if self.smoothing.identity else self.smoothing.apply_transposed(nodes)

    @property
    def _rows(self) -> sp.csr_array:
        """M, on the arrays of this operator: for products only."""
        shape = (self.n_states, self.pattern.columns)
        return sp.csr_array((self.data, self.pattern.indices, self.pattern.indptr), shape=shape)

    def dense(self) -> FloatArray:
        """P^p as an array (S, S)."""
        rows = np.zeros((self.n_states, self.pattern.columns))
        add_dense(self.pattern.indptr, self.pattern.indices, self.data, rows)
        return rows if self.smoothing.identity else self.smoothing.apply_transposed(rows)

    def sparse(self) -> sp.csr_array:
        """P^p in compressed rows, in arrays of its own."""
        if self.smoothing.identity:
            return self._rows.copy()
        rows = sp.csr_array(self._rows @ self.smoothing.sparse())
        rows.sort_indices()
        return rows


def state_axes_of(smoothing: Smoothing | RowMap) -> int:
    """Number of state axes with more than one point; 0 where rows are a table's."""
    if isinstance(smoothing, RowMap):
        return 0
    spread = smoothing.spread if smoothing.split is None else smoothing.split
    return sum(size > 1 for size in spread.shape_in) if len(spread.shape_in) > 1 else 0


def thinned_rows(rows: sp.csr_array, smoothing: Smoothing) -> PolicyRows:
    """Rows of at most so many entries as incomplete factors are made of."""
    indptr, most = np.zeros(rows.shape[0] + 1, dtype=np.int64), MOST_THINNED
    np.cumsum(np.minimum(np.diff(rows.indptr), most), out=indptr[1:])
    indices, data = np.empty(int(indptr[-1]), dtype=np.int32), np.empty(int(indptr[-1]))
    given = (rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data)
    representative_entries(*given, most, indptr, indices, data)
    pattern = Pattern(indptr, indices[: indptr[-1]].copy(), rows.shape[1])
    return PolicyRows(pattern, data[: indptr[-1]].copy(), same_states(smoothing))


def same_states(smoothing: Smoothing) -> Smoothing:
    """The identity on the states of a smoothing."""
    shape = (smoothing.spread if smoothing.split is None else smoothing.split).shape_in
    return Smoothing(SeparableMap((None,) * len(shape), shape))


@dataclass(frozen=True, eq=False)
class PolicySum:
    """P^p as a sum of operators, added in order."""

    parts: tuple[PolicyTransition, ...]

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return self.parts[0].n_states

    @property
    def work(self) -> int:
        """Multiply-adds of one product."""
        return sum(part.work for part in self.parts)

    @property
    def state_axes(self) -> int:
        """See `PolicyTransition`."""
        return max(part.state_axes for part in self.parts)

    @property
    def thins(self) -> bool:
        """See `PolicyTransition`."""
        return any(part.thins for part in self.parts)

    def thinned(self) -> PolicyRows | None:
        """The sum of the thinned parts, thinned once more."""
        parts = [part.thinned() for part in self.parts]
        known = [part for part in parts if isinstance(part, PolicyRows)]
        if len(known) < len(parts):
            return None
        rows = sp.csr_array(reduce(lambda a, b: sp.csr_array(a + b), (part.sparse() for part in known)))
        rows.sort_indices()
        smoothing = known[0].smoothing
        assert isinstance(smoothing, Smoothing)
        return thinned_rows(rows, smoothing)

    def matvec(self, x: FloatArray) -> FloatArray:
        """P^p x, (S,)."""
        return reduce(np.add, (part.matvec(x) for part in self.parts))

    def rmatvec(self, x: FloatArray) -> FloatArray:
        """(P^p)ᵀ x, (S,)."""
        return reduce(np.add, (part.rmatvec(x) for part in self.parts))

    def dense(self) -> FloatArray:
        """P^p as an array (S, S)."""
        return reduce(np.add, (part.dense() for part in self.parts))

    def sparse(self) -> sp.csr_array:
        """P^p in compressed rows."""
        total = sp.csr_array(reduce(lambda a, b: sp.csr_array(a + b), (part.sparse() for part in self.parts)))
        total.sort_indices()
        return total
