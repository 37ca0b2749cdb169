"""Kernels for two axes with noise whose next coordinates look at different action axes: sum factorisation.

The place of a pair (i, k), k = k_1 K_2 + k_2, is that of (i, k_1) among the rows of nodes and of (i, k_2) among the
columns, three nodes each, of weights by two steps to the next node as in the kernels for nine nodes.  Values are
brought together over the rows first, once for all k_2, in the window of columns that a state reaches; policies over
the columns first, once for every k_1.  As in the kernels for any pairs, values a, b, c of three nodes give
b + above (c - b) + below (a - b), which is exact for constants, every row has one writer, and sums have a fixed order.
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.grids.transitions.stencil_kernels import BLOCKS, U, move_row


@kernel(parallel=True)
def tensor_plane_expect(
    rows: IndexArray,
    row_steps: FloatArray,
    columns: IndexArray,
    column_steps: FloatArray,
    stride: int,
    node_values: FloatArray,
    out: FloatArray,
) -> None:
    """Set out (S, K_1 K_2) to the node values at all pairs.

    ``rows`` (S, K_1) and ``columns`` (S, K_2) are the lowest of three nodes, ``row_steps`` (S, K_1, 2) and
    ``column_steps`` (S, K_2, 2) the probabilities of the steps; rows of nodes are ``stride`` apart.
    """
    states, outer = rows.shape
    inner = columns.shape[1]
    for i in numba.prange(states):
        weights = np.empty((inner, 2))
        start, stop = columns[i, 0], columns[i, 0]
        for k in range(inner):
            start, stop = min(start, columns[i, k]), max(stop, columns[i, k])
            first, second = column_steps[i, k, 0], column_steps[i, k, 1]
            weights[k, 0], weights[k, 1] = (1.0 - first) * (1.0 - second), first * second
        width = stop + 3 - start
        window = np.empty(width)
        for j in range(outer):
            first, second = row_steps[i, j, 0], row_steps[i, j, 1]
            below, above = (1.0 - first) * (1.0 - second), first * second
            place = rows[i, j] * stride + start
            low = node_values[place : place + width]
            centre = node_values[place + stride : place + stride + width]
            high = node_values[place + 2 * stride : place + 2 * stride + width]
            for c in range(width):
                window[c] = centre[c] + above * (high[c] - centre[c]) + below * (low[c] - centre[c])
            for k in range(inner):
                m = U(columns[i, k] - start)
                b = window[m + U(1)]
                out[i, j * inner + k] = b + weights[k, 1] * (window[m + U(2)] - b) + weights[k, 0] * (window[m] - b)


@kernel(parallel=True)
def tensor_plane_combine(
    rows: IndexArray,
    row_steps: FloatArray,
    columns: IndexArray,
    column_steps: FloatArray,
    stride: int,
    policy: FloatArray,
    nodes: int,
    indptr: IntArray,
    indices: IndexArray,
    data: FloatArray,
) -> None:
    """Set row i of ``data`` to the sum over its pairs of policy times weights of nodes."""
    states, outer = rows.shape
    inner = columns.shape[1]
    for b in numba.prange(BLOCKS):
        work = np.zeros(nodes)
        window, weights = np.zeros(stride), np.empty((inner, 3))
        for i in range(b * states // BLOCKS, (b + 1) * states // BLOCKS):
            start, stop = columns[i, 0], columns[i, 0]
            for k in range(inner):
                start, stop = min(start, columns[i, k]), max(stop, columns[i, k])
                first, second = column_steps[i, k, 0], column_steps[i, k, 1]
                above = first * second
                weights[k, 0], weights[k, 2] = (1.0 - first) * (1.0 - second), above
                weights[k, 1] = first + second - 2.0 * above
            width = stop + 3 - start
            for j in range(outer):
                for k in range(inner):
                    p, m = policy[i, j * inner + k], U(columns[i, k] - start)
                    window[m] += p * weights[k, 0]
                    window[m + U(1)] += p * weights[k, 1]
                    window[m + U(2)] += p * weights[k, 2]
                first, second = row_steps[i, j, 0], row_steps[i, j, 1]
                above = first * second
                for r, weight in enumerate(((1.0 - first) * (1.0 - second), first + second - 2.0 * above, above)):
                    place = (rows[i, j] + r) * stride + start
                    into = work[place : place + width]
                    for c in range(width):
                        into[c] += weight * window[c]
                window[:width] = 0.0
            move_row(work, indices, indptr[i], indptr[i + 1], data)
