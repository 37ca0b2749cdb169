"""Figures of runs: one kind a file, each a function from a run to a matplotlib Figure.

    from wpoflow.views.figures import draw, save
    save(draw("decay", run), "decay.pdf")

Kinds and what they show are in `FIGURES`; matplotlib is imported when the first figure is drawn.  Figures are made
on their own canvas: no display, no pyplot, no settings of the user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wpoflow.views.figures.formats import EXTENSIONS, FigureError
from wpoflow.views.figures.registry import FIGURES, applicable, draw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.figure import Figure

    from wpoflow.solver.records.run import Run

__all__ = ["EXTENSIONS", "FIGURES", "FigureError", "applicable", "draw", "plot", "save", "svg_text"]


def plot(run: Run, kind: str = "overview", *, state: Mapping[str, float] | None = None, title: bool = True) -> Figure:
    """Draw a figure of a run; `draw` with the run first."""
    return draw(kind, run, state=state, title=title)


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure: .pdf and .svg as vectors, .png at 200 dots an inch; the same figure gives the same bytes.

    Raises
    ------
    FigureError
        Another extension.
    OSError
        The file cannot be written.
    """
    from wpoflow.views.figures.canvas import save as write

    write(figure, path)


def svg_text(figure: Figure, label: str = "") -> str:
    """A figure as an ``<svg>`` element to stand in a page; see `views.figures.canvas.svg_text`."""
    from wpoflow.views.figures.canvas import svg_text as text

    return text(figure, label)
