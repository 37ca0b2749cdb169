r"""Trigonometric interpolation on equidistant points of a circle.

Through n points 2 pi j/n passes one trigonometric polynomial of degree below n/2 (for even n the highest mode enters
as a cosine).  For odd n the matrix of its derivative,

    D_jl = (-1)^{j-l} / (2 sin((j-l) pi/n)),   D_jj = 0,

annihilates constants only; for even n it annihilates the sawtooth as well, which would make a spurious slow mode of
any operator built from it, and is refused.  For analytic functions interpolant and derivative converge exponentially.

Source: Trefethen, Spectral Methods in MATLAB (2000), chapter 3, doi:10.1137/1.9780898719598.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from wpoflow.core.arrays import FloatArray


def circle_points(points: int) -> FloatArray:
    """The multiples of 2 pi/points."""
    return np.asarray(2.0 * np.pi * np.arange(points) / points)


def derivative_matrix(points: int) -> FloatArray:
    """Matrix of the derivative of trigonometric interpolants, (points, points).

    Raises
    ------
    ValueError
        An even number of points, or fewer than three.
    """
    if points < 3 or points % 2 == 0:
        raise ValueError(f"{points} points: an odd number from three on is needed")
    offset = np.arange(points)[:, None] - np.arange(points)
    sine = np.sin(np.pi * offset / points)
    np.fill_diagonal(sine, 1.0)
    matrix = 0.5 * (-1.0) ** np.abs(offset) / sine
    np.fill_diagonal(matrix, 0.0)
    return np.asarray(matrix)


def interpolation_matrix(points: int, at: ArrayLike) -> FloatArray:
    """Values at some angles of trigonometric interpolants through equidistant points, (angles, points)."""
    offset = np.atleast_1d(np.asarray(at, dtype=np.float64))[:, None] - circle_points(points)
    k = np.arange(1, (points + 1) // 2)
    kernel = 1.0 + 2.0 * np.cos(offset[..., None] * k).sum(axis=-1)
    if points % 2 == 0:
        kernel += np.cos(0.5 * points * offset)
    return np.asarray(kernel / points)
