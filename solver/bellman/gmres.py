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
from wpoflow.solver.bellman.gmres_kernels import (
    MOST_VECTORS,
    apply_factors,
    begin,
    combine,
    extend,
    gmres_of_factors,
    wanted,
)
from wpoflow.solver.bellman.ilu import IncompleteLU, pays

Apply = Callable[[FloatArray], FloatArray]


class Krylov:
    """Corrections by GMRES for A = I - gamma P^pi and its transpose, with incomplete factors where they pay."""

    def __init__(self, transition: PolicyTransition, discount: float, incomplete: IncompleteLU | None) -> None:
        self._transition, self._discount = transition, discount
        self._factors = transition.factors if isinstance(transition, PolicyRows) else None
        self._incomplete = None
        if pays(transition):
            self._incomplete = IncompleteLU() if incomplete is None else incomplete

    def correction(self, residual: FloatArray, reduction: float, transposed: bool) -> tuple[FloatArray, float]:
        """What solves for a residual by a few steps, and the part of it that GMRES takes to be left."""
        precondition = None
        if self._incomplete is not None:
            self._incomplete.factor(self._transition, self._discount)
            precondition = partial(self._incomplete.solve, transposed=transposed)
        elif self._factors is not None and not transposed:
            x = np.empty(residual.size)
            return x, gmres_of_factors(*self._factors, self._discount, residual, wanted(reduction), x)[1]
        x, _, reached = gmres(partial(self._apply, transposed=transposed), precondition, residual, wanted(reduction))
        return x, reached

    def _apply(self, x: FloatArray, transposed: bool) -> FloatArray:
        """A x or its transpose, (S,) -> (S,)."""
        if self._factors is not None and not transposed:
            image = np.empty(x.size)
            apply_factors(*self._factors, self._discount, x, np.empty(self._factors.laws.shape[0]), image)
            return image
        image = self._transition.rmatvec(x) if transposed else self._transition.matvec(x)
        image *= -self._discount
        image += x
        return image


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
