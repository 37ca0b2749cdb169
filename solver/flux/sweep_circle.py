"""Subtraction-free elimination of I - dt L for a reversible generator L on a line or a circle.

A generator with right rates (k -> k+1) and left rates (k+1 -> k) makes I - dt L a tridiagonal
M-matrix with unit column sums.  Gaussian elimination loses mass and monotonicity once dt times a
rate is large; written for what each pivot *exceeds* its off-diagonal entry by, the recursion has no
subtraction at all (Grassmann, Taksar & Heyman 1985, doi:10.1287/opre.33.5.1107):

    s_0 = 1,  pivot_k = s_k + U_k,  s_{k+1} = 1 + W_k s_k / pivot_k,      U = dt right, W = dt left.

Every quantity is positive, so each entry of the solution has a small *relative* error whatever dt
is; divisions come before multiplications, so that nothing overflows.

Lines with two ends are swept in `solver.flux.sweep_path`, rates and elimination in one.  Circles stand side by side in
arrays (n, lanes), so that the innermost loops run over independent lines and vectorise: a line's solution has the same
bits wherever in whichever block it stands.  Columns are counted by unsigned integers, which cannot mean "from the end",
and no loop has more than a few arrays: either would stop vectorisation.

On a circle cells 0, 1, ... are eliminated in turn; each elimination links its two remaining neighbours, the next cell
and cell n - 1, by the rates of the censored chain.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel


@kernel()
def solve_circle_block(
    right: FloatArray, left: FloatArray, p: FloatArray, ratio: FloatArray, closing: FloatArray, carry: FloatArray
) -> None:
    """Overwrite p by (I - dt L)^{-1} p on circles of n cells side by side, one in each column.

    Parameters
    ----------
    right, left : arrays (n, lanes)
        dt times the rates k -> k+1 and k+1 -> k, indices modulo n; changed.
    p : array (n, lanes)
        Right-hand sides of any sign on entry, solutions on return.
    ratio, closing : arrays (n, lanes)
        Workspace.
    carry : array (>= min(n, 3), lanes)
        Workspace.
    """
    n, lanes = p.shape[0], np.uintp(p.shape[1])
    if n == 1:
        return
    if n == 2:
        for j in range(lanes):  # both faces join the same two cells
            outward, inward = right[0, j] + left[1, j], left[0, j] + right[1, j]
            inverse = 1.0 / (1.0 + outward)
            value = p[0, j] * inverse
            share = inward * inverse
            p[1, j] = (p[1, j] + outward * value) / (1.0 + share)
            p[0, j] = value + share * p[1, j]
        return
    # the last face's rates turn into those of the links that elimination makes between the next cell and the last
    last = n - 1
    surplus, surplus_last, pivots = 0, 1, 2
    for j in range(lanes):
        carry[surplus, j] = 1.0
        carry[surplus_last, j] = 1.0
    for k in range(last - 1):
        for j in range(lanes):
            carry[pivots, j] = 1.0 / (carry[surplus, j] + right[k, j] + left[last, j])
        for j in range(lanes):
            value = p[k, j] * carry[pivots, j]
            p[k, j] = value
            p[last, j] += left[last, j] * value
        for j in range(lanes):
            p[k + 1, j] += right[k, j] * p[k, j]
        for j in range(lanes):
            share = right[last, j] * carry[pivots, j]
            closing[k, j] = share
            right[last, j] = share * right[k, j]
        for j in range(lanes):
            share = left[k, j] * carry[pivots, j]
            ratio[k, j] = share
            left[last, j] *= share
        for j in range(lanes):
            carry[surplus_last, j] += closing[k, j] * carry[surplus, j]
            carry[surplus, j] = 1.0 + ratio[k, j] * carry[surplus, j]
    k = last - 1
    for j in range(lanes):
        outward = left[last, j] + right[k, j]
        pivot = 1.0 / (carry[surplus, j] + outward)
        value = p[k, j] * pivot
        share = (right[last, j] + left[k, j]) * pivot
        closing[k, j] = share
        p[last, j] = (p[last, j] + outward * value) / (carry[surplus_last, j] + share * carry[surplus, j])
        p[k, j] = value + share * p[last, j]
    for k in range(last - 2, -1, -1):
        for j in range(lanes):
            p[k, j] += ratio[k, j] * p[k + 1, j] + closing[k, j] * p[last, j]
