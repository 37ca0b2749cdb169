"""Discounted systems solved by complete factors, LAPACK's or SuperLU's, with BLAS held to one thread.

The *transposed* matrix is factored: its columns are diagonally dominant, so no row is ever exchanged, and elimination
of an M-matrix adds numbers of one sign only outside the diagonal; occupancies of rarely visited states keep their
relative accuracy.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg.lapack as lapack
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.transitions import PolicyTransition
from wpoflow.solver.bellman.blas import one_blas_thread


class BellmanError(ArithmeticError):
    """A discounted system could not be solved to rounding."""


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
        return sparse_linalg.splu(sparse.csc_array(matrix.T), permc_spec="COLAMD", diag_pivot_thresh=0.0)
