"""Going on with a run from its last checkpoint, bit for bit as if it had not been cut short; extending one that ended.

What the two may differ in: the attributes ``wall_seconds``, ``compile_seconds``, ``run_id`` and ``resumed`` (how often
it was gone on with); the provenance, where the sources or packages changed and that was accepted; and the bytes
of the file, as HDF5 lays them out in the order of writing.

A run that ended keeps the state after its last step in its file.  Extended, it takes the steps of a run that was to end
later, where these do not depend on the end, as those do that are cut to land on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import fields, replace
from warnings import catch_warnings, simplefilter, warn

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.slabs import Slab
from wpoflow.solver.flows.flow import AnyFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.flow_table import FlowTable, UntilTable
from wpoflow.solver.records.notices import RunFileWarning
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.solver.records.settings import Until
from wpoflow.solver.records.stop import StopKind
from wpoflow.solver.runs.conduct import conduct, refuse_gap_below_floor, refuse_too_cold
from wpoflow.solver.runs.loop import Progress
from wpoflow.solver.storage.atomic import OutputLock, RunFileError, check_output, final_path
from wpoflow.solver.storage.checkpoints import (
    Checkpoint,
    CheckpointFolder,
    RunStart,
    SendingFolder,
    checkpoint_of,
    identity,
    of_this_run,
)
from wpoflow.solver.storage.problem_arrays import problem_digest
from wpoflow.solver.storage.sealed_arrays import read_end_state
from wpoflow.solver.storage.writer import open_run


def resume_run(
    mdp: GridMDP,
    output: str | os.PathLike[str],
    *,
    flow: AnyFlow | None = None,
    progress: Callable[[Progress], None] | None = None,
    notice: Callable[[str], None] = warn,
) -> Run:
    """Go on with a run from its last checkpoint.

    The limit on wall time counts anew; all else is as if the run had not been cut short.

    Parameters
    ----------
    mdp : GridMDP
        The problem of the run.
    output : path
        The run file; the checkpoints are beside it.
    flow : Flow or DescentStep, optional
        The flow, for a run whose flow was an object.
    progress
        As for `evolve`.
    notice : callable
        Told, in a sentence, of a checkpoint that is damaged and passed over for the one before; by default a warning.

    Raises
    ------
    RunFileError
        There is no checkpoint, or none that is whole, or it is of another problem.
    FileExistsError
        Another run is writing the file, or it is one that this run was not to replace.
    ValueError
        The flow is not given.
    """
    slab = mdp.slab
    with OutputLock(output) if slab.root else nullcontext():
        folder = CheckpointFolder(output, slab.ranks > 1)
        start, done = None, None
        if slab.root:
            start = folder.start()
            if (done := _done(output, start)) is not None:
                folder.remove()
        start, over = slab.decided((start, done is not None))
        if over:
            return open_run(output) if done is None else done
        if start.problem != mdp.statement or (not mdp.statement and start.digest != problem_digest(mdp)):
            raise RunFileError(f"{folder.path}: the checkpoints are of another problem than the one given")
        if flow is None and start.settings.own_flow:
            raise ValueError(f"flow: the run's was a {start.settings.own_flow}; give it to go on")
        last, optimum, first = _kept(output, folder, start, notice) if slab.root else (None, None, None)
        last = _shared_checkpoint(slab, last)
        shared = slab.shared(None if optimum is None else vars(optimum))
        begun = slab.shared(first)
        return conduct(
            mdp,
            start,
            flow or start.settings.flow.kind,
            output=output,
            progress=progress,
            optimum=None if shared is None else Optimum(**shared),
            folder=folder if slab.root else SendingFolder(),
            last=last,
            resumed=1 + (0 if last is None else last.arrays["resumed"]),
            initial=begun,
        )


def _kept(
    output: str | os.PathLike[str], folder: CheckpointFolder, start: RunStart, notice: Callable[[str], None]
) -> tuple[Checkpoint | None, Optimum | None, dict[str, FloatArray] | None]:
    """The last checkpoint that is whole, the optimum and the first policy; errors as `resume_run`."""
    check_output(output, force=True)
    last = folder.newest()
    if last is not None:
        folder.check_kept(last)
        if last.passed_over:
            notice(f"{last.passed_over}; going on from the checkpoint before it")
    initial = folder.initial()
    if start.initial and initial is None and last is None:
        raise RunFileError(f"{folder.path / 'initial.npz'}: No such file or directory")
    return last, folder.optimum(), initial


def _shared_checkpoint(slab: Slab, last: Checkpoint | None) -> Checkpoint | None:
    """A checkpoint that the root has read, on all processes with the rows of their states."""
    arrays = slab.shared(None if last is None else last.arrays)
    found = slab.decided(None if last is None else replace(last, arrays={}))
    return None if found is None or arrays is None else replace(found, arrays=arrays)


def change(
    output: str | os.PathLike[str],
    until: Until | None = None,
    checkpoint: float | None = None,
    accept: Callable[[RunStart], None] = lambda start: None,
) -> RunStart | None:
    """Give a run other stop criteria or another time between checkpoints, for when it is gone on with.

    Of a run that has ended the checkpoint folder is made again from its file.

    Parameters
    ----------
    output : path
    until, checkpoint
        As for `evolve`.
    accept : callable
        Told what the run began with before anything is written; what it raises leaves all as it is.

    Returns
    -------
    RunStart or None
        What it goes on with; None of a run that has ended and is not to be extended.

    Raises
    ------
    RunFileError
        Run file or checkpoints are damaged, or the file holds no state to extend the run from.
    FileExistsError
        Another run is writing the file.
    ValueError
        What cannot be asked for, or is met already.
    """
    if (done := finished(output)) is not None:
        if until is None:
            return None
        return _reopened(output, done, until, checkpoint, accept)
    with OutputLock(output):
        folder = CheckpointFolder(output)
        start = folder.start()
        changed = replace(start, settings=start.settings.changed(until, checkpoint))
        if (optimum := folder.optimum()) is not None:
            _refuse_out_of_reach(changed.settings.flow, optimum)
        accept(start)
        if changed != start:
            folder.keep_start(changed)
        return changed


def _reopened(
    output: str | os.PathLike[str],
    run: Run,
    until: Until,
    checkpoint: float | None,
    accept: Callable[[RunStart], None],
) -> RunStart:
    """The checkpoint folder of a run that has ended, made again."""
    path = final_path(output)
    found = read_end_state(path)
    kept = run.snapshots
    if found is None or run.optimum is None or kept is None:
        why = "" if found is not None else "; a program that opens the file for writing cuts it off"
        raise RunFileError(f"{output}: holds no state to extend the run from{why}")
    names = {field.name for field in fields(RunStart)}
    with of_this_run(path):
        start = RunStart.of({name: found.pop(name) for name in names & found.keys()})
        last = checkpoint_of(found, number=1)
    settings = start.settings.changed(until, checkpoint)
    _refuse_what_is_met(run, settings.flow.until)
    _refuse_out_of_reach(settings.flow, run.optimum)
    accept(start)
    start = replace(start, settings=settings, replaces=identity(output))
    with OutputLock(output):
        folder = CheckpointFolder(output)
        begun = run.problem_arrays.get("initial_policy") if start.initial else None
        first = None if begun is None else {"policy": begun.astype(np.float64, copy=False)}
        folder.begin(start, run.optimum, first)
        for index in range(last.snapshots):
            value, policy = kept.value_at(index), kept.policy_at(index)
            parameters = {name: kept.parameter(name, index).reshape(len(value), -1) for name in kept.parameters}
            folder.keep_snapshot(index, float(kept.time[index]), value, policy, parameters)
        folder.keep_state(last)
    return start


def _refuse_out_of_reach(flow: FlowTable, optimum: Optimum) -> None:
    """Raise ValueError if a gap or a time is asked for that the run cannot get to."""
    refuse_gap_below_floor(flow.until, optimum)
    try:
        refuse_too_cold(optimum.temperature, flow)
    except ValueError as error:
        raise ValueError(f"until: {error}") from error


def _refuse_what_is_met(run: Run, until: UntilTable) -> None:
    """Raise ValueError if a criterion would stop the run where it is."""
    time, gap, steps = run.series["time"][-1], run.series["gap"][-1], run.attributes["steps"]
    for name, asked, met in (
        ("time", until.time, until.time is not None and until.time <= time),
        ("gap", until.gap, until.gap is not None and until.gap >= gap),
        ("steps", until.steps, until.steps is not None and until.steps <= int(steps)),
    ):
        if met:
            raise ValueError(
                f"until: {name} = {asked:g} is met already: the run ended at time {time:g} with gap {gap:.3g} "
                f"after {steps} steps"
            )


def finished(output: str | os.PathLike[str]) -> Run | None:
    """The run, if there is nothing left to go on with; checkpoints that were not removed any more are.

    Raises
    ------
    RunFileError
        Run file or checkpoints are damaged.
    FileExistsError
        Another run is writing the file, or it is not of the run whose checkpoints are beside it.
    """
    with OutputLock(output):
        folder = CheckpointFolder(output)
        there = final_path(output).is_file()
        if folder.path.is_dir() and (folder.begun or not there):
            done = _done(output, folder.start())
        else:
            with catch_warnings():  # of a seal that was cut: said where the run is used
                simplefilter("ignore", RunFileWarning)
                done = _complete(open_run(output)) if there else None
        if done is not None:
            folder.remove()
        return done


def _complete(run: Run) -> Run | None:
    """The run, if it is complete, and not by a limit on wall time."""
    return run if run.status == "complete" and run.attributes.get("stop_kind") != StopKind.WALL.value else None


def _done(output: str | os.PathLike[str], start: RunStart) -> Run | None:
    """The run that began so, if it is complete; raises if what would be replaced is neither its nor was to be."""
    if not os.path.lexists(final_path(output)) or identity(output) == start.replaces:
        return None
    try:
        run = open_run(output)
    except RunFileError as error:
        raise RunFileError(f"{error}; move it away to go on from the checkpoints beside it") from error
    if run.attributes.get("run_id") != start.run_id:
        raise FileExistsError(f"{output} is not of the run whose checkpoints are beside it; move one of them away")
    return _complete(run)
