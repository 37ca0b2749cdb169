"""What beginning and going on have in common: the flow observed, recorded, checkpointed and stopped."""

from __future__ import annotations

import json
import math
import os
import time as clock
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import Any

from wpoflow.core.arrays import FloatArray, underflow_to_zero
from wpoflow.core.slabs import Slab
from wpoflow.solver.arithmetic.annealing import Annealing
from wpoflow.solver.arithmetic.blas import one_blas_thread
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.flow import AnyFlow, as_flow
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.solver.mdp import GridMDP, TooColdError, check_temperature
from wpoflow.solver.records.flow_table import FlowTable, UntilTable
from wpoflow.solver.records.likeness import check_like
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.solver.records.schedule import landings, series_times, snapshot_times
from wpoflow.solver.records.settings import Settings
from wpoflow.solver.records.stop import FAILURES, StopKind
from wpoflow.solver.runs.checkpointing import Checkpoints
from wpoflow.solver.runs.compile_timer import CompileTimer
from wpoflow.solver.runs.loop import OCCUPANCY, OF_FLOW, OF_STEPS, REFERENCE, Progress, RunLoop, part_of
from wpoflow.solver.runs.monitor import StepStatistics
from wpoflow.solver.runs.observables import Observer
from wpoflow.solver.runs.recorder import Recorder
from wpoflow.solver.runs.reference import AnnealedReference, Reference
from wpoflow.solver.runs.signals import StopSignals
from wpoflow.solver.schemes.trajectory import flow as iterate_flow
from wpoflow.solver.storage.checkpoints import (
    AnyFolder,
    Checkpoint,
    CheckpointFolder,
    RunStart,
    content_of,
    of_this_run,
)
from wpoflow.solver.storage.room import check_disk_space
from wpoflow.solver.storage.writer import spread_optimum

SPENT = ("wall_seconds", "compile_seconds")


@underflow_to_zero
def conduct(
    mdp: GridMDP,
    start: RunStart,
    flow: AnyFlow,
    *,
    output: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    optimum: Optimum | None = None,
    folder: AnyFolder | None = None,
    last: Checkpoint | None = None,
    resumed: int = 0,
    initial: Mapping[str, FloatArray] | None = None,
) -> Run:
    """Carry a run out, from its start or from its ``last`` checkpoint, to its end; see `solver.runs.evolve`.

    Parameters
    ----------
    mdp : GridMDP
    start : RunStart
        What it began with.
    flow : str, Flow or DescentStep
    output, progress, optimum
        As for `evolve`.
    folder : CheckpointFolder, optional
        Where checkpoints are kept; none are without one.  What an earlier run left there stays until all of this one
        is known to be possible, and kept.
    last : Checkpoint, optional
        Where to go on from.
    resumed : int
        How often the run was gone on with, this time included.
    initial : mapping of arrays (S, n), optional
        First ``policy`` (S, A) instead of the problem's own, with what it is made of (`Beginning.arrays`).
    """
    taken = dict(initial or {})
    if taken:  # of which the attributes tell, beside the text of the problem
        policy = taken.pop("policy")
        mdp = replace(mdp, initial_policy=policy, initial_gaussians=None).stated_by(mdp.statement)
    settings, until, slab = start.settings, start.settings.flow.until, mdp.slab
    started = clock.monotonic()
    spent = {name: 0.0 if last is None else last.arrays[name] for name in SPENT}
    with ExitStack() as stack:
        compiling = stack.enter_context(CompileTimer())
        stack.enter_context(one_blas_thread())  # once for all solves: to look what it is set to takes as long as one
        signals = stack.enter_context(StopSignals())
        followed = as_flow(mdp, flow, settings.flow.parameters)
        keeping = None if settings.checkpoint == math.inf else folder
        if output is not None and slab.root:
            most = len(snapshot_times(settings.record, until.time)) + 1 + bool(start.initial)
            kept = keeping.bytes_kept() if isinstance(keeping, CheckpointFolder) and resumed else 0
            numbers = mdp.actions.size + followed.kept_numbers(mdp.actions, **followed.parameters)
            check_disk_space(output, mdp.states.size * numbers, most, None if keeping is None else kept)
        begun = resumed > 0
        there = slab.decided(isinstance(keeping, CheckpointFolder) and keeping.path.exists())
        if keeping is not None and not begun and not there:
            _begin(keeping, slab, start, optimum, initial)  # so that a run killed early, too, can be gone on with
            begun = True
        stopped: list[StopKind] = []
        if folder is not None and begun:
            stack.callback(_remove_unless_begun, folder, stopped)
        if optimum is None:
            optimum = solve_optimum(mdp, linear_solver=settings.linear_solver, nested=False)
        refuse_gap_below_floor(until, optimum)
        if keeping is not None and not begun:
            _begin(keeping, slab, start, optimum, initial)
            stack.callback(_remove_unless_begun, keeping, stopped)
        whose: dict[str, str | int | float] = {"run_id": start.run_id, "resumed": resumed, **start.initial}
        lengths = followed.lengths if isinstance(followed, ParametricFlow) else None
        recorder = stack.enter_context(Recorder(mdp, output, force=True, attributes=whose, lengths=lengths))
        optimum = recorder.optimum(optimum)
        for row in [] if last is None else last.rows:
            recorder.row(row)
        for index in range(0 if last is None else last.snapshots):
            assert folder is not None
            found = folder.snapshot(index) if isinstance(folder, CheckpointFolder) else None
            time, value = slab.decided(None if found is None else found[:2])
            recorder.stored_snapshot(time, value, *((value, None) if found is None else found[2:]))

        def spending() -> dict[str, float]:
            seconds = clock.monotonic() - started, compiling.seconds
            return {name: spent[name] + now for name, now in zip(SPENT, seconds, strict=True)} | {"resumed": resumed}

        checkpoints = None if keeping is None else Checkpoints(keeping, recorder, settings.checkpoint, last, slab)
        annealing, known = annealing_of(mdp.temperature, settings.flow), {} if last is None else last.arrays
        reference = Reference(optimum)
        if annealing is not None:
            hard = solve_optimum(mdp, temperature=0.0, linear_solver=settings.linear_solver, nested=False)
            reference = AnnealedReference(optimum, hard, settings.linear_solver, known.get(REFERENCE))
        observer = Observer(mdp, reference, followed, known.get(OCCUPANCY))
        known_by = folder.path if last is not None and isinstance(folder, CheckpointFolder) else None
        with nullcontext() if known_by is None else of_this_run(known_by):
            statistics = None if last is None else _statistics(last)
            loop = RunLoop(
                mdp,
                optimum,
                observer,
                until,
                recorder,
                lambda: clock.monotonic() - started - compiling.seconds,
                signals,
                progress,
                checkpoints,
                spending,
                statistics,
            )
            states = iterate_flow(
                mdp,
                step=settings.flow.step,
                accuracy=settings.flow.accuracy,
                scheme=settings.flow.scheme,
                flow=followed,
                landings=landings(settings),
                kept=taken,
                linear_solver=settings.linear_solver,
                weights=optimum.occupancy + mdp.rho,
                watch=loop.watch,
                resume=None if last is None else part_of(last.arrays, OF_FLOW),
                anneal=annealing,
            )
        last, known = None, {}  # its arrays are many, and have been taken up
        kind, sentence = loop.run(
            states, series_times(settings.record.series), snapshot_times(settings.record, until.time)
        )
        stopped.append(kind)
        signals.heard = kind is StopKind.INTERRUPTED
        status = "failed" if kind in FAILURES else "interrupted" if kind is StopKind.INTERRUPTED else "complete"
        ended = status == "complete" and kind is not StopKind.WALL
        end_state = None
        if ended and output is not None:
            end_state = {**start.texts(), **content_of(loop.checkpoint())}
        attributes: dict[str, str | int | float] = {
            "stop_kind": kind.value,
            "reached_goal": int(loop.reached_goal(kind)),
            **spending(),
            **loop.counters(),
            **run_attributes(settings),
        }
        if followed.remark:
            attributes["remark"] = followed.remark
        if settings.flow.step is None:
            attributes["accuracy_floor"] = loop.error_floor
        run = recorder.close(status, sentence, attributes, end_state)
        if folder is not None and (ended or keeping is None):
            folder.remove()
        return run


def run_attributes(settings: Settings) -> dict[str, str | float]:
    """What a run was asked for, as attributes of its file."""
    table = settings.flow
    lengths = {"accuracy": table.accuracy, "step": table.step}
    return {
        "scheme": settings.scheme_used,
        "flow": settings.flow_name,
        "flow_parameters": json.dumps(settings.flow_parameters),
        "bellman_solver": settings.linear_solver or "",
        **{name: value for name, value in lengths.items() if value is not None},
    }


def _statistics(last: Checkpoint) -> StepStatistics:
    """Of the steps since the last row; raises ValueError where they cannot be."""
    found = part_of(last.arrays, OF_STEPS)
    check_like(found, vars(StepStatistics()))
    return StepStatistics(**found)


def annealing_of(temperature: float, flow: FlowTable) -> Annealing | None:
    """How the temperature falls from that of the problem; None if it does not."""
    return None if flow.anneal is None else Annealing(flow.anneal.schedule, flow.anneal.rate, temperature)


def refuse_too_cold(temperature: float, flow: FlowTable) -> None:
    """Raise ValueError if a temperature that falls would be none at the time that is asked for."""
    annealing, time = annealing_of(temperature, flow), flow.until.time
    if annealing is not None and time is not None:
        try:
            check_temperature(annealing.temperature(time))
        except TooColdError as error:
            raise ValueError(f"anneal: at flow time {time:g} the {error}") from error


def refuse_gap_below_floor(until: UntilTable, optimum: Optimum) -> None:
    """Raise ValueError if the gap to stop at is smaller than it can be known."""
    if until.gap is not None and until.gap < optimum.gap_floor:
        raise ValueError(
            f"until: gap = {until.gap:.3g} lies below this problem's rounding floor {optimum.gap_floor:.3g}"
        )


def _begin(
    folder: AnyFolder,
    slab: Slab,
    start: RunStart,
    optimum: Optimum | None,
    initial: Mapping[str, FloatArray] | None,
) -> None:
    """Keep what a new run begins with."""
    first: Any = None if initial is None else {name: slab.spread(array) for name, array in initial.items()}
    folder.begin(start, None if optimum is None else spread_optimum(slab, optimum), first)


def _remove_unless_begun(folder: AnyFolder, stopped: Sequence[StopKind]) -> None:
    """Leave no checkpoints of a run that failed before it had one: beginning anew is as good.

    One that was only stopped, within its first step, has a file, and is gone on with from the beginning.
    """
    if not folder.states() and not set(stopped) & {StopKind.WALL, StopKind.INTERRUPTED}:
        folder.remove()
