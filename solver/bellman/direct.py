"""Discounted systems solved by complete factors, LAPACK's or SuperLU's, with BLAS held to one thread.

The *transposed* matrix is factored: its columns are diagonally dominant, so no row is ever exchanged, and elimination
of an M-matrix adds numbers of one sign only outside the diagonal; occupancies of rarely visited states keep their
relative accuracy.

**Fill.**  Complete factors of a sparse matrix fill in: on d state axes of n points each a column of them has some
n^(d - 1) entries, which on four axes is a thousand times what the matrix has.  Before many states are factored the fill
is estimated by the envelope of the matrix in the order of Cuthill and McKee (George & Liu 1981, chapter 4), which holds
all of it in that order; SuperLU's own order leaves between a quarter of it and all.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg.lapack as lapack
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from scipy.sparse.csgraph import reverse_cuthill_mckee

from wpoflow.core.arrays import FloatArray
from wpoflow.core.memory import machine_bytes
from wpoflow.grids.transitions import PolicyTransition
from wpoflow.solver.arithmetic.blas import one_blas_thread


class BellmanError(ArithmeticError):
    """A discounted system could not be solved to rounding."""


MOST_FILL = 1 << 24  # entries, up to which complete factors stand in where Krylov stagnates: a fifth of a gigabyte
MOST_AXES = 2  # of states, up to which they do
FILL_BYTES = 16  # an entry of the factors and its place


def estimated_fill(matrix: sparse.csr_array) -> int:
    """Entries of complete factors of a square matrix, by its envelope: an upper bound in a good order of elimination.

    The envelope of a symmetric pattern is what lies, in every row, between its first entry and the diagonal; both
    factors together fill at most twice that, and the diagonal.
    """
    pattern = sparse.csr_array(matrix)
    both = sparse.csr_array(abs(pattern) + abs(pattern).T)
    order = reverse_cuthill_mckee(both, symmetric_mode=True)
    rows = both.shape[0]
    place = np.empty(rows, dtype=np.int64)
    place[order] = np.arange(rows)
    entries = sparse.coo_array(both)
    first = np.arange(rows)
    np.minimum.at(first, place[entries.row], place[entries.col])
    return int(rows + 2 * (np.arange(rows) - first).sum())


def fits(transition: PolicyTransition) -> bool:
    """Whether complete factors may stand in for Krylov: of at most two state axes, and little fill."""
    if transition.state_axes > MOST_AXES:
        return False
    rows = transition.n_states
    return rows * rows <= MOST_FILL or estimated_fill(transition.sparse()) <= MOST_FILL


class DenseFactors:
    """Of I - gamma P^pi by LAPACK, made when they are first asked for."""

    def __init__(self, transition: PolicyTransition, discount: float) -> None:
        self._transition, self._discount = transition, discount

    def correction(self, residual: FloatArray, reduction: float, transposed: bool) -> tuple[FloatArray, float]:
        """What solves for a residual up to rounding, and what is taken to be left of it: nothing."""
        with one_blas_thread():
            factors, pivots = self._factors
            x, _ = lapack.dgetrs(factors, pivots, residual, trans=0 if transposed else 1)
        return np.asarray(x), 0.0

    @cached_property
    def _factors(self) -> tuple[FloatArray, Any]:
        matrix = self._transition.dense()
        matrix *= -self._discount
        matrix.ravel()[:: matrix.shape[0] + 1] += 1.0
        factors, pivots, info = lapack.dgetrf(matrix.T, overwrite_a=1)
        if info != 0:
            raise BellmanError(f"discounted system of {matrix.shape[0]} states: pivot {info} is zero")
        return factors, pivots


class SparseFactors:
    """The same by SuperLU."""

    def __init__(self, transition: PolicyTransition, discount: float) -> None:
        self._transition, self._discount = transition, discount

    def correction(self, residual: FloatArray, reduction: float, transposed: bool) -> tuple[FloatArray, float]:
        """See `DenseFactors`."""
        with one_blas_thread():
            return np.asarray(self._factors.solve(residual, trans="N" if transposed else "T")), 0.0

    @cached_property
    def _factors(self) -> Any:
        matrix = sparse.eye_array(self._transition.n_states) - self._discount * self._transition.sparse()
        if matrix.shape[0] ** 2 > MOST_FILL:
            _refuse_fill(matrix)
        return sparse_linalg.splu(sparse.csc_array(matrix.T), permc_spec="COLAMD", diag_pivot_thresh=0.0)


def _refuse_fill(matrix: sparse.csr_array) -> None:
    """Refuse what would not fit the machine."""
    fill, most = estimated_fill(matrix), machine_bytes() // 2
    if fill * FILL_BYTES > most:
        raise BellmanError(
            f"discounted system of {matrix.shape[0]} states: complete factors would have up to {fill:.3g} entries "
            f"and take {fill * FILL_BYTES / 1e9:.3g} GB, more than half of the memory there is "
            f"({most / 1e9:.3g} GB); choose the linear solver krylov"
        )
