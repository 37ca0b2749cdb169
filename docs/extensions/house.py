"""The floors of the house and the rooms of the solver, from the list of floors and what each package says of itself."""

from __future__ import annotations

import importlib
import inspect

from docs.extensions.generated import cell
from wpoflow.core.floors import FLOORS, FRONT_DOOR, SOLVER_FLOORS


def markdown() -> str:
    """Two tables, the lowest floor first."""
    lines = ["| floor | what is in it |", "| --- | --- |"]
    for name in (*FLOORS, FRONT_DOOR):
        package = FRONT_DOOR if name == FRONT_DOOR else f"{FRONT_DOOR}.{name}"
        lines.append(f"| `{name}` | {_says(package)} |")
    lines += ["", "Inside `solver/` the rooms are floors, too:", ""]
    lines += ["| level | room | what is in it |", "| --- | --- | --- |"]
    for level, rooms in enumerate(SOLVER_FLOORS):
        lines += [f"| {level} | `{room}` | {_says(f'{FRONT_DOOR}.solver.{room}')} |" for room in rooms]
    return "\n".join([*lines, ""])


def _says(package: str) -> str:
    """The first paragraph of a package's docstring."""
    text = inspect.getdoc(importlib.import_module(package)) or ""
    return cell(text.partition("\n\n")[0])
