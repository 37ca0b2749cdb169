"""The problem on a grid of two thirds of the resolution, to measure the error of the finer one with.

A third grid could tell the order; here first order is assumed, which is the worst that interpolation makes of values
without jumps, so that errors of a higher order are overstated.  Two thirds instead of a half: of four axes with twenty
points each half would be a grid on which hardly anything has converged yet.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.cubic.map import CubicMap
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import ProblemFile, parse_problem
from wpoflow.solver.corrected.band import Coarse, coarse_of, coarse_optimum
from wpoflow.solver.corrected.value import CorrectedValue, corrected_value
from wpoflow.solver.mdp import GridMDP
from wpoflow.studies.refinement.problem_grids import refined_axes, with_cells

LEAST_CELLS = 7  # of an axis that gets fewer
RATIO = 1.5


def coarser_cells(problem: ProblemFile) -> dict[str, int]:
    """Cells of two thirds of the resolution, of the axes whose number is theirs to choose and seven or more."""
    free = [axis for axis in refined_axes(problem) if not axis.by_edges and not axis.fixed]
    return {
        axis.name: round((axis.points - axis.clamped) / RATIO) + axis.clamped
        for axis in free
        if axis.points >= LEAST_CELLS
    }


def coarser_optimum(mdp: GridMDP, stated: ProblemFile | None, given: GridMDP | None) -> tuple[Coarse, list[str]]:
    """The corrected optimum on a coarser grid, and the axes that have fewer points there.

    Parameters
    ----------
    stated : ProblemFile, optional
        What the problem was built of.
    given : GridMDP, optional
        The same problem on fewer points.

    Raises
    ------
    ValueError
        There is no coarser grid, or the one given is of another problem.
    """
    if given is not None:
        _check_alike(mdp, given)
        coarse = coarse_of(given, mdp)
        return coarse, _fewer(mdp, coarse)
    if stated is None and mdp.statement:
        stated = parse_problem(mdp.statement, mdp.title or "problem")
    if stated is not None:
        sizes = coarser_cells(stated)
        if not sizes:
            raise ValueError(f"no axis has {LEAST_CELLS} cells or more, so that no coarser grid tells the grid's error")
        coarse = coarse_of(build_problem(with_cells(stated, sizes)), mdp)
        return coarse, _fewer(mdp, coarse)
    coarse = coarse_optimum(mdp)
    return coarse, _fewer(mdp, coarse)


def corrected_with_band(
    mdp: GridMDP, stated: ProblemFile | None, markov: FloatArray
) -> tuple[CorrectedValue, FloatArray, list[str]]:
    """The corrected optimum, the band of its value (S,), and the axes that have fewer points on the coarser grid."""
    found = corrected_value(mdp, markov=markov)
    coarse, axes = coarser_optimum(mdp, stated, None)
    at_coarse = CubicMap.at(mdp.states, coarse.points)
    difference = at_coarse.expect(found.value, np.empty((len(coarse.points), 1)))[:, 0] - coarse.found.value
    return found, coarse.band(difference).at(mdp.states.points), axes


def _fewer(mdp: GridMDP, coarse: Coarse) -> list[str]:
    """Names of the axes with fewer points on the coarser grid."""
    states = zip(mdp.states.axes, coarse.axes, strict=True)
    actions = zip(mdp.actions.axes, coarse.actions.axes, strict=True)
    return [
        *(axis.name for axis, points in states if points.points.size < axis.size),
        *(axis.name for axis, other in actions if other.size < axis.size),
    ]


def _check_alike(mdp: GridMDP, coarse: GridMDP) -> None:
    """Raise ValueError unless another problem has the same axes and numbers, on no more points."""
    for kind, fine, other in (("state", mdp.states, coarse.states), ("action", mdp.actions, coarse.actions)):
        names = [axis.name for axis in fine.axes], [axis.name for axis in other.axes]
        if names[0] != names[1]:
            raise ValueError(f"coarse: its {kind} axes are {', '.join(names[1])}; they must be {', '.join(names[0])}")
        for a, b in zip(fine.axes, other.axes, strict=True):
            if (a.boundary, a.lower, a.upper) != (b.boundary, b.lower, b.upper) or b.size > a.size:
                raise ValueError(f"coarse: {kind} axis {a.name} must have the box and boundary it has, on fewer points")
    if (mdp.discount, mdp.temperature) != (coarse.discount, coarse.temperature):
        raise ValueError("coarse: discount and temperature must be those of the problem")
