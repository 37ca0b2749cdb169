"""Linear combinations of policies that were advanced with different substeps."""

from __future__ import annotations

import numba

from grids.arrays import FloatArray
from grids.compile import kernel


@kernel(parallel=True)
def combine(weights: FloatArray, parts: FloatArray, out: FloatArray) -> None:
    """out = sum_j weights[j] parts[j] with weights summing to one.  Arrays parts (m, S, A), out (S, A).

    Written around the last part, sum_j w_j (parts[j] - parts[m-1]) + parts[m-1]: the differences are
    small, so rounding is that of the last part, not that of the large weights of either sign.
    """
    last = weights.size - 1
    for i in numba.prange(out.shape[0]):
        for k in range(out.shape[1]):
            base = parts[last, i, k]
            total = 0.0
            for j in range(last):
                total += weights[j] * (parts[j, i, k] - base)
            out[i, k] = base + total


@kernel(parallel=True)
def combination_squared(weights: FloatArray, parts: FloatArray, p: FloatArray, g: FloatArray, out: FloatArray) -> None:
    """out[i] = sum_k (sum_j weights[j] parts[j, i, k])^2 / (p_ik + g_ik), weights summing to zero."""
    last = weights.size - 1
    for i in numba.prange(p.shape[0]):
        total = 0.0
        for k in range(p.shape[1]):
            base = parts[last, i, k]
            value = 0.0
            for j in range(last):
                value += weights[j] * (parts[j, i, k] - base)
            if value != 0.0:
                total += value * (value / (p[i, k] + g[i, k]))
        out[i] = total
