"""Linear systems with I - gamma P^pi: soft evaluation (as it stands) and occupancies (transposed).

Three ways to solve them, one contract: the solution is refined until its residual no longer falls,
so that ||x - x_exact||_inf <= ||b - A x||_inf / (1 - gamma) holds with a residual at rounding.

* ``dense`` and ``sparse``: complete factors (solver/bellman/direct.py).  Sparse ones are for one state axis and narrow
  rows, and on one or two axes for what Krylov stagnates on, where their fill is small.
* ``krylov``: GMRES with refinement, warm-started (solver/bellman/gmres.py); where P^pi has few entries to a row, or is
  held over its pairs, it is preconditioned by incomplete factors (solver/bellman/ilu.py).  Where it stagnates and
  complete factors would fill in it is restarted, with incomplete factors of thinned rows: in the memory it had.

Which one is chosen is a function of sizes alone (solver/bellman/linear_solver.py), and nothing is kept from one system
to the next but arrays, and within one optimum factors: results are the same for every number of threads and every
history.  BLAS is held to one thread while it factors and solves; Krylov uses none.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.text import did_you_mean
from wpoflow.grids.transitions import PolicyTransition
from wpoflow.grids.transitions.policy_rows import PolicyRows
from wpoflow.solver.arithmetic.extremes import largest_entry
from wpoflow.solver.bellman.direct import BellmanError as BellmanError
from wpoflow.solver.bellman.direct import DenseFactors, SparseFactors, fits
from wpoflow.solver.bellman.gmres import Krylov, Restarts
from wpoflow.solver.bellman.gmres_kernels import residual_of_factors, started_of_factors
from wpoflow.solver.bellman.ilu import IncompleteLU, pays
from wpoflow.solver.bellman.linear_solver import LINEAR_SOLVERS

EPS = float(np.finfo(np.float64).eps)
SOUGHT = 2.0  # roundings of the solution at which refinement stops
ACCEPTED = 64.0  # a residual above this many roundings of the solution is a failed solve
REFINEMENTS = 12
RESERVED = 4  # of them, for the last resort where Krylov would not get there with the others
FACTORED, LONGER = 20_000, 4  # of more states than these complete factors are dear: Krylov gets more of them
STALLED = 0.5  # a correction that leaves more than this of the residual is the last of its kind

Solver = DenseFactors | SparseFactors | Krylov | Restarts


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
        self, transition: PolicyTransition, discount: float, linear_solver: str, incomplete: IncompleteLU | None = None
    ) -> None:
        if linear_solver not in LINEAR_SOLVERS:
            near = did_you_mean(linear_solver, LINEAR_SOLVERS)
            raise ValueError(f"linear solver {linear_solver!r}; choose one of {', '.join(LINEAR_SOLVERS)}{near}")
        self.transition = transition
        self.discount = discount
        self.linear_solver = linear_solver
        self._incomplete = incomplete
        self._factors = transition.factors if isinstance(transition, PolicyRows) else None
        self._unpreconditioned = self._factors if linear_solver == "krylov" and not pays(transition) else None

    @cached_property
    def _solver(self) -> Solver:
        if self.linear_solver == "krylov":
            return Krylov(self.transition, self.discount, self._incomplete)
        return self._sparse if self.linear_solver == "sparse" else DenseFactors(self.transition, self.discount)

    @cached_property
    def _sparse(self) -> SparseFactors:
        return SparseFactors(self.transition, self.discount)

    @cached_property
    def _resort(self) -> SparseFactors | Restarts:
        """What solves a system on which Krylov stagnates."""
        if fits(self.transition):
            return self._sparse
        preconditioned = pays(self.transition) or self.transition.thinned() is not None
        return Restarts(Krylov(self.transition, self.discount, self._incomplete, preconditioned))

    def solve(
        self, rhs: FloatArray, guess: FloatArray | None = None, tolerance: float = 0.0
    ) -> tuple[FloatArray, float]:
        """x with (I - gamma P) x = rhs, and its residual in the maximum norm, at rounding or below ``tolerance``.

        Raises
        ------
        BellmanError
            The residual stayed above 64 roundings of the solution.
        """
        return self._refine(rhs, guess, tolerance, False)

    def solve_transposed(
        self, rhs: FloatArray, guess: FloatArray | None = None, tolerance: float = 0.0
    ) -> tuple[FloatArray, float]:
        """x with (I - gamma P)^T x = rhs, and its residual; errors as ``solve``."""
        return self._refine(rhs, guess, tolerance, True)

    def approximate(self, rhs: FloatArray, reduction: float) -> FloatArray:
        """x with (I - gamma P) x = rhs to about ``reduction`` of rhs, by the solver's own account.

        For iterations that measure what is left by themselves: it spares the product that ``solve`` makes sure with.

        Raises
        ------
        BellmanError
            As ``solve``, which takes over where one round of GMRES does not suffice.
        """
        x, reached = self._solver.correction(rhs, reduction, transposed=False)
        if reached <= reduction:
            return x
        return self.solve(rhs, x, reduction * float(np.abs(rhs).max()))[0]

    def _refine(
        self, rhs: FloatArray, guess: FloatArray | None, tolerance: float, transposed: bool
    ) -> tuple[FloatArray, float]:
        """Correct until the residual no longer falls; by a last resort where Krylov would not get there."""
        start = guess
        if guess is not None and self._unpreconditioned is not None and not transposed:
            start, factors = np.empty(rhs.size), self._unpreconditioned
            norm, size, scale = started_of_factors(*factors, self.discount, rhs, guess, SOUGHT * EPS, tolerance, start)
            if norm <= max(SOUGHT * EPS * max(size, scale), tolerance):
                return start, norm
        x = np.zeros_like(rhs) if start is None else start
        scale = largest_entry(rhs)
        residual, norm, size = (rhs, scale, 0.0) if start is None else self._residual(rhs, x, transposed)
        rounding, solver = EPS * max(size, scale), self._solver
        for remaining in range(REFINEMENTS if rhs.size <= FACTORED else LONGER * REFINEMENTS, 0, -1):
            sought = max(SOUGHT * rounding, tolerance)
            if norm <= sought:
                break
            better = x + solver.correction(residual, sought / norm, transposed)[0]
            left, new_norm, size = self._residual(rhs, better, transposed)
            if new_norm < norm:
                fraction = new_norm / norm
                stalled = fraction > STALLED or (
                    isinstance(solver, Krylov) and new_norm * fraction ** (remaining - RESERVED) > sought
                )
                x, residual, norm, rounding = better, left, new_norm, EPS * max(size, scale)
                if not stalled:
                    continue
            if norm <= max(ACCEPTED * rounding, tolerance) or not isinstance(solver, Krylov):
                break
            solver = self._resort  # Krylov stagnated on this one system
        if not norm <= max(ACCEPTED * rounding, tolerance):
            raise BellmanError(
                f"discounted system of {rhs.size} states not solved: residual {norm:.3g}, "
                f"{norm / max(rounding, 1e-300):.3g} roundings of the solution"
            )
        return (x.copy() if x is guess else x), norm

    def _residual(self, rhs: FloatArray, x: FloatArray, transposed: bool) -> tuple[FloatArray, float, float]:
        """rhs - A x, or its transpose, and the largest entries of it and of x."""
        if transposed or self._factors is None:
            image = self.transition.rmatvec(x) if transposed else self.transition.matvec(x)
            residual = rhs - (x - self.discount * image)
            return residual, largest_entry(residual), largest_entry(x)
        residual = np.empty(x.size)
        return residual, *residual_of_factors(*self._factors, self.discount, rhs, x, residual)
