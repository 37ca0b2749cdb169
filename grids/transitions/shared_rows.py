"""Transitions in which many pairs of state and action have the same law of the next state.

    P(j | i, k) = T[n(i, k), j],      n(i, k) the number of the pair's row among the R distinct ones

With additive noise a row depends on the mean alone, and means may lie on a lattice; stock after an order is a sum.  An
expectation is then one product with R rows and a gather, and a policy's matrix is P^p = M T with

    M[i, n] = Σ_k p[i, k] [n(i, k) = n],

which has no more entries than there are pairs.  Rows are the same if their entries are the same numbers, bit by bit.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.grids.transitions.sparse_kernels import (
    csr_matvec,
    product_by_columns,
    product_by_rows,
    rows_equal,
    rows_hash,
)

LEAST_SHARING = 2  # pairs for each distinct row from which sharing pays
DENSE_SHARE = 0.25  # of the entries of T that are non-zero, from which T is held as an array
VECTOR_WORK = 8  # multiply-adds of a dense row cost that much less than gathered ones


class RowMap:
    """The map from values at states to expectations under R laws, (S,) -> (R,).

    Parameters
    ----------
    rows : csr_array (R, S)
    """

    identity = False

    def __init__(self, rows: sp.csr_array) -> None:
        self._rows = rows
        self.size = int(rows.shape[0])
        self.dense: FloatArray | None = None
        if rows.nnz >= DENSE_SHARE * rows.shape[0] * rows.shape[1]:
            self.dense = rows.toarray()
            return
        self._forward = _compressed(rows)
        self._backward = _compressed(sp.csr_array(rows.T.tocsr()))

    @property
    def work(self) -> int:
        """Multiply-adds of one application, as many as gathered ones would take the time of."""
        return int(self._rows.nnz) if self.dense is None else self.dense.size // VECTOR_WORK

    def apply(self, value: FloatArray) -> FloatArray:
        """Expectations under every law, (R,), from V, (S,)."""
        out = np.empty(self.size)
        if self.dense is not None:
            product_by_rows(self.dense, np.ascontiguousarray(value), out)
        else:
            csr_matvec(*self._forward, np.ascontiguousarray(value), out)
        return out

    def apply_transposed(self, x: FloatArray) -> FloatArray:
        """Transpose of ``apply`` on the last index of x, (..., R), giving (..., S)."""
        flat = np.ascontiguousarray(x).reshape(-1, self.size)
        out = np.empty((flat.shape[0], int(self._rows.shape[1])))
        for row, result in zip(flat, out, strict=True):
            if self.dense is not None:
                product_by_columns(self.dense, row, result)
            else:
                csr_matvec(*self._backward, row, result)
        return out.reshape(*x.shape[:-1], -1)

    def sparse(self) -> sp.csr_array:
        """Return T in compressed rows, (R, S), in arrays of its own."""
        return self._rows.copy()


def _compressed(rows: sp.csr_array) -> tuple[IntArray, IndexArray, FloatArray]:
    return rows.indptr.astype(np.int64), rows.indices.astype(np.int32), np.ascontiguousarray(rows.data)


def shared_rows(indptr: IntArray, indices: IndexArray, data: FloatArray) -> tuple[IntArray, IndexArray] | None:
    """Distinct rows, as numbers of rows that hold them, and for every row the place of its like among these.

    None if fewer than half of the rows repeat another.
    """
    hashed = np.empty(indptr.size - 1, dtype=np.int64)
    rows_hash(indptr, indices, data.view(np.int64), hashed)
    _, first, index = np.unique(hashed, return_index=True, return_inverse=True)
    if LEAST_SHARING * first.size > hashed.size:
        return None
    # rows of one hash that differ would need a coincidence of 64 bits; then nothing is shared
    if not rows_equal(indptr, indices, data, first[index].astype(np.int64)):
        return None
    order = np.argsort(first, kind="stable")
    place = np.empty(order.size, dtype=np.int32)
    place[order] = np.arange(order.size, dtype=np.int32)
    return first[order].astype(np.int64), place[index]
