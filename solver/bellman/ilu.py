"""Incomplete factors of I - gamma P as a preconditioner: ILU(0), exact on the pattern of P and the diagonal.

    I - gamma P ≈ L U,      (L U)_ij = (I - gamma P)_ij wherever P_ij is not small

Meijerink & van der Vorst 1977, doi:10.1090/S0025-5718-1977-0438681-4: for M-matrices the factors exist on any
pattern.  Factoring costs about as much as the one or two steps of a solve that fresh factors save over those of an
earlier policy; so systems are factored anew, but where an iteration knows its policies to be near, within one solve
(`IncompleteLU.stand_in_for`), and results do not depend on what came before it.  Factors with fill
(SuperLU's, drop tolerance 1e-3) halve the number of steps and take a hundred times as long to make.  Entries of P that
are small against 1 - gamma are left out, and the others of their row scaled to its sum: a third of what a policy of
many actions reaches, without which there are as many steps, each cheaper.

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
    system_rows,
)

LEAST_STATES = 1000  # incomplete factors pay from so many states, or where the rows need not be multiplied out
MOST_ROW_ENTRIES = 64  # and up to so many entries to a row of P^pi
SMALL = 0.05  # of 1 - gamma: entries that are left out


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
        if self._entries.size != indices.size + n:
            self._indices, self._entries = np.empty(indices.size + n, dtype=np.int32), np.empty(indices.size + n)
        least = SMALL * (1.0 - discount)
        system_rows(indptr, indices, data, discount, least, self._indptr, self._indices, self._diagonal, self._entries)
        factor(self._indptr, self._indices, self._diagonal, self._entries, self._inverse)
        self._factored, self._thinned = weakref.ref(transition), thinned

    def stand_in_for(self, transition: PolicyTransition) -> None:
        """Let factors at hand, of a policy near, precondition another of the same problem as if they were its own."""
        if self._factored is not None:
            self._factored = weakref.ref(transition)

    def solve(self, x: FloatArray, transposed: bool) -> FloatArray:
        """Approximately (I - gamma P)^{-1} x, or its transpose, in a new array."""
        out = x.copy()
        triangular_solves = solve_transposed if transposed else solve
        triangular_solves(self._indptr, self._indices, self._diagonal, self._entries, self._inverse, out)
        return out
