"""``wpoflow refine``: how the numbers of a run converge as its grids and steps are refined."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wpoflow.commands.outputs import check_report, files_read
from wpoflow.commands.plot import check_figure, write_figure
from wpoflow.commands.prepare import build
from wpoflow.exits import CommandError, Exit
from wpoflow.problems.problem_file import ProblemFile, read_problem
from wpoflow.solver.records.provenance import VERSION
from wpoflow.solver.storage.atomic import write_text
from wpoflow.studies.refinement.plan import FACTORS, Level, default_directions, plan_direction
from wpoflow.studies.refinement.problem_grids import refined_axes, with_cells
from wpoflow.views.refinement_table import study_text
from wpoflow.views.terminal import path_text, show

if TYPE_CHECKING:
    from wpoflow.solver.mdp import GridMDP


REPORT = "refine.json"


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
    wanted = sorted(set(times)) or _own_time(stated)
    chosen = list(directions) or default_directions(axes)
    try:
        plans = [plan_direction(name, axes, levels, FACTORS[factor], 1.0) for name in chosen]
    except ValueError as error:
        raise CommandError(Exit.UNUSABLE, f"{stated.label}: {error}") from error
    if plot is not None:
        check_figure(plot, force, files_read(asked))
    check_report(report, [REPORT], files_read(asked))
    from wpoflow.solver.registry import AUTOMATIC, fixed_step_schemes

    steps_of = stated.flow.scheme if stated.flow.scheme in fixed_step_schemes() else AUTOMATIC
    _refuse_what_cannot_fit(stated, [plan[-1] for plan in plans if plan is not None], steps_of)
    from wpoflow.studies.refinement.study import ACCURACY, QUANTITIES, RefinementError, refine

    def make(sizes: Mapping[str, int]) -> GridMDP:
        return build(with_cells(stated, sizes)).mdp

    def tell(direction: str, level: Level) -> None:
        grid = ", ".join(f"{name} {n}" for name, n in level.cells.items())
        show(f"  {direction}: {grid}" + ("" if level.step is None else f", step {level.step:g}"))

    try:
        study = refine(
            make,
            axes,
            levels,
            list(quantities) or QUANTITIES,
            times=wanted,
            directions=chosen,
            factor=FACTORS[factor],
            scheme=steps_of,
            step=step,
            accuracy=ACCURACY if accuracy is None else accuracy,
            progress=None if quiet else tell,
        )
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


def _own_time(problem: ProblemFile) -> list[float]:
    time = problem.flow.until.time
    if time is None:
        raise CommandError(Exit.UNUSABLE, f"{problem.label}: flow.until has no time; say --time T")
    return [time]


def _refuse_what_cannot_fit(problem: ProblemFile, finest: Sequence[Level], steps_of: str) -> None:
    """Before anything is run, the largest grid of each direction is estimated."""
    from wpoflow.problems.load import read_statement
    from wpoflow.problems.memory import estimate, refuse_if_too_large

    for level in finest:
        statement = read_statement(with_cells(problem, level.cells))
        scheme = "automatic" if level.step is None else steps_of
        expected = estimate(statement, problem.flow.model_copy(update={"scheme": scheme, "step": level.step}))
        refuse_if_too_large(problem.label, expected.plan, expected.needed)
