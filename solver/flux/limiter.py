"""Local flux limiting: remove negative entries of a high-order step without touching mass.

A step of order above one may leave small negative entries in tails.  Around each of them the
shortest run I of cells along an action axis is found whose net mass is at least its negative mass.
Fluxes through the ends of I stay as they are; those inside I are changed so that the result is

    p = high + share (r - high),      r = |high| (sum_I high / sum_I |high|),

with the least share in [0, 1] that leaves a tenth of r in every cell where high is negative.  As r
and high have the same mass on I, their difference is the divergence of fluxes on the inner faces
of I: mass and positivity are kept, cells outside I are not changed, and the mass that is moved is
a few times the negative mass, which is of the size of the error of the step.  Flux-corrected
transport in the sense of Zalesak 1979, doi:10.1016/0021-9991(79)90051-2, with the correction
confined to where it is needed; the positive solution it is corrected towards is made of the
high-order one, since one of low order, such as a long backward Euler step, has fat tails, which
would be mixed in.  Where no such run is found, or no axis has an order, I is the whole row.
"""

from __future__ import annotations

import math

import numba

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.sums import row_least

KEPT = 0.1  # share of r that a cell with a negative entry gets


@kernel()
def _blend(high: FloatArray, first: int, stride: int, start: int, count: int, n: int) -> None:
    """Make high positive on ``count`` cells from ``start`` (modulo n) of one line, of positive net mass."""
    net, gross = 0.0, 0.0
    for j in range(count):
        entry = high[first + (start + j if start + j < n else start + j - n) * stride]
        net += entry
        gross += abs(entry)
    scale = net / gross
    # with r = scale |high| the share is the same in every cell where high is negative
    share = (1.0 + KEPT * scale) / (1.0 + scale)
    for j in range(count):
        cell = first + (start + j if start + j < n else start + j - n) * stride
        high[cell] = (1.0 - share) * high[cell] + share * scale * abs(high[cell])


@kernel()
def _limit_cell(high: FloatArray, first: int, stride: int, position: int, n: int, periodic: bool) -> bool:
    """Limit around one negative cell of one line; False if the whole line holds too little mass."""
    start, count = position, 1
    net = high[first + position * stride]
    negative = -net
    while not net >= negative:
        if count == n:
            return False
        before, after = start - 1, start + count
        if periodic:
            before, after = before % n, after % n
        left = high[first + before * stride] if before >= 0 else -math.inf
        right = high[first + after * stride] if after < n else -math.inf
        entry = max(left, right)
        net += entry
        negative -= min(entry, 0.0)
        count += 1
        if left >= right:
            start = before
    _blend(high, first, stride, start, count, n)
    return True


@kernel(parallel=True, largest=0)
def limit_fluxes(high: FloatArray, sizes: IntArray, strides: IntArray, periodic: IntArray, limited: IntArray) -> None:
    """Make every entry of ``high`` non-negative in place.

    Parameters
    ----------
    high : array (S, A)
        The high-order result; every row of positive mass.
    sizes, strides, periodic : arrays (number of axes,)
        Action axes of the row along which cells have neighbours.
    limited : array (S,)
        Filled with the number of entries of each state that were negative.
    """
    for i in numba.prange(high.shape[0]):
        count = 0
        if not row_least(high[i]) >= 0.0:
            for k in range(high.shape[1]):
                if high[i, k] < 0.0:
                    count += 1
                    done = False
                    for axis in range(sizes.size):
                        n, stride = sizes[axis], strides[axis]
                        position = (k // stride) % n
                        if not done:
                            done = _limit_cell(high[i], k - position * stride, stride, position, n, periodic[axis] == 1)
                    if not done:
                        _blend(high[i], 0, 1, 0, high.shape[1], high.shape[1])
        limited[i] = count
