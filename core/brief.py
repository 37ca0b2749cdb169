"""Short texts for objects that hold arrays: what ``print`` and an interactive session show, one line each."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

LONGEST = 300  # characters
FEW = 3  # entries of a list or mapping that are shown one by one

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60

Kind = TypeVar("Kind", bound=type)


def briefly(kind: Kind) -> Kind:
    """Decorate a class: its ``repr`` is `brief`."""
    kind.__repr__ = brief  # type: ignore[assignment]
    return kind


def brief(thing: Any) -> str:
    """One line: the name of the class and its fields, arrays by their shapes, many entries by their number."""
    name = type(thing).__name__
    if hasattr(thing, "description") and hasattr(thing, "n_states"):
        return f"{name}({thing.n_states} states x {thing.n_actions} actions: {thing.description})"
    names = [field.name for field in fields(thing)] if is_dataclass(thing) else list(getattr(thing, "_fields", ()))
    text = f"{name}({', '.join(f'{field}={_shown(getattr(thing, field))}' for field in names)})"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 5]} ...)"


def _shown(value: Any) -> str:
    if isinstance(value, type):
        return value.__name__
    if getattr(value, "shape", ()):
        return f"array {value.shape}"
    if isinstance(value, (list, tuple, Mapping)) and len(value) > FEW:
        return f"<{len(value)} entries>"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_shown(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if callable(value):
        return f"<function {getattr(value, '__name__', type(value).__name__)}>"
    return f"{value:.6g}" if isinstance(value, float) else _short.repr(value)
