"""Refinement studies of problems as they are stated: by name, by file, or on the one grid of a `GridMDP`.

Where no times are given, a study looks at the flow time at which the problem's own run stops: where its gap criterion
is met, which one run on the middle grid finds, or at ``until.time`` if that comes first.  A run is near its optimum
then, and yet above rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wpoflow.core.arrays import underflow_to_zero
from wpoflow.problems.load import build_problem, read_statement
from wpoflow.problems.memory import estimate, refuse_if_too_large
from wpoflow.problems.problem_file import ProblemFile, read_problem
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.flow import as_flow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.registry import AUTOMATIC, fixed_step_schemes, own_step_flows
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.studies.refinement import study as studies
from wpoflow.studies.refinement.plan import Level, default_directions, plan_direction, refuse_only_step
from wpoflow.studies.refinement.problem_grids import refined_axes, with_cells
from wpoflow.studies.refinement.result import RefinementStudy
from wpoflow.studies.refinement.study import ACCURACY, QUANTITIES

LOOSE = 1e-3  # accuracy of the run that looks for the time at which the gap is met
LEAST_SHARE = 1e-30  # of the goal: a gap after it counts as no smaller
FLOORS = 10.0  # the gap looked for stays so many rounding floors away


@underflow_to_zero
def refine(
    problem: str | Path | ProblemFile | GridMDP,
    levels: int = 4,
    quantities: Sequence[str] = QUANTITIES,
    *,
    times: Sequence[float] | None = None,
    directions: Sequence[str] | None = None,
    factor: float = 2.0,
    scheme: str | None = None,
    step: float | None = None,
    accuracy: float = ACCURACY,
    functions: Mapping[str, Callable[[Run], float]] | None = None,
    cells: Mapping[str, int] | None = None,
    set: Mapping[str, Any] | None = None,
    progress: Callable[[str, Level], None] | None = None,
) -> RefinementStudy:
    """Run a problem on ever finer grids and with ever shorter steps, and judge how its numbers converge.

    Parameters
    ----------
    problem : str, Path, ProblemFile or GridMDP
        A gallery name or a file, as for `load_problem`, whose own grid is about the finest; or a grid problem, of
        which only the steps can be refined.
    levels : int
        Grids in each direction, three at least.
    quantities : sequence of str
        Series of a run, looked at at every one of the times.
    times : sequence of float, optional
        Increasing positive flow times; runs end at the last.  By default the time at which the problem's own run
        stops by its gap or its time; to be given for a `GridMDP`, which states neither.
    directions : sequence of str, optional
        Names of axes, or ``states``, ``actions``, ``grid`` (all axes), ``time`` (the step), ``all``; by default states,
        actions, grid where there are both, and time.
    factor : float
        Ratio of mesh sizes of neighbouring levels.
    scheme, step : str, float, optional
        Where steps are refined: time scheme (that of the file, or where that takes no fixed steps adams or
        extrapolated), and its coarsest step (a 64th of the last time or somewhat less).
    accuracy : float
        Of the time steps where they are not refined.
    functions : mapping of name to callable, optional
        Further numbers, computed from the whole run; its snapshot is that of the last time.
    cells, set : mappings, optional
        Replace grid sizes and keys of the file, as in `load_problem`.
    progress : callable, optional
        Called with the direction and the level before each run.

    Returns
    -------
    RefinementStudy
        ``find(direction, quantity, time)`` gives one table; ``as_dict()`` everything in JSON's types.

    Raises
    ------
    ProblemError
        Faults of the file.
    ValueError
        Unusable arguments, an axis given by edges, a direction with nothing to refine, or no time to look at.
    MemoryError
        The finest grid of a direction does not fit.
    RefinementError
        A run that did not reach its end, or a value that is not finite.
    """
    given = {"factor": factor, "step": step, "accuracy": accuracy, "functions": functions, "progress": progress}
    if isinstance(problem, GridMDP):
        return _of_grid(problem, levels, quantities, times, directions, cells or set, {**given, "scheme": scheme})
    stated = problem if isinstance(problem, ProblemFile) else read_problem(problem, cells=cells, set=set)
    if isinstance(problem, ProblemFile) and (cells or set):
        raise ValueError("cells and set replace values of a file that is still to be read")
    axes = refined_axes(stated)
    chosen = default_directions(axes, stated.flow.kind) if directions is None else list(directions)
    refuse_only_step(chosen, stated.flow.kind)
    plans = {name: plan_direction(name, axes, levels, factor, 1.0) for name in chosen}
    if scheme is None:
        scheme = stated.flow.scheme if stated.flow.scheme in fixed_step_schemes() else AUTOMATIC
    scheme = studies.scheme_of_steps(scheme, stated.flow.kind)
    _refuse_what_cannot_fit(stated, [plan[-1] for plan in plans.values() if plan is not None], scheme)
    make = partial(_make, stated)
    looked_at, why = (list(times), "") if times is not None else _own_time(stated, make, plans)
    found = studies.refine(
        make,
        axes,
        levels,
        quantities,
        times=looked_at,
        directions=chosen,
        scheme=scheme,
        flow=stated.flow.kind,
        parameters=stated.flow.parameters,
        own_step=stated.flow.step,
        anneal=stated.flow.annealing,
        **given,  # type: ignore[arg-type]
    )
    return replace(found, times_from=why)


def _make(stated: ProblemFile, sizes: Mapping[str, int]) -> GridMDP:
    return build_problem(with_cells(stated, sizes))


def _of_grid(
    mdp: GridMDP,
    levels: int,
    quantities: Sequence[str],
    times: Sequence[float] | None,
    directions: Sequence[str] | None,
    overrides: object,
    given: dict[str, Any],
) -> RefinementStudy:
    """Steps alone: a grid problem has one grid."""
    chosen = ["time"] if directions is None else list(directions)
    if chosen != ["time"] or overrides:
        raise ValueError(
            "a GridMDP has one grid, of which only the step can be refined (direction time); give the problem's name "
            "or file to refine its axes"
        )
    if times is None:
        raise ValueError("times: a GridMDP says neither how long nor to what gap it is run; give times=[...]")
    given["scheme"] = given["scheme"] or AUTOMATIC
    return studies.refine(lambda sizes: mdp, [], levels, quantities, times=list(times), directions=chosen, **given)


def _own_time(
    stated: ProblemFile, make: studies.MakeMDP, plans: Mapping[str, list[Level] | None]
) -> tuple[list[float], str]:
    """The time at which the problem's run stops, and why there; found on the middle grid where a gap stops it.

    Raises
    ------
    ValueError
        Neither time nor gap is stated, or no gap is met.
    """
    gap, time = stated.flow.until.gap, stated.flow.until.time
    if gap is None:
        if time is None:
            raise ValueError("flow.until has neither time nor gap; say at which time to look")
        return [time], "flow.until.time"
    plan = next((plan for plan in plans.values() if plan is not None), None)
    mdp = make({} if plan is None else plan[(len(plan) - 1) // 2].cells)
    optimum = solve_optimum(mdp)
    criteria = {"gap": max(gap, FLOORS * optimum.gap_floor)} | ({} if time is None else {"time": time})
    table = stated.flow
    how: dict[str, Any] = {"step": table.step} if table.kind in own_step_flows() else {"accuracy": LOOSE}
    followed = as_flow(mdp, table.kind, table.parameters)
    run = evolve_to_the_end(
        mdp, until=criteria, snapshots=0, optimum=optimum, flow=followed, anneal=table.annealing, **how
    )
    met = _first_time(run, criteria["gap"])
    if met > 0.0:
        return [met], f"where the gap of flow.until, {criteria['gap']:.3g}, is met on the middle grid"
    if time is None or run.status != "complete":
        raise ValueError(f"the gap {gap:g} of flow.until is not met on the middle grid ({run.stop_reason}); give times")
    return [time], "flow.until.time"


def _first_time(run: Run, goal: float) -> float:
    """When the gap came down to the goal, to two digits, between the rows before and after; nan if it did not."""
    time, gap = run.series["time"], run.series["gap"]
    below = np.flatnonzero(gap <= goal)
    if not below.size or below[0] == 0:
        return math.nan
    after = int(below[0])
    before = after - 1
    least = max(float(gap[after]), goal * LEAST_SHARE)
    share = math.log(gap[before] / goal) / math.log(gap[before] / least)
    return float(f"{time[before] + share * (time[after] - time[before]):.2g}")


def _refuse_what_cannot_fit(stated: ProblemFile, finest: Sequence[Level], scheme: str) -> None:
    """Before anything is run, the largest grid of each direction is estimated."""
    for level in finest:
        step = stated.flow.step if level.step is None and stated.flow.kind in own_step_flows() else level.step
        asked = stated.flow.model_copy(update={"scheme": AUTOMATIC if level.step is None else scheme, "step": step})
        expected = estimate(read_statement(with_cells(stated, level.cells)), asked)
        refuse_if_too_large(stated.label, expected.plan, expected.needed)
