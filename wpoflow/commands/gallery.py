"""``wpoflow gallery``: the problems that ship."""

from __future__ import annotations

from wpoflow.exits import Exit
from wpoflow.problems.gallery import gallery_text, gallery_titles
from wpoflow.views.terminal import show, table


def main(*, name: str | None) -> Exit:
    """List the gallery, or print one of its files."""
    if name is None:
        show(table(gallery_titles().items()))
    else:
        print(gallery_text(name), end="")
    return Exit.DONE
