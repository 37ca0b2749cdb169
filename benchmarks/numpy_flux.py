"""The Scharfetter–Gummel flux as a user of NumPy and SciPy would write it, for the right-hand sides of the peers.

On cells of one width h, uniform reference measure, with B(z) = z/(e^z - 1) and z = (Q_{k+1} - Q_k)/tau,

    J_{k+1/2} = (tau/h²) [ B(z) p_k - B(-z) p_{k+1} ],        dp_k/dt = J_{k-1/2} - J_{k+1/2}.

The flattened array p[s, a] has a tridiagonal Jacobian while Q is frozen: the faces between states carry no flux.
It is given in the three forms that integrators want: LAPACK bands, compressed columns, the diagonals of a full array.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import FloatArray, IntArray


def face_rates(q: FloatArray, temperature: float, width: float) -> tuple[FloatArray, FloatArray]:
    """Rates k -> k+1 and k+1 -> k on the faces of every state, (S, A - 1) each, from Q, (S, A)."""
    z = np.diff(q, axis=1) / temperature
    size = np.abs(z)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        small = np.where(size == 0.0, 1.0, size / np.expm1(size))
    scale = temperature / width**2
    up = scale * (small + np.maximum(-z, 0.0))
    down = scale * (small + np.maximum(z, 0.0))
    return up, down


def divergence(p: FloatArray, up: FloatArray, down: FloatArray) -> FloatArray:
    """dp/dt, (S, A), for the given face rates."""
    flux = up * p[:, :-1]
    flux -= down * p[:, 1:]
    out = np.zeros_like(p)
    out[:, :-1] -= flux
    out[:, 1:] += flux
    return out


def bands(up: FloatArray, down: FloatArray) -> FloatArray:
    """LAPACK bands, (3, S·A): row ``1 + i - j`` holds entry (i, j) in column j."""
    n_states, faces = up.shape
    out = np.zeros((3, n_states, faces + 1))
    out[0, :, 1:] = down
    out[1, :, :-1] -= up
    out[1, :, 1:] -= down
    out[2, :, :-1] = up
    return out.reshape(3, -1)


class ColumnPattern:
    """Compressed columns of the frozen generators of all states, filled in one assignment.

    Parameters
    ----------
    n_states, n_actions : int
    """

    def __init__(self, n_states: int, n_actions: int) -> None:
        self.size = n_states * n_actions
        rows = np.arange(self.size)[:, None] + np.array([-1, 0, 1])
        kept = np.ones((n_states, n_actions, 3), dtype=np.bool_)
        kept[:, 0, 0] = kept[:, -1, 2] = False
        self._kept = kept.reshape(-1)
        self.indices: IntArray = rows.reshape(-1)[self._kept].astype(np.int32)
        counts = kept.reshape(-1, 3).sum(axis=1)
        self.indptr: IntArray = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)

    def data(self, up: FloatArray, down: FloatArray) -> FloatArray:
        """Entries in the order of compressed columns."""
        return bands(up, down).T.reshape(-1)[self._kept]

    def matrix(self, up: FloatArray, down: FloatArray) -> sp.csc_matrix:
        """The generator, (S·A, S·A), acting on flattened policies; a matrix, which SciPy's integrators expect."""
        return sp.csc_matrix((self.data(up, down), self.indices, self.indptr), shape=(self.size, self.size))
