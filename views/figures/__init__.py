"""Figures of runs: one kind a file, each a function from a slice of a run to a matplotlib Figure.

    from wpoflow.views.figures import plot, save
    save(plot(run, "decay"), "decay.pdf")

Kinds and what they show are in `FIGURES`; matplotlib is imported when the first figure is drawn.  Figures are made
on their own canvas: no display, no pyplot, no settings of the user.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wpoflow.views.figures.formats import EXTENSIONS, FigureError, format_of
from wpoflow.views.figures.registry import FIGURES, applicable, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXTENSIONS", "FIGURES", "FigureError", "applicable", "plot", "save"]


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure: .pdf and .svg as vectors, .png at 200 dots an inch; the same figure gives the same bytes.

    Raises
    ------
    FigureError
        Another extension.
    OSError
        The file cannot be written.
    """
    from wpoflow.views.figures.canvas import write

    write(figure, Path(path), format_of(Path(path)))
