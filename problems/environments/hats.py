"""Hat functions of a grid's points: which points, with which weights, a state lies between.

The weights are those of the interpolated transitions (grids/interpolation.py): non-negative, summing to one, and
multilinear between the points; states outside the box are clamped, folded or wrapped first, and where the grid is half
of that of a symmetric problem mirrored into it.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import empty_stencil, fill_stencil
from wpoflow.grids.smoothing import axis_nodes


def hat_weights(grid: Grid, states: FloatArray) -> tuple[IntArray, FloatArray]:
    """Numbers of the grid's points around states, and their weights.

    Parameters
    ----------
    states : array (n, dim)

    Returns
    -------
    points, weights : arrays (n, 2**d)
        With d axes of more than one point.
    """
    n = len(states)
    columns, _ = grid.folded(list(states.T))
    nodes = [axis_nodes(axis, 0.0, (0.0, 0.0)) for axis in grid.axes]
    stencil = empty_stencil(1, n, [y.size for y in nodes])
    fill_stencil(stencil, 0, 1, [np.array(y[None]) for y in columns], grid.axes, nodes)
    weights = np.ones((n, 1))
    for upper in stencil.fraction[0].T:
        weights = (weights[:, :, None] * np.stack([1.0 - upper, upper], axis=1)[:, None, :]).reshape(n, -1)
    # the last node of a periodic axis is the image of its first; an axis of one point before all serves bandits
    place = np.unravel_index(stencil.base[0, :, None] + stencil.offsets, (1, *(y.size for y in nodes)))
    return np.ravel_multi_index(place, (1, *grid.shape), mode="wrap"), weights
