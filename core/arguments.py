"""Arguments of the wrong kind, refused in one line that says how to come by one of the right kind."""

from __future__ import annotations


def check_kind(name: str, value: object, kind: type | tuple[type, ...], wanted: str) -> None:
    """Raise TypeError unless a value is of a kind; ``wanted`` says what that is called and what makes it."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} is of type {type(value).__name__}; it must be {wanted}")
