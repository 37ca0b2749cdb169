"""What beginning and going on have in common: the flow observed, recorded, checkpointed and stopped."""

from __future__ import annotations

import math
import os
import time as clock
from collections.abc import Callable
from contextlib import ExitStack, nullcontext

from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.flow import AnyFlow, as_flow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.likeness import check_like
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.solver.records.schedule import landings, series_times, snapshot_times
from wpoflow.solver.records.settings import Settings
from wpoflow.solver.records.stop import FAILURES, StopKind
from wpoflow.solver.runs.checkpointing import Checkpoints
from wpoflow.solver.runs.compile_timer import CompileTimer
from wpoflow.solver.runs.loop import OCCUPANCY, OF_FLOW, OF_STEPS, Progress, RunLoop, part_of
from wpoflow.solver.runs.monitor import StepStatistics
from wpoflow.solver.runs.observables import Observer
from wpoflow.solver.runs.recorder import Recorder
from wpoflow.solver.runs.signals import StopSignals
from wpoflow.solver.schemes.trajectory import flow as iterate_flow
from wpoflow.solver.storage.checkpoints import Checkpoint, CheckpointFolder, RunStart, content_of, of_this_run
from wpoflow.solver.storage.room import check_disk_space

SPENT = ("wall_seconds", "compile_seconds")


def conduct(
    mdp: GridMDP,
    start: RunStart,
    flow: AnyFlow,
    *,
    output: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    optimum: Optimum | None = None,
    folder: CheckpointFolder | None = None,
    last: Checkpoint | None = None,
    resumed: int = 0,
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
        Where checkpoints are kept; none are without one.
    last : Checkpoint, optional
        Where to go on from.
    resumed : int
        How often the run was gone on with, this time included.
    """
    settings, until = start.settings, start.settings.flow.until
    started = clock.monotonic()
    spent = {name: 0.0 if last is None else last.arrays[name] for name in SPENT}
    with ExitStack() as stack:
        compiling = stack.enter_context(CompileTimer())
        signals = stack.enter_context(StopSignals())
        keeping = None if settings.checkpoint == math.inf else folder
        if folder is not None:
            stack.callback(_remove_unless_begun, folder)
        if output is not None:
            most = len(snapshot_times(settings.record, until.time)) + 1
            kept = None if keeping is None else keeping.bytes_kept()
            check_disk_space(output, mdp.initial_policy.size, most, kept)
        whose: dict[str, str | int | float] = {"run_id": start.run_id, "resumed": resumed}
        recorder = stack.enter_context(Recorder(mdp, output, force=True, attributes=whose))
        if optimum is None:
            optimum = solve_optimum(mdp, linear_solver=settings.linear_solver)
        if until.gap is not None and until.gap < optimum.gap_floor:
            recorder.discard()
            raise ValueError(
                f"until: gap = {until.gap:.3g} lies below this problem's rounding floor {optimum.gap_floor:.3g}"
            )
        recorder.optimum(optimum)
        for row in [] if last is None else last.rows:
            recorder.row(row)
        for index in range(0 if last is None else last.snapshots):
            assert folder is not None
            recorder.snapshot(*folder.snapshot(index))

        def spending() -> dict[str, float]:
            seconds = clock.monotonic() - started, compiling.seconds
            return {name: spent[name] + now for name, now in zip(SPENT, seconds, strict=True)} | {"resumed": resumed}

        checkpoints = None if keeping is None else Checkpoints(keeping, recorder, settings.checkpoint, last)
        followed = as_flow(mdp, flow)
        observer = Observer(mdp, optimum, followed, None if last is None else last.arrays.get(OCCUPANCY))
        with nullcontext() if last is None or folder is None else of_this_run(folder.path):
            statistics = None if last is None else _statistics(last)
            loop = RunLoop(
                mdp,
                optimum,
                observer,
                until,
                recorder,
                started,
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
                linear_solver=settings.linear_solver,
                weights=optimum.occupancy + mdp.rho,
                watch=loop.watch,
                resume=None if last is None else part_of(last.arrays, OF_FLOW),
            )
        last = None  # its arrays are many, and have been taken up
        kind, sentence = loop.run(
            states, series_times(settings.record.series), snapshot_times(settings.record, until.time)
        )
        status = "failed" if kind in FAILURES else "interrupted" if kind is StopKind.INTERRUPTED else "complete"
        ended = status == "complete" and kind is not StopKind.WALL
        end_state = None
        if ended and folder is not None:
            end_state = {**start.texts(), **content_of(loop.checkpoint())}
        attributes = {
            "stop_kind": kind.value,
            "reached_goal": int(kind in (StopKind.TIME, StopKind.GAP) or not until.has_goal),
            **spending(),
            **loop.counters(),
            **run_attributes(settings),
        }
        run = recorder.close(status, sentence, attributes, end_state)
        if folder is not None and ended:
            folder.remove()
        return run


def run_attributes(settings: Settings) -> dict[str, str]:
    """What a run was asked for, as attributes of its file."""
    table = settings.flow
    length = {"accuracy": repr(table.accuracy)} if table.step is None else {"step": repr(table.step)}
    return {
        "scheme": table.scheme,
        "flow": settings.flow_name,
        "bellman_solver": settings.linear_solver or "",
        **length,
    }


def _statistics(last: Checkpoint) -> StepStatistics:
    """Of the steps since the last row; raises ValueError where they cannot be."""
    found = part_of(last.arrays, OF_STEPS)
    check_like(found, vars(StepStatistics()))
    return StepStatistics(**found)


def _remove_unless_begun(folder: CheckpointFolder) -> None:
    """Leave no checkpoints of a run that ended before it had one: beginning anew is as good."""
    if not folder.states():
        folder.remove()
