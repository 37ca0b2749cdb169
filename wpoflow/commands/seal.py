"""``wpoflow seal``: a run file that another program opened for writing is sealed again."""

from __future__ import annotations

from pathlib import Path

from wpoflow.commands.subject import naming_its_subject
from wpoflow.exits import Exit
from wpoflow.solver.storage.seal import seal_again
from wpoflow.views.terminal import path_text, show


@naming_its_subject
def main(*, file: Path) -> Exit:
    """Seal a file again, once all that it holds is found to be as the run left it."""
    if found := seal_again(file):
        show(f"{path_text(file)} is sealed again; it was {found}")
    else:
        show(f"{path_text(file)} is sealed, whole and unaltered")
    return Exit.DONE
