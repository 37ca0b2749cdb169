"""Sums in a fixed order, the same for any number of threads."""

from __future__ import annotations

import numpy as np

from grids.arrays import FloatArray
from grids.compile import kernel

LANES = 64  # partial sums: enough of them for the processor to add vectors instead of waiting for one number


@kernel()
def dot(a: FloatArray, b: FloatArray) -> float:
    """sum_i a_i b_i for arrays (n,): interleaved partial sums, added in order."""
    partial = np.zeros(LANES)
    blocks = a.size // LANES
    for n in range(blocks):
        x, y = a[n * LANES : (n + 1) * LANES], b[n * LANES : (n + 1) * LANES]
        for i in range(LANES):
            partial[i] += x[i] * y[i]
    total = 0.0
    if blocks > 0:
        for i in range(LANES):
            total += partial[i]
    for i in range(blocks * LANES, a.size):
        total += a[i] * b[i]
    return total
