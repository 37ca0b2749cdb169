"""Kernels for stencils on two axes with noise: nine nodes, three by three, in place of sixteen corners.

On each axis there are two steps to the next node, of probabilities u and v: values a, b, c of three nodes give those of
the first step, a + v (b - a) and b + v (c - b), and then that of both, which is exact for constants.  Else all is as in
the kernels for any number of axes.
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.core.compile import kernel

BLOCKS = 64
U = np.uintp


@kernel()
def of_three(a: float, b: float, c: float, first: float, second: float) -> float:
    """Value after two steps of these probabilities among three values."""
    low = a + second * (b - a)
    return float(low + first * (b + second * (c - b) - low))


@kernel()
def of_nine(x: FloatArray, place: U, stride: U, weights: FloatArray) -> float:
    """Value among three by three nodes from a place on, rows of them ``stride`` apart."""
    first, second = weights[2], weights[3]
    a = of_three(x[place], x[place + U(1)], x[place + U(2)], first, second)
    place += stride
    b = of_three(x[place], x[place + U(1)], x[place + U(2)], first, second)
    place += stride
    c = of_three(x[place], x[place + U(1)], x[place + U(2)], first, second)
    return of_three(a, b, c, weights[0], weights[1])


@kernel(parallel=True)
def noisy_plane_expect(
    base: IndexArray, fraction: FloatArray, stride: int, node_values: FloatArray, out: FloatArray
) -> None:
    """``stencil_expect``, rows of nodes ``stride`` apart: out (S, A)."""
    states, actions = base.shape
    for i in numba.prange(states):
        for k in range(actions):
            n = base[i, k]
            out[i, k] = 0.0 if n < 0 else of_nine(node_values, U(n), U(stride), fraction[i, k])


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
                total += policy[i, k] * of_nine(x, U(n), U(stride), fraction[i, k])
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
            for t in range(U(indptr[i]), U(indptr[i + 1])):
                data[t] = work[U(indices[t])]
                work[U(indices[t])] = 0.0
