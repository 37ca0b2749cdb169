"""The transition P^p of a policy as compressed rows over nodes times a smoothing: P^p = M G.

M[i, :] = Σ_k p[i, k] × (stencil of the pair), G the map from states to nodes.  Neither product needs
P^p itself: a product costs the entries of M plus the smoothing along each axis.  Kernels that are sums of
others give sums of such operators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.grids.transitions.base import PolicyTransition
from wpoflow.grids.transitions.sparse_kernels import (
    csr_dense,
    csr_matvec,
    csr_rmatvec,
    product_of_factors,
    rows_are_runs,
    scatter_add,
)

SMALL = 1 << 16  # entries of a factor up to which one call does more than threads would
_MOST_PARTS = 16
_NO_LAWS: FloatArray = np.empty((0, 0))


class StateMap(Protocol):
    """A linear map from values at S states to values at nodes."""

    @property
    def identity(self) -> bool:
        """Whether nothing is done."""
        ...

    @property
    def work(self) -> int:
        """Multiply-adds of one application."""
        ...

    @property
    def dense(self) -> FloatArray | None:
        """The map as an array (nodes, S), where that is how it is held."""
        ...

    def apply(self, value: FloatArray) -> FloatArray:
        """Values at nodes, (nodes,), from values at states, (S,)."""
        ...

    def apply_transposed(self, x: FloatArray) -> FloatArray:
        """Transpose of ``apply`` on the last index of x, (..., nodes), giving (..., S)."""
        ...

    def sparse(self) -> sp.csr_array:
        """Return the map as a matrix, (nodes, S)."""
        ...


@dataclass(frozen=True, eq=False)
class Pattern:
    """Places of the entries of M: ``indices[indptr[i] : indptr[i + 1]]`` ascending, below ``columns``."""

    indptr: IntArray
    indices: IndexArray
    columns: int

    @cached_property
    def runs(self) -> bool:
        """Whether the places of every row follow one another."""
        return bool(rows_are_runs(self.indptr, self.indices))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.indptr.nbytes + self.indices.nbytes


def pattern_of(
    states: int,
    columns: int,
    count_kernel: Callable[[IndexArray, IntArray], None],
    list_kernel: Callable[[IndexArray, IntArray, IndexArray], None],
) -> Pattern:
    """Pattern from two passes: count(seen, count) per state, then list(seen, indptr, indices)."""
    count = np.zeros(states, dtype=np.int64)
    count_kernel(np.full(columns, -1, dtype=np.int32), count)
    indptr = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(count)))
    indices = np.empty(int(indptr[-1]), dtype=np.int32)
    list_kernel(np.full(columns, -1, dtype=np.int32), indptr, indices)
    return Pattern(indptr, indices, columns)


@dataclass(frozen=True, eq=False)
class Folding:
    """Rows over nodes that are copies of states, as rows over the states.

    Attributes
    ----------
    pattern : Pattern
        Places over states.
    places : int32 array (entries over nodes,)
        Where every entry is added.
    """

    pattern: Pattern
    places: IndexArray

    @staticmethod
    def of(pattern: Pattern, states: IndexArray) -> Folding:
        """Folding for nodes that are copies of ``states``, (nodes,)."""
        n = pattern.indptr.size - 1
        row = np.repeat(np.arange(n, dtype=np.int64), np.diff(pattern.indptr))
        entries, places = np.unique(row * n + states[pattern.indices], return_inverse=True)
        indptr = np.searchsorted(entries, n * np.arange(n + 1, dtype=np.int64)).astype(np.int64)
        return Folding(Pattern(indptr, (entries % n).astype(np.int32), n), places.astype(np.int32))

    def apply(self, data: FloatArray) -> FloatArray:
        """Entries over states from entries over nodes."""
        out = np.empty(self.pattern.indices.size)
        scatter_add(self.places, data, out)
        return out


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
    smoothing : StateMap
        The map G from states to nodes.
    """

    pattern: Pattern
    data: FloatArray
    smoothing: StateMap

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return int(self.pattern.indptr.size - 1)

    @property
    def work(self) -> int:
        """Multiply-adds of one product."""
        return int(self.data.size) + self.smoothing.work

    @cached_property
    def factors(self) -> Factors | None:
        """M and G as arrays, where G is dense or nothing and both are small."""
        laws = _NO_LAWS if self.smoothing.identity else self.smoothing.dense
        if laws is None or max(laws.size, self.data.size) > SMALL:
            return None
        return Factors(self.pattern.indptr, self.pattern.indices, self.pattern.runs, self.data, laws)

    def matvec(self, x: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """P^p x, (S,)."""
        out = np.empty(self.n_states) if out is None else out
        factors = self.factors
        if factors is not None:
            product_of_factors(*factors, np.ascontiguousarray(x), np.empty(factors.laws.shape[0]), out)
            return out
        values = np.ascontiguousarray(x) if self.smoothing.identity else self.smoothing.apply(x)
        csr_matvec(self.pattern.indptr, self.pattern.indices, self.data, values, out)
        return out

    def rmatvec(self, x: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """(P^p)ᵀ x, (S,)."""
        columns = self.pattern.columns
        parts = np.empty((min(_MOST_PARTS, 1 + self.data.size // (4 * columns)), columns))
        nodes = np.empty(columns)
        csr_rmatvec(self.pattern.indptr, self.pattern.indices, self.data, np.ascontiguousarray(x), parts, nodes)
        result = nodes if self.smoothing.identity else self.smoothing.apply_transposed(nodes)
        if out is None:
            return result
        out[:] = result
        return out

    def dense(self) -> FloatArray:
        """P^p as an array (S, S)."""
        rows = np.empty((self.n_states, self.pattern.columns))
        csr_dense(self.pattern.indptr, self.pattern.indices, self.data, rows)
        return rows if self.smoothing.identity else self.smoothing.apply_transposed(rows)

    def sparse(self) -> sp.csr_array:
        """P^p in compressed rows."""
        shape = (self.n_states, self.pattern.columns)
        rows = sp.csr_array((self.data, self.pattern.indices, self.pattern.indptr), shape=shape)
        if not self.smoothing.identity:
            rows = sp.csr_array(rows @ self.smoothing.sparse())
            rows.sort_indices()
        return rows


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

    def matvec(self, x: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """P^p x, (S,)."""
        return _total([part.matvec(x) for part in self.parts], out)

    def rmatvec(self, x: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """(P^p)ᵀ x, (S,)."""
        return _total([part.rmatvec(x) for part in self.parts], out)

    def dense(self) -> FloatArray:
        """P^p as an array (S, S)."""
        total = self.parts[0].dense()
        for part in self.parts[1:]:
            total += part.dense()
        return total

    def sparse(self) -> sp.csr_array:
        """P^p in compressed rows."""
        total = sp.csr_array(reduce(lambda a, b: sp.csr_array(a + b), (part.sparse() for part in self.parts)))
        total.sort_indices()
        return total


def _total(terms: Sequence[FloatArray], out: FloatArray | None) -> FloatArray:
    result = np.empty_like(terms[0]) if out is None else out
    result[:] = terms[0]
    for term in terms[1:]:
        result += term
    return result
