"""Where in its cell an action lies: cell probabilities as a density of the continuous action.

A policy on the grid gives probabilities of cells.  What lies within a cell is taken from the density's logarithm

    l_k = ln(p_k / width_k)     at the cell points a_k,

interpolated linearly between them and continued to the ends of the box with the slopes next to them; each cell keeps
its probability.  That is the Gibbs density of a linearly interpolated Q.  Where p is smooth it moves an action by
second order in the width.  Where a control is of the bang-bang kind it is what matters: all mass lies in an end cell,
and the action is the end of the box, not the middle of its last cell, half a width short of it.  On a clamped axis the
end is a point itself, with nothing on its other side.

On either side of its point the density is e^{g t}, 0 < t < w, with x = g w:

    mass  w (e^x − 1)/x,      mean  w φ(x),   φ(x) = 1/(1 − e^{−x}) − 1/x,      quantile of v  ln(1 + v (e^x − 1))/g

Nothing lies between labels: there the action is the label of the cell.

Several action axes: along each axis on its own, the other cell indices being fixed.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.grid import Grid

_LEAST = 5e-324
_MOST = 1.0 - 2.0**-53
_SERIES_BELOW = 0.05


def cell_means(actions: Grid, p: FloatArray) -> FloatArray:
    """Mean action within every cell.

    Parameters
    ----------
    p : array (n, A)
        Cell probabilities; rows need not sum to one.

    Returns
    -------
    array (n, A, d)
        Strictly inside the cells, but for rounding.
    """
    means = np.empty((*p.shape, actions.dim))
    for j in range(actions.dim):
        if actions.axes[j].labels:
            means[..., j] = actions.points[:, j]
            continue
        left, right = (x.reshape(p.shape) for x in _exponents(actions, p, j))
        lower, upper = _half_widths(actions, j)
        share = _share(left, right, lower, upper)
        means[..., j] = actions.points[:, j] + share * upper * _mean(right) - (1.0 - share) * lower * _mean(left)
    return means


def cell_quantiles(actions: Grid, p: FloatArray, cells: IntArray, levels: FloatArray) -> FloatArray:
    """Actions within one cell of each row, (n, d), at levels (n, d) in [0, 1] of its density along each axis."""
    rows = np.arange(len(cells))
    found = np.empty(levels.shape)
    for j in range(actions.dim):
        if actions.axes[j].labels:
            found[:, j] = actions.points[cells, j]
            continue
        left, right = (x.reshape(p.shape)[rows, cells] for x in _exponents(actions, p, j))
        lower, upper = (width[cells] for width in _half_widths(actions, j))
        share, level = 1.0 - _share(left, right, lower, upper), levels[:, j]
        in_left = (level < share) | (share == 1.0)
        # to the left t is measured leftwards from the point
        inner = np.where(in_left, 1.0 - level / np.where(in_left, share, 1.0), 0.0)
        outer = np.where(in_left, 0.0, (level - share) / np.where(in_left, 1.0, 1.0 - share))
        shift = np.where(in_left, -lower * _quantile(left, inner), upper * _quantile(right, outer))
        found[:, j] = actions.points[cells, j] + shift
    return found


def _exponents(actions: Grid, p: FloatArray, j: int) -> tuple[FloatArray, FloatArray]:
    """x = g w of the left and right halves of all cells along axis j, each (n, *shape)."""
    axis, shape = actions.axes[j], (len(p), *actions.shape)
    log = np.log(np.maximum(p, _LEAST)).reshape(shape)
    log = np.moveaxis(log, j + 1, -1) - np.log(axis.widths)
    left, right = _slopes(axis, log)
    lower, upper = axis.points - axis.edges[:-1], axis.edges[1:] - axis.points
    return np.moveaxis(-left * lower, -1, j + 1), np.moveaxis(right * upper, -1, j + 1)


def _slopes(axis: Axis, log: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slopes of the log density to the left and to the right of the points, along the last axis."""
    if axis.size == 1:
        return np.zeros_like(log), np.zeros_like(log)
    if axis.periodic:
        right = (np.roll(log, -1, axis=-1) - log) / axis.distances
        return np.roll(right, 1, axis=-1), right
    between = np.diff(log, axis=-1) / axis.distances
    return (
        np.concatenate([between[..., :1], between], axis=-1),
        np.concatenate([between, between[..., -1:]], axis=-1),
    )


def _half_widths(actions: Grid, j: int) -> tuple[FloatArray, FloatArray]:
    """Widths of all cells to the left and to the right of their points along axis j, each (A,)."""
    axis = actions.axes[j]
    index = np.unravel_index(np.arange(actions.size), actions.shape)[j]
    return (axis.points - axis.edges[:-1])[index], (axis.edges[1:] - axis.points)[index]


def _share(left: FloatArray, right: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Share of a cell's mass to the right of its point."""
    with np.errstate(divide="ignore"):  # at an end that is a point there is one side only
        odds = _log_mass(left) + np.log(lower) - _log_mass(right) - np.log(upper)
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(odds, -700.0, 700.0))))


def _log_mass(x: FloatArray) -> FloatArray:
    """ln((e^x − 1)/x)."""
    size = np.where(x == 0.0, 1.0, np.abs(x))
    return np.maximum(x, 0.0) + np.where(x == 0.0, 0.0, np.log(-np.expm1(-size) / size))


def _mean(x: FloatArray) -> FloatArray:
    """φ(x), the mean of the density e^{x t} on [0, 1]."""
    small = np.abs(x) < _SERIES_BELOW
    y = np.where(small, 1.0, np.abs(x))
    upper = -1.0 / np.expm1(-y) - 1.0 / y
    z = np.where(small, x, 0.0)
    return np.where(small, 0.5 + z / 12.0 - z**3 / 720.0 + z**5 / 30240.0, np.where(x > 0.0, upper, 1.0 - upper))


def _quantile(x: FloatArray, v: FloatArray) -> FloatArray:
    """Where the density e^{x t} on [0, 1] has the mass v to its left."""
    y = np.where(x == 0.0, 1.0, np.abs(x))
    level = np.minimum(np.where(x > 0.0, 1.0 - v, v), _MOST)  # of a mass that rounding has left no end of
    depth = -np.log1p(level * np.expm1(-y)) / y
    return np.where(x == 0.0, v, np.where(x > 0.0, 1.0 - depth, depth))
