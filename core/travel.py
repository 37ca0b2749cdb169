"""How objects travel to other processes: pickled as the call that made them, or without the functions behind them.

Pools of workers send their arguments as pickles, and the functions that a problem is stated by are often closures,
which have none.  What is computed from them is arrays, and these travel.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields
from typing import Any, NoReturn, Self, cast


class Travelling:
    """A dataclass that is pickled as the call that made it; where none is known, or if changed since, by its arrays.

    A copy within the process is always one of its arrays, and what `dataclasses.replace` makes is made by no call.
    """

    _made: tuple[Callable[..., Any], tuple[Any, ...], int] | None = None

    def made_by(self, function: Callable[..., Self], *arguments: Any) -> Self:
        """Itself, from now on pickled as this call, which must give the same again."""
        self.__dict__["_made"] = (function, arguments, self._fingerprint())
        return self

    def _fingerprint(self) -> int:
        """Check sum of the arrays that it was made of: whether their entries are still what they were."""
        total = 0
        for field in fields(cast(Any, self)):  # and of nothing that is derived from them and kept
            value = getattr(self, field.name)
            for array in value if isinstance(value, tuple) else (value,):
                if hasattr(array, "__array_interface__"):  # NumPy's own, which this floor's light files do not import
                    total = self._check_sum(array, total)
        return total

    def _check_sum(self, array: Any, before: int) -> int:
        """Check sum of one array, going on from that of those before it."""
        return zlib.crc32(array if array.flags.c_contiguous else array.tobytes(), before)

    def __reduce_ex__(self, protocol: Any) -> str | tuple[Any, ...]:
        if self._made is not None and self._made[2] == self._fingerprint():
            return self._made[:2]
        return super().__reduce_ex__(max(2, protocol))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_made"}

    def __copy__(self) -> Self:
        again = object.__new__(type(self))
        again.__dict__.update(self.__dict__)
        return again

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        again = memo[id(self)] = object.__new__(type(self))
        again.__dict__.update({name: deepcopy(value, memo) for name, value in self.__dict__.items()})
        return again


class Staying:
    """A function that stays in its process: of what is made of it the arrays travel, and this is left of it there.

    Parameters
    ----------
    function : callable
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        """The function's value."""
        return self._function(*arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return Staying, (_left_behind,)

    def __copy__(self) -> Staying:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Staying:
        return self


def staying(function: Any) -> Any:
    """A function so that it stays; None is nothing to stay."""
    return None if function is None else Staying(function)


def _left_behind(*_: Any) -> NoReturn:
    raise ValueError(
        "the functions that this was built from stayed in the process that built it; its arrays alone have travelled"
    )


class TravellingError(Exception):
    """An error that comes out of another process as it went in, whatever arguments its class takes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored_error, (type(self), self.args, vars(self))


def _restored_error(kind: type[BaseException], arguments: tuple[Any, ...], content: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(content)
    return error
