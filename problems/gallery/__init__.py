"""The problems that ship, one TOML file each; listing them imports the standard library alone."""

from __future__ import annotations

import tomllib
from pathlib import Path

from wpoflow.core.text import did_you_mean
from wpoflow.problems.errors import ProblemError

_FOLDER = Path(__file__).resolve().parent


def gallery_names() -> list[str]:
    """Names of the gallery's problems, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def gallery_text(name: str) -> str:
    """TOML text of a gallery problem, with its comments.

    Raises
    ------
    ProblemError
        No such problem; the message lists those there are.
    """
    if name not in gallery_names():
        choices, near = ", ".join(gallery_names()), did_you_mean(name, gallery_names())
        raise ProblemError(f"{name!r} is not in the gallery; choose among {choices}, or name a .toml file{near}")
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def gallery_titles() -> dict[str, str]:
    """Title of every gallery problem, by name."""
    return {name: str(tomllib.loads(gallery_text(name))["problem"]["title"]) for name in gallery_names()}
