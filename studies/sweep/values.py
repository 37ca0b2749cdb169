"""What a key is swept over: a list, a range, or the text of an option, read and checked.

A range is a table ``{ from = 0.05, to = 0.5, count = 10 }``, with ``spacing = "log"`` for equal ratios.  Values of one
key are of one kind: numbers, texts, or lists and tables as TOML has them.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from wpoflow.core.text import did_you_mean, one_line

RANGE = ("from", "to", "count", "spacing")
SPACINGS = ("linear", "log")
MOST = 1_000_000
_STRUCTURE = "\"'[]{}"  # with these an entry is TOML or a mistake, not a bare word


class StudyError(ValueError):
    """A study that cannot be carried out as it is stated; the message is one line that names the place."""


def is_range(given: object) -> bool:
    """Whether a table is meant as a range and not as one of tables."""
    return isinstance(given, Mapping) and "from" in given


def checked_values(where: str, given: object) -> list[Any]:
    """The values of one key.

    Parameters
    ----------
    where : str
        How errors call the place.
    given : sequence or mapping
        The values, or a range; entries and the whole may be NumPy's.

    Raises
    ------
    StudyError
        No list, an empty one, values of different kinds, or what is no value.
    """
    given = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(given, Mapping):
        found = _range(where, given)
    elif isinstance(given, Sequence) and not isinstance(given, str):
        found = [entry.tolist() if hasattr(entry, "tolist") else entry for entry in given]
    else:
        raise StudyError(f"{where}: {_shown(given)} is one value; give a list or a range, or set it for all points")
    if not found:
        raise StudyError(f"{where}: the list is empty; give at least one value")
    if len(found) > MOST:
        raise StudyError(f"{where}: {len(found):,} values; at most {MOST:,}")
    kinds = [_kind(where, value) for value in found]
    for kind, value in zip(kinds, found, strict=True):
        if kind != kinds[0]:
            raise StudyError(f"{where}: {_shown(value)} is not {kinds[0]}, as {_shown(found[0])} is")
    mixed = any(isinstance(value, float) for value in found)  # 1 among them is 1.0: a coordinate has one type
    return [float(value) if mixed and isinstance(value, int) else value for value in found]


def refuse_repeated(where: str, values: Sequence[Any]) -> None:
    """Raise StudyError if a value is given twice."""
    seen: set[str] = set()
    for value in values:
        key = repr(float(value)) if isinstance(value, int | float) else toml_text(value)
        if key in seen:
            raise StudyError(f"{where}: {_shown(value)} is given twice")
        seen.add(key)


def parse_values(where: str, text: str) -> Any:
    """Values as an option has them: TOML separated by commas, words without quotes, or one range.

    Raises
    ------
    StudyError
        An entry is empty, or neither TOML nor a word.
    """
    try:
        found = tomllib.loads(f"values = [{text}]")
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        found = {}
    if found.keys() == {"values"}:
        values = found["values"]
        return values[0] if len(values) == 1 and is_range(values[0]) else values
    return [_entry(where, part.strip()) for part in text.split(",")]


def _entry(where: str, text: str) -> Any:
    if not text:
        raise StudyError(f"{where}: a value between commas is missing")
    if any(letter in text for letter in _STRUCTURE):
        raise StudyError(f"{where}: {_shown(text)} is not a TOML value, in a list separated by commas")
    for read in (int, float, _toml):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _toml(text: str) -> Any:
    found = tomllib.loads(f"value = {text}")
    if found.keys() != {"value"}:
        raise ValueError(text)
    return found["value"]


def _range(where: str, given: Mapping[str, Any]) -> list[Any]:
    for key in given:
        if key not in RANGE:
            raise StudyError(
                f"{where}: {one_line(key, 40)} is not a key of a range; choose {', '.join(RANGE)}"
                f"{did_you_mean(key, RANGE)}"
            )
    missing = [key for key in RANGE[:3] if key not in given]
    if missing:
        raise StudyError(f"{where}: a range needs {missing[0]}, as in {{ from = 0.1, to = 1.0, count = 10 }}")
    first, last, count, spacing = (given.get(key, "linear") for key in RANGE)
    for key, value in (("from", first), ("to", last)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise StudyError(f"{where}: {key} = {_shown(value)} is not a number")
    if isinstance(count, bool) or not isinstance(count, int) or not 2 <= count <= MOST:
        raise StudyError(f"{where}: count = {_shown(count)} is not a whole number from 2 to {MOST:,}")
    if spacing not in SPACINGS:
        raise StudyError(f"{where}: spacing = {_shown(spacing)}; choose linear or log{did_you_mean(spacing, SPACINGS)}")
    if spacing == "log" and not (first > 0.0 and last > 0.0):
        raise StudyError(f"{where}: equal ratios need ends above zero, not {first:g} and {last:g}")
    share = [k / (count - 1) for k in range(count)]
    if spacing == "log":
        inner = [first * (last / first) ** part for part in share]
    else:
        inner = [first + (last - first) * part for part in share]
    values = [first, *inner[1:-1], last]
    whole = isinstance(first, int) and isinstance(last, int)
    if whole and all(math.isclose(value, round(value), rel_tol=1e-9) for value in values):
        return [round(value) for value in values]
    return [float(value) for value in values]


def _kind(where: str, value: Any) -> str:
    if isinstance(value, bool):
        raise StudyError(f"{where}: {str(value).lower()} is not a value of any key")
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise StudyError(f"{where}: {value} is not a finite number")
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, list | tuple | Mapping):
        return "a list or table"
    raise StudyError(f"{where}: {_shown(value)} is of type {type(value).__name__}, which no key takes")


def toml_text(value: Any) -> str:
    """A value as TOML in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {toml_text(entry)}' for key, entry in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_text, value))}]"
    return repr(value)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else json.dumps(name)


def label(value: Any) -> Any:
    """A value as its coordinate has it: numbers and texts as they are, lists and tables as TOML."""
    return value if isinstance(value, int | float | str) else toml_text(value)


def _shown(value: Any) -> str:
    return one_line(repr(value), 60)
