"""Kernels for compressed rows: products, and the combination of rows of pairs into rows of states.

Every output row has one writer and sums in a fixed order.  The transposed product adds a number of
partial vectors that depends on sizes only, in a fixed order.
"""

import numba
import numpy as np

from grids.arrays import FloatArray, IndexArray, IntArray
from grids.compile import kernel

BLOCKS = 64


@kernel(parallel=True)
def csr_matvec(indptr: IntArray, indices: IndexArray, data: FloatArray, x: FloatArray, out: FloatArray) -> None:
    """Set out = M x for compressed rows M."""
    for i in numba.prange(indptr.size - 1):
        total = 0.0
        for t in range(indptr[i], indptr[i + 1]):
            total += data[t] * x[indices[t]]
        out[i] = total


@kernel(parallel=True)
def csr_rmatvec(
    indptr: IntArray, indices: IndexArray, data: FloatArray, x: FloatArray, parts: FloatArray, out: FloatArray
) -> None:
    """Set out = Mᵀ x, row blocks scattering into ``parts`` (blocks, columns), summed in order."""
    blocks, columns = parts.shape
    rows = indptr.size - 1
    for b in numba.prange(blocks):
        parts[b, :] = 0.0
        for i in range(b * rows // blocks, (b + 1) * rows // blocks):
            value = x[i]
            for t in range(indptr[i], indptr[i + 1]):
                parts[b, indices[t]] += data[t] * value
    for j in numba.prange(columns):
        total = 0.0
        for b in range(blocks):
            total += parts[b, j]
        out[j] = total


@kernel(parallel=True)
def csr_dense(indptr: IntArray, indices: IndexArray, data: FloatArray, out: FloatArray) -> None:
    """Set out (rows, columns) to the matrix with compressed rows."""
    for i in numba.prange(indptr.size - 1):
        out[i, :] = 0.0
        for t in range(indptr[i], indptr[i + 1]):
            out[i, indices[t]] += data[t]


@kernel()
def rows_count(
    pair_indptr: IntArray, pair_indices: IndexArray, actions: int, seen: IndexArray, count: IntArray
) -> None:
    """Set count[i] to the number of distinct columns among the pairs of state i; ``seen`` starts at -1."""
    for i in range(count.size):
        for t in range(pair_indptr[i * actions], pair_indptr[(i + 1) * actions]):
            if seen[pair_indices[t]] != i:
                seen[pair_indices[t]] = i
                count[i] += 1


@kernel()
def rows_pattern(
    pair_indptr: IntArray,
    pair_indices: IndexArray,
    actions: int,
    seen: IndexArray,
    indptr: IntArray,
    indices: IndexArray,
) -> None:
    """List the distinct columns of every state in ascending order; ``seen`` starts at -1."""
    for i in range(indptr.size - 1):
        place = indptr[i]
        for t in range(pair_indptr[i * actions], pair_indptr[(i + 1) * actions]):
            if seen[pair_indices[t]] != i:
                seen[pair_indices[t]] = i
                indices[place] = pair_indices[t]
                place += 1
        indices[indptr[i] : place].sort()


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
                for t in range(pair_indptr[i * actions + k], pair_indptr[i * actions + k + 1]):
                    work[pair_indices[t]] += weight * pair_data[t]
            for t in range(indptr[i], indptr[i + 1]):
                data[t] = work[indices[t]]
                work[indices[t]] = 0.0
