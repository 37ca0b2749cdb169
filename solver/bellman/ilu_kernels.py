"""Kernels of incomplete factors: rows of I - gamma P, ILU(0) on their pattern, and its triangular solves.

Rows are taken in order of the states, entries in ascending order of columns, so that results never depend on the
number of threads.  Backward sweeps go through a row from its end: the entry of the neighbour just computed comes
last, and the processor does not wait for it.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.core.compile import kernel

U = np.uintp


@kernel()
def system_rows(
    indptr: IntArray,
    indices: IndexArray,
    data: FloatArray,
    discount: float,
    least: float,
    new_indptr: IntArray,
    new_indices: IndexArray,
    diagonal: IntArray,
    entries: FloatArray,
) -> None:
    """Fill the rows of I - discount P, (S, S), and the places (S,) of their diagonals, without small entries of P.

    Entries of P below ``least`` are left out and the others of their row scaled to the same sum.  Columns of P ascend;
    there must be room for all of its entries and S more.
    """
    place = U(0)
    new_indptr[0] = 0
    for i in range(indptr.size - 1):
        low, high = U(indptr[i]), U(indptr[i + 1])
        total, kept = 0.0, 0.0
        for t in range(low, high):
            total += data[t]
            kept += data[t] if data[t] >= least else 0.0
        scale = -discount * (total / kept if kept > 0.0 else 1.0)
        middle = low
        while middle < high and indices[middle] < i:
            middle += U(1)
        for t in range(low, middle):
            new_indices[place] = indices[t]
            entries[place] = scale * data[t]
            place += U(data[t] >= least)
        diagonal[i] = place
        new_indices[place] = i
        entries[place] = 1.0
        if middle < high and indices[middle] == i:
            entries[place] += scale * data[middle] if data[middle] >= least else 0.0
            middle += U(1)
        place += U(1)
        for t in range(middle, high):
            new_indices[place] = indices[t]
            entries[place] = scale * data[t]
            place += U(data[t] >= least)
        new_indptr[i + 1] = place


@kernel()
def factor(indptr: IntArray, indices: IndexArray, diagonal: IntArray, entries: FloatArray, inverse: FloatArray) -> None:
    """Replace the matrix by its incomplete factors L U without fill; ``inverse`` (S,) receives 1 / diagonal of U.

    For an M-matrix, as I - gamma P is, the pivots are at least those of the complete factors and positive.
    """
    place_of = np.full(inverse.size, -1, dtype=np.int64)
    for i in range(inverse.size):
        for t in range(U(indptr[i]), U(indptr[i + 1])):
            place_of[U(indices[t])] = t
        for t in range(U(indptr[i]), U(diagonal[i])):
            k = U(indices[t])
            share = entries[t] * inverse[k]
            entries[t] = share
            for u in range(U(diagonal[k]) + U(1), U(indptr[k + U(1)])):
                place = place_of[U(indices[u])]
                if place >= 0:
                    entries[U(place)] -= share * entries[u]
        inverse[i] = 1.0 / entries[U(diagonal[i])]
        for t in range(U(indptr[i]), U(indptr[i + 1])):
            place_of[U(indices[t])] = -1


@kernel()
def solve(
    indptr: IntArray, indices: IndexArray, diagonal: IntArray, entries: FloatArray, inverse: FloatArray, x: FloatArray
) -> None:
    """Replace x (S,) by (L U)^{-1} x."""
    n = inverse.size
    for i in range(n):
        total = x[i]
        for t in range(U(indptr[i]), U(diagonal[i])):
            total -= entries[t] * x[U(indices[t])]
        x[i] = total
    for i in range(n - 1, -1, -1):
        total = x[i]
        end = U(indptr[i + 1]) - U(1)
        for back in range(end - U(diagonal[i])):
            place = end - U(back)
            total -= entries[place] * x[U(indices[place])]
        x[i] = total * inverse[i]


@kernel()
def solve_transposed(
    indptr: IntArray, indices: IndexArray, diagonal: IntArray, entries: FloatArray, inverse: FloatArray, x: FloatArray
) -> None:
    """Replace x (S,) by (L U)^{-T} x."""
    n = inverse.size
    for i in range(n):
        value = x[i] * inverse[i]
        x[i] = value
        for t in range(U(diagonal[i]) + U(1), U(indptr[i + 1])):
            x[U(indices[t])] -= entries[t] * value
    for i in range(n - 1, -1, -1):
        value = x[i]
        for t in range(U(indptr[i]), U(diagonal[i])):
            x[U(indices[t])] -= entries[t] * value
