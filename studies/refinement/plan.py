r"""Which grids and steps a refinement study runs on.

An axis of n points has m = n intervals, a clamped one m = n - 1 (its points include both ends).  Level k of L has

    m_k = m_0 f^k intervals (rounded),   f = 2 or sqrt(2),   k = 0 .. L-1,

m_0 such that the finest level is about the problem's own grid: what is judged is the grid that is used.  With f = 2
points of clamped axes are nested, n -> 2n - 1.  Axes of one point, of labels, and shocks stay as they are.  What a
direction does not refine stays at the middle level, and the steps of the direction ``time`` are h, h/f, h/f^2, ... on
that grid.

    states, actions    the axes of one kind together
    grid               all axes
    time               the step of a fixed-step scheme
    all                all axes and the step
    the name of an axis

A direction shows the order of its axes only where the others are fine enough: next states that fall between ever finer
state points at a few fixed actions have interpolation errors that no longer average out over the actions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wpoflow.core.text import did_you_mean
from wpoflow.solver.registry import FLOWS

DIRECTIONS = ("states", "actions", "grid", "time", "all")
FACTORS = {"2": 2.0, "sqrt2": math.sqrt(2.0)}
FEWEST_INTERVALS = 4
MOST_STEPS = 4096  # tried when looking for a step that meets all times
STEPS = 64
LABELS, SHOCK = "labels", "a shock"  # axes with nothing between their points


@dataclass(frozen=True)
class RefinedAxis:
    """An axis as a study sees it.

    Parameters
    ----------
    name : str
    kind : str
        "state" or "action".
    points : int
        Of the problem's own grid.
    clamped : bool
        Whether its points include both ends.
    by_edges : bool
        Whether it is given by edges, and so cannot be refined.
    counted : str
        What it is where there is nothing between its points: LABELS or SHOCK.
    """

    name: str
    kind: str
    points: int
    clamped: bool = False
    by_edges: bool = False
    counted: str = ""

    @property
    def fixed(self) -> bool:
        """Whether it stays as it is, since there is nothing between its points, or only one."""
        return bool(self.counted) or self.points == 1

    def sizes(self, levels: int, factor: float) -> list[int]:
        """Points on each level, coarsest first."""
        if self.fixed:
            return [self.points] * levels
        own = self.points - self.clamped
        coarsest = max(FEWEST_INTERVALS, round(own / factor ** (levels - 1)))
        return [round(coarsest * factor**k) + self.clamped for k in range(levels)]


@dataclass(frozen=True)
class Level:
    """One run of a study: points of every axis, the fixed step (None: under error control), and the mesh size.

    The mesh size is relative: one over the intervals, their geometric mean for several axes, or the step.
    """

    cells: Mapping[str, int]
    step: float | None
    size: float = field(compare=False)


def plan_direction(
    name: str, axes: Sequence[RefinedAxis], levels: int, factor: float, step: float | None
) -> list[Level] | None:
    """Levels of one direction, coarsest first; None where it has nothing to refine.

    Parameters
    ----------
    name : str
        An axis, or one of `DIRECTIONS`.
    axes : sequence of RefinedAxis
        All axes of the problem.
    levels : int
        At least three.
    factor : float
        Ratio of neighbouring mesh sizes, more than 1.
    step : float or None
        Coarsest step, for the directions time and all.

    Raises
    ------
    ValueError
        Unknown direction, an axis given by edges, of labels or of a shock, fewer than three levels, or no step where
        one is needed.
    """
    if levels < 3:
        raise ValueError(f"levels = {levels}: an order needs three grids at least")
    names = [axis.name for axis in axes]
    if name not in names and name not in DIRECTIONS:
        valid = [*names, *DIRECTIONS]
        raise ValueError(f"direction {name!r}: choose among {', '.join(valid)}{did_you_mean(name, valid)}")
    chosen = [axis for axis in axes if _refines(name, axis, names)]
    edged = [axis.name for axis in chosen if axis.by_edges]
    if edged:
        raise ValueError(
            f"axis {', '.join(edged)} is given by edges, which cannot be refined; give bounds and cells, "
            "or refine other axes by name"
        )
    if name in names and chosen[0].counted:
        raise ValueError(f"axis {name} is {chosen[0].counted}, which cannot be refined; refine other axes by name")
    chosen = [axis for axis in chosen if not axis.fixed]
    stepped = name in ("time", "all") and name not in names
    if not chosen and not stepped:
        return None
    if stepped and step is None:
        raise ValueError(f"direction {name} needs a step")
    sizes = {axis.name: axis.points if axis.by_edges else axis.sizes(levels, factor) for axis in axes}
    refined = [axis.name for axis in chosen]
    middle = (levels - 1) // 2
    plan = []
    for k in range(levels):
        cells = {
            axis: entry if isinstance(entry, int) else entry[k if axis in refined else middle]
            for axis, entry in sizes.items()
        }
        intervals = [cells[axis.name] - axis.clamped for axis in chosen]
        size = math.prod(intervals) ** (-1.0 / len(intervals)) if intervals else 0.0
        length = step * factor**-k if stepped and step is not None else None
        plan.append(Level(cells, length, size if intervals else float(length or 0.0)))
    return plan


def _refines(direction: str, axis: RefinedAxis, names: Sequence[str]) -> bool:
    if direction in names:
        return axis.name == direction
    if direction in ("grid", "all"):
        return True
    return direction == f"{axis.kind}s"


def default_directions(axes: Sequence[RefinedAxis], flow: str = "wasserstein") -> list[str]:
    """States, actions, both where there are both, and time where the flow has steps to refine."""
    kinds = [f"{kind}s" for kind in ("state", "action") if any(a.kind == kind and not a.fixed for a in axes)]
    return [*kinds, *(["grid"] if len(kinds) > 1 else []), *(["time"] if _only_step(flow) is None else [])]


def _only_step(flow: str) -> float | None:
    return FLOWS[flow].step if flow in FLOWS else None


def refuse_only_step(directions: Sequence[str], flow: str) -> None:
    """Raise ValueError if steps of a flow are to be refined that has only one."""
    for name in directions:
        if name in ("time", "all") and _only_step(flow) is not None:
            raise ValueError(f"direction {name}: the step of {flow} is {_only_step(flow):g}, and cannot be refined")


def coarsest_step(times: Sequence[float], step: float | None) -> float:
    """The coarsest step of a study, checked or chosen so that every time is a whole number of steps.

    Halved steps then halve exactly: `solver.schemes.scheme.landing_step` never has to shorten one.

    Raises
    ------
    ValueError
        Some time is no multiple of the step, or none of the steps tried fits.
    """
    if step is not None:
        if not (math.isfinite(step) and step > 0.0):
            raise ValueError(f"step = {step} must be positive and finite")
        if not _fits(times, step):
            raise ValueError(f"step = {step:g}: the times {', '.join(f'{t:g}' for t in times)} are no multiples of it")
        return step
    for count in range(STEPS, MOST_STEPS + 1):
        if _fits(times, times[-1] / count):
            return times[-1] / count
    raise ValueError("no step fits all the times; give one of which they are multiples")


def _fits(times: Sequence[float], step: float) -> bool:
    return all(abs(time / step - round(time / step)) <= 1e-9 * (time / step) and time >= 0.5 * step for time in times)
