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
differences of positions kept in two parts, the rounded position and what rounding took from it, so that short ones are
known to full relative precision, too, and a step that moves mass across many cells is no slower than one that does not.

Each kernel goes over a whole line: an array passed to a kernel for every cell would have its references counted for
every cell, in atomic operations that take longer than the cell's arithmetic.

References: Santambrogio, Optimal Transport for Applied Mathematicians (Birkhauser 2015), section 2.1.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel

BESIDE = 1.0 / 64.0  # of the mass left or right of an edge: moving more, it is not known better than that mass
LEAST = 1e-300  # of a mass whose inverse is a number; smaller ones add nothing to a sum


@kernel()
def sums_from_both_ends(p: FloatArray, left: FloatArray, right: FloatArray) -> None:
    """Masses (n + 1,) left and right of every edge."""
    n = p.size
    from_left, from_right = 0.0, 0.0
    left[0], right[n] = 0.0, 0.0
    for k in range(n):
        from_left += p[k]
        from_right += p[n - 1 - k]
        left[k + 1], right[n - 1 - k] = from_left, from_right


@kernel()
def slopes_of(p: FloatArray, widths: FloatArray, slopes: FloatArray) -> None:
    """Of the inverse distribution function, h / p (n,); zero where next to no mass is, which is crossed at once."""
    for k in range(p.size):
        slopes[k] = widths[k] / p[k] if p[k] > LEAST else 0.0


@kernel()
def positions_of(widths: FloatArray) -> FloatArray:
    """Positions of the edges, the first at zero, (2, n + 1): rounded, and what rounding took from them.

    Each addition's error is exact (Knuth, The Art of Computer Programming 2, section 4.2.2).
    """
    n = widths.size
    positions = np.zeros((2, n + 1))
    for k in range(n):
        before, width = positions[0, k], widths[k]
        total = before + width
        added = total - before
        positions[0, k + 1] = total
        positions[1, k + 1] = positions[1, k] + ((before - (total - added)) + (width - added))
    return positions


@kernel()
def old_positions(
    p: FloatArray,
    left: FloatArray,
    right: FloatArray,
    widths: FloatArray,
    slopes: FloatArray,
    positions: FloatArray,
    new_left: FloatArray,
    new_right: FloatArray,
    moved: FloatArray,
    cells: IntArray,
    beyond: FloatArray,
    displacement: FloatArray,
) -> None:
    """Where the old mass on either side is the new mass beside an edge, for every left edge of a cell.

    Parameters
    ----------
    p, widths, slopes : arrays (n,)
        The last as `slopes_of` gives it.
    left, right : arrays (n + 1,)
        Old masses beside the edges.
    positions : array (2, n + 1)
        As `positions_of` gives them.
    new_left, new_right, moved : arrays (n + 1,)
        New masses beside the edges, and ``new_left - left``, known better than that difference.
    cells, beyond, displacement : arrays (n + 1,)
        Receive the cell of the point, the old mass of that cell right of the point, and the edge minus the point.
    """
    n = widths.size
    last = n - 1
    cells[0], beyond[0], displacement[0] = 0, p[0], 0.0
    cell = 0
    for edge in range(1, n):
        gone, here, there = moved[edge], new_left[edge], new_right[edge]
        beside = abs(gone) <= BESIDE * min(here, there)
        if beside and gone < 0.0:
            cell, onward = edge - 1, -gone
            while cell > 0 and onward > p[cell]:
                onward -= p[cell]
                cell -= 1
            onward = min(onward, p[cell])
            end, part = cell + 1, onward * slopes[cell]
        else:
            if beside:
                cell, before = edge, gone
                while cell < last and before > p[cell]:
                    before -= p[cell]
                    cell += 1
                onward = max(p[cell] - before, 0.0)
            elif here <= there:
                while cell < last and left[cell + 1] < here:
                    cell += 1
                while cell > 0 and left[cell] > here:
                    cell -= 1
                before = here - left[cell]
                onward = max(p[cell] - before, 0.0)
            else:
                while cell < last and right[cell + 1] > there:
                    cell += 1
                while cell > 0 and right[cell] < there:
                    cell -= 1
                onward = min(max(there - right[cell + 1], 0.0), p[cell])
                before = p[cell] - onward
            end, part = cell, -min(max(before, 0.0), p[cell]) * slopes[cell]
        cells[edge], beyond[edge] = cell, onward
        rounded, rest = positions[0, edge] - positions[0, end], positions[1, edge] - positions[1, end]
        displacement[edge] = part + (rounded + rest)


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
    n, positions = widths.size, positions_of(widths)
    last = n - 1
    left, right, new_left, new_right = np.empty(n + 1), np.empty(n + 1), np.empty(n + 1), np.empty(n + 1)
    moved, beyond, displacement = np.zeros(n + 1), np.empty(n + 1), np.empty(n + 1)
    slopes, cells = np.empty(n), np.empty(n + 1, np.int64)
    for i in range(out.size):
        old, masses = p[i], new[i]
        sums_from_both_ends(old, left, right)
        sums_from_both_ends(masses, new_left, new_right)
        slopes_of(old, widths, slopes)
        for k in range(n):
            moved[k + 1] = moved[k] + (masses[k] - old[k])
        old_positions(
            old, left, right, widths, slopes, positions, new_left, new_right, moved, cells, beyond, displacement
        )
        total = 0.0
        for k in range(n):
            if masses[k] <= LEAST:
                continue
            cell, within, before = cells[k], beyond[k], displacement[k]
            start, rest, inverse = 0.0, masses[k], 1.0 / masses[k]
            while True:
                ends = cell == last or rest <= within
                taken = min(rest, within)
                stop = 1.0 if ends else min(start + taken * inverse, 1.0)
                extent = widths[cell] if taken == old[cell] else taken * slopes[cell]
                longer = widths[k] * (stop - start) - extent
                mean = before + 0.5 * longer
                total += masses[k] * (stop - start) * (mean * mean + longer * longer / 12.0)
                if ends:
                    break
                start, before, rest = stop, before + longer, rest - taken
                cell += 1
                within = old[cell]
        out[i] = total
