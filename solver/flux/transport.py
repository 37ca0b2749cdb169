"""W2^2 between distributions that are uniform within the cells of one line, to second order, edge by edge.

Old masses p, new masses p' on cells [e_k, e_{k+1}] of widths h; F_p is piecewise linear, so mass within a cell is spread
evenly.  The optimal map from new to old positions is monotone, T = F_p^{-1} o F_{p'}, and with y(t) = e_k + t h_k

    W2^2 = sum_k p'_k int_0^1 (y - T)^2 dt,          T at t is F_p^{-1}(C_k + t p'_k),

C_k the new mass left of edge k: a sum of terms in (C_k, C_{k+1}) only.  At fixed quantile dy = -h (dC_k (1-t) + dC_{k+1} t)
/ p', and at fixed t dT = (dC_k (1-t) + dC_{k+1} t) dT/du, whence, of half of W2^2,

    gradient   dC_k: -h_k int (y - T)(1-t) dt,           dC_{k+1}: -h_k int (y - T) t dt,
    Hessian    h_k int (1-t)^2 dT/du dt,   h_k int t (1-t) dT/du dt,   h_k int t^2 dT/du dt,

positive entries of a convex function.  Within a cell T is linear between the old edges it crosses, and all integrals are
sums over these pieces: a piece of length w in old positions weighs w/p' whatever its mass, so that old cells of no mass
are jumps of T and no exception.  W2(p, p) = 0 exactly, and the W2 of a shift by less than a cell is that shift: no step is so
short that mass stays where it is, which quantiles of cell centres would have it do.

Old positions are found from the *moved masses* D_k = C_k - (old mass left of edge k), which are small in both tails and
in wells however deep, where differences of distribution functions are rounding; and displacements y - T as sums of widths
from edge k on, so that short ones are known to full relative precision, too.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel


@kernel()
def old_position(
    p: FloatArray, lower: FloatArray, upper: FloatArray, widths: FloatArray, edge: int, low: float, high: float, moved: float, guess: int
) -> tuple[int, float, float]:
    """Where the old mass on the left is the new mass left of an edge.

    Returns
    -------
    cell : int
        Of the point.
    beyond : float
        Old mass of that cell right of the point.
    displacement : float
        The edge minus the point.
    """
    last = widths.size - 1
    if abs(moved) <= low and abs(moved) <= high:
        displacement = 0.0
        if moved >= 0.0:
            cell, rest = edge, moved
            while cell < last and rest > p[cell]:
                rest -= p[cell]
                displacement -= widths[cell]
                cell += 1
            share = min(rest / p[cell], 1.0) if rest > 0.0 else 0.0
            return cell, max(p[cell] - rest, 0.0), displacement - share * widths[cell]
        cell, rest = edge - 1, -moved
        while cell > 0 and rest > p[cell]:
            rest -= p[cell]
            displacement += widths[cell]
            cell -= 1
        share = min(rest / p[cell], 1.0)
        return cell, min(rest, p[cell]), displacement + share * widths[cell]
    cell = guess
    if low <= high:
        while cell < last and lower[cell + 1] < low:
            cell += 1
        while cell > 0 and lower[cell] > low:
            cell -= 1
        before = min(low - lower[cell], p[cell])
        beyond = p[cell] - before
    else:
        while cell < last and upper[cell + 1] > high:
            cell += 1
        while cell > 0 and upper[cell] < high:
            cell -= 1
        beyond = min(high - upper[cell + 1], p[cell])
        before = p[cell] - beyond
    displacement = widths[cell] * -(before / p[cell] if p[cell] > 0.0 else 0.0)
    for k in range(edge, cell):
        displacement -= widths[k]
    for k in range(cell, edge):
        displacement += widths[k]
    return cell, beyond, displacement


@kernel()
def cell_terms(
    p: FloatArray, widths: FloatArray, new_mass: float, new_width: float, cell: int, beyond: float, displacement: float
) -> tuple[float, float, float, float, float, float, float]:
    """The integrals of one new cell, right of ``edge`` where ``moved`` is D.

    Returns
    -------
    left, right : float
        int (y - T)(1-t) dt and int (y - T) t dt.
    square : float
        int (y - T)^2 dt.
    first, mixed, second : float
        int (1-t)^2 dT, int t (1-t) dT and int t^2 dT.
    determinant : float
        first * second - mixed^2, without that subtraction.
    """
    last = widths.size - 1
    left, right, square, first, mixed, second = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    weight, centre, variance = 0.0, 0.0, 0.0
    start, rest, per_mass = 0.0, new_mass, 1.0 / new_mass
    while True:
        ends = cell == last or rest <= beyond
        taken = rest if ends else beyond
        stop = 1.0 if ends else start + taken * per_mass
        stop = min(stop, 1.0)
        length = stop - start
        held = p[cell]
        # the end of a cell may be reached by rounding alone: the share of it that is left is then all there is
        share = min(taken, beyond) / held if held > 0.0 else 1.0
        extent = widths[cell] * share
        other = displacement + (new_width * length - extent)
        left_start, left_stop = 1.0 - start, 1.0 - stop
        left += length * (displacement * (2.0 * left_start + left_stop) + other * (left_start + 2.0 * left_stop))
        right += length * (displacement * (2.0 * start + stop) + other * (start + 2.0 * stop))
        square += length * (displacement * displacement + displacement * other + other * other)
        middle, left_middle = start + stop, left_start + left_stop
        first += extent * (left_start * left_start + left_middle * left_middle + left_stop * left_stop)
        mixed += extent * (start * left_start + middle * left_middle + stop * left_stop)
        second += extent * (start * start + middle * middle + stop * stop)
        if extent > 0.0:
            joint = weight + extent
            apart = 0.5 * middle - centre
            variance += extent * (length * length / 12.0 + weight / joint * apart * apart)
            centre += apart * (extent / joint)
            weight = joint
        if ends:
            sixth = 1.0 / 6.0
            return left * sixth, right * sixth, square / 3.0, first * sixth, mixed * sixth, second * sixth, weight * variance
        start, displacement, rest = stop, other, max(rest - taken, 0.0)
        cell += 1
        beyond = p[cell]
