"""``wpoflow plot`` and ``wpoflow movie``: figures of a run file, and the policy relaxing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wpoflow.commands.subject import naming_its_subject
from wpoflow.compiling import telling_of_compiling
from wpoflow.exits import Exit
from wpoflow.solver.storage.atomic import check_output, writing
from wpoflow.views.figures import FIGURES, FigureError, plot
from wpoflow.views.figures.formats import format_of
from wpoflow.views.figures.registry import unknown_kind
from wpoflow.views.terminal import path_text, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT, REFINEMENT = ".json", "refinement"
STUDY, STUDY_KINDS = ".nc", ("study", "curves", "map")


@naming_its_subject
def main(
    *,
    files: Sequence[Path],
    output: Path,
    kind: str | None,
    quantity: str | None = None,
    state: Mapping[str, float],
    force: bool,
) -> Exit:
    """Draw one figure of one run or of several; what refine and sweep have written is drawn as what it is."""
    if kind not in (None, REFINEMENT, *STUDY_KINDS, *FIGURES):
        raise FigureError(f"--kind: {unknown_kind(str(kind), [REFINEMENT, *STUDY_KINDS])}")
    check_figure(output, force, files)
    if studies := [file for file in files if file.suffix.lower() == STUDY]:
        return _study(studies[0], files, output, kind, quantity, state)
    if quantity is not None or kind in STUDY_KINDS:
        asked = f"--kind {kind}" if kind in STUDY_KINDS else "--quantity"
        raise FigureError(f"{files[0]}: {asked} is of the study.nc that wpoflow sweep writes")
    reports = [file for file in files if file.suffix.lower() == REPORT]
    if reports and len(files) > 1:
        raise FigureError(f"{reports[0]}: a report is drawn alone, not beside {len(files) - 1} other files")
    if reports:
        if kind not in (None, REFINEMENT) or state:
            raise FigureError(f"{reports[0]}: a report has one figure, refinement, and no state to choose")
        from wpoflow.views.figures.refinement import draw_study, read_study

        write_figure(draw_study(read_study(reports[0])), output)
        show(f"written to {path_text(output)}")
        return Exit.DONE
    if kind == REFINEMENT:
        raise FigureError(
            f"{files[0]}: refinement is drawn from the refine.json that wpoflow refine --report DIR writes"
        )
    from wpoflow.solver.storage.writer import open_run

    runs = [open_run(file) for file in files]
    with telling_of_compiling(quiet=False):
        if len(runs) == 1:
            figure = plot(runs[0], kind, state=state)
        else:
            figure = plot(runs, kind, state=state, names=[str(file) for file in files])
    write_figure(figure, output)
    show(f"written to {path_text(output)}")
    return Exit.DONE


def _study(
    file: Path,
    files: Sequence[Path],
    output: Path,
    kind: str | None,
    quantity: str | None,
    state: Mapping[str, float],
) -> Exit:
    """Draw the result of ``wpoflow sweep``."""
    if len(files) > 1:
        raise FigureError(f"{file}: a study is drawn alone, not beside {len(files) - 1} other files")
    if state or kind not in (None, *STUDY_KINDS):
        raise FigureError(f"{file}: a study has the kinds {', '.join(STUDY_KINDS)}, and no state to choose")
    from wpoflow.studies.sweep.netcdf import open_study
    from wpoflow.views.figures.study import draw_sweep

    write_figure(draw_sweep(open_study(file), kind, quantity), output)
    show(f"written to {path_text(output)}")
    return Exit.DONE


@naming_its_subject
def movie(*, file: Path, output: Path, state: Mapping[str, float], fps: float, force: bool) -> Exit:
    """Write the movie of a run."""
    from wpoflow.solver.storage.writer import open_run
    from wpoflow.views.figures.movie import check_movie, save_movie

    check_movie(output, fps)
    check_output(output, force, [file])
    run = open_run(file)
    with writing(output) as part:
        save_movie(run, part, state=state, fps=fps, form=output.suffix)
    show(f"written to {path_text(output)}")
    return Exit.DONE


def check_figure(output: Path, force: bool, reads: Sequence[str | Path]) -> None:
    """Refuse, before anything is read or drawn, what cannot be written.

    Raises
    ------
    FigureError
        An extension that says no format.
    OSError
        As `solver.storage.atomic.check_output`.
    """
    format_of(output)
    check_output(output, force, reads)


def write_figure(figure: Figure, output: Path) -> None:
    """Write a figure, whole or not at all."""
    from wpoflow.views.figures.canvas import write

    with writing(output) as part:
        write(figure, part, format_of(output))
