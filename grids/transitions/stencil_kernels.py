"""Kernels for stencils: expectations of node values, and the rows of a policy.

For the pair (i, k) the node values at base + offsets are interpolated, one axis after another, as
a + w (b - a), which is exact for constants; a negative base means the pair terminates and gives zero.
One writer per row, sums in a fixed order.  Node numbers are made unsigned once they are known not to be negative:
numba lets a signed index count from the end, and that test costs as much as the interpolation.
"""

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.core.compile import kernel

BLOCKS = 64
U = np.uintp


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
                m = U(n)
                low = node_values[m]
                out[i, k] = low + fraction[i, k, 0] * (node_values[m + U(1)] - low)


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
                m = U(n)
                low = node_values[m] + second * (node_values[m + U(1)] - node_values[m])
                m += U(stride)
                high = node_values[m] + second * (node_values[m + U(1)] - node_values[m])
                out[i, k] = low + first * (high - low)


@kernel()
def interpolate_2(x: FloatArray, place: U, stride: U, first: float, second: float) -> float:
    """Node values at a place interpolated on two axes, ``stride`` nodes and one node apart."""
    low = x[place] + second * (x[place + U(1)] - x[place])
    after = place + stride
    high = x[after] + second * (x[after + U(1)] - x[after])
    return float(low + first * (high - low))


@kernel()
def interpolate_4(x: FloatArray, place: U, far: U, near: U, stride: U, weights: FloatArray) -> float:
    """Node values at a place interpolated on four axes, ``far``, ``near``, ``stride`` and one nodes apart."""
    first, second, third, fourth = weights[0], weights[1], weights[2], weights[3]
    a = interpolate_2(x, place, stride, third, fourth)
    b = interpolate_2(x, place + near, stride, third, fourth)
    c = interpolate_2(x, place + far, stride, third, fourth)
    d = interpolate_2(x, place + far + near, stride, third, fourth)
    low = a + second * (b - a)
    high = c + second * (d - c)
    return float(low + first * (high - low))


@kernel(parallel=True)
def stencil_expect_4(
    base: IndexArray, fraction: FloatArray, offsets: IndexArray, node_values: FloatArray, out: FloatArray
) -> None:
    """``stencil_expect`` on four axes, the last of unit stride."""
    states, actions = base.shape
    far, near, stride = U(offsets[8]), U(offsets[4]), U(offsets[2])
    for i in numba.prange(states):
        for k in range(actions):
            n = base[i, k]
            out[i, k] = 0.0 if n < 0 else interpolate_4(node_values, U(n), far, near, stride, fraction[i, k])


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
                    values[c] = node_values[U(n + offsets[c])]
                left = corners
                for j in range(dim - 1, -1, -1):
                    left //= 2
                    weight = fraction[i, k, j]
                    for c in range(left):
                        low = values[2 * c]
                        values[c] = low + weight * (values[2 * c + 1] - low)
                out[i, k] = values[0]


@kernel()
def stencil_pattern(
    base: IndexArray, offsets: IndexArray, seen: IndexArray, indptr: IntArray, indices: IndexArray
) -> None:
    """Set ``indptr`` to the bounds and ``indices`` to the numbers, ascending, of every state's distinct nodes.

    Without room in ``indices`` only the bounds are set; ``seen`` (nodes,) starts at -1.
    """
    states, actions = base.shape
    place, listing = 0, indices.size > 0
    for i in range(states):
        for k in range(actions):
            n = base[i, k]
            if n >= 0:
                for c in range(offsets.size):
                    if seen[n + offsets[c]] != i:
                        seen[n + offsets[c]] = i
                        if listing:
                            indices[place] = n + offsets[c]
                        place += 1
        if listing:
            indices[indptr[i] : place].sort()
        indptr[i + 1] = place


@kernel()
def move_row(work: FloatArray, indices: IndexArray, start: int, stop: int, data: FloatArray) -> None:
    """Move the entries of a row from their columns into ``data``, and leave zeros there for the next row."""
    for t in range(U(start), U(stop)):
        data[t] = work[U(indices[t])]
        work[U(indices[t])] = 0.0


@kernel(parallel=True)
def stencil_combine_1(
    base: IndexArray,
    fraction: FloatArray,
    policy: FloatArray,
    nodes: int,
    indptr: IntArray,
    indices: IndexArray,
    data: FloatArray,
) -> None:
    """``stencil_combine`` on one axis."""
    states, actions = base.shape
    for b in numba.prange(BLOCKS):
        work = np.zeros(nodes)
        for i in range(b * states // BLOCKS, (b + 1) * states // BLOCKS):
            for k in range(actions):
                n = base[i, k]
                if n >= 0:
                    m = U(n)
                    high = policy[i, k] * fraction[i, k, 0]
                    work[m] += policy[i, k] - high
                    work[m + U(1)] += high
            move_row(work, indices, indptr[i], indptr[i + 1], data)


@kernel()
def add_row_2(base: IndexArray, fraction: FloatArray, policy: FloatArray, stride: U, work: FloatArray) -> None:
    """Add the weights of a state's pairs, (A,) and (A, 2), times its policy to work (nodes,)."""
    for k in range(base.size):
        n = base[k]
        if n >= 0:
            m = U(n)
            high = policy[k] * fraction[k, 0]
            low = policy[k] - high
            low_right, high_right = low * fraction[k, 1], high * fraction[k, 1]
            work[m] += low - low_right
            work[m + U(1)] += low_right
            m += stride
            work[m] += high - high_right
            work[m + U(1)] += high_right


@kernel()
def add_cells_2(base: IndexArray, fraction: FloatArray, policy: FloatArray, stride: U, work: FloatArray) -> None:
    """`add_row_2` where no corner of a cell is another one, stride > 1, in the same order.

    Neighbouring actions often lead into one cell: its sums are kept at hand until another cell comes.
    """
    cell, m = -1, U(0)
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for k in range(base.size):
        n = base[k]
        if n != cell:
            if cell >= 0:
                work[m], work[m + U(1)], work[m + stride], work[m + stride + U(1)] = a, b, c, d
            cell = n
            if n >= 0:
                m = U(n)
                a, b, c, d = work[m], work[m + U(1)], work[m + stride], work[m + stride + U(1)]
        if n >= 0:
            high = policy[k] * fraction[k, 0]
            low = policy[k] - high
            low_right, high_right = low * fraction[k, 1], high * fraction[k, 1]
            a += low - low_right
            b += low_right
            c += high - high_right
            d += high_right
    if cell >= 0:
        work[m], work[m + U(1)], work[m + stride], work[m + stride + U(1)] = a, b, c, d


@kernel(parallel=True)
def stencil_combine_2(
    base: IndexArray,
    fraction: FloatArray,
    stride: int,
    policy: FloatArray,
    nodes: int,
    indptr: IntArray,
    indices: IndexArray,
    data: FloatArray,
) -> None:
    """``stencil_combine`` on two axes, ``stride`` nodes apart on the first."""
    states = base.shape[0]
    for b in numba.prange(BLOCKS):
        work = np.zeros(nodes)
        for i in range(b * states // BLOCKS, (b + 1) * states // BLOCKS):
            if stride > 1:
                add_cells_2(base[i], fraction[i], policy[i], U(stride), work)
            else:
                add_row_2(base[i], fraction[i], policy[i], U(stride), work)
            move_row(work, indices, indptr[i], indptr[i + 1], data)


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
                        work[U(n + offsets[c])] += weights[c]
            move_row(work, indices, indptr[i], indptr[i + 1], data)
