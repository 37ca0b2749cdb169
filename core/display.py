"""How objects show themselves in notebooks: each asks one renderer, which a higher floor brings along.

Lower floors know no HTML.  The front door names the renderer (`show_with`); without one, as when a floor is used by
itself, notebooks show the text.
"""

from __future__ import annotations

from collections.abc import Callable

Renderer = Callable[[object], str]

_renderers: list[Renderer] = []


def show_with(renderer: Renderer) -> None:
    """Let this renderer write the HTML of whatever is displayed."""
    _renderers[:] = [renderer]


class Displayed:
    """Something that notebooks show as HTML."""

    def _repr_html_(self) -> str | None:
        """HTML for a notebook; None where there is no renderer, and the text is shown instead."""
        return _renderers[0](self) if _renderers else None
