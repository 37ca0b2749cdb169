"""Sums in index order, the same for any number of threads."""

from __future__ import annotations

from grids.arrays import FloatArray
from grids.compile import kernel


@kernel()
def dot(a: FloatArray, b: FloatArray) -> float:
    """sum_i a_i b_i for arrays (n,): four interleaved partial sums, added in a fixed order."""
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    whole = a.size - a.size % 4
    for i in range(0, whole, 4):
        first += a[i] * b[i]
        second += a[i + 1] * b[i + 1]
        third += a[i + 2] * b[i + 2]
        fourth += a[i + 3] * b[i + 3]
    for i in range(whole, a.size):
        first += a[i] * b[i]
    return (first + second) + (third + fourth)
