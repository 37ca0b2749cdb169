"""A field of a dataclass that may be given as a function of nothing, which makes its value when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class Deferred(Generic[Value]):
    """The field; without a default.  What made its value is let go of."""

    def __set_name__(self, owner: type, name: str) -> None:
        """Note where values are kept."""
        self._name = name

    @overload
    def __get__(self, holder: None, owner: type) -> Deferred[Value]: ...

    @overload
    def __get__(self, holder: object, owner: type) -> Value: ...

    def __get__(self, holder: object | None, owner: type) -> Any:
        """Its value, made now if it is not at hand."""
        if holder is None:
            raise AttributeError(self._name)  # of the class: dataclasses take it that there is no default
        held = holder.__dict__[self._name]
        if callable(held):
            held = holder.__dict__[self._name] = held()
        return held

    def __set__(self, holder: object, value: Value | Callable[[], Value]) -> None:
        """Take a value, or what makes it."""
        holder.__dict__[self._name] = value
