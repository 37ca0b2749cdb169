"""BiCGSTAB for the discounted systems (I - gamma P) x = b, with sums in one fixed order.

van der Vorst 1992, doi:10.1137/0913035.  BLAS may split a dot product between threads; ours adds in
index order, so that results are the same for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grids.arrays import FloatArray
from solver.ordered_sums import dot

Apply = Callable[[FloatArray], FloatArray]


def bicgstab(apply: Apply, rhs: FloatArray, reduction: float, iterations: int) -> tuple[FloatArray, int]:
    """Approximate solution of A x = rhs from x = 0, and the number of iterations taken.

    Parameters
    ----------
    apply : callable
        A times a vector, (S,) -> (S,), in a new array.
    rhs : array (S,)
    reduction : float
        Stop when the (recursive) residual's maximum norm is below ``reduction`` times that of rhs.
    iterations : int
        Cap.  On breakdown or at the cap the best iterate so far is returned: the caller judges it
        by its true residual.
    """
    x = np.zeros_like(rhs)
    best, best_norm = x.copy(), float(np.abs(rhs).max())
    target = reduction * best_norm
    if best_norm == 0.0:
        return x, 0
    residual, shadow = rhs.copy(), rhs / best_norm
    direction = residual.copy()
    rho = dot(shadow, residual)
    for iteration in range(1, iterations + 1):
        image = apply(direction)
        denominator = dot(shadow, image)
        if rho == 0.0 or denominator == 0.0:
            return best, iteration
        alpha = rho / denominator
        half = residual - alpha * image
        half_image = apply(half)
        square = dot(half_image, half_image)
        omega = dot(half_image, half) / square if square > 0.0 else 0.0
        x += alpha * direction
        x += omega * half
        residual = half - omega * half_image
        norm = float(np.abs(residual).max())
        if not np.isfinite(norm):
            return best, iteration
        if norm < best_norm:
            best[:], best_norm = x, norm
        if norm <= target or omega == 0.0:
            return best, iteration
        before, rho = rho, dot(shadow, residual)
        direction -= omega * image
        direction *= (rho / before) * (alpha / omega)
        direction += residual
    return best, iterations
