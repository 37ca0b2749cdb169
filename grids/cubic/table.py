"""Limited cubic interpolation on graded axes, as a correction of multilinear interpolation.

Between nodes x_0 < x_1 with neighbours x_{-1} and x_2 the cubic through four values is (Aitken and Neville)

    (1 - w) v_0 + w v_1 - w (1 - w) h² [ α d_0 + (1 - α) d_1 ],        α = (x_2 - x) / (x_2 - x_{-1}),

h = x_1 - x_0, w = (x - x_0)/h and d_0, d_1 the second divided differences at x_0 and x_1: on even spacing α is
(2 - w)/3.  In several dimensions the bracket of each axis is interpolated linearly along the others,

    C v = L v - Σ_j w_j (1 - w_j) h_j² [ α_j d_j0 + (1 - α_j) d_j1 ],

which leaves out products of two brackets: fourth order still, exact for every polynomial Σ_j p_j(x_j) of degree three
and for products of linear functions with these, at 2^d (1 + d) values a place instead of 4^d.

**Limited.**  d_0 and d_1 are of one size where values are smooth on the grid.  Where they differ by more than a factor
of three there is a kink at one of the nodes, and the larger is cut to three times the smaller; where they have opposite
signs, as on values that oscillate from node to node, both are zero and interpolation is linear.  (The remedy of
Huynh 1993, doi:10.1137/0730007, that keeps the order at smooth extrema.)  Near a zero of the second derivative that
costs one order in the cells about it: third instead of fourth.

At the ends of a line the difference is continued linearly, around a circle and at a mirror it is that of the image.
Between a mirror and the first node values are those of the node where nodes end there.  Beyond the 0 of a halved axis
other axes change sign, too: the image of a node is one of another place along these (`Mirror`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import SHOCK, Axis
from wpoflow.grids.cubic.kernels import bends_along
from wpoflow.grids.grid import Grid
from wpoflow.grids.halving import SYMMETRIC


@dataclass(frozen=True, eq=False)
class CubicTable:
    """Neighbours of the m nodes of an axis, and constants of its intervals.

    Attributes
    ----------
    before, after : int array (m,)
        Numbers of the neighbours; negative where there is none.
    left, right : array (m,)
        Their distances.
    ends : array (2,)
        By which share of the change from the next to the next but one the second differences at the ends are continued.
    squares, shift, slope : array (m,)
        Of the interval that begins at a node: h², and α = shift - slope w.  The last is of no use.
    """

    nodes: FloatArray
    before: IntArray
    after: IntArray
    left: FloatArray
    right: FloatArray

    @cached_property
    def squares(self) -> FloatArray:
        """See the class."""
        return np.append(np.diff(self.nodes) ** 2, 0.0)

    @cached_property
    def _span(self) -> FloatArray:
        """x_2 - x_{-1} of every interval."""
        return np.asarray(self.left[:-1] + np.diff(self.nodes) + self.right[1:])

    @cached_property
    def shift(self) -> FloatArray:
        """See the class."""
        return np.append((np.diff(self.nodes) + self.right[1:]) / self._span, 0.0)

    @cached_property
    def slope(self) -> FloatArray:
        """See the class."""
        return np.append(np.diff(self.nodes) / self._span, 0.0)

    @cached_property
    def ends(self) -> FloatArray:
        """See the class."""
        x = self.nodes
        if x.size < 4:
            return np.zeros(2)
        return np.array([self._span[0] / (x[3] - x[0]), self._span[-1] / (x[-1] - x[-4])])

    def bends(
        self, values: FloatArray, images: FloatArray, following: bool, shares: FloatArray, out: FloatArray
    ) -> None:
        """Fill out (outer, m, inner, 2) from values and images (outer, m, inner); see `bends_along`."""
        ways = (self.before, self.after, self.left, self.right, self.ends, self.squares)
        bends_along(values, images, *ways, following, shares, out)

    def mirrored(self, both: bool) -> CubicTable:
        """With neighbours beyond the first node, or beyond both ends, at the distance of those within."""
        before, after = self.before.copy(), self.after.copy()
        before[0] = 1
        if both:
            after[-1] = self.nodes.size - 2
        return replace(self, before=before, after=after)


class Mirror(NamedTuple):
    """How a grid that is the half of another one goes on beyond 0: by the values at the images of its points.

    Attributes
    ----------
    halved : int
        The axis that begins at a mirror.
    flipped : tuple of int
        The other axes that change sign there.
    both : bool
        Whether its other end is a mirror, too, as on half of a circle.
    """

    halved: int
    flipped: tuple[int, ...]
    both: bool


def mirror_of(grid: Grid, points: Sequence[FloatArray]) -> Mirror | None:
    """The mirror of a half with these points along its axes; None of a whole grid, or where they have no images."""
    if grid.reflection is None:
        return None
    names = [axis.name for axis in grid.axes]
    halved = names.index(grid.reflection.halved)
    flipped = tuple(j for j, name in enumerate(names) if name in grid.reflection.names and j != halved)
    off = max((float(np.abs(points[j] + points[j][::-1]).max()) / grid.axes[j].length for j in flipped), default=0.0)
    return Mirror(halved, flipped, bool(grid.reflection.period)) if off <= SYMMETRIC else None


def cubic_tables(grid: Grid, nodes: Sequence[FloatArray], mirror: Mirror | None) -> list[CubicTable | None]:
    """The tables of all axes at these nodes; None along those where nothing is interpolated."""
    found: list[CubicTable | None] = []
    for j, (axis, y) in enumerate(zip(grid.axes, nodes, strict=True)):
        table = None if axis.boundary == SHOCK or y.size == 1 else cubic_table(axis, y)
        if table is not None and mirror is not None and mirror.halved == j:
            table = table.mirrored(mirror.both)
        found.append(table)
    return found


def cubic_table(axis: Axis, nodes: FloatArray) -> CubicTable:
    """The table of an axis with boundary clamp, reflect or periodic at two nodes or more, as from `axis_nodes`."""
    m = nodes.size
    gaps = np.diff(nodes)
    before, after = np.arange(m) - 1, np.arange(m) + 1
    left, right = np.append(gaps[0], gaps), np.append(gaps, gaps[-1])
    after[-1] = -1
    if axis.boundary == "periodic":  # the last node is the first once more, or that and the first the last
        seam = m - 1 if nodes[-1] - nodes[0] <= axis.length + 0.5 * gaps.min() else m - 2
        before[0], after[-1] = seam - 1, m - seam
        left[0], right[-1] = gaps[seam - 1], gaps[m - seam - 1]
    elif axis.boundary == "reflect" and nodes[0] >= axis.lower:  # the mirror lies before the first node
        before[0], after[-1] = 0, m - 1
        left[0], right[-1] = 2.0 * (nodes[0] - axis.lower), 2.0 * (axis.upper - nodes[-1])
    elif axis.boundary == "reflect":  # the first node is the image of the second
        before[0], after[-1] = min(2, m - 1), max(m - 3, 0)
        left[0], right[-1] = gaps[min(1, m - 2)], gaps[max(m - 3, 0)]
    return CubicTable(nodes, before.astype(np.int64), after.astype(np.int64), left, right)


def bends_of(
    values: FloatArray,
    shape: Sequence[int],
    tables: Sequence[CubicTable | None],
    limits: FloatArray | None = None,
    images: tuple[int, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """How node values of this shape bend along each axis that has a table, and their limits, (axes, nodes, 2) each.

    Limits that are given are kept, whatever the values: all is linear in these then.  ``images`` is an axis that
    begins at a mirror, and the values there are beyond it, of the same shape.
    """
    wanted = [j for j, table in enumerate(tables) if table is not None]
    out = np.empty((len(wanted), values.size, 2))
    shares = np.empty_like(out) if limits is None else limits
    for place, j in enumerate(wanted):
        table = tables[j]
        assert table is not None
        outer, inner = int(np.prod(shape[:j])), int(np.prod(shape[j + 1 :]))
        parts = (array[place].reshape(outer, shape[j], inner, 2) for array in (shares, out))
        beyond = values if images is None or images[0] != j else images[1]
        own, other = (x.reshape(outer, shape[j], inner) for x in (values, beyond))
        table.bends(own, other, limits is None, *parts)
    return out, shares


def cubic_means(table: CubicTable, x: FloatArray, weights: FloatArray) -> FloatArray:
    """Weights of the m nodes in weighted sums of cubic interpolation without limits, (r, m).

    Parameters
    ----------
    x, weights : arrays (r, q)
        Places between the first and the last node, and what each counts.
    """
    nodes = table.nodes
    rows, m = x.shape[0], nodes.size
    interval = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, m - 2)
    h = nodes[interval + 1] - nodes[interval]
    w = (x - nodes[interval]) / h
    first = table.shift[interval] - table.slope[interval] * w
    bent = -weights * w * (1.0 - w) * h * h
    flat = (np.arange(rows)[:, None] * m + interval).ravel()

    def gathered(low: FloatArray, high: FloatArray) -> FloatArray:
        total = np.bincount(flat, low.ravel(), rows * m) + np.bincount(flat + 1, high.ravel(), rows * m)
        return np.asarray(total, dtype=np.float64).reshape(rows, m)

    straight = gathered(weights * (1.0 - w), weights * w)
    return np.asarray(straight + gathered(bent * first, bent * (1.0 - first)) @ second_differences(table))


def second_differences(table: CubicTable) -> FloatArray:
    """Second divided differences at the nodes as a matrix (m, m), without limits."""
    m = table.nodes.size
    out = np.zeros((m, m))
    for i in range(m):
        low, high, a, b = table.before[i], table.after[i], table.left[i], table.right[i]
        if low >= 0 and high >= 0:
            out[i, low] += 1.0 / (a * (a + b))
            out[i, high] += 1.0 / (b * (a + b))
            out[i, i] -= 1.0 / (a * b)
    for i, step, share in ((0, 1, table.ends[0]), (m - 1, -1, table.ends[1])):
        if m > 2 and (table.before[i] < 0 or table.after[i] < 0):
            out[i] = out[i + step] + share * (out[i + step] - out[i + 2 * step if m > 3 else i + step])
    return out
