"""Incomplete factors of I - gamma P as a preconditioner: ILU(0), exact on the pattern of P and the diagonal.

    I - gamma P ≈ L U,      (L U)_ij = (I - gamma P)_ij wherever P_ij may be non-zero

Meijerink & van der Vorst 1977, doi:10.1090/S0025-5718-1977-0438681-4: for M-matrices the factors exist on any
pattern.  Factoring costs about as much as the one or two steps of a solve that fresh factors save over those of an
earlier policy; so every system is factored anew, and results do not depend on what came before.  Factors with fill
(SuperLU's, drop tolerance 1e-3) halve the number of steps and take a hundred times as long to make.

Where P is held over its pairs, or has long rows, factors are those of *thinned* rows (`PolicyTransition.thinned`): of
the same sums, so that the matrix stays an M-matrix and constants are treated exactly.
"""

from __future__ import annotations

import weakref
from typing import TypeGuard

import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.grids.transitions import PolicyTransition
from wpoflow.grids.transitions.policy_rows import PolicyRows
from wpoflow.solver.bellman.ilu_kernels import (
    factor,
    solve,
    solve_transposed,
    system_entries,
    system_indices,
    system_indptr,
)

LEAST_STATES = 1000  # incomplete factors pay from so many states, or where the rows need not be multiplied out
MOST_ROW_ENTRIES = 64  # and up to so many entries to a row of P^pi


def pays(transition: PolicyTransition) -> bool:
    """Whether factoring costs less than the Krylov steps it saves."""
    few_entries = transition.thins or transition.work <= MOST_ROW_ENTRIES * transition.n_states
    return few_entries and (transition.n_states >= LEAST_STATES or _holds_rows(transition))


def _holds_rows(transition: PolicyTransition) -> TypeGuard[PolicyRows]:
    return isinstance(transition, PolicyRows) and transition.smoothing.identity


def compressed_rows(transition: PolicyTransition, *, thinned: bool) -> tuple[IntArray, IndexArray, FloatArray]:
    """Row pointers, ascending column indices and entries of P, or of its thinned rows."""
    if thinned:
        near = transition.thinned()
        assert near is not None
        transition = near
    if _holds_rows(transition):
        return transition.pattern.indptr, transition.pattern.indices, transition.data
    matrix = transition.sparse()
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data


class IncompleteLU:
    """Incomplete factors of one policy's system at a time; arrays are kept for the systems of its neighbours."""

    def __init__(self) -> None:
        self._thinned = False
        self._factored: weakref.ref[PolicyTransition] | None = None
        self._pattern: IndexArray | None = None
        self._indptr, self._diagonal = np.zeros((2, 0), dtype=np.int64)
        self._indices = np.zeros(0, dtype=np.int32)
        self._entries, self._inverse = np.zeros((2, 0))

    def factor(self, transition: PolicyTransition, discount: float, *, thinned: bool = False) -> None:
        """Factor I - gamma P, or that of thinned rows, unless its factors are at hand."""
        if self._factored is not None and self._factored() is transition and self._thinned == thinned:
            return
        indptr, indices, data = compressed_rows(transition, thinned=thinned)
        n = transition.n_states
        if self._inverse.size != n:
            self._indptr, self._diagonal = np.empty(n + 1, dtype=np.int64), np.empty(n, dtype=np.int64)
            self._inverse = np.empty(n)
        if self._pattern is not indices:  # the same pattern as last time need not be listed again
            system_indptr(indptr, indices, self._indptr)
            if self._entries.size != self._indptr[-1]:
                self._indices, self._entries = np.empty(self._indptr[-1], dtype=np.int32), np.empty(self._indptr[-1])
            system_indices(indptr, indices, self._indptr, self._indices, self._diagonal)
            self._pattern = indices
        system_entries(indptr, data, discount, self._indptr, self._diagonal, self._entries)
        factor(self._indptr, self._indices, self._diagonal, self._entries, self._inverse)
        self._factored, self._thinned = weakref.ref(transition), thinned

    def solve(self, x: FloatArray, transposed: bool) -> FloatArray:
        """Approximately (I - gamma P)^{-1} x, or its transpose, in a new array."""
        out = x.copy()
        triangular_solves = solve_transposed if transposed else solve
        triangular_solves(self._indptr, self._indices, self._diagonal, self._entries, self._inverse, out)
        return out
