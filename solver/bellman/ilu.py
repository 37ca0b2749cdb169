"""Incomplete factors of I - gamma P as a preconditioner: ILU(0), exact on the places of P and the diagonal.

    I - gamma P ≈ L U,      (L U)_ij = (I - gamma P)_ij wherever P_ij may be non-zero

Meijerink & van der Vorst 1977, doi:10.1090/S0025-5718-1977-0438681-4: for M-matrices the factors exist on any
places.  Factoring costs about as much as the one or two steps of a solve that fresh factors save over those of an
earlier policy; so every system is factored anew, and results do not depend on what came before.  Factors with fill
(SuperLU's, drop tolerance 1e-3) halve the number of steps and take a hundred times as long to make.
"""

from __future__ import annotations

import weakref

import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.grids.transitions import PolicyTransition
from wpoflow.grids.transitions.policy_rows import PolicyRows
from wpoflow.solver.bellman.ilu_kernels import (
    factor,
    solve,
    solve_transposed,
    system_count,
    system_entries,
    system_rows,
)


def rows_at_hand(transition: PolicyTransition) -> bool:
    """Whether P is held as compressed rows, so that they need not be multiplied out."""
    return isinstance(transition, PolicyRows) and transition.smoothing.identity


def compressed_rows(transition: PolicyTransition) -> tuple[IntArray, IndexArray, FloatArray]:
    """Bounds, ascending columns and entries of the rows of P."""
    if isinstance(transition, PolicyRows) and transition.smoothing.identity:
        return transition.pattern.indptr, transition.pattern.indices, transition.data
    matrix = transition.sparse()
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data


class IncompleteFactors:
    """Incomplete factors of one policy's system at a time; arrays are kept for the systems of its neighbours."""

    def __init__(self) -> None:
        self._made_for: weakref.ref[PolicyTransition] | None = None
        self._places: IndexArray | None = None
        self._bounds = np.zeros(0, dtype=np.int64)
        self._columns = np.zeros(0, dtype=np.int32)
        self._diagonal = np.zeros(0, dtype=np.int64)
        self._entries, self._inverse = np.zeros(0), np.zeros(0)

    def prepare(self, transition: PolicyTransition, discount: float) -> None:
        """Factor this system unless its factors are at hand."""
        if self._made_for is not None and self._made_for() is transition:
            return
        indptr, indices, data = compressed_rows(transition)
        n = transition.n_states
        if self._inverse.size != n:
            self._bounds, self._diagonal = np.empty(n + 1, dtype=np.int64), np.empty(n, dtype=np.int64)
            self._inverse = np.empty(n)
        if self._places is not indices:  # the same places as last time need not be listed again
            system_count(indptr, indices, self._bounds)
            if self._entries.size != self._bounds[-1]:
                self._columns, self._entries = np.empty(self._bounds[-1], dtype=np.int32), np.empty(self._bounds[-1])
            system_rows(indptr, indices, self._bounds, self._columns, self._diagonal)
            self._places = indices
        system_entries(indptr, data, discount, self._bounds, self._diagonal, self._entries)
        factor(self._bounds, self._columns, self._diagonal, self._entries, self._inverse)
        self._made_for = weakref.ref(transition)

    def solve(self, x: FloatArray, transposed: bool) -> FloatArray:
        """Approximately (I - gamma P)^{-1} x, or its transpose, in a new array."""
        out = x.copy()
        sweep = solve_transposed if transposed else solve
        sweep(self._bounds, self._columns, self._diagonal, self._entries, self._inverse, out)
        return out
