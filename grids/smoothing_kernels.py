"""Kernels for banded matrices acting along one axis of a tensor.

A tensor is seen as x[outer, n, inner]; the banded matrix G (m, n) holds, for every row e, the
columns start[e] ... start[e] + indptr[e+1] - indptr[e] - 1.  Every output row has one writer and
sums in a fixed order, so results do not depend on the number of threads.
"""

import numba

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel

_BLOCK = 256


@kernel(parallel=True)
def banded_apply(start: IntArray, indptr: IntArray, data: FloatArray, x: FloatArray, out: FloatArray) -> None:
    """Set out[o, e, q] = Σ_j G[e, j] x[o, j, q]."""
    outer, rows, inner = out.shape
    for r in numba.prange(outer * rows):
        o = r // rows
        e = r - o * rows
        first = start[e] - indptr[e]
        if inner == 1:
            total = 0.0
            for t in range(indptr[e], indptr[e + 1]):
                total += data[t] * x[o, first + t, 0]
            out[o, e, 0] = total
        else:
            out[o, e, :] = 0.0
            for t in range(indptr[e], indptr[e + 1]):
                weight = data[t]
                for q in range(inner):
                    out[o, e, q] += weight * x[o, first + t, q]


@kernel(parallel=True)
def banded_apply_transposed(
    start: IntArray, indptr: IntArray, data: FloatArray, x: FloatArray, out: FloatArray
) -> None:
    """Set out[o, j, q] = Σ_e G[e, j] x[o, e, q]."""
    outer, _, inner = out.shape
    rows = x.shape[1]
    blocks = (inner + _BLOCK - 1) // _BLOCK
    for r in numba.prange(outer * blocks):
        o = r // blocks
        low = (r - o * blocks) * _BLOCK
        high = min(low + _BLOCK, inner)
        out[o, :, low:high] = 0.0
        for e in range(rows):
            first = start[e]
            count = indptr[e + 1] - indptr[e]
            if inner == 1:
                value = x[o, e, 0]
                if value != 0.0:
                    for t in range(count):
                        out[o, first + t, 0] += data[indptr[e] + t] * value
            else:
                for t in range(count):
                    weight = data[indptr[e] + t]
                    for q in range(low, high):
                        out[o, first + t, q] += weight * x[o, e, q]
