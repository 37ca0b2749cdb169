"""Arguments of the wrong kind, refused in one line that says how to come by one of the right kind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any


def real_number(name: str, value: Any) -> float:
    """One real number, an array of no axes among them, as Python's own; TypeError of anything else.

    Of NumPy's numbers of single precision the value is taken, and not the precision, in which they would be computed
    with.
    """
    scalar = getattr(value, "shape", None) == () and getattr(getattr(value, "dtype", None), "kind", "") in "biuf"
    if not (isinstance(value, Real) or scalar):
        raise TypeError(f"{name} is {value!r:.60}; it must be a number")
    return float(value)


def whole_number(name: str, value: Any) -> int:
    """A whole number as Python's own; ValueError of one that is not whole, TypeError of anything else."""
    number = real_number(name, value)
    if not number.is_integer():
        raise ValueError(f"{name} = {value}; it must be a whole number")
    return int(value)


def check_not_negative(name: str, value: Any) -> None:
    """Raise ValueError of a number that is negative or not finite, TypeError of anything else; None is none given."""
    if value is not None and not 0.0 <= real_number(name, value) < math.inf:
        raise ValueError(f"{name} = {value} must be finite and not negative")


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
