"""``wpoflow refine``: how the numbers of a run converge as its grids and steps are refined."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wpoflow.commands.outputs import check_report, files_read
from wpoflow.commands.plot import check_figure, write_figure
from wpoflow.commands.subject import naming_its_subject
from wpoflow.compiling import telling_of_compiling
from wpoflow.exits import CommandError, Exit
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.records.provenance import VERSION
from wpoflow.solver.storage.atomic import write_text
from wpoflow.studies.refinement.plan import FACTORS, Level, default_directions, plan_direction, refuse_only_step
from wpoflow.studies.refinement.problem_grids import refined_axes
from wpoflow.views.refinement_table import study_text
from wpoflow.views.terminal import path_text, show

REPORT = "refine.json"


@naming_its_subject
def main(
    *,
    asked: Mapping[str, Any],
    levels: int,
    quantities: Sequence[str],
    directions: Sequence[str],
    times: Sequence[float],
    factor: str,
    scheme: str | None,
    step: float | None,
    accuracy: float | None,
    report: Path | None,
    plot: Path | None,
    force: bool,
    quiet: bool,
) -> Exit:
    """Refine, print the tables, write refine.json and a figure if asked to."""
    stated = read_problem(**asked, scheme=scheme)
    axes = refined_axes(stated)
    try:  # mistakes are answered before anything heavy is imported
        refuse_only_step(directions or (), stated.flow.kind)
        for name in directions or default_directions(axes, stated.flow.kind):
            plan_direction(name, axes, levels, FACTORS[factor], 1.0)
    except ValueError as error:
        raise CommandError(Exit.UNUSABLE, f"{stated.label}: {error}") from error
    if plot is not None:
        check_figure(plot, force, files_read(asked))
    check_report(report, [REPORT], files_read(asked))
    from wpoflow.studies.refinement.problem_study import refine
    from wpoflow.studies.refinement.study import ACCURACY, QUANTITIES, RefinementError

    def tell(direction: str, level: Level) -> None:
        grid = ", ".join(f"{name} {n}" for name, n in level.cells.items())
        show(f"  {direction}: {grid}" + ("" if level.step is None else f", step {level.step:g}"))

    try:
        with telling_of_compiling(quiet):
            study = refine(
                stated,
                levels,
                list(quantities) or QUANTITIES,
                times=sorted(set(times)) or None,
                directions=list(directions) or None,
                factor=FACTORS[factor],
                step=step,
                accuracy=ACCURACY if accuracy is None else accuracy,
                progress=None if quiet else tell,
            )
    except ProblemError:
        raise
    except RefinementError as error:
        raise CommandError(Exit.SHORT_OF_GOAL, f"{stated.label}: {error}") from error
    except ValueError as error:
        raise CommandError(Exit.UNUSABLE, f"{stated.label}: {error}") from error
    if not quiet:
        show("\n" + study_text(study))
    if report is not None:
        content = {**study.as_dict(), "problem": stated.text, "wpoflow_version": VERSION}
        path = write_text(report / REPORT, json.dumps(content, indent=1, allow_nan=False) + "\n")
        if not quiet:
            show(f"\nwritten to {path_text(path)}")
    if plot is not None:
        from wpoflow.views.figures.refinement import draw_study

        write_figure(draw_study(study.as_dict()), plot)
        if not quiet:
            show(f"written to {path_text(plot)}")
    return Exit.DONE
