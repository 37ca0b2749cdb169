"""The loop of a run: takes the states of the flow, observes, records, keeps checkpoints, and decides when to stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import NotFiniteError
from wpoflow.solver.bellman.system import BellmanError
from wpoflow.solver.flows.flow import UnsolvedStepError
from wpoflow.solver.mdp import GridMDP, TooColdError
from wpoflow.solver.records.flow_table import UntilTable
from wpoflow.solver.records.run import Optimum
from wpoflow.solver.records.schedule import reached
from wpoflow.solver.records.stop import FAILURES, StopKind
from wpoflow.solver.runs.checkpointing import Checkpoints
from wpoflow.solver.runs.monitor import StepMonitor, StepStatistics
from wpoflow.solver.runs.observables import Observer
from wpoflow.solver.runs.recorder import Recorder
from wpoflow.solver.runs.signals import StopAtOnce, StopSignals
from wpoflow.solver.schemes.integrator import MassError, StepVanishedError
from wpoflow.solver.schemes.trajectory import FlowState
from wpoflow.solver.storage.checkpoints import Checkpoint

METASTABLE = 0.1  # e-folds the gap would fall by if the run went on for as long again
OF_FLOW, OF_STEPS, OCCUPANCY, REFERENCE = "flow.", "steps.", "occupancy", "reference"  # names in a checkpoint


@dataclass(frozen=True)
class Progress:
    """What a run reports after each step: flow time, gap and local rate of the last row, step size and counts.

    ``wall_seconds`` are without those spent compiling, as is the limit on them.
    """

    time: float
    gap: float
    rate: float
    step_size: float
    steps: int
    bellman_evaluations: int
    wall_seconds: float


@dataclass(frozen=True, eq=False)
class Mark:
    """The end of a step with all that the rest of the run depends on, as it is whether or not the run stops there."""

    state: FlowState
    statistics: StepStatistics
    occupancy: FloatArray | None
    reference: FloatArray | None
    rows: int
    snapshots: int

    def arrays(self) -> dict[str, Any]:
        """As arrays and numbers by name; arrays may be views."""
        kept = {OCCUPANCY: self.occupancy, REFERENCE: self.reference}
        return {
            **prefixed(OF_FLOW, self.state.arrays()),
            **prefixed(OF_STEPS, asdict(self.statistics)),
            **{name: array for name, array in kept.items() if array is not None},
        }


def prefixed(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values under longer names."""
    return {prefix + name: value for name, value in values.items()}


def part_of(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """What stands under names with this prefix, by the rest of the name."""
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def _refuse_nan(row: Mapping[str, float], observer: Observer) -> None:
    """Raise NotFiniteError for a number that is none, rather than record it.

    A dissipation is infinite where a policy has zeros, and not known where the flow does not state it; a rate of
    nothing is unknown.
    """
    unknown = {"rate_observed"} if observer.dissipation_stated else {"rate_observed", "dissipation"}
    for name, value in row.items():
        missing = math.isnan(value) and name not in unknown
        if missing or (math.isinf(value) and row["density_min"] > 0.0):
            raise NotFiniteError(f"the series {name} is {value}: sizes too small or too large for floating point")


def _sweep_time(mdp: GridMDP, optimum: Optimum) -> float:
    """Flow time in which a drift of the size of Q* or diffusion leads across the action box: L^2 / (tau + osc Q*)."""
    longest = max(float(axis.edges[-1] - axis.edges[0]) for axis in mdp.actions.axes)
    (span,) = mdp.slab.largest(float(np.ptp(optimum.q, axis=1).max()))
    return longest / (mdp.temperature + span) * longest


class _WallTimeError(Exception):
    """The wall-clock limit was met within a step."""


class RunLoop:
    """Consumes the states of the flow.

    Parameters
    ----------
    mdp : GridMDP
    optimum : Optimum
    observer : Observer
    until : UntilTable
    recorder : Recorder
        Receives rows and snapshots; holds those of a run that goes on.
    seconds : callable
        Gives the seconds that count towards the limit on wall time.
    signals : StopSignals
        Asks the run to stop after a step.
    progress : callable, optional
        Called with a `Progress` after every step.
    checkpoints : Checkpoints, optional
    spending : callable
        Gives what the run has taken so far, in seconds, to be kept with a checkpoint.
    statistics : StepStatistics, optional
        Of a run that goes on: the first state of the flow is then one that was recorded before.
    """

    def __init__(
        self,
        mdp: GridMDP,
        optimum: Optimum,
        observer: Observer,
        until: UntilTable,
        recorder: Recorder,
        seconds: Callable[[], float],
        signals: StopSignals,
        progress: Callable[[Progress], None] | None,
        checkpoints: Checkpoints | None,
        spending: Callable[[], Mapping[str, float]],
        statistics: StepStatistics | None = None,
    ) -> None:
        self._until, self._recorder, self._observer, self._slab = until, recorder, observer, mdp.slab
        self._monitor = StepMonitor(mdp) if statistics is None else StepMonitor(mdp, statistics)
        self._seconds, self._signals, self._spending = seconds, signals, spending
        self._progress, self._checkpoints = progress, checkpoints
        self._goes_on = statistics is not None
        self._row: dict[str, float] = recorder.rows[-1] if self._goes_on else {}
        self._first_gap = recorder.rows[0]["gap"] if self._goes_on else math.nan
        self._sweep = _sweep_time(mdp, optimum)
        self._state: FlowState | None = None
        self._mark: Mark | None = None

    def run(self, states: Iterator[FlowState], rows: Iterator[float], snapshots: list[float]) -> tuple[StopKind, str]:
        """Run to the stop; the last state is always a row and a snapshot."""
        pending = list(reversed(snapshots))
        next_row = next(rows, math.inf)
        self._signals.stepping = True
        try:
            for state in states:
                if self._mark is not None and not state.interpolated:
                    ratio = self._observer.occupancy_ratio(state.evaluation)
                    self._monitor.observe(self._mark.state, state, ratio)
                    self._mark.state.evaluation.let_go_of_q()  # nothing asks for it any more
                before = self._observer.occupancy
                self._state = state
                stop = None if self._goes_on else self._stop(state)
                ends = stop is not None and stop is not StopKind.WALL
                row_due = not self._goes_on and (_first(state) or reached(state.time, next_row))
                snapshot_due = not self._goes_on and bool(pending) and reached(state.time, pending[-1])
                if row_due:
                    self._record(state)
                if snapshot_due:
                    self._snapshot(state)
                if not state.interpolated:
                    # a gap that ends the run was computed for this end alone
                    self._note(state, self._observer.occupancy if row_due or not ends else before)
                if ends and not row_due:
                    self._record(state)
                if ends and not snapshot_due:
                    self._snapshot(state)
                while reached(state.time, next_row):
                    next_row = next(rows, math.inf)
                while pending and reached(state.time, pending[-1]):
                    pending.pop()
                self._goes_on = False
                if self._progress is not None:
                    self._progress(self._report(state))
                if ends and stop is not None:
                    return stop, self._sentence(stop, state)
                if not state.interpolated:
                    asked = self._slab.total(self._signals.asked) > 0  # of any process
                    if self._checkpoints is not None and (asked or stop is not None or self._checkpoints.due()):
                        self._checkpoints.write(self.checkpoint())
                    if asked:
                        self._record_last()
                        return StopKind.INTERRUPTED, f"interrupted at flow time {self._time():.6g}"
                if stop is not None:
                    self._record_last()
                    return stop, self._sentence(stop, state)
        except (NotFiniteError, TooColdError) as error:
            ending = StopKind.NOT_FINITE, f"not finite after flow time {self._time():.6g}: {error}"
        except BellmanError as error:
            ending = StopKind.STAGNATED, f"Bellman solve stagnated after flow time {self._time():.6g}: {error}"
        except UnsolvedStepError as error:
            ending = StopKind.STAGNATED, f"step not solved after flow time {self._time():.6g}: {error}"
        except MassError as error:
            ending = StopKind.MASS, f"mass not kept after flow time {self._time():.6g}: {error}"
        except StepVanishedError as error:
            ending = StopKind.STEP_VANISHED, f"step size vanished after flow time {self._time():.6g}: {error}"
        except _WallTimeError:
            self._record_last()
            assert self._state is not None
            return StopKind.WALL, self._sentence(StopKind.WALL, self._state)
        except StopAtOnce:
            raise
        except KeyboardInterrupt:
            ending = StopKind.INTERRUPTED, f"interrupted at flow time {self._time():.6g}"
        else:
            raise AssertionError("the flow never ends by itself")
        self._record_last()
        return ending

    def _note(self, state: FlowState, occupancy: FloatArray | None) -> None:
        recorder = self._recorder
        reference = self._observer.reference.value
        statistics, rows = replace(self._monitor.statistics), len(recorder.rows)
        self._mark = Mark(state, statistics, occupancy, reference, rows, recorder.snapshots)

    def checkpoint(self) -> Checkpoint:
        """The last end of a step, to go on from; arrays may be views that the next step overwrites."""
        mark = self._mark
        assert mark is not None
        arrays = {**mark.arrays(), **self._spending()}
        for name, array in arrays.items():
            if np.ndim(array) == 2:  # of pairs: vectors and numbers are all else that a state is made of
                arrays[name] = self._slab.spread(array)
        return Checkpoint(0, arrays, self._recorder.rows[: mark.rows], mark.snapshots)

    def _snapshot(self, state: FlowState) -> None:
        self._recorder.snapshot(state.time, state.value, state.policy, self._observer.kept(state.parameters))

    def _record_last(self) -> None:
        """Keep the last whole state of a run that was cut short."""
        state = self._state
        if state is not None:
            with suppress(NotFiniteError):  # then its numbers are what ended the run
                if state.time > self._row.get("time", -1.0):
                    self._record(state)
                if state.time > self._recorder.snapshot_time:
                    self._snapshot(state)

    def counters(self) -> dict[str, int]:
        """Steps taken, rejected, and taken by the fall-back."""
        names = ("steps", "rejected_steps", "fallback_steps")
        return {name: 0 if self._state is None else getattr(self._state, name) for name in names}

    @property
    def error_floor(self) -> float:
        """The most that was allowed of the error of a step for rounding."""
        return 0.0 if self._state is None else self._state.error_floor

    def reached_goal(self, kind: StopKind) -> bool:
        """Whether the gap that was asked for was reached, or the time where none was, or neither was asked for."""
        if self._until.gap is not None:
            return kind is StopKind.GAP or (kind not in FAILURES and self._row["gap"] <= self._until.gap)
        return self._until.time is None or kind is StopKind.TIME

    def _time(self) -> float:
        return 0.0 if self._state is None else self._state.time

    def _record(self, state: FlowState) -> None:
        row = self._observer.row(state.policy, state.evaluation, state.parameters)
        statistics = self._monitor.take()
        row["mass_error"] = max(row["mass_error"], statistics.mass_drift)
        if _first(state):
            statistics.bellman_evaluations = state.bellman_evaluations
        largest = max(row["occupancy_ratio"], statistics.occupancy_ratio)
        row = {"time": state.time, "step_size": state.step_size, **row, **statistics.row()}
        row["occupancy_ratio_largest"] = largest
        _refuse_nan(row, self._observer)
        self._row = row
        if _first(state):
            self._first_gap = self._row["gap"]
        self._recorder.row(self._row)

    def _stop(self, state: FlowState) -> StopKind | None:
        until = self._until
        if until.time is not None and reached(state.time, until.time):
            return StopKind.TIME
        if until.gap is not None and self._observer.gap_within(until.gap, state.policy, state.evaluation):
            return StopKind.GAP
        if until.steps is not None and state.steps >= until.steps:
            return StopKind.STEPS
        return StopKind.WALL if self._wall_met() else None

    def _wall_met(self) -> bool:
        wall = self._until.wall
        return wall is not None and bool(self._slab.decided(self._seconds() >= wall))

    def watch(self) -> None:
        """Between the trials of a step: end the run if its time is up."""
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
            self._seconds(),
        )

    def _sentence(self, kind: StopKind, state: FlowState) -> str:
        gap, rate = self._row["gap"], self._row["rate_observed"]
        met = {
            StopKind.TIME: f"flow time {state.time:g} reached",
            StopKind.GAP: f"gap {gap:.3g} reached at flow time {state.time:.6g}",
            StopKind.STEPS: f"{state.steps} steps taken, at flow time {state.time:.6g}",
            StopKind.WALL: f"wall-clock limit of {self._until.wall or 0:g} s met at flow time {state.time:.6g}",
        }[kind]
        if kind is StopKind.GAP:
            return met
        asked, until = self._until.gap, self._until.time
        if until is not None and not reached(state.time, until):
            met += f", short of flow time {until:g}"
        missed = asked is not None and not gap <= asked
        if missed:
            met += f", the gap not reached: {gap:.3g} is above the {asked:.3g} asked for"
        # before, little progress is no sign of a stall; nor is it where the optimum moves, or cannot be reached
        begun = state.time > self._sweep and self._observer.reference.hard is None and state.parameters is None
        if kind is StopKind.TIME and begun and gap > 1e-6 * self._first_gap and rate * state.time < METASTABLE:
            return (
                f"{met}, in a metastable state: the gap {gap:.3g} falls at the rate {rate:.3g} only, "
                f"while the soft Bellman residual is {self._row['bellman_residual']:.3g}"
            )
        return met if missed else f"{met}, gap {gap:.3g}"


def _first(state: FlowState) -> bool:
    """Whether it is the first policy; states within the first step count no step, either."""
    return state.steps == 0 and not state.interpolated
