"""A study file: TOML whose ``problem`` is a name, or several, and not a table as in a problem file.

problem = "lqr"                         # or ["bandit", "lqr"]; a path is relative to the study file
title = "Rates over temperature and discount"

[over]                                  # all combinations
"problem.temperature" = [0.05, 0.1, 0.2]
"problem.discount" = { from = 0.8, to = 0.95, count = 4 }

[[zip]]                                 # these go together
"cells.x" = [16, 32]
"cells.u" = [16, 32]

[set]                                   # the same for all points
"flow.until" = { time = 5.0 }
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wpoflow.core.arguments import check_mapping
from wpoflow.core.text import did_you_mean, one_line
from wpoflow.problems.problem_file import names_file, read_problem
from wpoflow.studies.sweep.plan import SETTINGS, Plan, make_plan
from wpoflow.studies.sweep.values import StudyError, is_range, toml_text

KEYS = ("problem", "title", "over", "zip", "set")
MAX_BYTES = 1_000_000


def study_content(path: str | Path) -> dict[str, Any] | None:
    """What a study file holds; None of a file that is none, as a problem file, or that cannot be read.

    Raises
    ------
    StudyError
        The file is meant as a study, for it has ``over`` or ``zip``, and is faulty.
    """
    path = Path(path)
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None  # what reads problem files says what is wrong with it
    if isinstance(content.get("problem"), Mapping) and not content.keys() & {"over", "zip"}:
        return None
    return content if content.keys() & {"over", "zip"} or not isinstance(content.get("problem", {}), Mapping) else None


def read_study(path: str | Path) -> dict[str, Any]:
    """The arguments of `studies.sweep.plan.make_plan` that a study file states.

    Raises
    ------
    StudyError
        One line that names file and key.
    """
    label, content = str(path), study_content(path)
    if content is None:
        raise StudyError(f"{label}: is not a study file: it needs problem = a name and a table [over] or [[zip]]")
    for key in content:
        if key not in KEYS:
            raise StudyError(
                f"{label}: {one_line(key, 40)}: is not a key of a study; choose {', '.join(KEYS)}"
                f"{did_you_mean(key, KEYS)}"
            )
    over, together = content.get("over", {}), content.get("zip", [])
    together = [together] if isinstance(together, Mapping) else together
    if not isinstance(together, list):
        raise StudyError(f"{label}: zip: must be tables, [[zip]], not {one_line(repr(together), 40)}")
    for name, table in (("over", over), ("set", content.get("set", {})), *(("zip", table) for table in together)):
        if not isinstance(table, Mapping):
            raise StudyError(f"{label}: {name}: must be a table, not {one_line(repr(table), 40)}")
    found_over = dict(_flat(over))
    found_together = [dict(_flat(table)) for table in together]
    places = {key: f"{label}: over.{key}" for key in found_over}
    places |= {key: f"{label}: zip.{key}" for table in found_together for key in table}
    if not isinstance(title := content.get("title", ""), str):
        raise StudyError(f"{label}: title: must be a text, not {one_line(repr(title), 40)}")
    return {
        "problems": _problems(label, content.get("problem")),
        "over": found_over,
        "together": found_together,
        **_fixed(label, content.get("set", {})),
        "title": title,
        "places": places,
    }


def _problems(label: str, given: Any) -> list[str]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        shown = "is missing" if given is None else f"is {one_line(repr(given), 40)}"
        raise StudyError(f"{label}: problem: {shown}; give a gallery name, a file, or a list of them")
    folder = Path(label).parent
    return [str(folder / name) if names_file(name) and not Path(name).is_absolute() else name for name in names]


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys, whether they were written as ``"a.b"`` or as ``a.b``, down to lists and ranges."""
    for key, value in table.items():
        if isinstance(value, Mapping) and not is_range(value) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _fixed(label: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """``set``, ``cells`` and ``settings``; a key in quotes replaces the whole table that it names."""
    found: dict[str, Any] = {"set": {}, "cells": {}, "settings": {}}
    for key, value in table.items():
        if key == "cells" and isinstance(value, Mapping):
            found["cells"] |= value
        elif key.startswith("cells."):
            found["cells"][key.removeprefix("cells.")] = value
        elif key in SETTINGS and not (key == "flow" and isinstance(value, Mapping)):
            found["settings"][key] = value
        elif key.startswith("until."):
            found["set"][f"flow.{key}"] = value
        elif isinstance(value, Mapping) and "." not in key:
            found["set"] |= dict(_flat(value, f"{key}."))
        else:
            found["set"][key] = value
    for axis, number in found["cells"].items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise StudyError(f"{label}: set.cells.{axis}: {one_line(repr(number), 40)} is not a positive whole number")
    found["set"] = {key: toml_text(value) if isinstance(value, str) else value for key, value in found["set"].items()}
    return found


def plan_of(problem: Any, over: Mapping[str, Any] | None, together: Sequence[Mapping[str, Any]], **same: Any) -> Plan:
    """The plan of a study file, or of problems and keys; ``same`` and ``places`` as for `make_plan`."""
    names = [problem] if isinstance(problem, str | os.PathLike) else problem
    if not isinstance(names, Sequence) or not all(isinstance(name, str | os.PathLike) for name in names):
        raise TypeError(
            f"problem is of type {type(problem).__name__}; it must be the name of a gallery problem or a file, or a "
            "list of them, whose keys can be swept"
        )
    check_mapping("over", over, "{'problem.discount': [0.5, 0.9]}")
    for group in together:
        check_mapping("together", group, "[{'cells.x': [8, 16], 'cells.u': [8, 16]}]")
    check_mapping("set", same.get("set"), "{'problem.discount': 0.5}")
    check_mapping("cells", same.get("cells"), "{'x': 64}")
    problems = [os.fspath(name) for name in names]
    files = [name for name in problems if names_file(name) and study_content(name) is not None]
    if not (files or over or together) and problems:
        read_problem(problems[0])  # where that is not even a problem, this is what is to be said
    stated: dict[str, Any] = {"problems": problems, "over": {}, "together": []}
    if files:
        if len(problems) > 1:
            raise StudyError(f"{files[0]}: is a study file, and stands alone")
        stated = read_study(files[0])
    for key in over or {}:
        if key in stated["over"]:
            raise StudyError(f"{same.get('places', {}).get(key, key)}: is swept in {files[0]}, too")
    for name in ("set", "cells", "settings", "places"):
        stated[name] = {**stated.get(name, {}), **(same.get(name) or {})}
    stated["title"] = same.get("title") or stated.get("title", "")
    stated["over"] = {**stated["over"], **(over or {})}
    stated["together"] = [*stated["together"], *together]
    return make_plan(**stated)


def default_folder(problem: str) -> Path:
    """Where a study is written if nobody says where."""
    name = Path(problem).stem if names_file(problem) else problem
    return Path(f"{name}-sweep")
