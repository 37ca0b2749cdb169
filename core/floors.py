"""The one list of floors, and where their files are: in a checkout beside the front door, installed inside it.

Imports go down: a file may import its own floor and those named before it.  Inside ``solver/`` the folders are floors,
too; folders on one line do not import each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

FRONT_DOOR = "wpoflow"
FLOORS = ("core", "grids", "solver", "problems", "studies", "validation", "views")
SOLVER_FLOORS = (
    ("registry", "arithmetic"),
    ("records",),
    ("mdp", "flux"),
    ("entropy",),
    ("bellman", "flows", "storage"),
    ("corrected",),
    ("schemes",),
    ("runs",),
)

_ABOVE = Path(__file__).resolve().parents[1]
_DOOR = _ABOVE / FRONT_DOOR if (_ABOVE / FRONT_DOOR).is_dir() else _ABOVE


def source_files(*suffixes: str) -> Iterator[tuple[str, Path]]:
    """All files of the package with these suffixes, by the names they have when it is installed, in a fixed order."""
    for floor in FLOORS:
        for path in sorted((_ABOVE / floor).rglob("*")):
            if path.suffix in suffixes:
                yield f"{FRONT_DOOR}/{path.relative_to(_ABOVE).as_posix()}", path
    for path in sorted((*_DOOR.glob("*"), *(_DOOR / "commands").glob("*"))):
        if path.suffix in suffixes:
            yield f"{FRONT_DOOR}/{path.relative_to(_DOOR).as_posix()}", path
