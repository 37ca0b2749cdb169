"""Where the texts of a figure are drawn, as the renderer sees them."""

from __future__ import annotations

from itertools import combinations

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from wpoflow.views.figures.canvas import style

TOUCH = 0.5  # dots by which boxes may meet


def drawn_texts(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Bbox]]:
    """Every text that is drawn, with its box in dots: ticks outside the axes are not drawn, and not here."""
    found: list[tuple[str, Bbox]] = []
    own = Text.draw

    def draw(text: Text, renderer: object, *arguments: object) -> None:
        own(text, renderer, *arguments)  # type: ignore[arg-type]
        if text.get_visible() and text.get_text().strip():
            found.append((text.get_text(), text.get_window_extent(renderer)))  # type: ignore[arg-type]

    with monkeypatch.context() as patched, style():
        patched.setattr(Text, "draw", draw)
        figure.canvas.draw()
    return found


def misplaced(figure: Figure, texts: list[tuple[str, Bbox]]) -> list[str]:
    """Which of the drawn texts overlap one another or leave the figure."""
    wrong = []
    for text, box in texts:
        sheet = figure.bbox
        if min(box.x0 - sheet.x0, box.y0 - sheet.y0, sheet.x1 - box.x1, sheet.y1 - box.y1) < -TOUCH:
            wrong.append(f"{text!r} leaves the figure")
    for (first, a), (second, b) in combinations(texts, 2):
        if min(a.x1, b.x1) - max(a.x0, b.x0) > TOUCH and min(a.y1, b.y1) - max(a.y0, b.y0) > TOUCH:
            wrong.append(f"{first!r} meets {second!r}")
    return wrong
