"""Vectors of one state: copies, lengths and multiples.

Written out as loops: numba takes seconds to compile an assignment of one array to another, for it brings along the code
that would put the two shapes into the text of an error.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel


@kernel()
def copy_vector(source: FloatArray, target: FloatArray) -> None:
    """target = source."""
    for k in range(np.uintp(target.size)):
        target[k] = source[k]


@kernel()
def divide_vector(vector: FloatArray, divisor: float) -> None:
    """Divide every entry."""
    for k in range(np.uintp(vector.size)):
        vector[k] /= divisor


@kernel(fused=False)
def add_multiple(vector: FloatArray, factor: float, other: FloatArray) -> None:
    """vector += factor other."""
    for k in range(np.uintp(vector.size)):
        vector[k] += factor * other[k]


@kernel()
def largest_size(vector: FloatArray) -> float:
    """The largest absolute value of (n,); NaN if an entry is NaN."""
    largest = 0.0
    for k in range(np.uintp(vector.size)):
        if vector[k] != vector[k]:
            return math.nan
        largest = max(largest, abs(vector[k]))
    return largest


@kernel()
def length(vector: FloatArray) -> float:
    """Euclidean length, without overflow; NaN if an entry is infinite or NaN."""
    largest = 0.0
    for k in range(vector.size):
        if not abs(vector[k]) <= largest:
            largest = abs(vector[k])
    if largest == 0.0:
        return 0.0
    total = 0.0
    for k in range(vector.size):
        total += (vector[k] / largest) ** 2
    return float(largest * math.sqrt(total))


@kernel()
def remove_components(vector: FloatArray, basis: FloatArray, count: int) -> None:
    """Orthogonalise against the first rows of the basis, twice, in a fixed order."""
    for _ in range(2):
        for j in range(count):
            total = 0.0
            for k in range(vector.size):
                total += basis[j, k] * vector[k]
            for k in range(vector.size):
                vector[k] -= total * basis[j, k]
