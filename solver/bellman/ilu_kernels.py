"""Kernels of incomplete factors: I - gamma P on the pattern of P and the diagonal, ILU(0), and its triangular solves.

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
def system_indptr(indptr: IntArray, indices: IndexArray, out: IntArray) -> None:
    """Set out (S + 1,) to the row pointers of I - gamma P: the pattern of P and the diagonal."""
    out[0] = 0
    for i in range(indptr.size - 1):
        missing = 1
        for t in range(U(indptr[i]), U(indptr[i + 1])):
            if indices[t] == i:
                missing = 0
        out[i + 1] = out[i] + indptr[i + 1] - indptr[i] + missing


@kernel()
def system_indices(
    indptr: IntArray, indices: IndexArray, new_indptr: IntArray, new_indices: IndexArray, diagonal: IntArray
) -> None:
    """Fill columns and places of the diagonal of I - gamma P, given those of P, ascending."""
    for i in range(indptr.size - 1):
        place = U(new_indptr[i])
        seen = False
        for t in range(U(indptr[i]), U(indptr[i + 1])):
            j = indices[t]
            if not seen and j >= i:
                seen = True
                diagonal[i] = place
                new_indices[place] = i
                place += U(1)
                if j == i:
                    continue
            new_indices[place] = j
            place += U(1)
        if not seen:
            diagonal[i] = place
            new_indices[place] = i


@kernel()
def system_entries(
    indptr: IntArray,
    data: FloatArray,
    discount: float,
    new_indptr: IntArray,
    diagonal: IntArray,
    entries: FloatArray,
) -> None:
    """Fill the entries of I - gamma P from those of P; the diagonal's place may be one that P does not have."""
    for i in range(indptr.size - 1):
        low, high = U(indptr[i]), U(indptr[i + 1])
        place, middle, end = U(new_indptr[i]), U(diagonal[i]), U(new_indptr[i + 1])
        before = middle - place
        for t in range(before):
            entries[place + t] = -discount * data[low + t]
        rest = low + before
        entries[middle] = 1.0
        if high - low == end - place:
            entries[middle] -= discount * data[rest]
            rest += U(1)
        for later in range(end - middle - U(1)):
            entries[middle + U(1) + later] = -discount * data[rest + later]


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
