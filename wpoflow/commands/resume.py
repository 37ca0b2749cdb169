"""``wpoflow resume``: on with a run that was cut short."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from wpoflow.commands.prepare import build
from wpoflow.commands.run import before, ended, mendable
from wpoflow.commands.subject import naming_its_subject
from wpoflow.exits import CommandError, Exit, warn
from wpoflow.ranks import ending_together, joined, speaks
from wpoflow.views.progress import BeforeFirstStep, ProgressView
from wpoflow.views.terminal import path_text, show

if TYPE_CHECKING:
    from wpoflow.core.communicator import Communicator


@naming_its_subject
def main(
    *,
    file: Path,
    anyway: bool,
    until: Mapping[str, float] | None,
    checkpoint: float | None,
    quiet: bool,
    mpi: bool | None,
) -> Exit:
    """Go on from the last checkpoint, write the run file, print how it went; see `wpoflow.commands.run.main`."""
    communicator = joined(mpi)
    with ending_together(communicator):
        return _resume(file, anyway, until, checkpoint, quiet or not speaks(communicator), communicator)


def _resume(
    file: Path,
    anyway: bool,
    until: Mapping[str, float] | None,
    checkpoint: float | None,
    quiet: bool,
    communicator: Communicator | None,
) -> Exit:
    from wpoflow.problems.resume import prepare, problem_of
    from wpoflow.solver.runs.compile_timer import CompileTimer
    from wpoflow.solver.runs.resume import resume_run
    from wpoflow.solver.storage.checkpoints import CheckpointFolder
    from wpoflow.solver.storage.writer import open_run

    start = None
    if speaks(communicator):
        try:
            start = prepare(file, until=until, checkpoint=checkpoint, anyway=anyway)
        except ValueError as error:
            raise CommandError(Exit.UNUSABLE, f"--{error}") from error
    if communicator is not None:
        start = communicator.decided(start)
    if start is None:
        done = open_run(file)
        if not quiet:
            show(f"{path_text(file)} is complete: {done.stop_reason}; to extend it, say --until")
        return Exit.DONE if done.reached_goal else Exit.SHORT_OF_GOAL
    if not start.problem:
        raise CommandError(
            Exit.UNUSABLE, f"{file}: its problem was stated in Python: go on there, with wpoflow.resume(..., mdp=...)"
        )
    stated = problem_of(start)
    with ExitStack() as stack:
        compiling = stack.enter_context(CompileTimer())
        waiting = None if quiet else stack.enter_context(BeforeFirstStep(lambda: compiling.kernel))
        prepared = build(stated, communicator)
        if not quiet:
            newest = CheckpointFolder(file, communicator is not None).newest()
            where = "the beginning" if newest is None else f"flow time {newest.arrays['flow.time']:.6g}"
            newest = None  # its arrays are many
            show(f"{before(prepared)}\n  going on from {where}")
        criteria = start.settings.flow.until.criteria
        progress = None if waiting is None else stack.enter_context(ProgressView(criteria, waiting=waiting))
        try:
            done = resume_run(prepared.mdp, file, progress=progress, notice=warn)
        except OSError as error:
            raise mendable(error, file) from error
        except ValueError as error:
            if not str(error).startswith("until: "):
                raise
            raise CommandError(Exit.UNUSABLE, f"{file}: {error}") from error
    return ended(done, stated, file, quiet, speaks(communicator))
