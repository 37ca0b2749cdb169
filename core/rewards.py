"""What is stated as a reward, to be maximised, is held as a cost, its negative."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from wpoflow.core.arrays import real_array

Function = TypeVar("Function", bound=Callable[..., Any])


def negative(value: Any, name: str) -> Any:
    """Minus a number or an array, or the function that gives minus what a function gives; None stays None.

    Raises
    ------
    ValueError
        As `core.arrays.real_array`, of which ``name`` is what the value is called.
    """
    if not callable(value):
        return None if value is None else -real_array(value, name)
    return _Negative(value, name)


@dataclass(frozen=True)
class _Negative:
    """Minus a function; pickled wherever the function can be."""

    function: Callable[..., Any]
    name: str

    def __call__(self, *coordinates: Any) -> Any:
        return -real_array(self.function(*coordinates), self.name)


def takes_rewards(**names: str) -> Callable[[Function], Function]:
    """Decorate a function of costs and ``rewards`` (whether they are minus rewards): ``takes_rewards(reward="cost")``.

    Raises
    ------
    ValueError
        When it is called with both a reward and a cost.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def accepting(*arguments: Any, **named: Any) -> Any:
            rewards = [name for name in names if named.get(name) is not None]
            costs = [name for name in names.values() if named.get(name) is not None]
            if rewards and costs:
                raise ValueError(f"give either {rewards[0]} or {costs[0]}, not both")
            for name, cost in names.items():
                if name in named:
                    named[cost] = negative(named.pop(name), name)
            if rewards:
                named["rewards"] = True
            return function(*arguments, **named)

        return cast(Function, accepting)

    return decorate
