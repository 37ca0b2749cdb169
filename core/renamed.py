"""Arguments that were renamed keep working under the name they had, and say the new one."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


def renamed(**names: str) -> Callable[[Function], Function]:
    """Decorate a function whose arguments had other names: ``renamed(former="present")``."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def accepting(*arguments: Any, **named: Any) -> Any:
            for former in names.keys() & named.keys():
                warnings.warn(f"{former}= is now {names[former]}=", DeprecationWarning, stacklevel=2)
                named[names[former]] = named.pop(former)
            return function(*arguments, **named)

        return cast(Function, accepting)

    return decorate
