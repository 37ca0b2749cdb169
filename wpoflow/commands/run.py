"""``wpoflow run``: a problem in, a run file out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

from problems.problem_file import ProblemFile
from solver.run_file import check_output
from views.terminal import ProgressView, bytes_text, grid_line, show, sizes_line, summary, table
from wpoflow.commands.prepare import Prepared, build, read
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
    prepared = build(stated, threads)
    if not quiet:
        show(_before(prepared))
    from solver.evolve import evolve

    criteria = stated.flow.until.criteria
    record = stated.record.model_dump(exclude_none=True)
    with nullcontext() if quiet else ProgressView(criteria) as progress:
        try:
            done = evolve(
                prepared.mdp,
                until=criteria,
                step=stated.flow.step,
                accuracy=stated.flow.accuracy,
                scheme=stated.flow.scheme,
                flow=stated.flow.kind,
                series=record["series"],
                snapshots=record["snapshots"],
                output=path,
                force=force,
                progress=progress,
            )
        except ValueError as error:
            raise CommandError(Exit.UNUSABLE, f"{stated.label}: {error}") from error
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
