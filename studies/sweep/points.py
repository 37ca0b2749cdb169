"""The points of a study, resolved: each a problem text of its own, named by a hash, or a fault in one sentence."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from wpoflow.core.registry import choices
from wpoflow.core.text import did_you_mean, one_line
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.problem_file import ProblemFile, read_problem
from wpoflow.studies.comparison.contestant import contestant
from wpoflow.studies.sweep.plan import PROBLEM, SETTINGS, Plan, canonical, until_parts
from wpoflow.studies.sweep.values import StudyError, toml_text

DIGITS = 16
LinearSolver = Literal["dense", "sparse", "krylov"]
_OPEN = ("constants", "definitions")
_BLAMED = re.compile(r"(set|cells)\['([^']*)'\]")


@dataclass(frozen=True)
class Point:
    """One point.

    Attributes
    ----------
    place : tuple of int
        In the dimensions.
    values : mapping
        What each swept key is.
    name : str
        Of its files: 16 hexadecimal digits of the SHA-256 of resolved problem and settings; empty where it has a fault.
    stated : ProblemFile or None
    text : str
        The resolved problem.
    linear_solver : str or None
    fault : str
        Why it cannot be run, in a sentence; empty if nothing is wrong yet.
    """

    place: tuple[int, ...]
    values: Mapping[str, Any]
    name: str = ""
    stated: ProblemFile | None = None
    text: str = ""
    linear_solver: str | None = None
    fault: str = ""


def resolved(plan: Plan) -> list[Point]:
    """All points, read and checked; what is wrong with single ones is kept with them.

    Raises
    ------
    StudyError, ProblemError
        No point at all can be read, or a key is one that the problem has no use for.
    """
    found = [_point(plan, place, values) for place, values in plan.points()]
    if all(point.fault for point in found):
        known = (*found[0].values, *plan.places)
        key = next((key for key in known if found[0].fault.startswith(f"{key}:")), "")
        raise StudyError(plan.places.get(key, key) + found[0].fault.removeprefix(key))
    _refuse_unused(plan)
    return found


def _point(plan: Plan, place: tuple[int, ...], values: Mapping[str, Any]) -> Point:
    try:
        asked = _asked(plan, values)
        solver = asked.pop("linear_solver", None)
        if solver is not None and solver not in get_args(LinearSolver):
            near = did_you_mean(solver, get_args(LinearSolver))
            raise ValueError(
                f"linear_solver: {solver!r} is not a choice; choose {choices(get_args(LinearSolver))}{near}"
            )
        stated = read_problem(str(values.get(PROBLEM, plan.problems[0])), **asked)
    except ProblemError as error:
        return Point(place, values, fault=_BLAMED.sub(_by_key, "; ".join(error.lines)))
    except ValueError as error:
        return Point(place, values, fault=one_line(error))
    text = stated.text
    name = hashlib.sha256(f"{text}\0{json.dumps({'linear_solver': solver})}".encode()).hexdigest()[:DIGITS]
    return Point(place, values, name, stated, text, solver)


def _by_key(found: re.Match[str]) -> str:
    return f"cells.{found[2]}" if found[1] == "cells" else found[2]


def _asked(plan: Plan, values: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `read_problem`, and ``linear_solver``, of one point."""
    asked: dict[str, Any] = {"set": dict(plan.set), "cells": dict(plan.cells)}
    for key, value in {**plan.settings, **values}.items():
        known = canonical(key)
        short = known.removeprefix("flow.")
        if key == PROBLEM:
            continue
        if known == "flow.kind":
            asked |= _flow(asked, value)
        elif key.startswith("cells."):
            asked["cells"][key.removeprefix("cells.")] = value
        elif known == "linear_solver" or (short in SETTINGS[1:4] and known == f"flow.{short}"):
            asked[short] = value
        elif key == "until":
            asked["until"] = value
        elif known.startswith("flow.until.") and "until" in asked:  # which would replace the whole table
            asked["until"] = {**until_parts(asked["until"]), known.removeprefix("flow.until."): value}
        else:
            asked["set"][known] = toml_text(value) if isinstance(value, str) else value
    return asked


def _flow(asked: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """A flow, by its name or with keys of its own."""
    if not isinstance(value, str):
        raise ValueError(f"flow: {one_line(repr(value), 40)} is not the name of a flow")
    one = contestant(value)
    parameters = {f"flow.{key}": number for key, number in one.parameters.items()}
    return {"flow": one.flow, **one.settings, "set": {**asked["set"], **parameters}}


def _refuse_unused(plan: Plan) -> None:
    """Raise StudyError for constants and definitions that none of the problems has, and which nothing would use."""
    swept = [key for group in plan.groups for key in group.keys if key.partition(".")[0] in _OPEN]
    for key in swept:
        table, _, name = key.partition(".")
        known: dict[str, None] = {}
        for problem in plan.problems:
            known |= dict.fromkeys(getattr(read_problem(problem).tables, table))
        if name not in known and f"{table}.{name}" not in plan.set:
            where = plan.places.get(key, key)
            raise StudyError(
                f"{where}: the problem has no such entry of [{table}]; it has {', '.join(known) or 'none'}"
                f"{did_you_mean(name, known)}"
            )
