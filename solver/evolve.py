"""A run: the flow from its start to a stop criterion, observed, recorded, and told why it stopped.

Stop criteria are flow time, gap, number of steps and wall-clock seconds; the first one met stops the
run, and a run without any is refused.  With error control the snapshots, the rows of the series and the end
time are landed on exactly; a fixed step is cut only for times that were listed or are equally
spaced and for the end, and geometric rows and snapshots are taken at the first step at or after
their time.
"""

from __future__ import annotations

import math
import os
import time as clock
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from solver.attempts import StepVanishedError
from solver.bellman import NotFiniteError, bellman_solver
from solver.compile_timer import CompileTimer
from solver.discounted_system import BellmanError
from solver.flow import FlowState
from solver.flow import flow as iterate_flow
from solver.mdp import GridMDP
from solver.observables import Observer
from solver.optimum import solve_optimum
from solver.recorder import Recorder
from solver.run import Optimum, Run
from solver.schedule import Series, SnapshotTimes, first_time, landings, reached, series_times, snapshot_times
from solver.scheme import MassError
from solver.schemes import AUTOMATIC, DEFAULT_ACCURACY, chosen_scheme
from solver.step_monitor import StepMonitor
from solver.steps import DescentStep
from solver.stop import StopCriteria, StopKind

METASTABLE = 0.1  # e-folds the gap would fall by if the run went on for as long again


@dataclass(frozen=True)
class Progress:
    """What a run reports after each step: flow time, gap and local rate of the last row, step size and counts."""

    time: float
    gap: float
    rate: float
    step_size: float
    steps: int
    bellman_evaluations: int
    wall_seconds: float


def evolve(
    mdp: GridMDP,
    *,
    until: float | Mapping[str, float],
    step: float | None = None,
    accuracy: float | None = None,
    scheme: str = AUTOMATIC,
    flow: str | DescentStep = "wasserstein",
    series: Series | None = None,
    snapshots: SnapshotTimes = None,
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
    optimum: Optimum | None = None,
    solver: str | None = None,
) -> Run:
    """Run the flow and return what was recorded.

    Parameters
    ----------
    mdp : GridMDP
    until : float or mapping
        Flow time at which to stop, or a mapping with any of the keys ``time`` (flow time), ``gap``
        (suboptimality averaged over rho), ``steps`` and ``wall`` (seconds); the first met stops.
    step, accuracy, scheme, flow
        As for `solver.flow.flow`.  A fixed step is kept: it is cut only to meet times that ``series`` or
        ``snapshots`` list or space equally, and the end time.
    series : mapping, optional
        Times of the rows: ``{"first": t, "per_decade": n}`` (the default, 1e-3 and 20),
        ``{"every": dt}`` or ``{"times": [...]}``; the start and the stop are rows as well.  With a fixed
        step a geometric row is that of the first step at or after its time.
    snapshots : int, list of times or {"times": [...]}, optional
        Times at which value and policy are kept, 10 by default; the stop is one as well.  A number of
        them is geometric in time.
    output : path, optional
        Write a run file; snapshots then stay in the file and are read from it when asked for.
    force : bool
        Replace an existing file.
    progress : callable, optional
        Called with a `Progress` after every step.
    optimum : Optimum, optional
        As returned by `solve_optimum`; computed if not given.
    solver : str, optional
        Linear solver of the Bellman equations.

    Returns
    -------
    Run
        Its ``status`` is "failed" where a number stopped being finite, a Bellman equation could not be
        solved (after five attempts with shorter steps) or the step size vanished; ``stop_reason`` says
        so in a sentence.

    Raises
    ------
    ValueError
        Unusable arguments, among them a gap below the rounding floor of this problem.
    FileExistsError
        The output exists and ``force`` is off.
    BellmanError
        The optimum could not be computed.
    """
    criteria = StopCriteria.of(until)
    scheme = chosen_scheme(mdp, scheme, step, flow, accuracy)
    solver = bellman_solver(mdp) if solver is None else solver
    met = landings(series, snapshots, criteria.time, fixed_step=step is not None)
    kept = snapshot_times(snapshots, first_time(series), criteria.time)
    started = clock.monotonic()
    with ExitStack() as stack:
        compiling = stack.enter_context(CompileTimer())
        recorder = stack.enter_context(Recorder(mdp, output, force))
        if optimum is None:
            optimum = solve_optimum(mdp, solver=solver)
        if criteria.gap is not None and criteria.gap < optimum.gap_floor:
            recorder.discard()
            raise ValueError(
                f"until: gap = {criteria.gap:.3g} lies below this problem's rounding floor {optimum.gap_floor:.3g}"
            )
        recorder.optimum(optimum)
        loop = _Loop(mdp, optimum, criteria, recorder, started, progress)
        states = iterate_flow(
            mdp,
            step=step,
            accuracy=accuracy,
            scheme=scheme,
            flow=flow,
            landings=met,
            solver=solver,
            weights=optimum.occupancy + mdp.rho,
            watch=loop.watch,
        )
        kind, sentence = loop.run(states, series_times(series), kept)
        status = {
            StopKind.INTERRUPTED: "interrupted",
            StopKind.NOT_FINITE: "failed",
            StopKind.STAGNATED: "failed",
            StopKind.STEP_VANISHED: "failed",
            StopKind.MASS: "failed",
        }.get(kind, "complete")
        settings = {"scheme": scheme, "flow": flow if isinstance(flow, str) else type(flow).__name__}
        settings["bellman_solver"] = solver
        if step is None:
            settings["accuracy"] = repr(DEFAULT_ACCURACY[scheme] if accuracy is None else accuracy)
        else:
            settings["step"] = repr(step)
        return recorder.close(
            status,
            sentence,
            {
                "stop_kind": kind.value,
                "reached_goal": int(kind in (StopKind.TIME, StopKind.GAP) or not criteria.has_goal),
                "wall_seconds": clock.monotonic() - started,
                "compile_seconds": compiling.seconds,
                **loop.counters(),
                **settings,
            },
        )


def _refuse_nan(row: Mapping[str, float]) -> None:
    """Raise NotFiniteError for a number that is none, rather than record it.

    A dissipation is infinite where a policy has zeros; a rate of nothing is unknown.
    """
    for name, value in row.items():
        unknown = math.isnan(value) and name != "rate_observed"
        if unknown or (math.isinf(value) and row["density_min"] > 0.0):
            raise NotFiniteError(f"the series {name} is {value}: sizes too small or too large for floating point")


class _WallTimeError(Exception):
    """The wall-clock limit was met within a step."""


class _Loop:
    """Consumes the states of the flow: observes, records, and decides when to stop."""

    def __init__(
        self,
        mdp: GridMDP,
        optimum: Optimum,
        criteria: StopCriteria,
        recorder: Recorder,
        started: float,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._mdp, self._criteria, self._recorder = mdp, criteria, recorder
        self._observer = Observer(mdp, optimum)
        self._monitor = StepMonitor(mdp)
        self._started, self._progress = started, progress
        self._row: dict[str, float] = {}
        self._first_gap = math.nan
        self._state: FlowState | None = None
        self._end_of_step: FlowState | None = None

    def run(self, states: Iterator[FlowState], rows: Iterator[float], snapshots: list[float]) -> tuple[StopKind, str]:
        """Run to the stop; the last state is always a row and a snapshot."""
        pending = list(reversed(snapshots))
        next_row = next(rows, math.inf)
        try:
            for state in states:
                if not state.between:
                    if self._end_of_step is not None:
                        self._monitor.step(self._end_of_step, state)
                    self._end_of_step = state
                self._state = state
                stop = self._stop(state)
                if state.steps == 0 or reached(state.time, next_row) or stop is not None:
                    self._record(state)
                while reached(state.time, next_row):
                    next_row = next(rows, math.inf)
                if (pending and reached(state.time, pending[-1])) or stop is not None:
                    self._recorder.snapshot(state.time, state.value, state.policy)
                while pending and reached(state.time, pending[-1]):
                    pending.pop()
                if self._progress is not None:
                    self._progress(self._report(state))
                if stop is not None:
                    return stop, self._sentence(stop, state)
        except NotFiniteError as error:
            ending = StopKind.NOT_FINITE, f"not finite after flow time {self._time():.6g}: {error}"
        except BellmanError as error:
            ending = StopKind.STAGNATED, f"Bellman solve stagnated after flow time {self._time():.6g}: {error}"
        except MassError as error:
            ending = StopKind.MASS, f"mass not kept after flow time {self._time():.6g}: {error}"
        except StepVanishedError as error:
            ending = StopKind.STEP_VANISHED, f"step size vanished after flow time {self._time():.6g}: {error}"
        except _WallTimeError:
            wall = self._criteria.wall
            ending = StopKind.WALL, f"wall-clock limit of {wall:g} s met after flow time {self._time():.6g}"
        except KeyboardInterrupt:
            ending = StopKind.INTERRUPTED, f"interrupted at flow time {self._time():.6g}"
        else:
            raise AssertionError("the flow never ends by itself")
        self._record_last()
        return ending

    def _record_last(self) -> None:
        """Keep the last whole state of a run that was cut short."""
        state = self._state
        if state is not None and state.time > self._row.get("time", -1.0):
            with suppress(NotFiniteError):  # then its numbers are what ended the run
                self._record(state)
                self._recorder.snapshot(state.time, state.value, state.policy)

    def counters(self) -> dict[str, int]:
        """Steps taken, rejected, and taken by the fall-back."""
        state = self._state
        if state is None:
            return {"steps": 0, "rejected_steps": 0, "fallback_steps": 0}
        return {
            "steps": state.steps,
            "rejected_steps": state.rejected_steps,
            "fallback_steps": state.fallback_steps,
        }

    def _time(self) -> float:
        return 0.0 if self._state is None else self._state.time

    def _record(self, state: FlowState) -> None:
        row = self._observer.row(state.policy, state.evaluation)
        statistics = self._monitor.take()
        row["mass_error"] = max(row["mass_error"], statistics.mass_drift)
        if state.steps == 0:
            statistics.bellman_evaluations = state.bellman_evaluations
        row = {"time": state.time, "step_size": state.step_size, **row, **statistics.row()}
        _refuse_nan(row)
        self._row = row
        if state.steps == 0:
            self._first_gap = self._row["gap"]
        self._recorder.row(self._row)

    def _stop(self, state: FlowState) -> StopKind | None:
        criteria = self._criteria
        if criteria.time is not None and reached(state.time, criteria.time):
            return StopKind.TIME
        if criteria.gap is not None and self._observer.gap_within(criteria.gap, state.policy, state.evaluation):
            return StopKind.GAP
        if criteria.steps is not None and state.steps >= criteria.steps:
            return StopKind.STEPS
        return StopKind.WALL if self._wall_met() else None

    def _wall_met(self) -> bool:
        wall = self._criteria.wall
        return wall is not None and clock.monotonic() - self._started >= wall

    def watch(self) -> None:
        """Between the attempts at a step: end the run if its time is up."""
        if self._wall_met():
            raise _WallTimeError

    def _report(self, state: FlowState) -> Progress:
        return Progress(
            state.time,
            self._row["gap"],
            self._row["rate_observed"],
            state.step_size,
            state.steps,
            state.bellman_evaluations,
            clock.monotonic() - self._started,
        )

    def _sentence(self, kind: StopKind, state: FlowState) -> str:
        gap, rate = self._row["gap"], self._row["rate_observed"]
        reached = {
            StopKind.TIME: f"flow time {state.time:g} reached",
            StopKind.GAP: f"gap {gap:.3g} reached at flow time {state.time:.6g}",
            StopKind.STEPS: f"{state.steps} steps taken, at flow time {state.time:.6g}",
            StopKind.WALL: f"wall-clock limit of {self._criteria.wall:g} s met at flow time {state.time:.6g}"
            if self._criteria.wall is not None
            else "",
        }[kind]
        if kind is StopKind.GAP:
            return reached
        asked = self._criteria.gap
        left = f"gap {gap:.3g}" if asked is None or gap <= asked else f"gap {gap:.3g} above the {asked:.3g} asked for"
        if kind is StopKind.TIME and gap > 1e-6 * self._first_gap and rate * state.time < METASTABLE:
            return (
                f"{reached}, in a metastable state: the {left} falls at the rate {rate:.3g} only, "
                f"while the soft Bellman residual is {self._row['bellman_residual']:.3g}"
            )
        return f"{reached}, {left}"
