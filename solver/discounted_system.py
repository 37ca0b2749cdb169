"""Linear systems with I - gamma P^pi: soft evaluation (as it stands) and occupancies (transposed).

Three ways to solve them, one contract: the solution is refined until its residual no longer falls,
so that ||x - x_exact||_inf <= ||b - A x||_inf / (1 - gamma) holds with a residual at rounding.

* ``dense``: LAPACK.  The *transposed* matrix is factored: its columns are diagonally dominant, so
  no row is ever exchanged, and elimination of an M-matrix adds numbers of one sign only outside the
  diagonal; occupancies of rarely visited states keep their relative accuracy.
* ``sparse``: SuperLU on the same matrix, without exchanges, for one state axis and narrow rows.
* ``krylov``: BiCGSTAB with refinement, warm-started; where P^pi has few entries to a row it is
  preconditioned by incomplete factors, which serve all nearby policies until they no longer help.

Which one is chosen is a function of sizes alone (``choose_solver``), never of a clock: results are
the same on every machine and for every number of threads: BLAS, SuperLU's calls of it included, is held to one
thread from the first to the last operation of a solve (``one_blas_thread``).
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

import numpy as np
import scipy.linalg.lapack as lapack
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from threadpoolctl import ThreadpoolController

from grids.arrays import FloatArray
from grids.transitions import PolicyTransition
from solver.krylov import bicgstab

SOLVERS = ("dense", "sparse", "krylov")
EPS = float(np.finfo(np.float64).eps)
SOUGHT = 2.0  # roundings of the solution at which refinement stops
ACCEPTED = 64.0  # a residual above this many roundings of the solution is a failed solve
REFINEMENTS = 12
KRYLOV_REDUCTION = 1e-9
KRYLOV_ITERATIONS = 400


INCOMPLETE_STATES = 1000  # incomplete factors pay from so many states
INCOMPLETE_BAND = 64  # and up to so many entries to a row of P^pi
INCOMPLETE_DROP = 1e-3
INCOMPLETE_FILL = 6.0
STALE_ITERATIONS = 24  # of one correction, after which the factors are made anew
PRECONDITIONED_ITERATIONS = 60


class BellmanError(ArithmeticError):
    """A discounted system could not be solved to rounding."""


@cache
def blas() -> ThreadpoolController:
    """Controller of the BLAS libraries loaded by NumPy and SciPy."""
    return ThreadpoolController()


_blas_lock = threading.Lock()
_blas_held: list[Any] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread; inside another such block nothing is to be done.

    Setting and restoring the limit takes about a tenth of a millisecond, so loops over solves may hold it
    outside.  The limit is the process's: whoever comes last, in whatever thread, restores it.
    """
    with _blas_lock:
        _blas_held.append(_blas_held[0] if _blas_held else blas().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _blas_lock:
            limit = _blas_held.pop()
            if not _blas_held:
                limit.restore_original_limits()


def choose_solver(n_states: int, work: int, discount: float, state_axes: int) -> str:
    """Cheapest solver by a count of operations.

    Parameters
    ----------
    n_states : int
    work : int
        Multiply-adds of one product with P^pi.
    discount : float
    state_axes : int

    Notes
    -----
    Seconds, roughly: dense (2/3 S^3 flops at 8 GFlop/s, plus a pass over the matrix); sparse
    (S b^2 for a band of b = work/S on one axis); Krylov with an iteration count growing like the
    square root of the condition number 2/(1 - gamma), each of two products and ten vector sweeps.
    """
    band = max(2.0, work / n_states)
    iterations = 10.0 + 6.0 * math.sqrt(2.0 / (1.0 - discount))
    seconds = {
        "dense": n_states**3 / 1.2e10 + n_states**2 * 4e-9 + 2e-5,
        "sparse": n_states * band * (band * 1e-9 + 1e-7) + 1e-4 if state_axes <= 1 else math.inf,
        "krylov": iterations * (2.0 * (work * 1.2e-9 + 8e-6) + n_states * 1e-8 + 4e-5),
    }
    if n_states > 4096:
        seconds["dense"] = math.inf
    return min(SOLVERS, key=lambda name: seconds[name])


class IncompleteFactors:
    """Incomplete LU factors of I - gamma P of one policy, as a preconditioner for those of its neighbours.

    Policies of a flow change slowly, so one factorisation serves many evaluations.  It is renewed for the
    next system after a correction took more than 24 iterations: a rule of counts, not of a clock.
    """

    def __init__(self) -> None:
        self._factors: Any = None
        self._made_for: weakref.ref[PolicyTransition] | None = None
        self._stale = True

    def prepare(self, transition: PolicyTransition, discount: float) -> None:
        """Factor this system unless the factors at hand still serve."""
        if self._stale:
            self._factors = sparse_linalg.spilu(
                _transposed_matrix(transition, discount),
                drop_tol=INCOMPLETE_DROP,
                fill_factor=INCOMPLETE_FILL,
                permc_spec="NATURAL",
                diag_pivot_thresh=0.0,
            )
            self._made_for = weakref.ref(transition)
            self._stale = False

    def renew_for(self, transition: PolicyTransition) -> bool:
        """Have the factors made anew if they are those of another policy; False if there is nothing to gain."""
        if self._made_for is not None and self._made_for() is transition:
            return False
        self._stale = True
        return True

    def solve(self, x: FloatArray, transposed: bool) -> FloatArray:
        """Approximately (I - gamma P)^{-1} x, or its transpose."""
        return np.asarray(self._factors.solve(x, trans="N" if transposed else "T"))

    def report(self, iterations: int) -> None:
        """Note how many iterations a correction took."""
        self._stale = self._stale or iterations > STALE_ITERATIONS


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
        few_entries = transition.work <= INCOMPLETE_BAND * transition.n_states
        self._incomplete = None
        if solver == "krylov" and transition.n_states >= INCOMPLETE_STATES and few_entries:
            self._incomplete = IncompleteFactors() if incomplete is None else incomplete

    def apply(self, x: FloatArray) -> FloatArray:
        """(I - gamma P) x, (S,) -> (S,)."""
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
        with one_blas_thread():
            return self._solve(rhs, guess, tolerance, transposed=False)

    def solve_transposed(self, rhs: FloatArray, guess: FloatArray | None = None) -> tuple[FloatArray, float]:
        """x with (I - gamma P)^T x = rhs, and its residual; errors as ``solve``."""
        with one_blas_thread():
            return self._solve(rhs, guess, 0.0, transposed=True)

    def _solve(
        self, rhs: FloatArray, guess: FloatArray | None, tolerance: float, transposed: bool
    ) -> tuple[FloatArray, float]:
        apply = self.apply_transposed if transposed else self.apply
        x = self._correction(rhs, transposed, EPS) if guess is None else guess.copy()
        residual = rhs - apply(x)
        norm = float(np.abs(residual).max())
        solver = self.solver
        for _ in range(REFINEMENTS):
            rounding = EPS * max(float(np.abs(x).max()), float(np.abs(rhs).max()))
            sought = max(SOUGHT * rounding, tolerance)
            if norm <= sought:
                break
            candidate = x + self._correction(residual, transposed, sought / norm)
            new_residual = rhs - apply(candidate)
            new_norm = float(np.abs(new_residual).max())
            if new_norm < norm:
                stalled = new_norm > 0.5 * norm
                x, residual, norm = candidate, new_residual, new_norm
                if not stalled:
                    continue
            if norm <= ACCEPTED * rounding or self.solver != "krylov":
                break
            if self._incomplete is not None and self._incomplete.renew_for(self.transition):
                continue
            self.solver = "sparse"  # Krylov stagnated: factor this one system
        self.solver = solver
        rounding = EPS * max(float(np.abs(x).max()), float(np.abs(rhs).max()))
        if not norm <= max(ACCEPTED * rounding, tolerance):
            raise BellmanError(
                f"discounted system of {rhs.size} states not solved: residual {norm:.3g}, "
                f"{norm / max(rounding, 1e-300):.3g} roundings of the solution"
            )
        return x, norm

    def _correction(self, residual: FloatArray, transposed: bool, reduction: float) -> FloatArray:
        """An approximate solution for a residual: exact up to rounding, or by a few Krylov steps."""
        if self.solver == "krylov":
            return self._krylov_correction(residual, transposed, reduction)
        if self.solver == "dense":
            factors, pivots = self._dense_factors
            x, _ = lapack.dgetrs(factors, pivots, residual, trans=0 if transposed else 1)
            return np.asarray(x)
        factors = self._sparse_factors
        return np.asarray(factors.solve(residual, trans="N" if transposed else "T"))

    def _krylov_correction(self, residual: FloatArray, transposed: bool, reduction: float) -> FloatArray:
        apply = self.apply_transposed if transposed else self.apply
        incomplete = self._incomplete
        if incomplete is not None:
            incomplete.prepare(self.transition, self.discount)
            y, iterations = bicgstab(
                lambda x: apply(incomplete.solve(x, transposed)),
                residual,
                max(KRYLOV_REDUCTION, 0.5 * reduction),
                PRECONDITIONED_ITERATIONS,
            )
            incomplete.report(iterations)
            self.iterations += iterations
            return incomplete.solve(y, transposed)
        # the constant is the slowest mode of the untransposed system and costs nothing to remove
        shift = 0.0 if transposed else float(residual.mean()) / (1.0 - self.discount)
        start = residual if transposed else residual - shift * self._row_defect
        norm, scale = float(np.abs(start).max()), float(np.abs(residual).max())
        wanted = max(KRYLOV_REDUCTION, 0.5 * reduction * scale / norm) if norm > 0.0 else 1.0
        x, iterations = bicgstab(apply, start, wanted, KRYLOV_ITERATIONS)
        self.iterations += iterations
        return x + shift

    @cached_property
    def _row_defect(self) -> FloatArray:
        """(I - gamma P) applied to the constant one."""
        return self.apply(np.ones(self.transition.n_states))

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
