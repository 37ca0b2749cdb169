"""What a command works on, named in what it says where memory does not suffice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def naming_its_subject(main: Callable[P, R]) -> Callable[P, R]:
    """Let a command's function name its files, or its problem, where memory does not suffice for them."""

    @wraps(main)
    def named(*positional: P.args, **arguments: P.kwargs) -> R:
        from wpoflow.core.memory import needed_by

        with needed_by(subject(arguments)):
            return main(*positional, **arguments)

    return named


def subject(arguments: Mapping[str, Any]) -> str:
    """The files among the arguments of a command, or its problem."""
    if "file" in arguments:
        return str(arguments["file"])
    if "asked" in arguments:
        return str(arguments["asked"].get("name_or_path") or ", ".join(map(str, arguments.get("names", ()))))
    named = arguments.get("files") or arguments.get("targets") or ()
    return ", ".join(map(str, named)) or "the whole suite"
