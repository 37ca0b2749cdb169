"""Linear systems with I - gamma P^pi: soft evaluation (as it stands) and occupancies (transposed).

Three ways to solve them, one contract: the solution is refined until its residual no longer falls,
so that ||x - x_exact||_inf <= ||b - A x||_inf / (1 - gamma) holds with a residual at rounding.

* ``dense``: LAPACK.  The *transposed* matrix is factored: its columns are diagonally dominant, so
  no row is ever exchanged, and elimination of an M-matrix adds numbers of one sign only outside the
  diagonal; occupancies of rarely visited states keep their relative accuracy.
* ``sparse``: SuperLU on the same matrix, without exchanges, for one state axis and narrow rows.
* ``krylov``: GMRES with refinement, warm-started; where P^pi has few entries to a row it is
  preconditioned by incomplete factors (solver/bellman/ilu.py).

Which one is chosen is a function of sizes alone (solver/bellman/linear_solver.py), and nothing is kept from one system
to the next but arrays: results are the same for every number of threads and every history.  BLAS is held to one thread
while it factors and solves; Krylov uses none.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any

import numpy as np
import scipy.linalg.lapack as lapack
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.transitions import PolicyTransition
from wpoflow.grids.transitions.policy_rows import PolicyRows
from wpoflow.solver.arithmetic.extremes import largest_entry
from wpoflow.solver.bellman.blas import one_blas_thread
from wpoflow.solver.bellman.gmres import MOST_VECTORS, gmres
from wpoflow.solver.bellman.gmres_kernels import apply_factors, gmres_of_factors, residual_of_factors
from wpoflow.solver.bellman.ilu import IncompleteLU, pays
from wpoflow.solver.bellman.linear_solver import LINEAR_SOLVERS

EPS = float(np.finfo(np.float64).eps)
SOUGHT = 2.0  # roundings of the solution at which refinement stops
ACCEPTED = 64.0  # a residual above this many roundings of the solution is a failed solve
REFINEMENTS = 12
KRYLOV_REDUCTION = 1e-13  # the least that is asked of one correction
KRYLOV_MARGIN = 0.3  # norms of a correction are Euclidean, those wanted are of the largest entry
STALLED = 0.5  # a correction that leaves more than this of the residual is the last of its kind


class BellmanError(ArithmeticError):
    """A discounted system could not be solved to rounding."""


class DiscountedSystem:
    """A = I - gamma P^pi for one policy, ready to be solved with many right-hand sides.

    Parameters
    ----------
    transition : PolicyTransition
        P^pi.
    discount : float
        gamma.
    linear_solver : {"dense", "sparse", "krylov"}
    incomplete : IncompleteLU, optional
        Shared between the systems of a flow.
    """

    def __init__(
        self,
        transition: PolicyTransition,
        discount: float,
        linear_solver: str,
        incomplete: IncompleteLU | None = None,
    ) -> None:
        if linear_solver not in LINEAR_SOLVERS:
            raise ValueError(f"linear solver {linear_solver!r}; choose one of {', '.join(LINEAR_SOLVERS)}")
        self.transition = transition
        self.discount = discount
        self.linear_solver = linear_solver
        self.iterations = 0
        self._factors = transition.factors if isinstance(transition, PolicyRows) else None
        self._incomplete = None
        if linear_solver == "krylov" and pays(transition):
            self._incomplete = IncompleteLU() if incomplete is None else incomplete

    def apply(self, x: FloatArray) -> FloatArray:
        """(I - gamma P) x, (S,) -> (S,)."""
        if self._factors is not None:
            image = np.empty(x.size)
            apply_factors(*self._factors, self.discount, x, np.empty(self._factors.laws.shape[0]), image)
            return image
        image = self.transition.matvec(x)
        image *= -self.discount
        image += x
        return image

    def apply_transposed(self, x: FloatArray) -> FloatArray:
        """(I - gamma P)^T x, (S,) -> (S,)."""
        image = self.transition.rmatvec(x)
        image *= -self.discount
        image += x
        return image

    def solve(
        self, rhs: FloatArray, guess: FloatArray | None = None, tolerance: float = 0.0
    ) -> tuple[FloatArray, float]:
        """x with (I - gamma P) x = rhs, and its residual in the maximum norm, at rounding or below ``tolerance``.

        Raises
        ------
        BellmanError
            The residual stayed above 64 roundings of the solution.
        """
        return self._solve(rhs, guess, tolerance, transposed=False)

    def solve_transposed(
        self, rhs: FloatArray, guess: FloatArray | None = None, tolerance: float = 0.0
    ) -> tuple[FloatArray, float]:
        """x with (I - gamma P)^T x = rhs, and its residual; errors as ``solve``."""
        return self._solve(rhs, guess, tolerance, transposed=True)

    def approximate(self, rhs: FloatArray, reduction: float) -> FloatArray:
        """x with (I - gamma P) x = rhs to about ``reduction`` of rhs, by the solver's own account.

        For iterations that measure what is left by themselves: it spares the product that ``solve`` makes sure with.

        Raises
        ------
        BellmanError
            As ``solve``, which takes over where one round of GMRES does not suffice.
        """
        if self.linear_solver != "krylov":
            return self._correction(rhs, False, reduction, self.linear_solver)
        x, reached = self._krylov_correction(rhs, False, reduction)
        if reached <= reduction:
            return x
        return self.solve(rhs, x, reduction * float(np.abs(rhs).max()))[0]

    def _solve(
        self, rhs: FloatArray, guess: FloatArray | None, tolerance: float, transposed: bool
    ) -> tuple[FloatArray, float]:
        scale = largest_entry(rhs)
        if guess is None:
            x, residual, norm = np.zeros_like(rhs), rhs, scale
        else:
            x = guess
            residual, norm = self._residual(rhs, x, transposed)
        linear_solver = self.linear_solver
        for _ in range(REFINEMENTS):
            rounding = EPS * max(largest_entry(x), scale)
            sought = max(SOUGHT * rounding, tolerance)
            if norm <= sought:
                break
            candidate = x + self._correction(residual, transposed, sought / norm, linear_solver)
            new_residual, new_norm = self._residual(rhs, candidate, transposed)
            if new_norm < norm:
                stalled = new_norm > STALLED * norm
                x, residual, norm = candidate, new_residual, new_norm
                if not stalled:
                    continue
            if norm <= max(ACCEPTED * rounding, tolerance) or linear_solver != "krylov":
                break
            linear_solver = "sparse"  # Krylov stagnated: factor this one system
        rounding = EPS * max(largest_entry(x), scale)
        if not norm <= max(ACCEPTED * rounding, tolerance):
            raise BellmanError(
                f"discounted system of {rhs.size} states not solved: residual {norm:.3g}, "
                f"{norm / max(rounding, 1e-300):.3g} roundings of the solution"
            )
        return (x.copy() if x is guess else x), norm

    def _residual(self, rhs: FloatArray, x: FloatArray, transposed: bool) -> tuple[FloatArray, float]:
        """rhs - A x, or its transpose, in a new array, and its largest entry."""
        if self._factors is not None and not transposed:
            residual = np.empty(x.size)
            return residual, residual_of_factors(*self._factors, self.discount, rhs, x, residual)
        residual = rhs - (self.apply_transposed(x) if transposed else self.apply(x))
        return residual, largest_entry(residual)

    def _correction(self, residual: FloatArray, transposed: bool, reduction: float, linear_solver: str) -> FloatArray:
        """An approximate solution for a residual: exact up to rounding, or by a few Krylov steps."""
        if linear_solver == "krylov":
            return self._krylov_correction(residual, transposed, reduction)[0]
        with one_blas_thread():
            if linear_solver == "dense":
                factors, pivots = self._dense_factors
                x, _ = lapack.dgetrs(factors, pivots, residual, trans=0 if transposed else 1)
                return np.asarray(x)
            return np.asarray(self._sparse_factors.solve(residual, trans="N" if transposed else "T"))

    def _krylov_correction(self, residual: FloatArray, transposed: bool, reduction: float) -> tuple[FloatArray, float]:
        """A correction, and the part of the residual that GMRES takes to be left."""
        incomplete = self._incomplete
        wanted = max(KRYLOV_REDUCTION, KRYLOV_MARGIN * reduction)
        if incomplete is None and self._factors is not None and not transposed:
            x = np.empty(residual.size)
            iterations, reached = gmres_of_factors(*self._factors, self.discount, residual, wanted, MOST_VECTORS, x)
        else:
            precondition = None
            if incomplete is not None:
                incomplete.factor(self.transition, self.discount)
                precondition = partial(incomplete.solve, transposed=transposed)
            apply = self.apply_transposed if transposed else self.apply
            x, iterations, reached = gmres(apply, precondition, residual, wanted)
        self.iterations += iterations
        return x, reached

    @cached_property
    def _dense_factors(self) -> tuple[FloatArray, Any]:
        matrix = self.transition.dense()
        matrix *= -self.discount
        matrix.ravel()[:: matrix.shape[0] + 1] += 1.0
        factors, pivots, info = lapack.dgetrf(matrix.T, overwrite_a=1)
        if info != 0:
            raise BellmanError(f"discounted system of {matrix.shape[0]} states: pivot {info} is zero")
        return factors, pivots

    @cached_property
    def _sparse_factors(self) -> Any:
        matrix = sparse.eye_array(self.transition.n_states) - self.discount * self.transition.sparse()
        return sparse_linalg.splu(sparse.csc_array(matrix.T), permc_spec="COLAMD", diag_pivot_thresh=0.0)
