"""Kernels for stencils: expectations of node values, and the rows of a policy.

For the pair (i, k) the node values at base + offsets are interpolated, one axis after another, as
a + w (b - a), which is exact for constants; a negative base means the pair terminates and gives zero.
One writer per row, sums in a fixed order.
"""

import numba
import numpy as np

from grids.arrays import FloatArray, IndexArray, IntArray
from grids.compile import kernel

BLOCKS = 64


@kernel(parallel=True)
def stencil_expect_1(base: IndexArray, fraction: FloatArray, node_values: FloatArray, out: FloatArray) -> None:
    """Interpolate node values on one axis: out (S, A)."""
    states, actions = base.shape
    for i in numba.prange(states):
        for k in range(actions):
            n = base[i, k]
            if n < 0:
                out[i, k] = 0.0
            else:
                low = node_values[n]
                out[i, k] = low + fraction[i, k, 0] * (node_values[n + 1] - low)


@kernel(parallel=True)
def stencil_expect_2(
    base: IndexArray, fraction: FloatArray, stride: int, node_values: FloatArray, out: FloatArray
) -> None:
    """Interpolate node values on two axes, ``stride`` nodes apart on the first: out (S, A)."""
    states, actions = base.shape
    for i in numba.prange(states):
        for k in range(actions):
            n = base[i, k]
            if n < 0:
                out[i, k] = 0.0
            else:
                first, second = fraction[i, k, 0], fraction[i, k, 1]
                low = node_values[n] + second * (node_values[n + 1] - node_values[n])
                m = n + stride
                high = node_values[m] + second * (node_values[m + 1] - node_values[m])
                out[i, k] = low + first * (high - low)


@kernel(parallel=True)
def stencil_expect(
    base: IndexArray, fraction: FloatArray, offsets: IndexArray, node_values: FloatArray, out: FloatArray
) -> None:
    """Interpolate node values on any number of axes: out (S, A)."""
    states, actions = base.shape
    dim = fraction.shape[2]
    corners = offsets.size
    for i in numba.prange(states):
        values = np.empty(corners)
        for k in range(actions):
            n = base[i, k]
            if n < 0:
                out[i, k] = 0.0
            else:
                for c in range(corners):
                    values[c] = node_values[n + offsets[c]]
                left = corners
                for j in range(dim - 1, -1, -1):
                    left //= 2
                    weight = fraction[i, k, j]
                    for c in range(left):
                        low = values[2 * c]
                        values[c] = low + weight * (values[2 * c + 1] - low)
                out[i, k] = values[0]


@kernel()
def stencil_count(base: IndexArray, offsets: IndexArray, seen: IndexArray, count: IntArray) -> None:
    """Set count[i] to the number of distinct nodes that state i can use; ``seen`` (nodes,) starts at -1."""
    states, actions = base.shape
    for i in range(states):
        for k in range(actions):
            n = base[i, k]
            if n >= 0:
                for c in range(offsets.size):
                    if seen[n + offsets[c]] != i:
                        seen[n + offsets[c]] = i
                        count[i] += 1


@kernel()
def stencil_pattern(
    base: IndexArray, offsets: IndexArray, seen: IndexArray, indptr: IntArray, indices: IndexArray
) -> None:
    """List the distinct nodes of every state in ascending order; ``seen`` (nodes,) starts at -1."""
    states, actions = base.shape
    for i in range(states):
        place = indptr[i]
        for k in range(actions):
            n = base[i, k]
            if n >= 0:
                for c in range(offsets.size):
                    if seen[n + offsets[c]] != i:
                        seen[n + offsets[c]] = i
                        indices[place] = n + offsets[c]
                        place += 1
        indices[indptr[i] : place].sort()


@kernel(parallel=True)
def stencil_combine(
    base: IndexArray,
    fraction: FloatArray,
    offsets: IndexArray,
    policy: FloatArray,
    nodes: int,
    indptr: IntArray,
    indices: IndexArray,
    data: FloatArray,
) -> None:
    """Set row i of ``data`` to Σ_k policy[i, k] × (interpolation weights of pair i, k)."""
    states, actions = base.shape
    dim = fraction.shape[2]
    for b in numba.prange(BLOCKS):
        work = np.zeros(nodes)
        weights = np.empty(offsets.size)
        for i in range(b * states // BLOCKS, (b + 1) * states // BLOCKS):
            for k in range(actions):
                n = base[i, k]
                if n >= 0:
                    weights[0] = policy[i, k]
                    filled = 1
                    for j in range(dim):
                        upper = fraction[i, k, j]
                        for c in range(filled - 1, -1, -1):
                            high = weights[c] * upper
                            weights[2 * c + 1] = high
                            weights[2 * c] = weights[c] - high
                        filled *= 2
                    for c in range(filled):
                        work[n + offsets[c]] += weights[c]
            for t in range(indptr[i], indptr[i + 1]):
                data[t] = work[indices[t]]
                work[indices[t]] = 0.0
