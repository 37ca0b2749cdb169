"""Reading a problem file: TOML text, overrides, all faults at once, and the resolved text.

    ProblemFile = validated tables + resolved TOML

Only the standard library and pydantic are needed here, and NumPy where an axis takes an expression for a number, so
that a fault in the file is reported at once; expressions are compiled when the problem is built (:mod:`problems.load`).
"""

from __future__ import annotations

import errno
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from wpoflow.core.arguments import check_kind, check_mapping, plain
from wpoflow.core.brief import briefly
from wpoflow.core.faults import worded
from wpoflow.core.text import did_you_mean
from wpoflow.problems.checks import faults, resolve_numbers, share_name
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.gallery import gallery_names, gallery_text
from wpoflow.problems.tables import Tables
from wpoflow.solver.records.flow_table import FlowTable
from wpoflow.solver.records.settings import RecordTable
from wpoflow.solver.registry import CONTROL, FLOWS, parameter_keys

_NUMBERS = re.compile(r" = \[\n(?: +[-+.\w]+,\n)+\]$", re.MULTILINE)
_LONGEST_LINE = 100

MAX_BYTES = 1_000_000
_HDF5 = b"\x89HDF\r\n\x1a\n"


@briefly
@dataclass(frozen=True)
class ProblemFile:
    """A problem as its file states it, checked, with overrides applied and defaults filled in.

    Attributes
    ----------
    name : str
        Gallery name, or the file's name without ``.toml``.
    label : str
        How errors call the file.
    tables : Tables
        The validated content.
    """

    name: str
    label: str
    tables: Tables

    @property
    def title(self) -> str:
        """Title of the problem, or its name if it has none."""
        return self.tables.problem.title or self.name

    @property
    def flow(self) -> FlowTable:
        """How to run it: kind, scheme, accuracy or step, until."""
        return self.tables.flow

    @property
    def record(self) -> RecordTable:
        """What to record: series and snapshots."""
        return self.tables.record

    @property
    def text(self) -> str:
        """The resolved problem as TOML, short lists of numbers on one line; reading it gives this problem again."""
        return _NUMBERS.sub(_on_one_line, tomli_w.dumps(self.tables.dump()))


def names_file(name_or_path: str | Path) -> bool:
    """Whether a file is meant, not a gallery problem."""
    return isinstance(name_or_path, Path) or name_or_path.endswith(".toml") or "/" in name_or_path


def read_problem(
    name_or_path: str | Path,
    *,
    cells: Mapping[str, int] | None = None,
    set: Mapping[str, Any] | None = None,
    **settings: Any,
) -> ProblemFile:
    """Read and check a problem.

    Parameters
    ----------
    name_or_path, cells, set
        As in `problems.load.load_problem`.
    **settings
        until, scheme, step, accuracy or flow: replace keys of ``[flow]``; a step removes the file's accuracy and the
        other way round, and an ``until`` that is a number is a time.

    Raises
    ------
    ProblemError
        Unreadable file or faulty content: one line per fault.
    """
    check_kind("problem", name_or_path, (str, os.PathLike), "the name of a gallery problem or a file")
    check_mapping("cells", cells, "{'x': 64}")
    check_mapping("set", set, "{'problem.discount': 0.5}")
    cells, set, settings = plain(cells or {}), plain(set or {}), plain(settings)
    _refuse_other_files(name_or_path)
    if names_file(name_or_path):
        path = Path(name_or_path)
        try:
            text = _read_text(path)
        except ProblemError:
            raise
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a text file in UTF-8"
            raise ProblemError(f"{name_or_path}: {reason}") from None
        name, label = path.stem, str(name_or_path)
    else:
        name, label, text = str(name_or_path), f"{name_or_path} (gallery)", gallery_text(str(name_or_path))
    raw = _parsed(text, label)
    settings = {"kind" if name == "flow" else name: value for name, value in settings.items()}
    _leave_to_other_flows(raw, settings.get("kind"))
    lines = [*_apply_set(raw, set), *_apply_cells(raw, cells), *_apply_flow(raw, settings)]
    if lines:
        raise ProblemError(*lines)
    options = dict(_options(set, cells, settings))
    return ProblemFile(name, label, _validated(raw, label, options))


def is_run_file(name_or_path: str | Path) -> bool:
    """Whether there is a file of this name, whatever its ending, that begins as HDF5 files do."""
    try:
        if not Path(name_or_path).is_file():  # a pipe may never be opened
            return False
        with open(name_or_path, "rb") as stream:
            return stream.read(len(_HDF5)) == _HDF5
    except (OSError, ValueError):
        return False


def _refuse_other_files(name_or_path: str | Path) -> None:
    """Raise ProblemError, with what to do, for a run file, and for a file whose name does not say that it is one."""
    name = str(name_or_path)
    if name in gallery_names():
        return
    if is_run_file(name_or_path):
        raise ProblemError(
            f"{name_or_path} is a run file, not a problem; wpoflow info {name_or_path} says what it holds, "
            f"wpoflow resume {name_or_path} goes on with it (in Python, where its problem was stated there)"
        )
    if names_file(name_or_path):
        return
    beside = [Path(name), *(Path(f"{name}{ending}") for ending in (".toml", ".h5"))]
    for path in beside:
        try:
            if not path.is_file():
                continue
        except (OSError, ValueError):  # no name of a file
            continue
        if path.suffix == ".h5":
            hint = f"the run file {path} is there; wpoflow info {path} says what it holds"
        else:
            hint = f"for the file here write {path if path.suffix == '.toml' else f'./{path}'}"
        raise ProblemError(f"{name!r} is not in the gallery; {hint}")


def _read_text(path: Path) -> str:
    """The file's text; only of a regular file (a pipe or a device may never end), and not of any length."""
    found = path.stat()
    if stat.S_ISREG(found.st_mode) and found.st_size <= MAX_BYTES:
        return path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    large = found.st_size > MAX_BYTES
    reason = f"is {found.st_size} bytes long; at most {MAX_BYTES}" if large else "not a regular file"
    raise ProblemError(f"{path}: {reason}")


def parse_problem(text: str, label: str = "problem.toml") -> ProblemFile:
    """Check a problem given as TOML text; errors as in :func:`read_problem`."""
    return ProblemFile(Path(label).stem, label, _validated(_parsed(text, label), label))


def _parsed(text: str, label: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise ProblemError(f"{label}: not valid TOML: {error}") from None


def _on_one_line(found: re.Match[str]) -> str:
    joined = f" = [{' '.join(found[0].split()[2:-1]).rstrip(',')}]"
    return joined if len(joined) <= _LONGEST_LINE else found[0]


def _options(
    set: Mapping[str, Any], cells: Mapping[str, int], settings: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Keys of the file that were replaced, and the option each was replaced by."""
    for key in set:
        yield key, f"set[{key!r}]"
    for name in cells:
        yield f"state.{name}.cells", f"cells[{name!r}]"
        yield f"action.{name}.cells", f"cells[{name!r}]"
        yield f"shock.{name}.points", f"cells[{name!r}]"
    for name, value in settings.items():
        if value is not None:
            yield f"flow.{name}", "flow" if name == "kind" else name


def _validated(raw: dict[str, Any], label: str, options: Mapping[str, str] | None = None) -> Tables:
    found = resolve_numbers(raw)
    unresolved = {key for key, _ in found}
    tables = None
    try:
        tables = Tables.model_validate(raw)
    except ValidationError as error:
        worded_faults = [worded(entry, Tables, raw) for entry in error.errors(include_url=False)]
        found += [fault for fault in worded_faults if fault[0] not in unresolved]
    known = {key for key, _ in found}
    found += [fault for fault in faults(raw) if fault[0] not in known]
    if tables is None or found:
        raise ProblemError(*(f"{_blamed(key, label, options or {})}: {message}" for key, message in found))
    return tables


def _blamed(key: str, label: str, options: Mapping[str, str]) -> str:
    """The option a faulty key came from, else the file and the key."""
    for replaced, option in options.items():
        if key == replaced:
            return option
        if key.startswith(f"{replaced}."):
            return f"{option}.{key.removeprefix(replaced + '.')}"
    within = [option for replaced, option in options.items() if replaced.startswith(f"{key}.")]
    return f"{label}: {key}" + (f" (with {', '.join(within)})" if within else "")


def _apply_set(raw: dict[str, Any], overrides: Mapping[str, Any]) -> list[str]:
    wrong = []
    for key, value in overrides.items():
        try:
            _set_one(raw, key, _toml_value(value) if isinstance(value, str) else value)
        except ProblemError as error:
            wrong.append(f"set[{key!r}]: {error}")
    return wrong


def _toml_value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        parsed = {}
    if set(parsed) != {"value"}:
        raise ProblemError(f"{text!r} is not a TOML value; text and expressions need quotes, as in '\"x**2\"'")
    return parsed["value"]


def _set_one(raw: dict[str, Any], key: str, value: Any) -> None:
    parts = key.split(".")
    table: Any = raw
    for part in parts[:-1]:
        if isinstance(table, list) and part.isdecimal() and int(part) < len(table):
            table = table[int(part)]
        elif isinstance(table, dict):
            table = table.setdefault(part, {})
        else:
            raise ProblemError(f"{part} is not a table")
    if not isinstance(table, dict) or "" in parts:
        raise ProblemError("the key does not lead to a table's entry")
    table[parts[-1]] = value


def _apply_cells(raw: dict[str, Any], cells: Mapping[str, int]) -> list[str]:
    axes = {
        name: axis
        for key in ("shock", "state", "action")
        for name, axis in (raw[key] if isinstance(raw.get(key), dict) else {}).items()
        if isinstance(axis, dict)
    }
    shocks = raw["shock"] if isinstance(raw.get("shock"), dict) else {}
    called = {share_name(name): axis for name, axis in axes.items() if "feasible" in axis} | axes
    wrong = []
    for name, number in cells.items():
        if name not in called:
            known = ", ".join(axes) or "none"
            wrong.append(f"cells[{name!r}]: is not an axis; axes are {known}{did_you_mean(name, called)}")
        elif "labels" in called[name]:
            wrong.append(f"cells[{name!r}]: the axis is given by labels, which cannot be refined")
        elif "edges" in called[name]:
            wrong.append(f"cells[{name!r}]: the axis is given by edges; its cells cannot be replaced")
        elif "transition" in called[name]:
            wrong.append(f"cells[{name!r}]: the shock is given by a table; its points cannot be replaced")
        else:
            called[name]["points" if called[name] is shocks.get(name) else "cells"] = number
    return wrong


def _leave_to_other_flows(raw: dict[str, Any], kind: Any) -> None:
    """Remove the file's keys of [flow] that are of its own flow and that the one asked for instead does not know."""
    table, entry = raw.get("flow"), FLOWS.get(kind) if isinstance(kind, str) else None
    if entry is None or not isinstance(table, dict):
        return
    for key in {*CONTROL, "anneal", *parameter_keys()} - {*entry.keys}:
        table.pop(key, None)


def _apply_flow(raw: dict[str, Any], settings: Mapping[str, Any]) -> list[str]:
    given = {key: value for key, value in settings.items() if value is not None}
    if not given:
        return []
    if "step" in given and "accuracy" in given:
        return ["step and accuracy: give one of them, not both"]
    table = raw.setdefault("flow", {})
    if not isinstance(table, dict):
        return []
    for key, other in (("step", "accuracy"), ("accuracy", "step")):
        if key in given:
            table.pop(other, None)
    table.update({key: dict(value) if isinstance(value, Mapping) else value for key, value in given.items()})
    return []
