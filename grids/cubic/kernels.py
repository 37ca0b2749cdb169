"""Kernels of limited cubic interpolation: how node values bend along an axis, and values between nodes.

See `wpoflow.grids.cubic.table` for the formula.  One writer per row, sums in a fixed order.
"""

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.core.compile import kernel

U = np.uintp
MOST_RATIO = 3.0  # of second differences at neighbouring nodes; beyond, the values are taken to have a kink there


@kernel()
def share_left(own: float, other: float) -> float:
    """Share of a second difference that is no larger than the multiple of another; none if of opposite sign."""
    if own * other <= 0.0:
        return 0.0
    return min(1.0, MOST_RATIO * other / own)


@kernel(parallel=True)
def bends_along(
    values: FloatArray,
    images: FloatArray,
    before: IntArray,
    after: IntArray,
    left: FloatArray,
    right: FloatArray,
    ends: FloatArray,
    squares: FloatArray,
    following: bool,
    shares: FloatArray,
    out: FloatArray,
) -> None:
    """Set out (outer, m, inner, 2) to squares × the limited second divided differences at both ends of intervals.

    What is left of them is written into ``shares``, of the shape of out, if limits are following the values; else the
    shares are taken as they are.

    values (outer, m, inner); the neighbours of node i are ``before[i]`` and ``after[i]``, ``left[i]`` and ``right[i]``
    away; beyond the first and the last node they have the values of ``images``, of the same shape.  Where there is none
    (a negative number) the difference is continued linearly from the next two, by the share in ``ends``.
    """
    outer, m, inner = values.shape
    for o in numba.prange(outer):
        bend = np.zeros((m, inner))
        for i in range(m):
            if before[i] >= 0 and after[i] >= 0:
                a, b = left[i], right[i]
                low = images[o, before[i]] if i == 0 else values[o, before[i]]
                high = images[o, after[i]] if i == m - 1 else values[o, after[i]]
                for k in range(inner):
                    here = values[o, i, k]
                    bend[i, k] = ((high[k] - here) / b - (here - low[k]) / a) / (a + b)
        for i in (0, m - 1):
            if m > 2 and (before[i] < 0 or after[i] < 0):
                step = 1 if i == 0 else -1
                share = ends[0] if i == 0 else ends[1]
                next_but_one = i + 2 * step if m > 3 else i + step
                for k in range(inner):
                    bend[i, k] = bend[i + step, k] + share * (bend[i + step, k] - bend[next_but_one, k])
        for i in range(m):
            j = min(i + 1, m - 1)
            own = -1  # next to an end what is continued is no second opinion
            if m > 3 and i == 0 and before[0] < 0:
                own = 2
            elif m > 3 and i == m - 2 and after[m - 1] < 0:
                own = m - 3
            for k in range(inner):
                if following:
                    shares[o, i, k, 0] = share_left(bend[i, k], bend[j, k])
                    shares[o, i, k, 1] = share_left(bend[j, k], bend[i, k])
                    if own >= 0 and bend[own, k] * bend[j if i == 0 else i, k] <= 0.0:
                        shares[o, i, k, 0] = 0.0
                        shares[o, i, k, 1] = 0.0
                out[o, i, k, 0] = squares[i] * shares[o, i, k, 0] * bend[i, k]
                out[o, i, k, 1] = squares[i] * shares[o, i, k, 1] * bend[j, k]


@kernel(parallel=True)
def cubic_expect(
    base: IndexArray,
    fraction: FloatArray,
    offsets: IndexArray,
    values: FloatArray,
    bends: FloatArray,
    strides: IntArray,
    sizes: IntArray,
    starts: IntArray,
    shift: FloatArray,
    slope: FloatArray,
    out: FloatArray,
) -> None:
    """Limited cubic interpolation at all pairs: out (S, A); zero where a pair ends.

    base (S, A), fraction (S, A, d), offsets (2**d,) as of a stencil without noise; bends (d, nodes, 2); strides and
    sizes (d,) of the axes that are interpolated; the tables ``shift`` and ``slope`` of axis j begin at ``starts[j]``.
    """
    states, actions = base.shape
    dim, corners = fraction.shape[2], offsets.size
    for i in numba.prange(states):
        work = np.empty(max(corners, 2))
        for k in range(actions):
            n = base[i, k]
            if n < 0:
                out[i, k] = 0.0
                continue
            for c in range(corners):
                work[c] = values[U(n + offsets[c])]
            total = reduced(work, corners, fraction[i, k], -1)
            for j in range(dim):
                w = fraction[i, k, j]
                interval = starts[j] + (n // strides[j]) % sizes[j]
                first = shift[interval] - slope[interval] * w
                bit = corners >> (j + 1)
                filled = 0
                for c in range(corners):
                    if c & bit == 0:
                        m = U(n + offsets[c])
                        work[filled] = first * bends[j, m, 0] + (1.0 - first) * bends[j, m, 1]
                        filled += 1
                total -= w * (1.0 - w) * reduced(work, filled, fraction[i, k], j)
            out[i, k] = total


@kernel()
def reduced(work: FloatArray, filled: int, weights: FloatArray, left_out: int) -> float:
    """Interpolate 2**n corner values on all axes but one, the last of which runs fastest."""
    left = filled
    for j in range(weights.size - 1, -1, -1):
        if j != left_out:
            left //= 2
            for c in range(left):
                low = work[2 * c]
                work[c] = low + weights[j] * (work[2 * c + 1] - low)
    return float(work[0])
