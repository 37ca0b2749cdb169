"""GMRES for the discounted systems (I - gamma P) x = b, preconditioned from the right, sums by one thread.

Saad & Schultz 1986, doi:10.1137/0907058.  After k products the residual is the least that any combination of
b, A b, ..., A^{k-1} b leaves: no method gets along with fewer.  Discounted systems need few (seven for a Gaussian
kernel, a dozen with incomplete factors), so that the k vectors kept and the k²/2 sums cost less than the products
that short recurrences such as BiCGSTAB would take more (measured: 13 to 20 products where BiCGSTAB takes 16 to 28).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.transitions import PolicyTransition
from wpoflow.grids.transitions.policy_rows import PolicyRows
from wpoflow.solver.arithmetic.extremes import largest_entry
from wpoflow.solver.bellman.gmres_kernels import (
    LEAST_REDUCTION,
    MOST_VECTORS,
    apply_factors,
    begin,
    combine,
    euclidean,
    extend,
    gmres_of_factors,
    wanted,
)
from wpoflow.solver.bellman.ilu import IncompleteLU, pays

MOST_ROUNDS = 500
STAGNANT = 0.995  # of a residual: a round that leaves more is the last

Apply = Callable[[FloatArray], FloatArray]


class Krylov:
    """Corrections by GMRES for A = I - gamma P^pi and its transpose, with incomplete factors where they pay.

    Parameters
    ----------
    transition : PolicyTransition
    discount : float
    incomplete : IncompleteLU, optional
        Arrays of the factors, to be shared with other systems.
    preconditioned : bool, optional
        Whether there are factors, of thinned rows if need be; by default where they pay.
    """

    def __init__(
        self,
        transition: PolicyTransition,
        discount: float,
        incomplete: IncompleteLU | None,
        preconditioned: bool | None = None,
    ) -> None:
        self._transition, self._discount = transition, discount
        self._factors = transition.factors if isinstance(transition, PolicyRows) else None
        few = pays(transition)
        self.preconditioned = few if preconditioned is None else preconditioned
        self._thinned = transition.thins or not few
        self._incomplete = None
        if self.preconditioned:
            self._incomplete = IncompleteLU() if incomplete is None else incomplete

    def correction(self, residual: FloatArray, reduction: float, transposed: bool) -> tuple[FloatArray, float]:
        """What solves for a residual by a few steps, and the part of it that GMRES takes to be left."""
        precondition = None
        if self._incomplete is not None:
            self._incomplete.factor(self._transition, self._discount, thinned=self._thinned)
            precondition = partial(self._incomplete.solve, transposed=transposed)
        elif self._factors is not None and not transposed:
            x = np.empty(residual.size)
            return x, gmres_of_factors(*self._factors, self._discount, residual, wanted(reduction), x)[1]
        x, _, reached = gmres(partial(self.apply, transposed=transposed), precondition, residual, wanted(reduction))
        return x, reached

    def apply(self, x: FloatArray, transposed: bool) -> FloatArray:
        """A x or its transpose, (S,) -> (S,)."""
        if self._factors is not None and not transposed:
            image = np.empty(x.size)
            apply_factors(*self._factors, self._discount, x, np.empty(self._factors.laws.shape[0]), image)
            return image
        image = self._transition.rmatvec(x) if transposed else self._transition.matvec(x)
        image *= -self._discount
        image += x
        return image


class Restarts:
    """Corrections by rounds of GMRES, each for what is left by those before: where a round makes slow progress.

    Memory is that of one round.  Rounds end where one leaves more than ``STAGNANT`` of the Euclidean norm, which is at
    rounding, or after ``MOST_ROUNDS``.
    """

    def __init__(self, krylov: Krylov) -> None:
        self._krylov = krylov

    def correction(self, residual: FloatArray, reduction: float, transposed: bool) -> tuple[FloatArray, float]:
        """See `Krylov.correction`; what is left is a true residual's part, by largest entries."""
        whole, least = largest_entry(residual), max(reduction, LEAST_REDUCTION)
        x, left, norm = np.zeros_like(residual), residual, euclidean(residual)
        for _ in range(MOST_ROUNDS):
            part, _ = self._krylov.correction(left, least * whole / largest_entry(left), transposed)
            better = x + part
            new = residual - self._krylov.apply(better, transposed)
            new_norm = euclidean(new)
            if not new_norm < norm:
                break
            slow = new_norm > STAGNANT * norm
            x, left, norm = better, new, new_norm
            if slow or largest_entry(left) <= least * whole:
                break
        return x, largest_entry(left) / whole


def gmres(apply: Apply, precondition: Apply | None, rhs: FloatArray, reduction: float) -> tuple[FloatArray, int, float]:
    """Approximate solution of A x = rhs from x = 0, the number of products with A, and the reduction reached.

    Parameters
    ----------
    apply : callable
        A times a vector, (S,) -> (S,), in a new array.
    precondition : callable, optional
        An approximate inverse of A times a vector, in a new array.
    rhs : array (S,)
    reduction : float
        Stop when the residual's Euclidean norm, known without forming it, is below ``reduction`` times that of rhs.

    Returns
    -------
    The iterate of least residual after at most 24 products, their number, and the residual's norm over that of rhs as
    the recurrence has it: where it matters the caller judges by the true residual.
    """
    n = rhs.size
    most = min(MOST_VECTORS, n)
    basis = np.empty((most + 1, n))
    triangle, rotations, rotated = np.zeros((most, most)), np.empty((most, 2)), np.empty(most + 1)
    x = np.zeros(n)
    largest = begin(rhs, basis, rotated)
    if not largest > 0.0:
        return x, 0, largest
    first, used, norm = float(rotated[0]), 0, float(rotated[0])
    for k in range(most):
        image = apply(basis[k] if precondition is None else precondition(basis[k]))
        left = extend(image, k, basis, triangle, rotations, rotated)
        if not math.isfinite(left):
            break
        used, norm = k + 1, left
        if norm <= reduction * first:
            break
    combine(used, basis, triangle, rotated, x)
    return (x if precondition is None else precondition(x)), used, norm / first
