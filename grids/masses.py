"""Masses of cells: integrals of a density over every cell, by tensor Gauss-Legendre quadrature.

    m_k = ∫_{cell k} e^{-U} / Σ_l ∫_{cell l} e^{-U},        p[s, k] = ∫_{cell k} f(s, a) da / Σ_l ∫_{cell l} f(s, a) da

With q nodes per axis the error of a cell of width h is O(h^{2q+1}) per axis for smooth densities.  Potentials are
summed in logarithms relative to the least value in the cell, so only masses below the least normal number
are lost, and these are refused: the solver needs ln m.  Everything is evaluated in chunks of half a million
points.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, real_array, underflow_to_zero
from wpoflow.core.slabs import Slab
from wpoflow.grids.grid import Grid
from wpoflow.grids.quadrature import CHUNK_POINTS, gauss_nodes, gauss_weights, points_in_cells

Function = Callable[..., FloatArray]

_POLICY_ORDER = {0: 1, 1: 6, 2: 3}
_LEAST_POLICY_ORDER = 2


@underflow_to_zero
def potential_masses(grid: Grid, potential: Function, order: int = 8) -> FloatArray:
    """Masses of the probability with density proportional to exp(-U).

    Parameters
    ----------
    grid : Grid
    potential : callable
        U, vectorised: one coordinate array per axis, all of one shape.
    order : int
        Quadrature nodes per axis and cell.

    Returns
    -------
    array (size,)
        Positive, sums to one.

    Raises
    ------
    ValueError
        U is not finite, or the mass of a cell is too small for a floating-point number; names the cell.
    """
    weights = gauss_weights(grid.dim, order)
    logarithm = np.empty(grid.size)
    for cells, points in points_in_cells([gauss_nodes(axis, order) for axis in grid.axes]):
        values = _evaluate(potential, points, (cells.stop - cells.start, weights.size), "potential")
        _refuse(grid, cells.start, values, ~np.isfinite(values), "potential")
        least = values.min(axis=1)
        with np.errstate(over="ignore"):  # values may lie so far apart that their difference is infinite
            integral = (np.exp(least[:, None] - values) * weights).sum(axis=1)
        logarithm[cells] = np.log(integral) - least + np.log(grid.volumes[cells])
    with np.errstate(over="ignore"):  # and so may logarithms
        masses = np.exp(logarithm - logarithm.max())
    masses = np.asarray(masses / masses.sum())
    if masses.min() < np.finfo(np.float64).tiny:
        k = int(masses.argmin())
        raise ValueError(
            f"potential leaves cell {k} ({grid.describe(k)}) a mass below the least floating-point number; "
            "choose a smaller box or a flatter potential"
        )
    return masses


@underflow_to_zero
def density_masses(grid: Grid, density: Function, order: int = 8) -> FloatArray:
    """Masses of the probability proportional to a density.

    Parameters
    ----------
    grid : Grid
    density : callable
        Non-negative, vectorised: one coordinate array per axis, all of one shape.
    order : int
        Quadrature nodes per axis and cell.

    Returns
    -------
    array (size,)
        Non-negative, sums to one.

    Raises
    ------
    ValueError
        The density is negative or not finite, naming the cell, or vanishes everywhere.
    """
    weights = gauss_weights(grid.dim, order)
    masses = np.empty(grid.size)
    for cells, points in points_in_cells([gauss_nodes(axis, order) for axis in grid.axes]):
        values = _evaluate(density, points, (cells.stop - cells.start, weights.size))
        _refuse(grid, cells.start, values, ~(np.isfinite(values) & (values >= 0.0)), "density")
        with np.errstate(over="ignore"):
            masses[cells] = (values * weights).sum(axis=1) * grid.volumes[cells]
    with np.errstate(over="ignore"):
        total = float(masses.sum())
    if not (np.isfinite(total) and total > 0.0):
        raise ValueError(f"density integrates to {total} over the whole grid")
    return np.asarray(masses / total)


@underflow_to_zero
def policy_masses(
    states: Grid, actions: Grid, density: Function, order: int | None = None, slab: Slab | None = None
) -> FloatArray:
    """Cell probabilities of a policy given by its density with respect to the action volume.

    Parameters
    ----------
    states, actions : Grid
        S points and A cells.
    density : callable
        Non-negative, vectorised: first the state coordinates, then the action coordinates, all of one shape.
    order : int, optional
        Quadrature nodes per action axis and cell; by default 6, 3 or 2 for one, two or more action axes.
    slab : Slab, optional
        The states whose rows are wanted; all by default.

    Returns
    -------
    array (S, A)
        Non-negative, every row sums to one.

    Raises
    ------
    ValueError
        The density is negative or not finite, naming state and cell, or vanishes in a state, naming it.
    """
    q = _POLICY_ORDER.get(actions.dim, _LEAST_POLICY_ORDER) if order is None else order
    weights = gauss_weights(actions.dim, q)
    parts = [points for _, points in points_in_cells([gauss_nodes(axis, q) for axis in actions.axes])]
    nodes = [np.concatenate([part[j] for part in parts]).ravel() for j in range(actions.dim)]
    slab = Slab(states.size) if slab is None else slab
    masses = np.empty((slab.rows, actions.size))
    step = max(1, CHUNK_POINTS // (actions.size * weights.size))
    for start in range(slab.start, slab.stop, step):
        stop = min(start + step, slab.stop)
        shape = (stop - start, actions.size * weights.size)
        here = [np.broadcast_to(states.points[start:stop, j, None], shape) for j in range(states.dim)]
        values = _evaluate(density, here + [np.broadcast_to(node, shape) for node in nodes], shape)
        wrong = ~(np.isfinite(values) & (values >= 0.0))
        if wrong.any():
            i = int(wrong.any(axis=1).argmax())
            row, where = (actions.size, -1), f"state {start + i} ({states.describe(start + i)}), "
            _refuse(actions, 0, values[i].reshape(row), wrong[i].reshape(row), "density", where)
        with np.errstate(over="ignore"):
            cells = (values.reshape(stop - start, actions.size, -1) * weights).sum(axis=2) * actions.volumes
            total = cells.sum(axis=1)
        if not np.all(np.isfinite(total) & (total > 0.0)):
            i = int((~(np.isfinite(total) & (total > 0.0))).argmax())
            raise ValueError(f"state {start + i} ({states.describe(start + i)}): density integrates to {total[i]}")
        masses[start - slab.start : stop - slab.start] = cells / total[:, None]
    return masses


def _evaluate(
    function: Function, points: list[FloatArray], shape: tuple[int, int], what: str = "density"
) -> FloatArray:
    return np.broadcast_to(real_array(function(*points), what), shape)


def _refuse(grid: Grid, first: int, values: FloatArray, wrong: BoolArray, what: str, where: str = "") -> None:
    """Raise for the first wrong value, (cells, nodes), naming its cell."""
    if wrong.any():
        cell, node = (int(index) for index in np.argwhere(wrong)[0])
        k = first + cell
        raise ValueError(f"{where}cell {k} ({grid.describe(k)}): {what} is {values[cell, node]}")
