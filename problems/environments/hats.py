"""Hat functions of a grid's points: which points, with which weights, a state lies between.

The weights are those of the interpolated transitions (grids/interpolation.py): non-negative, summing to one, and
multilinear between the points; states outside the box are clamped, folded or wrapped first.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import boundary_map


def hat_weights(grid: Grid, states: FloatArray) -> tuple[IntArray, FloatArray]:
    """Numbers of the grid's points around states, and their weights.

    Parameters
    ----------
    states : array (n, dim)

    Returns
    -------
    points, weights : arrays (n, 2**dim)
    """
    n = len(states)
    points, weights = np.zeros((n, 1), dtype=np.int64), np.ones((n, 1))
    for axis, y in zip(grid.axes, states.T, strict=True):
        lower, upper, fraction = _neighbours(axis, y)
        pair = np.stack([lower, upper], axis=1)
        share = np.stack([1.0 - fraction, fraction], axis=1)
        points = (points[:, :, None] * axis.size + pair[:, None, :]).reshape(n, -1)
        weights = (weights[:, :, None] * share[:, None, :]).reshape(n, -1)
    return points, weights


def _neighbours(axis: Axis, y: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Numbers of the points below and above, and the weight of the one above."""
    nodes, y = axis.points, boundary_map(axis, y)
    if axis.periodic:
        nodes = np.append(nodes, nodes[0] + axis.length)
        y = np.where(y < nodes[0], y + axis.length, y)
    if nodes.size == 1:
        zero = np.zeros(y.shape, dtype=np.int64)
        return zero, zero, np.zeros(y.shape)
    y = np.clip(y, nodes[0], nodes[-1])
    lower = np.clip(np.searchsorted(nodes, y, side="right") - 1, 0, nodes.size - 2)
    fraction = (y - nodes[lower]) / (nodes[lower + 1] - nodes[lower])
    return lower, (lower + 1) % axis.size, fraction
