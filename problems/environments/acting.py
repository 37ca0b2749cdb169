"""An action from cell probabilities: by their median, mean or mode, or drawn from them.

Probabilities are those of some points with weights, as of the state points around a state, or of one point for each
action that is asked for; what lies within the cells is told in :mod:`problems.environments.cell_actions`.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import state_chunks
from wpoflow.problems.environments.cell_actions import cell_means, cell_quantiles


def medians(actions: Grid, p: FloatArray) -> FloatArray:
    """Medians (n, d), along each action axis, of the densities of cell probabilities p (n, A)."""
    p = p.reshape(-1, *actions.shape)
    rows, found = np.arange(len(p)), np.empty((len(p), actions.dim))
    for j, axis in enumerate(actions.axes):
        marginal = np.moveaxis(p, j + 1, 1).reshape(len(p), axis.size, -1).sum(axis=2)
        half = np.full(len(p), 0.5)
        cell = first_above(marginal, half)
        before = marginal.cumsum(axis=1)[rows, cell] - marginal[rows, cell]
        level = (0.5 * marginal.sum(axis=1) - before) / marginal[rows, cell]
        found[:, j] = cell_quantiles(Grid((axis,)), marginal, cell, np.clip(level, 0.0, 1.0)[:, None])[:, 0]
    return found


def means(actions: Grid, p: FloatArray) -> FloatArray:
    """Mean actions (n, d) of cell probabilities p (n, A)."""
    return np.asarray((p[:, :, None] * cell_means(actions, p)).sum(axis=1))


def grid_means(actions: Grid, p: FloatArray) -> FloatArray:
    """The same, of the many probabilities of a grid."""
    found = np.empty((len(p), actions.dim))
    for start, stop in state_chunks(*p.shape):
        found[start:stop] = means(actions, p[start:stop])
    return found


def likeliest(actions: Grid, p: FloatArray, weights: FloatArray) -> FloatArray:
    """Mean action, (n, d), of the cell whose density is largest.

    Of the probabilities p (n, c, A) at c points each, with weights (n, c).
    """
    batch, corners = weights.shape
    cell = (weighted(weights, p) / actions.volumes).argmax(axis=1)
    rows = np.arange(batch)
    inside = cell_means(actions, p.reshape(batch * corners, -1)).reshape(*p.shape, -1)
    share = weights * p[rows, :, cell]
    return weighted(share / share.sum(axis=1, keepdims=True), inside[rows, :, cell])


def drawn(actions: Grid, p: FloatArray, levels: FloatArray) -> FloatArray:
    """Actions, (n, d), from p (n, A): first a cell, then a place in it, by uniform numbers (n, 1 + d)."""
    return cell_quantiles(actions, p, first_above(p, levels[:, 0]), levels[:, 1:])


def weighted(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Sums over the points around a state, one after the other: the same bits for any batch."""
    total = np.zeros((len(weights), *values.shape[2:]))
    for corner in range(weights.shape[1]):
        total += weights[:, corner].reshape(-1, *[1] * (values.ndim - 2)) * values[:, corner]
    return total


def first_above(weights: FloatArray, levels: FloatArray) -> IntArray:
    """Index, in each row, drawn with these probabilities by levels in [0, 1)."""
    below = np.cumsum(weights, axis=1)
    return np.asarray((below > levels[:, None] * below[:, -1:]).argmax(axis=1))


def unfolded(grid: Grid, actions: Grid, states: FloatArray, found: FloatArray) -> FloatArray:
    """Actions (n, d) found at the images that the half of a grid has of states (n, dim), as they are at these."""
    if grid.reflection is None:
        return found
    _, mirrored = grid.folded(list(states.T))
    return np.where(mirrored[:, None], found * grid.reflection.signs([axis.name for axis in actions.axes]), found)
