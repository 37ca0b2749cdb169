"""Formats figures are written in, and the error of a figure that cannot be drawn or written as asked for."""

from __future__ import annotations

from pathlib import Path

EXTENSIONS = (".png", ".pdf", ".svg")


class FigureError(ValueError):
    """A figure that cannot be drawn as asked for; the message is one line."""


def format_of(path: Path) -> str:
    """Format by extension.

    Raises
    ------
    FigureError
        An unknown one.
    """
    if path.suffix.lower() not in EXTENSIONS:
        raise FigureError(f"{path}: a figure ends in {', '.join(EXTENSIONS)}")
    return path.suffix.lower().removeprefix(".")
