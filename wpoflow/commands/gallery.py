"""``wpoflow gallery``: the problems that ship."""

from __future__ import annotations

from wpoflow.exits import Exit
from wpoflow.problems.gallery import gallery_text, gallery_titles
from wpoflow.views.terminal import hand_out, show, table


def main(*, name: str | None) -> Exit:
    """List the gallery, or print one of its files."""
    if name is None:
        show(table(gallery_titles().items()))
    else:
        hand_out(gallery_text(name).removesuffix("\n"))
    return Exit.DONE
