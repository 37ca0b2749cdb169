"""Going on with a run from its last checkpoint, bit for bit as if it had not been cut short.

What the two may differ in: the attributes ``wall_seconds``, ``compile_seconds``, ``run_id`` and ``resumed`` (how often
it was gone on with); the provenance, where the sources or packages changed and that was accepted; and the bytes
of the file, as HDF5 lays them out in the order of writing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from warnings import warn

from wpoflow.solver.flows.wasserstein import FLOWS, DescentStep
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.records.stop import StopKind
from wpoflow.solver.runs.checkpoint_files import CheckpointFolder, RunStart, identity
from wpoflow.solver.runs.evolve import Progress, carry_out
from wpoflow.solver.storage.atomic import OutputLock, RunFileError, check_output, final_path
from wpoflow.solver.storage.problem_arrays import problem_digest
from wpoflow.solver.storage.writer import open_run


def resume_run(
    mdp: GridMDP,
    output: str | os.PathLike[str],
    *,
    flow: str | DescentStep | None = None,
    progress: Callable[[Progress], None] | None = None,
    checkpoint: float | None = None,
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
    flow : DescentStep, optional
        The flow, for a run whose flow was a descent step of one's own.
    progress, checkpoint
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
    with OutputLock(output):
        folder = CheckpointFolder(output)
        start = folder.start()
        if (done := _done(output, start)) is not None:
            folder.remove()
            return done
        if start.problem != mdp.statement or (not mdp.statement and start.digest != problem_digest(mdp)):
            raise RunFileError(f"{folder.path}: the checkpoints are of another problem than the one given")
        if flow is None and start.settings.flow not in FLOWS:
            raise ValueError(f"flow: the run's was a {start.settings.flow}; give it to go on")
        check_output(output, force=True)
        return carry_out(mdp, start, flow or start.settings.flow, output, progress, None, folder, checkpoint, notice)


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
