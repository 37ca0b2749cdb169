"""How far a value is from that of finer grids, judged by a coarser one.

With an error C h^p the values of grids h and r h differ by (r^p - 1) times the error of the finer one, so that for
every order p >= 1 the difference over r - 1 is a bound.  First order is the worst that interpolation makes of a value
without jumps; that of the Markov kernel has it where next states move by less than a cell, a corrected one is of order
three or four where it is smooth, and its bound too wide there by that much.  An order measured on a third grid is no
help: where grids are too coarse, and values have kinks, it is an accident.  The difference changes its sign from place
to place, and where it vanishes the error need not: so at a place the largest is taken of the points of the coarser grid
around it and of their neighbours.  It is a measurement and no certificate: what neither grid sees has no part in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.coarsening import LEAST_POINTS, AxisPoints, Coarsening
from wpoflow.grids.cubic.map import CubicMap
from wpoflow.grids.cubic.table import Mirror, mirror_of
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions.base import CoarseTransition
from wpoflow.grids.transitions.cubic import Unlimited, cubic_expectation
from wpoflow.solver.corrected.value import Corrected, CorrectedValue, corrected_value, solve_corrected
from wpoflow.solver.mdp import COARSEST_STATES, GridMDP

RESIDUAL = 1e-6  # of the spread of values, to which the coarser grid's own is solved


@dataclass(frozen=True, eq=False)
class Coarse:
    """A problem's optimum on a coarser grid, and where its points are.

    Attributes
    ----------
    axes : sequence of AxisPoints
        Of the states.
    found : CorrectedValue
        On the coarser grid, with its Markov value.
    actions : Grid
        Of the coarser problem.
    ratio : float
        Least ratio r of spacings of the axes that have fewer points here.
    mirror : Mirror, optional
        Where the grid is the half of one.
    """

    axes: Sequence[AxisPoints]
    found: CorrectedValue
    actions: Grid
    ratio: float
    mirror: Mirror | None = None

    @property
    def points(self) -> FloatArray:
        """Coordinates, (S', dim)."""
        meshes = np.meshgrid(*(axis.points for axis in self.axes), indexing="ij")
        return np.stack([mesh.ravel() for mesh in meshes], axis=1) if self.axes else np.zeros((1, 0))

    def band(self, difference: FloatArray) -> GridBand:
        """The band of a difference (S',) between the finer and this grid."""
        return GridBand.of(self.axes, difference / (self.ratio - 1.0), self.mirror)


@dataclass(frozen=True, eq=False)
class GridBand:
    """Largest differences around every cell of the coarser grid.

    Attributes
    ----------
    axes : sequence of AxisPoints
    largest : array
        By the number of the point before the cell, axis by axis.
    """

    axes: Sequence[AxisPoints]
    largest: FloatArray

    @classmethod
    def of(cls, axes: Sequence[AxisPoints], difference: FloatArray, mirror: Mirror | None = None) -> GridBand:
        """From a difference at the points, (S',), which beyond a mirror is that of the images."""
        found = np.abs(difference).reshape([axis.points.size for axis in axes])
        halved = -1 if mirror is None else mirror.halved
        for j in sorted(range(len(axes)), key=lambda j: j != halved):  # at points, not cells, there are images
            size = axes[j].points.size
            if axes[j].whole:
                continue
            number = np.arange(-1, size + 2)
            number = number % size if axes[j].period < math.inf else np.clip(number, 0, size - 1)
            at = np.take(found, number, axis=j)
            if mirror is not None and j == halved:
                image = np.moveaxis(np.flip(found, mirror.flipped), j, 0)
                np.moveaxis(at, j, 0)[0] = image[1]
                if mirror.both:
                    np.moveaxis(at, j, 0)[-2:] = image[[-2, max(-3, -size)]]
            found = np.max([np.take(at, np.arange(k, k + size), axis=j) for k in range(4)], axis=0)
        return cls(axes, np.ascontiguousarray(found))

    def at(self, places: FloatArray) -> FloatArray:
        """At places (n, dim) in the box, (n,)."""
        index = []
        for j, axis in enumerate(self.axes):
            x, y = places[:, j], axis.points
            if axis.period < math.inf:
                x = y[0] + np.mod(x - y[0], axis.period)
            number = np.searchsorted(y, x, side="right") - 1
            index.append(np.clip(number, 0, y.size - 1))
        return np.asarray(self.largest[tuple(index)]) if index else np.full(len(places), self.largest.max())


def coarse_optimum(mdp: GridMDP) -> Coarse:
    """The corrected optimum of a problem without noise on every second point of its state axes, with the same actions.

    Raises
    ------
    ValueError
        The problem cannot be made coarser, or has noise: build it on fewer points instead.
    """
    if not mdp.coarser:
        raise ValueError(
            f"this problem cannot be made coarser by itself, which takes {COARSEST_STATES} states, and axes of "
            f"{LEAST_POINTS} points or more: give the same problem on fewer points (coarse=)"
        )
    coarsening, transition = mdp.coarser[0]
    markov = coarse_markov(mdp)
    problem = _parts(mdp, coarsening, transition)
    found = solve_corrected(problem, markov, None)
    return Coarse(coarsening.coarser, found, mdp.actions, 2.0, _mirror(mdp, coarsening.coarser))


def coarse_markov(mdp: GridMDP) -> FloatArray:
    """V of the Markov kernel on every second point of the state axes, (S',); `mdp.coarser` must not be empty."""
    coarsening, transition = mdp.coarser[0]
    problem = _parts(mdp, coarsening, transition, itself=True)
    begun = np.full(coarsening.states.size, float(mdp.cost.min()) / (1.0 - mdp.discount))
    return solve_corrected(problem, begun, None, relative=RESIDUAL).value


def _parts(mdp: GridMDP, coarsening: Coarsening, transition: CoarseTransition, *, itself: bool = False) -> Corrected:
    """The problem of the states kept; judged by its own Markov kernel if wanted."""
    cubic = Unlimited(transition) if itself else cubic_expectation(transition)
    cost = np.ascontiguousarray(mdp.cost[coarsening.states])
    return Corrected(cost, transition, mdp.discount, mdp.temperature, mdp.log_mass, cubic)


def coarse_of(coarse: GridMDP, fine: GridMDP) -> Coarse:
    """The corrected optimum of a problem that is built on fewer points than another.

    Raises
    ------
    ValueError
        No axis has fewer points.
    """
    pairs = zip((*fine.states.axes, *fine.actions.axes), (*coarse.states.axes, *coarse.actions.axes), strict=True)
    ratios = [intervals(a) / intervals(b) for a, b in pairs if b.size < a.size]
    if not ratios:
        raise ValueError("coarse: no axis has fewer points than in the problem")
    axes = [AxisPoints.of(axis) for axis in coarse.states.axes]
    return Coarse(axes, corrected_value(coarse), coarse.actions, min(ratios), _mirror(coarse, axes))


def _mirror(mdp: GridMDP, axes: Sequence[AxisPoints]) -> Mirror | None:
    return mirror_of(mdp.states, [axis.points for axis in axes])


def at_points(grid: Grid, value: FloatArray, places: FloatArray, mirrored: FloatArray | None = None) -> FloatArray:
    """A function on a grid, (S,), at places (n, dim), (n,); ``mirrored`` as in `CubicMap.expect`."""
    out = np.empty((len(places), 1))
    return CubicMap.at(grid, places).expect(np.ascontiguousarray(value), out, mirrored=mirrored)[:, 0]


def intervals(axis: Axis) -> int:
    """Spacings of an axis in its box; one where it has a single point."""
    return max(1, axis.size - (axis.boundary == "clamp"))


def markov_band(mdp: GridMDP, value: FloatArray) -> FloatArray | None:
    """The band (S,) of a problem's Markov value V (S,), from every second point; None if it has no coarser grid."""
    if not mdp.coarser:
        return None
    coarsening = mdp.coarser[0][0]
    difference = value[coarsening.states] - coarse_markov(mdp)
    return GridBand.of(coarsening.coarser, difference, _mirror(mdp, coarsening.coarser)).at(mdp.states.points)
