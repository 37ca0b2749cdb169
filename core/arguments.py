"""Arguments of the wrong kind, refused in one line that says how to come by one of the right kind."""

from __future__ import annotations

import numpy as np


def check_number(name: str, value: object) -> None:
    """Raise TypeError unless a value is one real number."""
    if np.ndim(value) != 0 or np.asarray(value).dtype.kind not in "biuf":  # type: ignore[call-overload]
        raise TypeError(f"{name} is {value!r:.60}; it must be a number")


def check_kind(name: str, value: object, kind: type | tuple[type, ...], wanted: str) -> None:
    """Raise TypeError unless a value is of a kind; ``wanted`` says what that is called and what makes it."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} is of type {type(value).__name__}; it must be {wanted}")
