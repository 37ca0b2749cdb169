"""A grid with every second point of its axes, and functions on it carried to the grid it was made of.

    v(x) = (I v_c)(x),      I linear between neighbouring points kept, axis by axis, around the seam of a circle

A transition restricted to pairs of the states kept, and applied to I v_c, is one on the coarse grid: its rows are not
negative and have the sums they had.  Without noise it is the transition built there, as interpolation between points of
a finer grid reproduces functions that are linear between those of the coarser one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import SHOCK, Axis
from wpoflow.grids.smoothing import Banded, SeparableMap

LEAST_POINTS = 7  # of an axis, from which every second one is left out
MOST_POINTS = 4096  # of an axis, up to which this is done


@dataclass(frozen=True, eq=False)
class AxisPoints:
    """Points of an axis.

    Attributes
    ----------
    points : array (n,)
    period : float
        Length of the circle they lie on; infinite if on none.
    whole : bool
        Whether all are always kept: values of a shock, or labels.
    """

    points: FloatArray
    period: float
    whole: bool

    @classmethod
    def of(cls, axis: Axis) -> AxisPoints:
        """Those of an axis of states."""
        whole = axis.boundary == SHOCK or bool(axis.labels)
        return cls(axis.points, axis.length if axis.periodic else math.inf, whole)

    @property
    def kept(self) -> IntArray:
        """Numbers of every second point, and of the last one of a line."""
        size = self.points.size
        if self.whole or not LEAST_POINTS <= size <= MOST_POINTS:
            return np.arange(size)
        half = np.arange(0, size, 2)
        return half if size % 2 or self.period < math.inf else np.append(half, size - 1)


@dataclass(frozen=True, eq=False)
class Coarsening:
    """From one product of axes to a coarser one.

    Attributes
    ----------
    axes : sequence of AxisPoints
        Of the finer grid.
    """

    axes: Sequence[AxisPoints]

    @cached_property
    def kept(self) -> tuple[IntArray, ...]:
        """Numbers of the points kept, axis by axis."""
        return tuple(axis.kept for axis in self.axes)

    @property
    def smaller(self) -> bool:
        """Whether anything is left out."""
        return any(kept.size < axis.points.size for kept, axis in zip(self.kept, self.axes, strict=True))

    @cached_property
    def states(self) -> IntArray:
        """Flat numbers of the states kept, (S',), ascending."""
        flat = np.zeros(1, dtype=np.int64)
        for axis, kept in zip(self.axes, self.kept, strict=True):
            flat = (flat[:, None] * axis.points.size + kept).ravel()
        return flat

    @property
    def coarser(self) -> tuple[AxisPoints, ...]:
        """The axes of the coarser grid."""
        pairs = zip(self.axes, self.kept, strict=True)
        return tuple(AxisPoints(axis.points[kept], axis.period, axis.whole) for axis, kept in pairs)

    @cached_property
    def interpolation(self) -> SeparableMap:
        """I, from functions on the coarse grid, (S',), to functions on the fine one, (S,)."""
        matrices = [_linear(axis, kept) for axis, kept in zip(self.axes, self.kept, strict=True)]
        return SeparableMap(tuple(matrices), tuple(kept.size for kept in self.kept))


def coarsening_of(axes: Sequence[AxisPoints]) -> Coarsening | None:
    """The coarsening of a product of axes; None where all points are kept."""
    found = Coarsening(tuple(axes))
    return found if found.smaller else None


def _linear(axis: AxisPoints, kept: IntArray) -> Banded | None:
    """Weights of the points kept at all points of an axis; None where all are kept."""
    x, size = axis.points, axis.points.size
    if kept.size == size:
        return None
    nodes, owner = x[kept], np.arange(kept.size)
    if axis.period < math.inf:
        nodes, owner = np.append(nodes, nodes[0] + axis.period), np.append(owner, 0)
    right = np.clip(np.searchsorted(nodes, x, side="right"), 1, nodes.size - 1)
    share = (x - nodes[right - 1]) / (nodes[right] - nodes[right - 1])
    matrix = np.zeros((size, kept.size))
    matrix[np.arange(size), owner[right - 1]] = 1.0 - share
    matrix[np.arange(size), owner[right]] += share
    return Banded.from_dense(matrix)
