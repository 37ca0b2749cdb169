"""``wpoflow plot`` and ``wpoflow movie``: figures of a run file, and the policy relaxing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wpoflow.exits import Exit
from wpoflow.solver.storage.atomic import check_output, writing
from wpoflow.views.figures import FigureError, plot
from wpoflow.views.figures.formats import format_of
from wpoflow.views.terminal import path_text, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT = ".json"


def main(*, file: Path, output: Path, kind: str | None, state: Mapping[str, float], force: bool) -> Exit:
    """Draw one figure; a report of ``wpoflow refine`` is drawn as a refinement study."""
    check_figure(output, force, [file])
    if file.suffix.lower() == REPORT:
        if kind not in (None, "refinement") or state:
            raise FigureError(f"{file}: a report has one figure, refinement, and no state to choose")
        from wpoflow.views.figures.refinement import draw_study, read_study

        write_figure(draw_study(read_study(file)), output)
        show(f"written to {path_text(output)}")
        return Exit.DONE
    if kind == "refinement":
        raise FigureError(f"{file}: refinement is drawn from the refine.json that wpoflow refine --report DIR writes")
    from wpoflow.solver.storage.writer import open_run

    write_figure(plot(open_run(file), kind or "overview", state=state), output)
    show(f"written to {path_text(output)}")
    return Exit.DONE


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
