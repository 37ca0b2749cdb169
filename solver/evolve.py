"""A run: the flow from its start to a stop criterion, observed, recorded, and told why it stopped.

Stop criteria are flow time, gap, number of steps and wall-clock seconds; the first one met stops the
run, and a run without any is refused.  The start, the snapshots, the rows of the series and the end
time are landed on exactly.
"""

from __future__ import annotations

import math
import os
import time as clock
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numba.core import event

from grids.arrays import FloatArray
from solver.bellman import NotFiniteError
from solver.discounted_system import BellmanError
from solver.entropy import relative_entropy_to_gibbs
from solver.flow import DEFAULT_ACCURACY, DEFAULT_SCHEME, FlowState, flow as iterate_flow
from solver.mdp import GridMDP
from solver.observables import Observer
from solver.optimum import solve_optimum
from solver.recorder import Recorder
from solver.run import Optimum, Run
from solver.schedule import Series, merge, series_times, snapshot_times
from solver.steps import DescentStep

CRITERIA = ("time", "gap", "steps", "wall")
KL_FLOOR = 1e-26  # below this a relative entropy is rounding, and ratios of two of them mean nothing
METASTABLE = 0.1  # e-folds the gap would fall by if the run went on for as long again


class StopKind(Enum):
    """Why a run stopped."""

    TIME = "time"
    GAP = "gap"
    STEPS = "steps"
    WALL = "wall"
    STAGNATED = "stagnated"
    NOT_FINITE = "not finite"
    INTERRUPTED = "interrupted"


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


@dataclass(frozen=True)
class StopCriteria:
    """Where a run stops; at least one of the four is given.

    Raises
    ------
    ValueError
        None given, or one that is not positive.
    """

    time: float | None = None
    gap: float | None = None
    steps: int | None = None
    wall: float | None = None

    @staticmethod
    def of(until: float | Mapping[str, float]) -> StopCriteria:
        """From a flow time, or from a mapping with keys time, gap, steps, wall."""
        criteria = dict(until) if isinstance(until, Mapping) else {"time": until}
        unknown = set(criteria) - set(CRITERIA)
        if unknown or not criteria:
            given = ", ".join(sorted(unknown)) or "nothing"
            raise ValueError(f"until: {given} given; a run needs at least one of {', '.join(CRITERIA)}")
        for name, number in criteria.items():
            if not (math.isfinite(number) and number > 0):
                raise ValueError(f"until: {name} = {number} must be positive and finite")
        steps = criteria.get("steps")
        if steps is not None and steps != int(steps):
            raise ValueError(f"until: steps = {steps} must be a whole number")
        return StopCriteria(
            criteria.get("time"), criteria.get("gap"), None if steps is None else int(steps), criteria.get("wall")
        )

    @property
    def has_goal(self) -> bool:
        """Whether a time or a gap is to be reached, of which a limit on steps or wall time may fall short."""
        return self.time is not None or self.gap is not None


@dataclass
class _StepStatistics:
    """Worst and counted quantities of the steps since the last row."""

    descent_defect: float = 0.0
    kl_ratio_excess: float = -1.0
    limited_cells: int = 0
    bellman_evaluations: int = 0

    def row(self) -> dict[str, float]:
        return {
            "descent_defect": self.descent_defect,
            "kl_ratio_excess": self.kl_ratio_excess,
            "limited_cells": float(self.limited_cells),
            "bellman_evaluations": float(self.bellman_evaluations),
        }


@dataclass
class _StepMonitor:
    """Compares each state of the flow with the one before."""

    mdp: GridMDP
    statistics: _StepStatistics = field(default_factory=_StepStatistics)

    def __post_init__(self) -> None:
        self._before = np.empty(self.mdp.states.size)
        self._after = np.empty(self.mdp.states.size)
        self._alive = np.ones(self.mdp.states.size, dtype=np.bool_) if self.mdp.alive is None else self.mdp.alive

    def step(self, before: FlowState, after: FlowState) -> None:
        """Take one step into account; the policy of ``before`` is still in its buffer."""
        mdp, now = self.mdp, self.statistics
        rise = (after.value - before.value)[self._alive]
        now.descent_defect = max(now.descent_defect, float(rise.max()))
        relative_entropy_to_gibbs(before.policy, before.q, mdp.log_mass, mdp.temperature, self._before)
        relative_entropy_to_gibbs(after.policy, before.q, mdp.log_mass, mdp.temperature, self._after)
        meaningful = self._alive & (self._before > KL_FLOOR)
        if np.any(meaningful):
            ratio = float((self._after[meaningful] / self._before[meaningful]).max())
            now.kl_ratio_excess = max(now.kl_ratio_excess, ratio - 1.0)
        now.limited_cells += after.limited_cells - before.limited_cells
        now.bellman_evaluations += after.bellman_evaluations - before.bellman_evaluations

    def take(self) -> _StepStatistics:
        """The statistics since the last call."""
        statistics, self.statistics = self.statistics, _StepStatistics()
        return statistics


def evolve(
    mdp: GridMDP,
    *,
    until: float | Mapping[str, float],
    step: float | None = None,
    accuracy: float | None = None,
    scheme: str = DEFAULT_SCHEME,
    flow: str | DescentStep = "wasserstein",
    series: Series | None = None,
    snapshots: int | Sequence[float] | Mapping[str, Sequence[float]] | None = None,
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
        As for `solver.flow.flow`.
    series : mapping, optional
        Times of the rows: ``{"first": t, "per_decade": n}`` (the default, 1e-3 and 20),
        ``{"every": dt}`` or ``{"times": [...]}``; the start and the stop are rows as well.
    snapshots : int, list of times or {"times": [...]}, optional
        Times at which value and policy are kept, 10 by default; the stop is one as well.
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
        Its ``status`` is "failed" where a number stopped being finite or a Bellman equation could
        not be solved; ``stop_reason`` says so in a sentence.

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
    rows = series_times(series)
    first = float(next(series_times(series), 1e-3)) or 1e-3
    kept = snapshot_times(snapshots, first, criteria.time)
    started = clock.monotonic()
    with ExitStack() as stack:
        compiling = stack.enter_context(_CompileTimer())
        recorder = stack.enter_context(Recorder(mdp, output, force))
        if optimum is None:
            optimum = solve_optimum(mdp, solver=solver)
        if criteria.gap is not None and criteria.gap < optimum.gap_floor:
            recorder.discard()
            raise ValueError(
                f"until: gap = {criteria.gap:.3g} lies below this problem's rounding floor {optimum.gap_floor:.3g}"
            )
        recorder.optimum(optimum)
        end = [] if criteria.time is None else [criteria.time]
        states = iterate_flow(
            mdp,
            step=step,
            accuracy=accuracy,
            scheme=scheme,
            flow=flow,
            landings=merge(rows, iter(kept), iter(end)),
            solver=solver,
            weights=optimum.occupancy + mdp.rho,
        )
        loop = _Loop(mdp, optimum, criteria, recorder, started, progress)
        kind, sentence = loop.run(states, series_times(series), kept)
        status = {
            StopKind.INTERRUPTED: "interrupted",
            StopKind.NOT_FINITE: "failed",
            StopKind.STAGNATED: "failed",
        }.get(kind, "complete")
        settings = {"scheme": scheme, "flow": flow if isinstance(flow, str) else type(flow).__name__}
        if step is None:
            settings["accuracy"] = repr(DEFAULT_ACCURACY if accuracy is None else accuracy)
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
        self._monitor = _StepMonitor(mdp)
        self._started, self._progress = started, progress
        self._row: dict[str, float] = {}
        self._first_gap = math.nan
        self._state: FlowState | None = None

    def run(
        self, states: Iterator[FlowState], rows: Iterator[float], snapshots: list[float]
    ) -> tuple[StopKind, str]:
        """Run to the stop; the last state is always a row and a snapshot."""
        pending = list(reversed(snapshots))
        next_row = next(rows, math.inf)
        try:
            for state in states:
                if self._state is not None:
                    self._monitor.step(self._state, state)
                self._state = state
                stop = self._stop(state)
                if state.steps == 0 or state.time >= next_row or stop is not None:
                    self._record(state)
                while next_row <= state.time:
                    next_row = next(rows, math.inf)
                if (pending and pending[-1] <= state.time) or stop is not None:
                    self._recorder.snapshot(state.time, state.value, state.policy)
                while pending and pending[-1] <= state.time:
                    pending.pop()
                if self._progress is not None:
                    self._progress(self._report(state))
                if stop is not None:
                    return stop, self._sentence(stop, state)
        except NotFiniteError as error:
            return StopKind.NOT_FINITE, f"not finite: {error}"
        except BellmanError as error:
            return StopKind.STAGNATED, f"Bellman solve stagnated: {error}"
        except KeyboardInterrupt:
            return StopKind.INTERRUPTED, f"interrupted at flow time {self._time():.6g}"
        raise AssertionError("the flow never ends by itself")

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
        if state.steps == 0:
            statistics.bellman_evaluations = state.bellman_evaluations
        self._row = {"time": state.time, "step_size": state.step_size, **row, **statistics.row()}
        if state.steps == 0:
            self._first_gap = self._row["gap"]
        self._recorder.row(self._row)

    def _stop(self, state: FlowState) -> StopKind | None:
        criteria = self._criteria
        if criteria.time is not None and state.time >= criteria.time:
            return StopKind.TIME
        if criteria.gap is not None and self._observer.gap(state.policy, state.evaluation) <= criteria.gap:
            return StopKind.GAP
        if criteria.steps is not None and state.steps >= criteria.steps:
            return StopKind.STEPS
        if criteria.wall is not None and clock.monotonic() - self._started >= criteria.wall:
            return StopKind.WALL
        return None

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
        if kind is StopKind.TIME and gap > 1e-6 * self._first_gap and rate * state.time < METASTABLE:
            return (
                f"{reached}, in a metastable state: the gap {gap:.3g} falls at the rate {rate:.3g} only, "
                f"while the soft Bellman residual is {self._row['bellman_residual']:.3g}"
            )
        return f"{reached}, gap {gap:.3g}" if kind is not StopKind.GAP else reached


class _CompileTimer(event.TimingListener):  # type: ignore[misc]
    """Adds up the seconds numba spends compiling."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def __enter__(self) -> _CompileTimer:
        event.register("numba:compile", self)
        return self

    def __exit__(self, *_: object) -> None:
        event.unregister("numba:compile", self)

    def on_end(self, occurred: event.Event) -> None:
        super().on_end(occurred)
        if self.done:
            self.seconds += self.duration
