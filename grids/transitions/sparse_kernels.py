"""Kernels for compressed rows: products, and the combination of rows of pairs into rows of states.

Every output row has one writer and sums in a fixed order.  The transposed product adds a number of
partial vectors that depends on sizes only, in a fixed order.  Places are made unsigned before they are used:
numba lets a signed index count from the end, and that test costs as much as the product.
"""

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.core.compile import kernel

BLOCKS = 64
U = np.uintp


@kernel()
def csr_row(indptr: IntArray, indices: IndexArray, data: FloatArray, x: FloatArray, i: int) -> float:
    """Entry i of M x for compressed rows M."""
    low, high = U(indptr[i]), U(indptr[i + 1])
    whole = low + (high - low) // U(4) * U(4)
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    for t in range(low, whole, U(4)):
        first += data[t] * x[U(indices[t])]
        second += data[t + U(1)] * x[U(indices[t + U(1)])]
        third += data[t + U(2)] * x[U(indices[t + U(2)])]
        fourth += data[t + U(3)] * x[U(indices[t + U(3)])]
    for t in range(whole, high):
        first += data[t] * x[U(indices[t])]
    return (first + second) + (third + fourth)


@kernel(parallel=True)
def csr_matvec(indptr: IntArray, indices: IndexArray, data: FloatArray, x: FloatArray, out: FloatArray) -> None:
    """Set out = M x for compressed rows M."""
    for i in numba.prange(indptr.size - 1):
        out[i] = csr_row(indptr, indices, data, x, i)


@kernel()
def add_dense(indptr: IntArray, indices: IndexArray, data: FloatArray, out: FloatArray) -> None:
    """Add compressed rows M to out, (rows, columns)."""
    for i in range(U(indptr.size - 1)):
        for t in range(U(indptr[i]), U(indptr[i + U(1)])):
            out[i, U(indices[t])] += data[t]


@kernel(any_order=True)
def scalar_product(a: FloatArray, b: FloatArray) -> float:
    """sum_t a_t b_t for arrays (n,)."""
    total = 0.0
    for t in range(U(a.size)):
        total += a[t] * b[t]
    return total


@kernel(any_order=True)
def product_of_runs(
    first: int, last: int, starts: IndexArray, places: IntArray, data: FloatArray, x: FloatArray
) -> float:
    """Sum over the runs first ... last - 1 of scalar products of entries with what follows a column each.

    Run r holds ``data[places[r] : places[r + 1]]``, from column ``starts[r]`` on.
    """
    total = 0.0
    for r in range(U(first), U(last)):
        place, column = U(places[r]), U(starts[r])
        part = 0.0
        for t in range(U(places[r + U(1)]) - place):
            part += data[place + t] * x[column + t]
        total += part
    return total


@kernel(parallel=True)
def runs_matvec(
    rows: IntArray, starts: IndexArray, places: IntArray, data: FloatArray, x: FloatArray, out: FloatArray
) -> None:
    """Set out = M x for compressed rows M, row i the runs ``rows[i] : rows[i + 1]`` of neighbouring columns."""
    for i in numba.prange(out.size):
        out[i] = product_of_runs(rows[i], rows[i + 1], starts, places, data, x)


@kernel(parallel=True, largest=0)
def product_by_rows(matrix: FloatArray, x: FloatArray, out: FloatArray) -> None:
    """Set out = matrix x for a dense matrix (rows, columns)."""
    for r in numba.prange(out.size):
        out[r] = scalar_product(matrix[r], x)


@kernel()
def product_of_factors(
    indptr: IntArray,
    indices: IndexArray,
    runs: bool,
    data: FloatArray,
    laws: FloatArray,
    x: FloatArray,
    nodes: FloatArray,
    out: FloatArray,
) -> None:
    """Set out = M T x for compressed rows M and a dense T.

    Parameters
    ----------
    indptr, indices, data : arrays
        M, of as many rows as ``out`` has entries.
    runs : bool
        Whether the places of every row of M follow one another: nothing need be gathered then.
    laws : array (n, x.size)
        T; the identity if it has no entries.
    nodes : array (n,)
        Workspace, filled with T x.
    """
    if laws.size > 0:
        for r in range(U(nodes.size)):
            nodes[r] = scalar_product(laws[r], x)
    between = nodes if laws.size > 0 else x
    if runs:
        for i in range(U(out.size)):
            low, high = indptr[i], indptr[i + 1]
            start = indices[low] if low < high else 0
            out[i] = scalar_product(data[low:high], between[start : start + (high - low)])
    else:
        for i in range(out.size):
            out[i] = csr_row(indptr, indices, data, between, i)


@kernel(parallel=True)
def csr_scatter(
    indptr: IntArray, indices: IndexArray, data: FloatArray, x: FloatArray, bounds: IntArray, parts: FloatArray
) -> None:
    """Add Mᵀ x of the rows bounds[b] ... bounds[b + 1] - 1 to parts[b], (blocks, columns), row after row."""
    for b in numba.prange(parts.shape[0]):
        for i in range(bounds[b], bounds[b + 1]):
            value = x[i]
            for t in range(U(indptr[i]), U(indptr[i + 1])):
                parts[b, U(indices[t])] += data[t] * value


@kernel(parallel=True)
def add_parts(parts: FloatArray, out: FloatArray) -> None:
    """Set out[j] to the sum of parts[b, j], in the order of b."""
    for j in numba.prange(parts.shape[1]):
        total = 0.0
        for b in range(parts.shape[0]):
            total += parts[b, j]
        out[j] = total


@kernel()
def rows_pattern(
    pair_indptr: IntArray,
    pair_indices: IndexArray,
    actions: int,
    seen: IndexArray,
    indptr: IntArray,
    indices: IndexArray,
) -> None:
    """Set ``indptr`` to the bounds and ``indices`` to the places, ascending, of every state's distinct columns.

    Without room in ``indices`` only the bounds are set; ``seen`` starts at -1.
    """
    place, listing = 0, indices.size > 0
    for i in range(indptr.size - 1):
        for t in range(pair_indptr[i * actions], pair_indptr[(i + 1) * actions]):
            if seen[pair_indices[t]] != i:
                seen[pair_indices[t]] = i
                if listing:
                    indices[place] = pair_indices[t]
                place += 1
        if listing:
            indices[indptr[i] : place].sort()
        indptr[i + 1] = place


@kernel(parallel=True)
def rows_combine(
    pair_indptr: IntArray,
    pair_indices: IndexArray,
    pair_data: FloatArray,
    policy: FloatArray,
    columns: int,
    indptr: IntArray,
    indices: IndexArray,
    data: FloatArray,
) -> None:
    """Set row i of ``data`` to Σ_k policy[i, k] × (row of pair i, k), on a given pattern."""
    states, actions = policy.shape
    for b in numba.prange(BLOCKS):
        work = np.zeros(columns)
        for i in range(b * states // BLOCKS, (b + 1) * states // BLOCKS):
            for k in range(actions):
                weight = policy[i, k]
                for t in range(U(pair_indptr[i * actions + k]), U(pair_indptr[i * actions + k + 1])):
                    work[U(pair_indices[t])] += weight * pair_data[t]
            for t in range(U(indptr[i]), U(indptr[i + 1])):
                data[t] = work[U(indices[t])]
                work[U(indices[t])] = 0.0


@kernel()
def scatter_add(places: IndexArray, values: FloatArray, out: FloatArray) -> None:
    """Set out to zero, then add values[t] to out[places[t]] in order."""
    out[:] = 0.0
    for t in range(U(places.size)):
        out[U(places[t])] += values[t]


@kernel()
def scatter_add_runs(starts: IntArray, places: IndexArray, values: FloatArray, out: FloatArray) -> None:
    """`scatter_add` where values starts[r] ... starts[r + 1] - 1 go to neighbouring places from places[r] on."""
    out[:] = 0.0
    for r in range(places.size):
        first, place = U(starts[r]), U(places[r])
        for t in range(U(starts[r + 1]) - first):
            out[place + t] += values[first + t]


@kernel()
def rows_hash(indptr: IntArray, indices: IndexArray, bits: IntArray, out: IntArray) -> None:
    """Set out[i] to a number that is the same for rows of the same places and the same ``bits`` of their entries."""
    for i in range(out.size):
        mixed = np.uint64(1469598103934665603)
        for t in range(U(indptr[i]), U(indptr[i + 1])):
            for word in (np.uint64(indices[t]), np.uint64(bits[t])):
                mixed = (mixed ^ word) * np.uint64(1099511628211)
                mixed ^= mixed >> np.uint64(29)
        out[i] = np.int64(mixed)


@kernel()
def rows_equal(indptr: IntArray, indices: IndexArray, data: FloatArray, first: IntArray) -> bool:
    """Whether every row i has the places and entries of row first[i]."""
    for i in range(first.size):
        low, other = indptr[i], indptr[first[i]]
        if indptr[i + 1] - low != indptr[first[i] + 1] - other:
            return False
        for t in range(indptr[i + 1] - low):
            if indices[low + t] != indices[other + t] or data[low + t] != data[other + t]:
                return False
    return True


@kernel(parallel=True)
def product_by_columns(matrix: FloatArray, x: FloatArray, out: FloatArray) -> None:
    """Set out = x matrix for a dense matrix (rows, columns), adding whole rows: a loop of vectors."""
    rows, columns = matrix.shape
    blocks = (columns + 511) // 512
    for b in numba.prange(blocks):
        low, high = b * 512, min(b * 512 + 512, columns)
        part = out[low:high]
        part[:] = 0.0
        whole = rows // 8 * 8
        for r in range(0, whole, 8):
            x0, x1, x2, x3 = x[r], x[r + 1], x[r + 2], x[r + 3]
            x4, x5, x6, x7 = x[r + 4], x[r + 5], x[r + 6], x[r + 7]
            row0, row1 = matrix[r, low:high], matrix[r + 1, low:high]
            row2, row3 = matrix[r + 2, low:high], matrix[r + 3, low:high]
            row4, row5 = matrix[r + 4, low:high], matrix[r + 5, low:high]
            row6, row7 = matrix[r + 6, low:high], matrix[r + 7, low:high]
            for j in range(part.size):
                near = (x0 * row0[j] + x1 * row1[j]) + (x2 * row2[j] + x3 * row3[j])
                far = (x4 * row4[j] + x5 * row5[j]) + (x6 * row6[j] + x7 * row7[j])
                part[j] += near + far
        for r in range(whole, rows):
            value, row = x[r], matrix[r, low:high]
            for j in range(part.size):
                part[j] += value * row[j]


@kernel(parallel=True, largest=0)
def gather_pairs(index: IndexArray, values: FloatArray, out: FloatArray) -> None:
    """out[i, k] = values[index[i, k]]."""
    for i in numba.prange(index.shape[0]):
        for k in range(U(index.shape[1])):
            out[i, k] = values[U(index[i, k])]
