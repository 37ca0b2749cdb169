"""Terminal sets on cells: which part of a cell is still alive, judged at midpoints of sub-cells.

Where noise spreads next states over cells, the probability mass of a cell is alive in proportion to
the share of the cell outside the terminal set.  Mass that clamping has put on an end of the box is
judged at that end itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, real_array
from wpoflow.grids.axis import Axis
from wpoflow.grids.quadrature import midpoints, points_in_cells
from wpoflow.grids.transitions.base import StateFunction, StateSet

_SUBCELLS = {1: 16, 2: 8, 3: 4}
_FEWEST_SUBCELLS = 2


def dead_means(
    axes: Sequence[Axis],
    split: Sequence[bool],
    terminal: StateSet,
    function: StateFunction | None = None,
    at_points: Sequence[bool] | None = None,
) -> FloatArray:
    """Mean over every cell of h × 1[in the terminal set]; without h, the dead fraction.

    Parameters
    ----------
    axes : sequence of Axis
    split : sequence of bool
        Whether an axis has a first and a last column more, for the point masses at its ends.
    terminal, function : callable
        Vectorised functions of the state coordinates.
    at_points : sequence of bool, optional
        Axes judged at their points alone: those without noise, between whose points values are interpolated.

    Returns
    -------
    array (columns,)
        In C order; the columns of an axis are its cells, with the two ends if split.

    Raises
    ------
    ValueError
        The function is not finite somewhere in the set.
    """
    sure = [False] * len(axes) if at_points is None else at_points
    count = subcells(sum(not s for s in sure))
    tables = [
        axis.points[:, None] if s else samples(axis, count, ends)
        for axis, ends, s in zip(axes, split, sure, strict=True)
    ]
    out = np.empty(math.prod(table.shape[0] for table in tables))
    for cells, points in points_in_cells(tables):
        dead = np.broadcast_to(np.asarray(terminal(*points), dtype=np.bool_), points[0].shape)
        values = dead if function is None else ended_values(axes, points, dead, function)
        with np.errstate(over="ignore"):  # an infinite mean is refused with the cost it is part of
            out[cells] = values.mean(axis=1)
    return out


def ended_values(
    axes: Sequence[Axis], points: Sequence[FloatArray], dead: BoolArray, function: StateFunction
) -> FloatArray:
    """Values of a function at the points that are dead, zero at the others.

    Raises
    ------
    ValueError
        The function is not finite at a dead point; names its coordinates.
    """
    values = np.broadcast_to(real_array(function(*points), "terminal function"), dead.shape)
    wrong = dead & ~np.isfinite(values)
    if wrong.any():
        first = tuple(np.argwhere(wrong)[0])
        where = ", ".join(f"{axis.name} = {p[first]:.6g}" for axis, p in zip(axes, points, strict=True))
        raise ValueError(f"terminal function is {values[first]} at {where}")
    return np.where(dead, values, 0.0)


def subcells(dim: int) -> int:
    """Sub-cells per axis at whose midpoints sets are judged in ``dim`` dimensions."""
    return _SUBCELLS.get(dim, _FEWEST_SUBCELLS)


def samples(axis: Axis, count: int, ends: bool) -> FloatArray:
    """Midpoints of sub-cells, (columns, count); the ends of the box repeated where they are columns."""
    inside = midpoints(axis, count)
    if not ends:
        return inside
    return np.vstack((np.full((1, count), axis.lower), inside, np.full((1, count), axis.upper)))
