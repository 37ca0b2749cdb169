"""Local flux limiting: remove negative entries of a high-order step without touching mass.

A step of order above one may leave small negative entries in tails.  Around each of them the
shortest run I of cells along an action axis is found whose high-order mass is at least half the
mass of the backward Euler step.  Fluxes through the ends of I stay as they are; the fluxes inside I
are moved from the high-order ones towards those of the scaled backward Euler solution

    r = low * (sum_I high / sum_I low),      p = r + theta (high - r),

with the largest theta in [0, 1] that leaves at least a tenth of r in every cell.  As r and high have
the same mass on I, their difference is the divergence of fluxes on the inner faces of I: mass and
positivity are kept, and cells outside I are not changed.  Flux-corrected transport in the sense of
Zalesak 1979, doi:10.1016/0021-9991(79)90051-2, with the correction confined to where it is needed.
"""

from __future__ import annotations

import numba

from grids.arrays import FloatArray, IntArray
from grids.compile import kernel

KEPT = 0.1  # share of the scaled backward Euler solution that every cell of I keeps


@kernel()
def _blend(high: FloatArray, low: FloatArray, first: int, stride: int, start: int, count: int, n: int) -> None:
    """Move high towards the scaled low on ``count`` cells from ``start`` (modulo n) of one line."""
    high_mass, low_mass = 0.0, 0.0
    for j in range(count):
        cell = first + ((start + j) % n) * stride
        high_mass += high[cell]
        low_mass += low[cell]
    scale = high_mass / low_mass
    theta = 1.0
    for j in range(count):
        cell = first + ((start + j) % n) * stride
        r = scale * low[cell]
        if high[cell] < KEPT * r:
            theta = min(theta, (1.0 - KEPT) * (r / (r - high[cell])))
    for j in range(count):
        cell = first + ((start + j) % n) * stride
        r = scale * low[cell]
        high[cell] = r + theta * (high[cell] - r)


@kernel()
def _limit_cell(
    high: FloatArray, low: FloatArray, first: int, stride: int, position: int, n: int, periodic: bool
) -> bool:
    """Limit around one negative cell of one line; False if the whole line holds too little mass."""
    start, count = position, 1
    high_mass, low_mass = high[first + position * stride], low[first + position * stride]
    while not (high_mass >= 0.5 * low_mass and low_mass > 0.0):
        if count == n:
            return False
        before, after = start - 1, start + count
        if periodic:
            before, after = before % n, after % n
        left = low[first + before * stride] if before >= 0 else -1.0
        right = low[first + after * stride] if after < n else -1.0
        cell = first + (before if left >= right else after) * stride
        high_mass += high[cell]
        low_mass += low[cell]
        count += 1
        if left >= right:
            start = before
    _blend(high, low, first, stride, start, count, n)
    return True


@kernel(parallel=True)
def limit_fluxes(
    high: FloatArray, low: FloatArray, sizes: IntArray, strides: IntArray, periodic: IntArray, limited: IntArray
) -> None:
    """Make every entry of ``high`` non-negative in place.

    Parameters
    ----------
    high, low : arrays (S, A)
        The high-order result, and the positive backward Euler result of the same step.
    sizes, strides, periodic : arrays (number of axes,)
        Action axes of the row.
    limited : array (S,)
        Filled with the number of entries of each state that were negative.
    """
    for i in numba.prange(high.shape[0]):
        count = 0
        for k in range(high.shape[1]):
            if high[i, k] < 0.0:
                count += 1
                done = False
                for axis in range(sizes.size):
                    position = (k // strides[axis]) % sizes[axis]
                    first = k - position * strides[axis]
                    if not done:
                        done = _limit_cell(
                            high[i], low[i], first, strides[axis], position, sizes[axis], periodic[axis] == 1
                        )
                if not done:
                    _blend(high[i], low[i], 0, 1, 0, high.shape[1], high.shape[1])
        limited[i] = count
