"""W2^2 between distributions that are uniform within the cells of one line, to second order, edge by edge.

Old masses p, new masses p' on cells [e_k, e_{k+1}] of widths h; the distribution function F of p is piecewise linear.
The optimal map from new to old positions is monotone, T = F^{-1} o F', and with y(t) = e_k + t h_k

    W2^2 = sum_k p'_k int_0^1 (y - T)^2 dt,          T at t is F^{-1}(C_k + t p'_k),

C_k the new mass left of edge k: a sum of terms in (C_k, C_{k+1}) only.  At a fixed quantile
dy = -h (dC_k (1-t) + dC_{k+1} t) / p', and at a fixed t the quantile moves by dC_k (1-t) + dC_{k+1} t, whence, of half
of W2^2 and one cell,

    gradient   -h int (y - T)(1-t) dt  in C_k,      -h int (y - T) t dt  in C_{k+1},
    Hessian    (h/p') int (1-t)^2 dT,   (h/p') int t (1-t) dT,   (h/p') int t^2 dT,

a convex function.  Within a cell T is linear between the old edges it crosses, and all integrals are sums over these
pieces.  Cells without old mass are jumps of T, of which only int dT asks.  W2(p, p) = 0 exactly, and the map of a short
step moves mass by less than a cell: no step is so short that mass stays where it is, as it would between quantiles of
cell centres.

Old positions are found from the smaller of the new mass on the left and that on the right, or, where it is far smaller
than both, from the *moved mass*, the difference of new and old mass on the left.  So they keep their relative accuracy
in both tails, and in wells deeper than rounding, where distribution functions are all alike.  Displacements y - T are
sums of widths, and short ones are known to full relative precision, too: they are added up of sums over 1, 2, 4, ...
neighbouring cells, so that a step that moves mass across many cells is no slower than one that does not.

References: Santambrogio, Optimal Transport for Applied Mathematicians (Birkhauser 2015), section 2.1.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel

BESIDE = 1.0 / 64.0  # of the mass left or right of an edge: moving more, it is not known better than that mass
LEAST = 1e-300  # of a mass whose inverse is a number; smaller ones add nothing to a sum


@kernel()
def sums_from_both_ends(p: FloatArray, left: FloatArray, right: FloatArray) -> None:
    """Masses (n + 1,) left and right of every edge."""
    left[0], right[p.size] = 0.0, 0.0
    for k in range(p.size):
        left[k + 1] = left[k] + p[k]
    for k in range(p.size - 1, -1, -1):
        right[k] = right[k + 1] + p[k]


@kernel()
def spans_of(widths: FloatArray) -> FloatArray:
    """Sums over 2^j cells from cell k on, (levels, n); of those that end beyond the line, nothing."""
    n = widths.size
    levels = 1
    while 1 << levels <= n:
        levels += 1
    spans = np.zeros((levels, n))
    for k in range(n):
        spans[0, k] = widths[k]
    for j in range(1, levels):
        half = 1 << (j - 1)
        for k in range(n - 2 * half + 1):
            spans[j, k] = spans[j - 1, k] + spans[j - 1, k + half]
    return spans


@kernel()
def _span(spans: FloatArray, begin: int, end: int) -> float:
    """The width of the cells from ``begin`` up to ``end``: a sum of positive numbers, one for each binary digit."""
    total, level, count = 0.0, 0, end - begin
    while count > 0:
        if count & 1:
            total += spans[level, begin]
            begin += 1 << level
        count >>= 1
        level += 1
    return total


@kernel()
def position_beside(p: FloatArray, widths: FloatArray, edge: int, moved: float) -> tuple[int, float, float]:
    """`old_position` by the moved mass: the walk starts at the edge itself."""
    last = widths.size - 1
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


@kernel()
def old_position(
    p: FloatArray,
    left: FloatArray,
    right: FloatArray,
    widths: FloatArray,
    spans: FloatArray,
    edge: int,
    new_left: float,
    new_right: float,
    moved: float,
    near: int,
) -> tuple[int, float, float]:
    """Where the old mass on either side is the new mass beside an edge.

    Parameters
    ----------
    p, widths : arrays (n,)
    left, right : arrays (n + 1,)
        Old masses beside the edges.
    spans : array (levels, n)
        As `spans_of` gives them.
    edge : int
        Between the first and the last one.
    new_left, new_right, moved : float
        New masses beside the edge, and ``new_left - left[edge]``, known better than that difference.
    near : int
        A cell near the point, where the search starts.

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
    if abs(moved) <= BESIDE * min(new_left, new_right):
        return position_beside(p, widths, edge, moved)
    cell = near
    if new_left <= new_right:
        while cell < last and left[cell + 1] < new_left:
            cell += 1
        while cell > 0 and left[cell] > new_left:
            cell -= 1
        before = min(new_left - left[cell], p[cell])
        beyond = p[cell] - before
    else:
        while cell < last and right[cell + 1] > new_right:
            cell += 1
        while cell > 0 and right[cell] < new_right:
            cell -= 1
        beyond = min(max(new_right - right[cell + 1], 0.0), p[cell])
        before = p[cell] - beyond
    displacement = -widths[cell] * before / p[cell] if before > 0.0 else 0.0
    if cell > edge:
        displacement -= _span(spans, edge, cell)
    elif cell < edge:
        displacement += _span(spans, cell, edge)
    return cell, beyond, displacement


@kernel()
def cell_integrals(
    p: FloatArray, widths: FloatArray, new_mass: float, new_width: float, cell: int, beyond: float, displacement: float
) -> tuple[float, float, float, float, float, float, float]:
    """The integrals of one new cell, the old position of whose left edge is given as `old_position` returns it.

    Returns
    -------
    at_left, at_right : float
        int (y - T)(1-t) dt and int (y - T) t dt.
    square : float
        int (y - T)^2 dt.
    first, mixed, second : float
        int (1-t)^2 dT, int t (1-t) dT and int t^2 dT.
    determinant : float
        first * second - mixed^2, without that subtraction: int dT times the variance of t under dT.
    """
    last = widths.size - 1
    at_left, at_right, square, first, mixed, second = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    weight, centre, variance = 0.0, 0.0, 0.0
    start, rest, inverse = 0.0, new_mass, 1.0 / new_mass
    while True:
        ends = cell == last or rest <= beyond
        taken = min(rest, beyond)
        stop = 1.0 if ends else min(start + taken * inverse, 1.0)
        length = stop - start
        # a cell without mass is crossed at once
        extent = widths[cell] * (taken / p[cell]) if p[cell] > 0.0 else widths[cell]
        after = displacement + (new_width * length - extent)
        left_start, left_stop = 1.0 - start, 1.0 - stop
        at_left += length * (displacement * (2.0 * left_start + left_stop) + after * (left_start + 2.0 * left_stop))
        at_right += length * (displacement * (2.0 * start + stop) + after * (start + 2.0 * stop))
        square += length * (displacement * displacement + displacement * after + after * after)
        middle, left_middle = start + stop, left_start + left_stop
        # Simpson's rule, exact for these, has no cancellation
        first += extent * (left_start * left_start + left_middle * left_middle + left_stop * left_stop)
        mixed += extent * (start * left_start + middle * left_middle + stop * left_stop)
        second += extent * (start * start + middle * middle + stop * stop)
        if weight == 0.0:  # as what follows, without its division
            variance, centre, weight = extent * (length * length / 12.0), 0.5 * middle, extent
        elif extent > 0.0:
            joint = weight + extent
            share = extent / joint
            apart = 0.5 * middle - centre
            variance += extent * (length * length / 12.0) + weight * share * apart * apart
            centre += apart * share
            weight = joint
        if ends:
            break
        start, displacement, rest = stop, after, rest - taken
        cell += 1
        beyond = p[cell]
    sixth = 1.0 / 6.0
    return (
        at_left * sixth,
        at_right * sixth,
        square / 3.0,
        first * sixth,
        mixed * sixth,
        second * sixth,
        weight * variance,
    )


@kernel()
def squared_distances(p: FloatArray, new: FloatArray, widths: FloatArray, out: FloatArray) -> None:
    """W2^2 between two distributions on one line of cells, both uniform within cells, state by state.

    Parameters
    ----------
    p, new : arrays (S, n)
        Masses, of the same sum in each row.
    widths : array (n,)
    out : array (S,)
        Receives W2^2, in squares of the unit of ``widths``.
    """
    n, spans = widths.size, spans_of(widths)
    left, right, new_left, new_right = np.empty(n + 1), np.empty(n + 1), np.empty(n + 1), np.empty(n + 1)
    for i in range(out.size):
        sums_from_both_ends(p[i], left, right)
        sums_from_both_ends(new[i], new_left, new_right)
        total, cell = 0.0, 0
        moved_left = 0.0
        for k in range(n):
            beyond, displacement = p[i, 0], 0.0
            if k:
                moved_left += new[i, k - 1] - p[i, k - 1]
                cell, beyond, displacement = old_position(
                    p[i], left, right, widths, spans, k, new_left[k], new_right[k], moved_left, cell
                )
            if new[i, k] > LEAST:
                total += new[i, k] * cell_integrals(p[i], widths, new[i, k], widths[k], cell, beyond, displacement)[2]
        out[i] = total
