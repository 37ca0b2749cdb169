"""The floors of the package and the rooms of its solver: the order from `core.floors`, the words from the packages."""

from __future__ import annotations

import importlib
import inspect

from docs.extensions.generated import cell
from wpoflow.core.floors import FLOORS, FRONT_DOOR, SOLVER_FLOORS


def markdown() -> str:
    """Two tables, lowest floor first."""
    floors = [*((floor, f"{FRONT_DOOR}.{floor}") for floor in FLOORS), (FRONT_DOOR, FRONT_DOOR)]
    rooms = [
        (str(level), room, f"{FRONT_DOOR}.solver.{room}")
        for level, beside in enumerate(SOLVER_FLOORS, start=1)
        for room in beside
    ]
    return "\n".join(
        [
            *("| floor | what is there |", "| --- | --- |"),
            *(f"| `{name}/` | {_words(module)} |" for name, module in floors),
            *("", "## The rooms of the solver", "", "| level | room | what is there |", "| --- | --- | --- |"),
            *(f"| {level} | `{name}` | {_words(module)} |" for level, name, module in rooms),
            "",
        ]
    )


def _words(module: str) -> str:
    """The first sentence of a module's docstring."""
    text = inspect.getdoc(importlib.import_module(module)) or ""
    return cell(text.partition("\n\n")[0].replace("*", "\\*"))
