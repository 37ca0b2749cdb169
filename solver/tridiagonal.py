"""Subtraction-free elimination of I - dt L for a reversible generator L on a line or a circle.

A generator with right rates (k -> k+1) and left rates (k+1 -> k) makes I - dt L a tridiagonal
M-matrix with unit column sums.  Gaussian elimination loses mass and monotonicity once dt times a
rate is large; written for what each pivot *exceeds* its off-diagonal entry by, the recursion has no
subtraction at all (Grassmann, Taksar & Heyman 1985, doi:10.1287/opre.33.5.1107):

    s_0 = 1,  pivot_k = s_k + U_k,  s_{k+1} = 1 + W_k s_k / pivot_k,      U = dt right, W = dt left.

Every quantity is positive, so each entry of the solution has a small *relative* error whatever dt
is; divisions come before multiplications, so that nothing overflows.

`solve_path` and `solve_circle` take one line; the ``_block`` functions take many lines at once, side by side in arrays
(n, lanes), so that the innermost loops run over independent lines and vectorise.  They do the same operations in the
same order: a line's solution has the same bits wherever in whichever block it stands.  Columns are counted by unsigned
integers, which cannot mean "from the end", and no loop has more than a few arrays: either would stop vectorisation.
"""

from __future__ import annotations

import numpy as np

from grids.arrays import FloatArray
from grids.compile import kernel


@kernel()
def solve_path(right: FloatArray, left: FloatArray, p: FloatArray, ratio: FloatArray, n: int) -> None:
    """Overwrite p[:n] by (I - dt L)^{-1} p on a line of n cells.

    Parameters
    ----------
    right, left : arrays (>= n - 1,)
        dt times the rates k -> k+1 and k+1 -> k.
    p : array (>= n,)
        Right-hand side on entry, solution on return.
    ratio : array (>= n,)
        Workspace.
    """
    surplus = 1.0
    for k in range(n - 1):
        inverse = 1.0 / (surplus + right[k])
        p[k] *= inverse
        ratio[k] = left[k] * inverse
        p[k + 1] += right[k] * p[k]
        surplus = 1.0 + ratio[k] * surplus
    p[n - 1] /= surplus
    for k in range(n - 2, -1, -1):
        p[k] += ratio[k] * p[k + 1]


@kernel()
def solve_circle(
    right: FloatArray, left: FloatArray, p: FloatArray, ratio: FloatArray, closing: FloatArray, n: int
) -> None:
    """Overwrite p[:n] by (I - dt L)^{-1} p on a circle of n cells; face n - 1 joins n - 1 to 0.

    Cells 0, 1, ... are eliminated in turn; each elimination links its two remaining neighbours,
    the next cell and cell n - 1, by the rates of the censored chain.

    Parameters
    ----------
    right, left : arrays (>= n,)
        dt times the rates k -> k+1 and k+1 -> k, indices modulo n.
    p : array (>= n,)
        Right-hand side on entry, solution on return.
    ratio, closing : arrays (>= n,)
        Workspace.
    """
    if n == 1:
        return
    if n == 2:
        right[0] += left[1]
        left[0] += right[1]
        solve_path(right, left, p, ratio, 2)
        return
    last = n - 1
    surplus = 1.0
    from_last = right[last]
    to_last = left[last]
    surplus_last = 1.0
    for k in range(last - 1):
        inverse = 1.0 / (surplus + right[k] + to_last)
        p[k] *= inverse
        ratio[k] = left[k] * inverse
        closing[k] = from_last * inverse
        p[last] += to_last * p[k]
        p[k + 1] += right[k] * p[k]
        surplus_last += closing[k] * surplus
        surplus = 1.0 + ratio[k] * surplus
        to_last = ratio[k] * to_last
        from_last = closing[k] * right[k]
    k = last - 1
    to_last += right[k]
    from_last += left[k]
    inverse = 1.0 / (surplus + to_last)
    p[k] *= inverse
    closing[k] = from_last * inverse
    p[last] += to_last * p[k]
    surplus_last += closing[k] * surplus
    p[last] /= surplus_last
    p[k] += closing[k] * p[last]
    for k in range(last - 2, -1, -1):
        p[k] += ratio[k] * p[k + 1] + closing[k] * p[last]


@kernel()
def solve_path_block(right: FloatArray, left: FloatArray, p: FloatArray, ratio: FloatArray) -> None:
    """Overwrite p by (I - dt L)^{-1} p on lines of n cells side by side, one in each column.

    Parameters
    ----------
    right, left : arrays (>= n - 1, lanes)
        dt times the rates k -> k+1 and k+1 -> k; not changed.
    p : array (n, lanes)
        Right-hand sides of any sign on entry, solutions on return.
    ratio : array (n, lanes)
        Workspace.
    """
    n, lanes = p.shape[0], np.uintp(p.shape[1])
    for j in range(lanes):
        ratio[0, j] = 1.0
    for k in range(n - 1):
        for j in range(lanes):  # ratio holds the surplus of a cell until it is eliminated, then the inverse pivot
            surplus = ratio[k, j]
            inverse = 1.0 / (surplus + right[k, j])
            ratio[k, j] = inverse
            ratio[k + 1, j] = 1.0 + left[k, j] * inverse * surplus
        for j in range(lanes):
            value = p[k, j] * ratio[k, j]
            p[k, j] = value
            p[k + 1, j] += right[k, j] * value
    for j in range(lanes):
        p[n - 1, j] /= ratio[n - 1, j]
    for k in range(n - 2, -1, -1):
        for j in range(lanes):
            p[k, j] += left[k, j] * ratio[k, j] * p[k + 1, j]


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
        for j in range(lanes):
            right[0, j] += left[1, j]
            left[0, j] += right[1, j]
        solve_path_block(right, left, p, ratio)
        return
    # the last face's rates turn into those of the links that elimination makes between the next cell and the last
    last = n - 1
    surplus, surplus_last, inverse = 0, 1, 2
    for j in range(lanes):
        carry[surplus, j] = 1.0
        carry[surplus_last, j] = 1.0
    for k in range(last - 1):
        for j in range(lanes):
            carry[inverse, j] = 1.0 / (carry[surplus, j] + right[k, j] + left[last, j])
        for j in range(lanes):
            value = p[k, j] * carry[inverse, j]
            p[k, j] = value
            p[last, j] += left[last, j] * value
        for j in range(lanes):
            p[k + 1, j] += right[k, j] * p[k, j]
        for j in range(lanes):
            share = right[last, j] * carry[inverse, j]
            closing[k, j] = share
            right[last, j] = share * right[k, j]
        for j in range(lanes):
            share = left[k, j] * carry[inverse, j]
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
