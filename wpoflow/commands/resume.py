"""``wpoflow resume``: on with a run that was cut short."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from wpoflow.cli import use_threads
from wpoflow.commands.prepare import build
from wpoflow.commands.run import before, ended, mendable
from wpoflow.exits import CommandError, Exit
from wpoflow.views.progress import BeforeFirstStep, ProgressView
from wpoflow.views.terminal import show


def main(*, file: Path, anyway: bool, checkpoint: float | None, threads: int | None, quiet: bool) -> Exit:
    """Go on from the last checkpoint, write the run file, print how it went."""
    use_threads(threads)
    from wpoflow.problems.resume import problem_of, read_start
    from wpoflow.solver.runs.checkpoint_files import CheckpointFolder
    from wpoflow.solver.runs.compile_timer import CompileTimer
    from wpoflow.solver.runs.resume import finished, resume_run

    if (done := finished(file)) is not None:
        if not quiet:
            show(f"{file} is complete: {done.stop_reason}; there is nothing to go on with")
        return Exit.DONE
    start = read_start(file, anyway)
    if not start.problem:
        raise CommandError(
            Exit.UNUSABLE, f"{file}: its problem was stated in Python: go on there, with wpoflow.resume(..., mdp=...)"
        )
    stated = problem_of(start)
    with ExitStack() as stack:
        compiling = stack.enter_context(CompileTimer())
        waiting = None if quiet else stack.enter_context(BeforeFirstStep(lambda: compiling.busy))
        prepared = build(stated, threads)
        if not quiet:
            newest = CheckpointFolder(file).newest(prepared.mdp, start.settings.scheme)
            where = "the beginning" if newest is None else f"flow time {newest.memory['flow.time']:.6g}"
            newest = None  # its arrays are many
            show(f"{before(prepared)}\n  going on from {where}")
        criteria = dict(start.settings.until)
        progress = None if waiting is None else stack.enter_context(ProgressView(criteria, waiting=waiting))
        try:
            done = resume_run(prepared.mdp, file, progress=progress, checkpoint=checkpoint, notice=_notice)
        except OSError as error:
            raise mendable(error, file) from error
    return ended(done, stated, file, quiet)


def _notice(text: str) -> None:
    print(f"wpoflow: {text}", file=sys.stderr)
