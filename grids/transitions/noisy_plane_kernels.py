"""Kernels for stencils on two axes with noise: nine nodes, three by three, in place of sixteen corners.

On each axis there are two steps to the next node, of probabilities u and v, so that values a, b, c of three nodes give
b + u v (c - b) + (1 - u)(1 - v)(a - b), which is exact for constants.  Else all is as in the kernels for any number of
axes.
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.grids.transitions.stencil_kernels import BLOCKS, move_row

U = np.uintp


@kernel()
def of_nine(
    x: FloatArray, place: U, stride: U, first_row: float, second_row: float, first: float, second: float
) -> float:
    """Value among three by three nodes from a place on, rows of them ``stride`` apart."""
    above, below = first * second, (1.0 - first) * (1.0 - second)
    b = x[place + U(1)]
    low = b + above * (x[place + U(2)] - b) + below * (x[place] - b)
    place += stride
    b = x[place + U(1)]
    centre = b + above * (x[place + U(2)] - b) + below * (x[place] - b)
    place += stride
    b = x[place + U(1)]
    high = b + above * (x[place + U(2)] - b) + below * (x[place] - b)
    above, below = first_row * second_row, (1.0 - first_row) * (1.0 - second_row)
    return float(centre + above * (high - centre) + below * (low - centre))


@kernel(parallel=True)
def noisy_plane_expect(
    base: IndexArray, fraction: FloatArray, stride: int, node_values: FloatArray, out: FloatArray
) -> None:
    """``stencil_expect``, rows of nodes ``stride`` apart: out (S, A)."""
    states, actions = base.shape
    for i in numba.prange(states):
        for k in range(actions):
            n = base[i, k]
            if n < 0:
                out[i, k] = 0.0
            else:
                u, v = fraction[i, k, 0], fraction[i, k, 1]
                out[i, k] = of_nine(node_values, U(n), U(stride), u, v, fraction[i, k, 2], fraction[i, k, 3])


@kernel(parallel=True)
def noisy_plane_matvec(
    base: IndexArray, fraction: FloatArray, stride: int, policy: FloatArray, x: FloatArray, out: FloatArray
) -> None:
    """``pairs_matvec``, rows of nodes ``stride`` apart: out (S,)."""
    states, actions = base.shape
    for i in numba.prange(states):
        total = 0.0
        for k in range(actions):
            n = base[i, k]
            if n >= 0:
                u, v = fraction[i, k, 0], fraction[i, k, 1]
                value = of_nine(x, U(n), U(stride), u, v, fraction[i, k, 2], fraction[i, k, 3])
                total += policy[i, k] * value
        out[i] = total


@kernel(parallel=True)
def noisy_plane_combine(
    base: IndexArray,
    fraction: FloatArray,
    stride: int,
    policy: FloatArray,
    nodes: int,
    indptr: IntArray,
    indices: IndexArray,
    data: FloatArray,
) -> None:
    """``stencil_combine``, rows of nodes ``stride`` apart."""
    states, actions = base.shape
    for b in numba.prange(BLOCKS):
        work = np.zeros(nodes)
        for i in range(b * states // BLOCKS, (b + 1) * states // BLOCKS):
            for k in range(actions):
                n = base[i, k]
                if n >= 0:
                    first, second = fraction[i, k, 2], fraction[i, k, 3]
                    above = first * second
                    below = (1.0 - first) * (1.0 - second)
                    centre = first + second - 2.0 * above
                    far = fraction[i, k, 0] * fraction[i, k, 1]
                    near = (1.0 - fraction[i, k, 0]) * (1.0 - fraction[i, k, 1])
                    m = U(n)
                    weight = policy[i, k] * near
                    work[m] += weight * below
                    work[m + U(1)] += weight * centre
                    work[m + U(2)] += weight * above
                    m += U(stride)
                    weight = policy[i, k] * (fraction[i, k, 0] + fraction[i, k, 1] - 2.0 * far)
                    work[m] += weight * below
                    work[m + U(1)] += weight * centre
                    work[m + U(2)] += weight * above
                    m += U(stride)
                    weight = policy[i, k] * far
                    work[m] += weight * below
                    work[m + U(1)] += weight * centre
                    work[m + U(2)] += weight * above
            move_row(work, indices, indptr[i], indptr[i + 1], data)
