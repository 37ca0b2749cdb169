r"""Spectral gap of a birth-death chain, to high relative accuracy however small it is.

The generator of a chain with rates u_k (k -> k+1) and w_k (k+1 -> k) is similar to -D^T D, D the bidiagonal matrix
with rows sqrt(w_k) y_{k+1} - sqrt(u_k) y_k.  Its non-zero spectrum is that of the positive definite tridiagonal
matrix T = D D^T, one row for each *face*, with diagonal u_k + w_k and off-diagonal -sqrt(w_k u_{k+1}).  T = L diag(d)
L^T without a subtraction:

    e_0 = u_0,     d_k = w_k + e_k,     e_{k+1} = u_{k+1} e_k/d_k.

The pivots of T - sigma follow from d by the differential stationary qd recursion

    s_0 = -sigma,     p_k = d_k + s_k,     s_{k+1} = (w_k u_{k+1}/d_k) s_k/p_k - sigma,

whose rounding errors amount to relative changes of d and w u/d by a few units each; these change every eigenvalue by
that *relative* amount times n (Demmel & Kahan 1990, doi:10.1137/0911052; Fernando & Parlett 1994,
doi:10.1007/s002110050024).  Newton's method for det(T - sigma) = 0 from sigma = 0,

    sigma <- sigma + 1/tr (T - sigma)^{-1},
    tr (T - sigma)^{-1} = sum_k t_k/p_k,     t_{k+1} = 1 + (w_k u_{k+1}/d_k) d_k t_k/p_k^2,

rises monotonically to the smallest eigenvalue, quadratically at the end, at worst halving the distance where two
eigenvalues agree to all digits.  A gap below about 1e-300 comes out as 0.
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel

RELATIVE_STEP = 1e-15
MOST_STEPS = 2000


@kernel()
def path_pivots(right: FloatArray, left: FloatArray, pivot: FloatArray, coupling: FloatArray) -> bool:
    """Fill d_k, (n - 1,), and w_k u_{k+1}/d_k, whose last entry is left alone; False where a pivot underflows."""
    m = right.size
    excess = right[0]
    for k in range(m):
        pivot[k] = left[k] + excess
        if pivot[k] == 0.0:
            return False
        if k < m - 1:
            coupling[k] = right[k + 1] * (left[k] / pivot[k])
            excess = right[k + 1] * (excess / pivot[k])
    return True


@kernel()
def path_gap(right: FloatArray, left: FloatArray) -> float:
    """Smallest non-zero eigenvalue of -L for one chain; rates (n - 1,)."""
    m = right.size
    pivot, coupling = np.empty(m), np.empty(m)
    if not path_pivots(right, left, pivot, coupling):
        return 0.0
    shift = 0.0
    for _ in range(MOST_STEPS):
        s, t, trace = -shift, 1.0, 0.0
        for k in range(m):
            p = pivot[k] + s
            if p <= 0.0:
                return shift
            trace += t / p
            if k < m - 1:
                t = 1.0 + (coupling[k] / p) * (pivot[k] / p) * t
                s = coupling[k] * (s / p) - shift
        if not trace < np.inf:
            return shift
        step = 1.0 / trace
        shift += step
        if step <= RELATIVE_STEP * shift:
            return shift
    return shift


@kernel(parallel=True)
def path_gaps(right: FloatArray, left: FloatArray, out: FloatArray) -> None:
    """`path_gap` of every state.  Rates (S, n - 1); out (S,)."""
    for i in numba.prange(right.shape[0]):
        out[i] = path_gap(right[i], left[i])
