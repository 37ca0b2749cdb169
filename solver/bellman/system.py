"""Linear systems with I - gamma P^pi: soft evaluation (as it stands) and occupancies (transposed).

Three ways to solve them, one contract: the solution is refined until its residual no longer falls,
so that ||x - x_exact||_inf <= ||b - A x||_inf / (1 - gamma) holds with a residual at rounding.

* ``dense``: LAPACK.  The *transposed* matrix is factored: its columns are diagonally dominant, so
  no row is ever exchanged, and elimination of an M-matrix adds numbers of one sign only outside the
  diagonal; occupancies of rarely visited states keep their relative accuracy.
* ``sparse``: SuperLU on the same matrix, without exchanges, for one state axis and narrow rows.
* ``krylov``: GMRES with refinement, warm-started; where P^pi has few entries to a row it is
  preconditioned by incomplete factors (solver/bellman/ilu.py).

Which one is chosen is a function of sizes alone (``choose_solver``), never of a clock, and nothing is kept from one
system to the next but arrays: results are the same for every number of threads and every history.  BLAS, SuperLU's
calls of it included, is held to one thread while it factors and solves (``one_blas_thread``); Krylov uses none.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
import scipy.linalg.lapack as lapack
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from threadpoolctl import ThreadpoolController

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.transitions import PolicyTransition
from wpoflow.grids.transitions.policy_rows import Factors, PolicyRows
from wpoflow.solver.arithmetic.extremes import largest_entry
from wpoflow.solver.bellman.gmres import MOST_VECTORS, gmres, gmres_discounted
from wpoflow.solver.bellman.gmres_kernels import apply_factors, refine_by_factors, residual_of_factors
from wpoflow.solver.bellman.ilu import IncompleteFactors as IncompleteFactors
from wpoflow.solver.bellman.ilu import rows_at_hand

SOLVERS = ("dense", "sparse", "krylov")
EPS = float(np.finfo(np.float64).eps)
SOUGHT = 2.0  # roundings of the solution at which refinement stops
ACCEPTED = 64.0  # a residual above this many roundings of the solution is a failed solve
REFINEMENTS = 12
KRYLOV_REDUCTION = 1e-13  # the least that is asked of one correction
KRYLOV_MARGIN = 0.3  # norms of a correction are Euclidean, those wanted are of the largest entry
STALLED = 0.5  # a correction that leaves more than this of the residual is the last of its kind


INCOMPLETE_STATES = 1000  # incomplete factors pay from so many states, or where the rows are at hand
INCOMPLETE_BAND = 64  # and up to so many entries to a row of P^pi


class BellmanError(ArithmeticError):
    """A discounted system could not be solved to rounding."""


@cache
def blas() -> ThreadpoolController:
    """Controller of the BLAS libraries loaded by NumPy and SciPy."""
    return ThreadpoolController()


_blas_lock = threading.Lock()
_blas_held: list[list[tuple[Any, int]]] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread; inside another such block nothing is to be done.

    The limit is the process's: whoever comes last, in whatever thread, restores it.  Libraries are set one by one: to
    have ``threadpoolctl`` list and limit all of them takes longer than a small system.
    """
    with _blas_lock:
        limits = []
        if not _blas_held:
            for library in blas().lib_controllers:
                threads = library.num_threads if library.user_api == "blas" else 1
                if threads != 1:
                    library.set_num_threads(1)
                    limits.append((library, threads))
        _blas_held.append(limits if not _blas_held else _blas_held[0])
    try:
        yield
    finally:
        with _blas_lock:
            limits = _blas_held.pop()
            if not _blas_held:
                for library, threads in limits:
                    library.set_num_threads(threads)


def choose_solver(n_states: int, work: int, discount: float, state_axes: int) -> str:
    """Cheapest solver by a count of operations.

    Parameters
    ----------
    n_states : int
    work : int
        Multiply-adds of one product with P^pi.
    discount : float
    state_axes : int
        Number of state axes; the counts at present do not depend on it.

    Notes
    -----
    Seconds on one core at 2.5 GHz, measured by ``benchmarks/bellman.py``.  Dense: calls, S^2 entries made and copied,
    2/3 S^3 operations of LAPACK.  Krylov, from a good guess to rounding: 8 + 2 sqrt(2/(1 - gamma)) products (7 to 28
    were seen), each of some 20 microseconds for its calls, 1.3 ns for a multiply-add, and 10 ns for each state's part
    in orthogonalisation.  So dense matrices pay below about a hundred states.  Sparse factors never do: they are what
    a system is solved by on which Krylov stagnates.
    """
    products = 8.0 + 2.0 * math.sqrt(2.0 / (1.0 - discount))
    seconds = {
        "dense": 8e-5 + 5e-8 * n_states**2 + 1e-10 * n_states**3,
        "krylov": products * (2e-5 + 1.3e-9 * work + 1e-8 * n_states),
    }
    return min(seconds, key=lambda name: seconds[name])


def _transposed_matrix(transition: PolicyTransition, discount: float) -> Any:
    matrix = sparse.eye_array(transition.n_states) - discount * transition.sparse()
    return sparse.csc_array(matrix.T)


class DiscountedSystem:
    """A = I - gamma P^pi for one policy, ready to be solved with many right-hand sides.

    Parameters
    ----------
    transition : PolicyTransition
        P^pi.
    discount : float
        gamma.
    solver : {"dense", "sparse", "krylov"}
    incomplete : IncompleteFactors, optional
        Shared between the systems of a flow.
    """

    def __init__(
        self,
        transition: PolicyTransition,
        discount: float,
        solver: str,
        incomplete: IncompleteFactors | None = None,
    ) -> None:
        if solver not in SOLVERS:
            raise ValueError(f"Bellman solver {solver!r}; choose one of {', '.join(SOLVERS)}")
        self.transition = transition
        self.discount = discount
        self.solver = solver
        self.iterations = 0
        self._factors = transition.factors if isinstance(transition, PolicyRows) else None
        few_entries = transition.work <= INCOMPLETE_BAND * transition.n_states
        self._incomplete = None
        pays = transition.n_states >= INCOMPLETE_STATES or rows_at_hand(transition)
        if solver == "krylov" and few_entries and pays:
            self._incomplete = IncompleteFactors() if incomplete is None else incomplete

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
        if self.solver != "krylov":
            return self._correction(rhs, False, reduction, self.solver)
        x, reached = self._krylov_correction(rhs, False, reduction)
        if reached <= reduction:
            return x
        return self.solve(rhs, x, reduction * float(np.abs(rhs).max()))[0]

    def _solve(
        self, rhs: FloatArray, guess: FloatArray | None, tolerance: float, transposed: bool
    ) -> tuple[FloatArray, float]:
        scale = largest_entry(rhs)
        if self._factors is not None and self.solver == "krylov" and self._incomplete is None and not transposed:
            guess, norm = self._refined(self._factors, rhs, guess, tolerance)
            if norm <= max(ACCEPTED * EPS * max(largest_entry(guess), scale), tolerance):
                return guess, norm
        if guess is None:
            x, residual, norm = np.zeros_like(rhs), rhs, scale
        else:
            x = guess
            residual, norm = self._residual(rhs, x, transposed)
        solver = self.solver
        for _ in range(REFINEMENTS):
            rounding = EPS * max(largest_entry(x), scale)
            sought = max(SOUGHT * rounding, tolerance)
            if norm <= sought:
                break
            candidate = x + self._correction(residual, transposed, sought / norm, solver)
            new_residual, new_norm = self._residual(rhs, candidate, transposed)
            if new_norm < norm:
                stalled = new_norm > STALLED * norm
                x, residual, norm = candidate, new_residual, new_norm
                if not stalled:
                    continue
            if norm <= max(ACCEPTED * rounding, tolerance) or solver != "krylov":
                break
            solver = "sparse"  # Krylov stagnated: factor this one system
        rounding = EPS * max(largest_entry(x), scale)
        if not norm <= max(ACCEPTED * rounding, tolerance):
            raise BellmanError(
                f"discounted system of {rhs.size} states not solved: residual {norm:.3g}, "
                f"{norm / max(rounding, 1e-300):.3g} roundings of the solution"
            )
        return (x.copy() if x is guess else x), norm

    def _refined(
        self, factors: Factors, rhs: FloatArray, guess: FloatArray | None, tolerance: float
    ) -> tuple[FloatArray, float]:
        """The solution and its residual as far as GMRES comes, all of it in one call."""
        x = np.zeros(rhs.size) if guess is None else guess.copy()
        basis = np.empty((min(MOST_VECTORS, rhs.size) + 1, rhs.size))
        norm, products = refine_by_factors(
            *factors,
            self.discount,
            rhs,
            tolerance,
            SOUGHT * EPS,
            KRYLOV_MARGIN,
            KRYLOV_REDUCTION,
            REFINEMENTS,
            basis,
            x,
        )
        self.iterations += products
        return x, norm

    def _residual(self, rhs: FloatArray, x: FloatArray, transposed: bool) -> tuple[FloatArray, float]:
        """rhs - A x, or its transpose, in a new array, and its largest entry."""
        if self._factors is not None and not transposed:
            residual = np.empty(x.size)
            return residual, residual_of_factors(*self._factors, self.discount, rhs, x, residual)
        residual = rhs - (self.apply_transposed(x) if transposed else self.apply(x))
        return residual, largest_entry(residual)

    def _correction(self, residual: FloatArray, transposed: bool, reduction: float, solver: str) -> FloatArray:
        """An approximate solution for a residual: exact up to rounding, or by a few Krylov steps."""
        if solver == "krylov":
            return self._krylov_correction(residual, transposed, reduction)[0]
        with one_blas_thread():
            if solver == "dense":
                factors, pivots = self._dense_factors
                x, _ = lapack.dgetrs(factors, pivots, residual, trans=0 if transposed else 1)
                return np.asarray(x)
            return np.asarray(self._sparse_factors.solve(residual, trans="N" if transposed else "T"))

    def _krylov_correction(self, residual: FloatArray, transposed: bool, reduction: float) -> tuple[FloatArray, float]:
        """A correction, and the part of the residual that GMRES takes to be left."""
        incomplete = self._incomplete
        wanted = max(KRYLOV_REDUCTION, KRYLOV_MARGIN * reduction)
        if incomplete is None and self._factors is not None and not transposed:
            x, iterations, reached = gmres_discounted(self._factors, self.discount, residual, wanted)
        else:
            precondition = None
            if incomplete is not None:
                incomplete.prepare(self.transition, self.discount)
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
        return sparse_linalg.splu(
            _transposed_matrix(self.transition, self.discount), permc_spec="COLAMD", diag_pivot_thresh=0.0
        )
