"""``wpoflow run``: a problem in, a run file out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from problems.problem_file import ProblemFile
from solver.output_path import check_output
from views.progress import BeforeFirstStep, ProgressView
from views.terminal import bytes_text, grid_line, show, sizes_line, summary, table
from wpoflow.cli import use_threads
from wpoflow.commands.prepare import Prepared, build, read, refuse_gap_below_rounding, scheme_used
from wpoflow.exits import CommandError, Exit


def main(
    *,
    problem: str,
    cells: Mapping[str, int],
    overrides: Mapping[str, str],
    output: Path | None,
    threads: int | None,
    quiet: bool,
    force: bool,
    until: Mapping[str, float] | None,
    scheme: str | None,
    step: float | None,
    accuracy: float | None,
    flow: str | None,
) -> Exit:
    """Run the flow, write the run file, print how it went."""
    stated = read(problem, cells, overrides, until=until, scheme=scheme, step=step, accuracy=accuracy, flow=flow)
    path = Path(f"{stated.name}.h5") if output is None else output
    check_output(path, force)
    use_threads(threads)
    from solver.compile_timer import CompileTimer

    criteria = stated.flow.until.criteria
    record = stated.record.model_dump(exclude_none=True)
    with ExitStack() as stack:
        compiling = stack.enter_context(CompileTimer())
        waiting = None if quiet else stack.enter_context(BeforeFirstStep(lambda: compiling.busy))
        prepared = build(stated, threads)
        refuse_gap_below_rounding(prepared, until)
        used = scheme_used(prepared, scheme)
        if not quiet:
            show(_before(prepared))
        progress = None if waiting is None else stack.enter_context(ProgressView(criteria, waiting=waiting))
        from solver.evolve import evolve

        try:
            done = evolve(
                prepared.mdp,
                until=criteria,
                step=stated.flow.step,
                accuracy=stated.flow.accuracy,
                scheme=used,
                flow=stated.flow.kind,
                series=record["series"],
                snapshots=record["snapshots"],
                output=path,
                force=force,
                progress=progress,
            )
        except ValueError as error:
            # all else was checked when the file was read, but the gap's floor is known with the optimum only
            if not str(error).startswith("until: "):
                raise
            blamed = "--" if until is not None and str(error).startswith("until: ") else f"{stated.label}: "
            raise CommandError(Exit.UNUSABLE, f"{blamed}{error}") from error
    if not quiet:
        show(table([*summary(done), ("file", f"{path} ({bytes_text(path.stat().st_size)})")]))
    return _status(stated, str(done.attributes["status"]), bool(done.attributes["reached_goal"]), done.stop_reason)


def _before(prepared: Prepared) -> str:
    mdp, expected = prepared.mdp, prepared.estimate
    return "\n".join(
        [
            f"{prepared.problem.title}",
            f"  {sizes_line(mdp.states.size, mdp.actions.size)}: {grid_line(mdp.states) or 'one state'}; "
            f"{grid_line(mdp.actions)}",
            f"  {mdp.transition.description}; about {bytes_text(expected.needed)} of memory",
        ]
    )


def _status(problem: ProblemFile, status: str, reached_goal: bool, reason: str) -> Exit:
    if status == "complete" and reached_goal:
        return Exit.DONE
    print(f"wpoflow: {problem.label}: {reason}", file=sys.stderr)
    return Exit.INTERRUPTED if status == "interrupted" else Exit.SHORT_OF_GOAL
