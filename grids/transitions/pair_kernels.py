"""Kernels for a policy's transition without its rows: products over the stencils of all pairs.

    (M x)_i = Σ_k p[i, k] (interpolation of x at pair i, k),     (Mᵀ y)_n = Σ_ik y_i p[i, k] (weight of node n)

Every output row has one writer and sums in a fixed order; the transposed product adds a number of partial vectors that
depends on sizes only, in a fixed order.
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.grids.transitions.stencil_kernels import interpolate_4

U = np.uintp


@kernel(parallel=True)
def pairs_matvec(
    base: IndexArray, fraction: FloatArray, offsets: IndexArray, policy: FloatArray, x: FloatArray, out: FloatArray
) -> None:
    """Set out (S,) to M x, x (nodes,)."""
    states, actions = base.shape
    dim, corners = fraction.shape[2], offsets.size
    for i in numba.prange(states):
        values = np.empty(corners)
        total = 0.0
        for k in range(actions):
            n = base[i, k]
            if n >= 0:
                for c in range(corners):
                    values[c] = x[U(n + offsets[c])]
                left = corners
                for j in range(dim - 1, -1, -1):
                    left //= 2
                    weight = fraction[i, k, j]
                    for c in range(left):
                        low = values[2 * c]
                        values[c] = low + weight * (values[2 * c + 1] - low)
                total += policy[i, k] * values[0]
        out[i] = total


@kernel(parallel=True)
def pairs_matvec_4(
    base: IndexArray, fraction: FloatArray, offsets: IndexArray, policy: FloatArray, x: FloatArray, out: FloatArray
) -> None:
    """``pairs_matvec`` on four axes, the last of unit stride."""
    states, actions = base.shape
    far, near, stride = U(offsets[8]), U(offsets[4]), U(offsets[2])
    for i in numba.prange(states):
        total = 0.0
        for k in range(actions):
            n = base[i, k]
            if n >= 0:
                total += policy[i, k] * interpolate_4(x, U(n), far, near, stride, fraction[i, k])
        out[i] = total


@kernel(parallel=True)
def pairs_scatter(
    base: IndexArray,
    fraction: FloatArray,
    offsets: IndexArray,
    policy: FloatArray,
    x: FloatArray,
    bounds: IntArray,
    parts: FloatArray,
) -> None:
    """Add Mᵀ x of the states bounds[b] ... bounds[b + 1] - 1 to parts[b], (blocks, nodes), state after state."""
    dim, corners = fraction.shape[2], offsets.size
    for b in numba.prange(parts.shape[0]):
        part = parts[b]
        weights = np.empty(corners)
        for i in range(bounds[b], bounds[b + 1]):
            for k in range(base.shape[1]):
                n = base[i, k]
                if n >= 0:
                    weights[0] = x[i] * policy[i, k]
                    filled = 1
                    for j in range(dim):
                        upper = fraction[i, k, j]
                        for c in range(filled - 1, -1, -1):
                            high = weights[c] * upper
                            weights[2 * c + 1] = high
                            weights[2 * c] = weights[c] - high
                        filled *= 2
                    for c in range(filled):
                        part[U(n + offsets[c])] += weights[c]


@kernel()
def spread_2(part: FloatArray, place: U, stride: U, value: float, first: float, second: float) -> None:
    """Add a value to the nodes at a place with the weights of `interpolate_2`."""
    high = value * first
    low = value - high
    low_right, high_right = low * second, high * second
    part[place] += low - low_right
    part[place + U(1)] += low_right
    after = place + stride
    part[after] += high - high_right
    part[after + U(1)] += high_right


@kernel(parallel=True)
def pairs_scatter_4(
    base: IndexArray,
    fraction: FloatArray,
    offsets: IndexArray,
    policy: FloatArray,
    x: FloatArray,
    bounds: IntArray,
    parts: FloatArray,
) -> None:
    """``pairs_scatter`` on four axes, the last of unit stride."""
    far, near, stride = U(offsets[8]), U(offsets[4]), U(offsets[2])
    for b in numba.prange(parts.shape[0]):
        part = parts[b]
        for i in range(bounds[b], bounds[b + 1]):
            for k in range(base.shape[1]):
                n = base[i, k]
                if n >= 0:
                    m = U(n)
                    value, third, fourth = x[i] * policy[i, k], fraction[i, k, 2], fraction[i, k, 3]
                    high = value * fraction[i, k, 0]
                    low = value - high
                    low_right, high_right = low * fraction[i, k, 1], high * fraction[i, k, 1]
                    spread_2(part, m, stride, low - low_right, third, fourth)
                    spread_2(part, m + near, stride, low_right, third, fourth)
                    spread_2(part, m + far, stride, high - high_right, third, fourth)
                    spread_2(part, m + far + near, stride, high_right, third, fourth)
