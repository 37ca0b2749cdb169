r"""Refinement studies of runs: the same flow on ever finer grids and with ever shorter steps.

For every direction (see :mod:`studies.refinement.plan`), quantity and time there is a table of values, their
differences, the orders that three neighbouring levels show, and from the three finest the extrapolated value with its
grid convergence index (:mod:`studies.refinement.orders`).  No exact solution is needed.

Directions that refine axes only run under error control, with the scheme that is best for the problem, tight enough
that the error of the time steps does not show: differences below that accuracy count as noise.  Where steps are
refined they are fixed steps of the scheme named, whose order is the one expected.  Everywhere differences that rounding
alone can make (`studies.refinement.rounding`) have no order.

The discretisation is of second order in each axis (theory.md, section 2), with two known exceptions that a study will
show: cell Péclet numbers beyond one (towards order one, in transients), and points where the next state is stationary
in the action (an additional term of order 5/2 whose coefficient varies from grid to grid).
"""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from wpoflow.core.text import did_you_mean
from wpoflow.grids.grid import Grid
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.flow import as_flow, flow_class
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.registry import AUTOMATIC, DESCENT, fixed_step_schemes, own_step_flows
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.solver.schemes.choice import scheme_class
from wpoflow.studies.refinement.orders import extrapolate, observed_order
from wpoflow.studies.refinement.plan import (
    Level,
    RefinedAxis,
    coarsest_step,
    default_directions,
    plan_direction,
    refuse_only_step,
)
from wpoflow.studies.refinement.result import DirectionStudy, QuantityStudy, RefinementStudy
from wpoflow.studies.refinement.rounding import Rounding

ACCURACY = 1e-7
ORDER_IN_SPACE = 2.0
QUANTITIES = ("value_rho", "gap")

MakeMDP = Callable[[Mapping[str, int]], GridMDP]


class RefinementError(RuntimeError):
    """A run of a study did not reach its end."""


@dataclass(frozen=True)
class Outcome:
    """Values of one run by quantity and time, how far rounding alone moves them, and its seconds."""

    values: Mapping[tuple[str, float | None], float]
    rounding: Mapping[tuple[str, float | None], float]
    seconds: float


def refine(
    make_mdp: MakeMDP,
    axes: Sequence[RefinedAxis],
    levels: int = 4,
    quantities: Sequence[str] = QUANTITIES,
    *,
    times: Sequence[float],
    directions: Sequence[str] | None = None,
    factor: float = 2.0,
    scheme: str = AUTOMATIC,
    step: float | None = None,
    accuracy: float = ACCURACY,
    flow: str = "wasserstein",
    parameters: Mapping[str, float | str] | None = None,
    own_step: float | None = None,
    anneal: Mapping[str, Any] | None = None,
    functions: Mapping[str, Callable[[Run], float]] | None = None,
    progress: Callable[[str, Level], None] | None = None,
) -> RefinementStudy:
    """Run a problem on several grids and judge how its numbers converge.

    Parameters
    ----------
    make_mdp : callable
        The grid problem for a mapping of axis name to number of points.
    axes : sequence of RefinedAxis
        All its axes.
    levels : int
        Grids in each direction, three at least.
    quantities : sequence of str
        Series of a run, at every one of the times.
    times : sequence of float
        Increasing positive flow times; runs end at the last.
    directions : sequence of str, optional
        Names of axes, or of `studies.refinement.plan.DIRECTIONS`; by default states, actions, grid where there are
        both, and time.
    factor : float
        Ratio of mesh sizes of neighbouring levels.
    scheme, step : str, float, optional
        Where steps are refined: time scheme (automatic means adams where it applies, else extrapolated), and its
        coarsest step (a 64th of the last time or somewhat less).
    accuracy : float
        Of the time steps where they are not refined.
    flow, parameters : str, mapping, optional
        Which flow, and what it is made with besides the problem.
    own_step : float, optional
        The step of a flow that has one of its own, where steps are not refined.
    anneal : mapping, optional
        How the temperature falls, as of `evolve`.
    functions : mapping of name to callable, optional
        Further numbers, computed from the whole run; its snapshot is that of the last time.
    progress : callable, optional
        Called with the direction and the level before each run.

    Raises
    ------
    ValueError
        Unusable arguments, an axis given by edges, or a direction with nothing to refine.
    RefinementError
        A run that did not reach its end, or a value that is not finite.
    """
    scheme = scheme_of_steps(scheme, flow)
    _check(times, quantities, functions or {}, factor)
    chosen = default_directions(axes, flow) if directions is None else list(directions)
    refuse_only_step(chosen, flow)
    stepped = any(name in ("time", "all") for name in chosen)
    first = coarsest_step(times, step) if stepped else None
    plans = {}
    for name in chosen:
        plan = plan_direction(name, axes, levels, factor, first)
        if plan is None:
            raise ValueError(
                f"direction {name}: there is no axis of more than one point to refine (labels stay as they are, as do "
                "shocks)"
            )
        plans[name] = plan
    own = own_step if flow in own_step_flows() else None
    runner = _Runner(
        make_mdp, list(times), quantities, functions or {}, scheme, accuracy, flow, parameters or {}, own, anneal
    )
    entries = []
    for name, plan in plans.items():
        outcomes = []
        for level in plan:
            if progress is not None:
                progress(name, level)
            outcomes.append(runner.outcome(level))
        entries.append(_judge(name, plan, outcomes, scheme, accuracy))
    return RefinementStudy(runner.title, tuple(times), factor, scheme, accuracy, tuple(entries))


def scheme_of_steps(scheme: str, flow: str) -> str:
    """The scheme whose steps are refined; ValueError if it takes none of fixed size with this flow."""
    kind = flow_class(flow)
    if kind.own_step:
        return DESCENT
    if scheme == AUTOMATIC:
        return "adams" if kind.logarithmic else "extrapolated"
    applying = [name for name in fixed_step_schemes() if not scheme_class(name).obstacle(Grid(()), kind)]
    if scheme not in applying:
        valid = [AUTOMATIC, *applying]
        raise ValueError(
            f"scheme {scheme!r} takes no fixed steps of flow {flow} that could be refined; choose one of "
            f"{', '.join(valid)}{did_you_mean(scheme, valid)}"
        )
    return scheme


def _check(times: Sequence[float], quantities: Sequence[str], functions: Mapping[str, Any], factor: float) -> None:
    if not times or not all(math.isfinite(t) and t > 0.0 for t in times) or sorted(set(times)) != list(times):
        raise ValueError("times must be positive, finite and increasing")
    known = [name for name in SERIES if name != "time"]
    unknown = [name for name in quantities if name not in known]
    if unknown:
        near = did_you_mean(unknown[0], known)
        raise ValueError(f"quantity {', '.join(unknown)}: choose among {', '.join(known)}{near}")
    if not quantities and not functions:
        raise ValueError("no quantity is given")
    if not 1.0 < factor < math.inf:
        raise ValueError(f"factor = {factor} must be more than 1")


@dataclass
class _Runner:
    """Runs levels, each once; keeps the problem of the last grid, and of all runs the values only."""

    make: MakeMDP
    times: Sequence[float]
    quantities: Sequence[str]
    functions: Mapping[str, Callable[[Run], float]]
    scheme: str
    accuracy: float
    flow: str
    parameters: Mapping[str, float | str]
    own_step: float | None
    anneal: Mapping[str, Any] | None
    title: str = ""
    _done: dict[tuple[tuple[tuple[str, int], ...], float | None], Outcome] = field(default_factory=dict)
    _last: tuple[Mapping[str, int], GridMDP, Optimum] | None = None

    def outcome(self, level: Level) -> Outcome:
        """Values of one level."""
        key = (tuple(level.cells.items()), level.step)
        if key not in self._done:
            self._done[key] = self._run(level)
        return self._done[key]

    def _problem(self, cells: Mapping[str, int]) -> tuple[GridMDP, Optimum]:
        if self._last is None or self._last[0] != cells:
            self._last = None  # let go of the old grid before the new one is built
            mdp = self.make(cells)
            self._last = (cells, mdp, solve_optimum(mdp))
        return self._last[1:]

    def _run(self, level: Level) -> Outcome:
        started = clock.monotonic()
        mdp, optimum = self._problem(level.cells)
        self.title = mdp.title
        own = self.flow in own_step_flows()
        step = self.own_step if level.step is None else level.step
        done = evolve_to_the_end(
            mdp,
            until=self.times[-1],
            step=step,
            accuracy=None if step is not None else self.accuracy,
            scheme=AUTOMATIC if own or level.step is None else self.scheme,
            flow=as_flow(mdp, self.flow, self.parameters),
            anneal=self.anneal,
            series={"times": self.times},
            snapshots={"times": self.times} if self.functions else 0,
            optimum=optimum,
        )
        where = ", ".join(f"{name} {n}" for name, n in level.cells.items())
        where += "" if level.step is None else f", step {level.step:g}"
        if done.status != "complete":
            raise RefinementError(f"the run at {where} ended early: {done.stop_reason}")
        row = {float(time): k for k, time in enumerate(done.series["time"])}
        if missed := [time for time in self.times if time not in row]:
            raise RefinementError(f"the step {step:g} of {self.flow} does not lead to time {missed[0]:g}")
        values: dict[tuple[str, float | None], float] = {
            (name, time): float(done.series[name][row[time]]) for name in self.quantities for time in self.times
        }
        rounding = Rounding(mdp, optimum)
        errors: dict[tuple[str, float | None], float] = {
            (name, time): rounding.of(name, {key: float(column[row[time]]) for key, column in done.series.items()})
            for name in self.quantities
            for time in self.times
        }
        for name, function in self.functions.items():
            values[name, None] = float(function(done))
            errors[name, None] = rounding.relative * abs(values[name, None])
        for (name, _), value in values.items():
            if not math.isfinite(value):
                raise RefinementError(f"{name} is {value} in the run at {where}")
        return Outcome(values, errors, clock.monotonic() - started)


def _judge(
    name: str, plan: Sequence[Level], outcomes: Sequence[Outcome], scheme: str, accuracy: float
) -> DirectionStudy:
    stepped = plan[0].step is not None
    refined = [axis for axis in plan[0].cells if plan[0].cells[axis] != plan[-1].cells[axis]]
    order = float(scheme_class(scheme).order) if stepped else ORDER_IN_SPACE
    if stepped and refined:
        order = min(order, ORDER_IN_SPACE)
    sizes = [level.size for level in plan]
    studies = []
    for quantity, time in outcomes[0].values:
        values = [outcome.values[quantity, time] for outcome in outcomes]
        rounding = max(outcome.rounding[quantity, time] for outcome in outcomes)
        noise = max(rounding, 0.0 if stepped else accuracy * abs(values[-1]))
        differences = [math.nan, *(b - a for a, b in pairwise(values))]
        orders = [math.nan] * 2
        for k in range(2, len(values)):
            clear = min(abs(differences[k - 1]), abs(differences[k])) > noise
            orders.append(observed_order(sizes[k - 2 : k + 1], values[k - 2 : k + 1]) if clear else math.nan)
        finest = extrapolate(sizes, values, design=order, noise=noise)
        named = "rounding" if noise == rounding else "time error"
        studies.append(
            QuantityStudy(quantity, time, tuple(values), tuple(differences), tuple(orders), finest, noise, named)
        )
    names = (*refined, *(["step"] if stepped else []))
    return DirectionStudy(
        name, names, order, tuple(plan), tuple(outcome.seconds for outcome in outcomes), tuple(studies)
    )
