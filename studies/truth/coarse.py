"""The problem on a grid of two thirds of the resolution, to measure the error of the finer one with.

Two thirds instead of a half: of four axes with twenty points each half would be a grid on which hardly anything has
converged yet.  Where the corrected value of that grid does not converge, as it may at low temperatures, it is a half.
"""

from __future__ import annotations

from dataclasses import dataclass

from wpoflow.core.arrays import FloatArray
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import ProblemFile, parse_problem
from wpoflow.solver.bellman.system import BellmanError
from wpoflow.solver.corrected.band import (
    Coarse,
    GridBand,
    at_points,
    coarse_of,
    coarse_optimum,
)
from wpoflow.solver.corrected.value import CorrectedValue, beyond_costs, corrected_value
from wpoflow.solver.mdp import GridMDP
from wpoflow.studies.refinement.problem_grids import refined_axes, with_cells

LEAST_CELLS = 7  # of an axis that gets fewer
RATIOS = (1.5, 2.0)  # of the number of cells to that of the coarser grid: the first that has a corrected value


def coarser_cells(problem: ProblemFile, ratio: float) -> dict[str, int]:
    """Cells of the resolution over ``ratio``, of the axes whose number is theirs to choose and seven or more."""
    free = [axis for axis in refined_axes(problem) if not axis.by_edges and not axis.fixed]
    found = {
        axis.name: round((axis.points - axis.clamped) / ratio) + axis.clamped
        for axis in free
        if axis.points >= LEAST_CELLS
    }
    halved = next((name for name in problem.tables.problem.reflection if name in problem.tables.state), None)
    return {name: cells - (name == halved and cells % 2 == 0) for name, cells in found.items()}


@dataclass(frozen=True, eq=False)
class Judged:
    """A corrected optimum beside the one on a coarser grid.

    Attributes
    ----------
    mdp : GridMDP
    found : CorrectedValue
    coarse : Coarse
    axes : tuple of str
        Those that have fewer points on the coarser grid.
    """

    mdp: GridMDP
    found: CorrectedValue
    coarse: Coarse
    axes: tuple[str, ...]

    def on_coarse(self, x: FloatArray, sign: float = 1.0) -> FloatArray:
        """A function on the finer grid, (S,), at the points of the coarser one; of this sign at mirror images."""
        return at_points(self.mdp.states, x, self.coarse.points, sign * x)

    @property
    def band(self) -> GridBand:
        """Of the corrected value."""
        return self.coarse.band(self.on_coarse(self.found.value) - self.coarse.found.value)

    @property
    def markov_band(self) -> GridBand:
        """Of the Markov value."""
        return self.coarse.band(self.on_coarse(self.found.markov) - self.coarse.found.markov)


def judged(
    mdp: GridMDP, stated: ProblemFile | None = None, given: GridMDP | None = None, markov: FloatArray | None = None
) -> Judged:
    """The corrected optimum of a problem, and what a coarser grid says of it.

    Parameters
    ----------
    stated : ProblemFile, optional
        What the problem was built of.
    given : GridMDP, optional
        The same problem on fewer points.
    markov : array (S,), optional
        The value of the Markov kernel, where it is known.

    Raises
    ------
    ValueError
        There is no coarser grid, or the one given is of another problem; no corrected value of this problem.
    BellmanError
        A corrected value whose residual is not reached.
    """
    if stated is None and given is None and mdp.statement:
        stated = parse_problem(mdp.statement, mdp.title or "problem")
    if given is not None:
        _check_alike(mdp, given)
    elif stated is not None and not coarser_cells(stated, RATIOS[0]):
        raise ValueError(f"no axis has {LEAST_CELLS} cells or more, so that no coarser grid tells the grid's error")
    found = corrected_value(mdp, markov=markov)
    if given is not None:
        coarse = coarse_of(given, mdp)
    elif stated is not None:
        coarse = _coarse_of_stated(stated, mdp)
    else:
        coarse = coarse_optimum(mdp)
    return Judged(mdp, found, coarse, _fewer(mdp, coarse))


def _coarse_of_stated(stated: ProblemFile, mdp: GridMDP) -> Coarse:
    """The corrected optimum on the first of the coarser grids that has one."""
    tried: list[str] = []
    for ratio in RATIOS:
        sizes = coarser_cells(stated, ratio)
        try:
            return coarse_of(build_problem(with_cells(stated, sizes)), mdp)
        except BellmanError as error:
            tried.append(f"{', '.join(f'{name} {cells}' for name, cells in sizes.items())}: {error}")
    raise BellmanError(f"no coarser grid that would tell the grid's error has a corrected value: {'; '.join(tried)}")


def _fewer(mdp: GridMDP, coarse: Coarse) -> tuple[str, ...]:
    """Names of the axes with fewer points on the coarser grid."""
    states = zip(mdp.states.axes, coarse.axes, strict=True)
    actions = zip(mdp.actions.axes, coarse.actions.axes, strict=True)
    return (
        *(axis.name for axis, points in states if points.points.size < axis.size),
        *(axis.name for axis, other in actions if other.size < axis.size),
    )


def band_words(mdp: GridMDP, axes: tuple[str, ...]) -> str:
    """By which axes a band was told, and of which it knows nothing."""
    others = [axis.name for axis in (*mdp.states.axes, *mdp.actions.axes) if axis.size > 1 and axis.name not in axes]
    return f"by a coarser grid ({', '.join(axes)})" + (f"; nothing of {', '.join(others)}" if others else "")


def beyond_words(mdp: GridMDP, found: CorrectedValue) -> str:
    """How many corrected values no costs allow; empty if none."""
    share = float(beyond_costs(mdp, found).mean())
    return f"{share:.2g} of all points have a value beyond what costs allow: finer cells are needed" if share else ""


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
