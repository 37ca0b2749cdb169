"""``wpoflow run``: a problem in, a run file out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wpoflow.commands.outputs import files_read
from wpoflow.commands.prepare import Prepared, build, scheme_used
from wpoflow.commands.subject import naming_its_subject
from wpoflow.core.text import one_line
from wpoflow.exits import CommandError, Exit, describe, exit_status, warn
from wpoflow.problems.problem_file import ProblemFile, read_problem
from wpoflow.ranks import ending_together, joined, speaks
from wpoflow.solver.records.run import Run
from wpoflow.solver.storage.atomic import OutputLock, check_output, checkpoint_folder
from wpoflow.views.progress import BeforeFirstStep, ProgressView
from wpoflow.views.terminal import bytes_text, grid_line, path_text, show, sizes_line, summary, table

if TYPE_CHECKING:
    from wpoflow.core.communicator import Communicator
    from wpoflow.solver.runs.beginning import Beginning


@naming_its_subject
def main(
    *,
    asked: Mapping[str, Any],
    output: Path | None,
    quiet: bool,
    force: bool,
    checkpoint: float | None,
    initial: Path | None,
    mpi: bool | None,
) -> Exit:
    """Run the flow, write the run file, print how it went; started by ``mpiexec``, several processes share the run."""
    communicator = joined(mpi)
    with ending_together(communicator):
        quiet = quiet or not speaks(communicator)
        return _run(asked, output, quiet, force, checkpoint, initial, communicator)


def _run(
    asked: Mapping[str, Any],
    output: Path | None,
    quiet: bool,
    force: bool,
    checkpoint: float | None,
    initial: Path | None,
    communicator: Communicator | None,
) -> Exit:
    stated = read_problem(**asked)
    path = Path(f"{stated.name}.h5") if output is None else output
    if speaks(communicator):
        OutputLock(path).release()  # another run that is writing it is told before anything else
        check_output(path, force, files_read(asked))
    if initial is not None and speaks(communicator):
        _check_one_beginning(asked, initial, path)
    from wpoflow.solver.runs.compile_timer import CompileTimer

    with ExitStack() as stack:
        compiling = stack.enter_context(CompileTimer())
        waiting = None if quiet else stack.enter_context(BeforeFirstStep(lambda: compiling.kernel))
        prepared = build(stated, communicator)
        scheme_used(prepared, asked)
        beginning = None if initial is None else _beginning(prepared, initial)
        if not quiet:
            prepared.tell_doubts()
            begun = "" if beginning is None else f"\n  begins from {beginning.attributes['initial']}"
            show(before(prepared) + begun)
        criteria = stated.flow.until.criteria
        progress = None if waiting is None else stack.enter_context(ProgressView(criteria, waiting=waiting))
        from wpoflow.problems.resume import origin_of
        from wpoflow.solver.records.settings import Settings
        from wpoflow.solver.runs.evolve import run_settings

        settings = Settings(flow=stated.flow, record=stated.record, checkpoint=checkpoint)
        origin = origin_of(stated, asked["name_or_path"])
        try:
            done = run_settings(
                prepared.mdp,
                settings,
                output=path,
                force=force,
                progress=progress,
                origin=origin,
                beginning=beginning,
            )
        except OSError as error:
            raise mendable(error, path) from error
        except ValueError as error:
            # all else was checked when the file was read, but the gap's floor is known with the optimum only
            if not str(error).startswith("until: "):
                raise
            blamed = "--" if "until" in asked else f"{stated.label}: "
            raise CommandError(Exit.UNUSABLE, f"{blamed}{error}") from error
    return ended(done, stated, path, quiet, speaks(communicator))


def _check_one_beginning(asked: Mapping[str, Any], initial: Path, output: Path) -> None:
    """Raise CommandError if another first policy is asked for as well, or the run would replace the other.

    The density in the problem's own file is what a run begins from unless it is told to begin elsewhere.
    """
    from wpoflow.solver.runs.beginning import refuse_own_beginning

    if any(key in asked.get("set", {}) for key in ("initial", "initial.policy_density", "initial.policy_mean")):
        raise CommandError(
            Exit.UNUSABLE, f"--from {initial}: --set initial.policy_density is a first policy, too; give one of them"
        )
    try:
        refuse_own_beginning(output, initial)
    except ValueError as error:
        raise CommandError(Exit.UNUSABLE, f"--from {initial}: {error}") from error


def _beginning(prepared: Prepared, initial: Path) -> Beginning:
    from wpoflow.solver.flows.flow import as_flow
    from wpoflow.solver.runs.beginning import beginning_of

    asked = prepared.problem.flow
    try:
        return beginning_of(prepared.mdp, initial, as_flow(prepared.mdp, asked.kind, asked.parameters))
    except ValueError as error:
        raise CommandError(Exit.UNUSABLE, f"--from {error}") from error


def mendable(error: OSError, path: Path) -> Exception:
    """The error of a run that could not write, and how to go on where that is possible."""
    if isinstance(error, FileExistsError) or not checkpoint_folder(path).is_dir():
        return error
    return CommandError(
        exit_status(error), f"{describe(error)}; when that is mended, go on with: wpoflow resume {path}"
    )


def ended(done: Run, problem: ProblemFile, path: Path, quiet: bool, told: bool = True) -> Exit:
    """Print how a run went, and where it may be gone on with, unless another process tells it."""
    if not quiet:
        show(table([*summary(done), ("file", f"{path_text(path)} ({bytes_text(path.stat().st_size)})")]))
    if done.status == "complete" and done.reached_goal:
        return Exit.DONE
    kept = done.attributes["stop_kind"] in ("interrupted", "wall") and checkpoint_folder(path).is_dir()
    hint = f"; go on with: wpoflow resume {path}" if kept else ""
    if told:
        warn(f"{problem.label}: {done.stop_reason}{hint}")
    return Exit.INTERRUPTED if done.status == "interrupted" else Exit.SHORT_OF_GOAL


def before(prepared: Prepared) -> str:
    """What is about to be run, in a few lines."""
    from wpoflow.grids.transitions.base import in_words

    mdp, needed, shared = prepared.mdp, prepared.estimate.needed, ""
    if mdp.slab.ranks > 1:
        needed, shared = needed // mdp.slab.ranks, f" in each of {mdp.slab.ranks} processes"
    return "\n".join(
        [
            one_line(prepared.problem.title),
            f"  {sizes_line(mdp.states.size, mdp.actions.size)}: {grid_line(mdp.states) or 'one state'}; "
            f"{grid_line(mdp.actions)}",
            f"  {in_words(mdp.transition)}; about {bytes_text(needed)} of memory{shared}",
        ]
    )
