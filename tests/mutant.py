"""What a mutant is: one textual change in one file of a copy of the sources."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from wpoflow.core.floors import FLOORS, FRONT_DOOR

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (*FLOORS, FRONT_DOOR, "tests")


@dataclass(frozen=True)
class Mutant:
    """One change: ``before``, which stands exactly once in ``file``, becomes ``after``."""

    file: str
    before: str
    after: str

    def applied(self, text: str) -> str:
        """The file's text with the change.

        Raises
        ------
        SystemExit
            The text to be changed does not stand there exactly once.
        """
        count = text.count(self.before)
        if count != 1:
            raise SystemExit(f"{self.file}: {self.before!r} stands there {count} times")
        return text.replace(self.before, self.after)


def copy_tree(target: Path) -> Path:
    """A copy of the sources and tests."""
    for floor in FOLDERS:
        shutil.copytree(ROOT / floor, target / floor, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", target)
    return target
