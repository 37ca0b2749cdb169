"""Arguments of the wrong kind, refused in one line that says how to come by one of the right kind."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any


def check_number(name: str, value: Any) -> None:
    """Raise TypeError unless a value is one real number; an array of no axes is."""
    scalar = getattr(value, "shape", None) == () and getattr(getattr(value, "dtype", None), "kind", "") in "biuf"
    if not (isinstance(value, Real) or scalar):
        raise TypeError(f"{name} is {value!r:.60}; it must be a number")


def check_kind(name: str, value: object, kind: type | tuple[type, ...], wanted: str) -> None:
    """Raise TypeError unless a value is of a kind; ``wanted`` says what that is called and what makes it."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} is of type {type(value).__name__}; it must be {wanted}")


def check_mapping(name: str, value: object, example: str) -> None:
    """Raise TypeError unless a value is a mapping by names, as the example is, or None."""
    check_kind(name, value, (Mapping, type(None)), f"a mapping by names, as {example}")


def plain(value: Any) -> Any:
    """Numbers and arrays of other libraries as Python's own, within mappings and lists, too."""
    if isinstance(value, Mapping):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value.tolist() if hasattr(value, "tolist") else value
