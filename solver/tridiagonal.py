"""Subtraction-free elimination of I - dt L for a reversible generator L on a line or a circle.

A generator with right rates (k -> k+1) and left rates (k+1 -> k) makes I - dt L a tridiagonal
M-matrix with unit column sums.  Gaussian elimination loses mass and monotonicity once dt times a
rate is large; written for what each pivot *exceeds* its off-diagonal entry by, the recursion has no
subtraction at all (Grassmann, Taksar & Heyman 1985, doi:10.1287/opre.33.5.1107):

    s_0 = 1,  pivot_k = s_k + U_k,  s_{k+1} = 1 + W_k s_k / pivot_k,      U = dt right, W = dt left.

Every quantity is positive, so each entry of the solution has a small *relative* error whatever dt
is; divisions come before multiplications, so that nothing overflows.
"""

from __future__ import annotations

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
    for k in range(last):
        if k == last - 1:
            to_last += right[k]
            from_last += left[k]
            pivot = surplus + to_last
        else:
            pivot = surplus + right[k] + to_last
        p[k] /= pivot
        closing[k] = from_last / pivot
        surplus_last += from_last * (surplus / pivot)
        p[last] += to_last * p[k]
        if k < last - 1:
            ratio[k] = left[k] / pivot
            p[k + 1] += right[k] * p[k]
            to_last = left[k] * (to_last / pivot)
            from_last = from_last * (right[k] / pivot)
            surplus = 1.0 + left[k] * (surplus / pivot)
    p[last] /= surplus_last
    p[last - 1] += closing[last - 1] * p[last]
    for k in range(last - 2, -1, -1):
        p[k] += ratio[k] * p[k + 1] + closing[k] * p[last]
