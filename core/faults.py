"""Faults that pydantic finds, in one line each: the dotted key, and what is wrong there with what was given."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_origin

from pydantic import BaseModel

from wpoflow.core.text import did_you_mean

_REPR = reprlib.Repr()  # what was given may be long or deep, and is shortened before it is written out
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother, _REPR.maxlong = 3, 60, 60, 60


def worded(entry: Any, model: type[BaseModel], raw: Mapping[str, Any]) -> tuple[str, str]:
    """Key and message of one of a model's errors of raw tables, as `ValidationError.errors` lists them."""
    location = _keys(entry["loc"], raw)
    key = ".".join(str(part) for part in location) or "file"
    given = _shown(entry["input"])
    match entry["type"]:
        case "missing":
            return key, "is missing"
        case "extra_forbidden":
            known = _keys_at(model, location[:-1])
            near = _elsewhere(model, str(location[-1])) or did_you_mean(location[-1], known)
            return key, f"is not a known key; choose among {', '.join(known)}{near}"
        case "value_error":
            return key, str(entry["ctx"]["error"])
        case "literal_error":
            expected = entry["ctx"]["expected"]
            near = did_you_mean(entry["input"], re.findall(r"'([^']+)'", expected))
            return key, f"{given} is not a choice; choose {expected}{near}"
    message = entry["msg"].replace("Input should", "must").replace("List should", "must")
    message = re.sub(r" or instance of \w+", "", message.replace("a valid dictionary", "a table"))
    return key, f"{message}, not {given}" if "not" not in message else f"{message}: {given}"


def _keys(location: Sequence[Any], given: Any) -> list[Any]:
    """A place without the marks of alternatives, which begin with # and are no keys of what is given there."""
    keys = []
    for part in location:
        within = isinstance(given, list) and isinstance(part, int) and part < len(given)
        if within or (isinstance(given, Mapping) and part in given):
            given = given[part]
        elif str(part).startswith("#"):
            continue
        keys.append(part)
    return keys


def _elsewhere(model: type[BaseModel], name: str) -> str:
    """``; did you mean 'TABLE.NAME'?`` for a key that tables of other places have; empty if none has it."""
    places = [place for place in _places(model) if place.rpartition(".")[2] == name]
    return f"; did you mean {' or '.join(map(repr, places[:3]))}?" if places else ""


def _places(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """All keys of tables within tables, with dots; NAME stands for what may be called anything."""
    for name, field in model.model_fields.items():
        table = _inner_table(field.annotation)
        if table is None:
            if prefix:
                yield f"{prefix}{name}"
            continue
        kind = get_origin(field.annotation)
        within = "NAME." if kind is dict else "0." if kind is list else ""
        yield from _places(table, f"{prefix}{name}.{within}")


def _shown(value: object) -> str:
    given = _REPR.repr(value)
    return given if len(given) <= 60 else given[:57] + "..."


def _keys_at(annotation: Any, location: list[Any]) -> list[str]:
    """Keys of the table at a place below a model."""
    for part in location:
        annotation = annotation.model_fields[part].annotation if _is_table(annotation) else annotation.__args__[-1]
    return list(_inner_table(annotation).model_fields)


def _is_table(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)


def _inner_table(annotation: Any) -> Any:
    """The model an annotation holds: itself, or the value type of a dict, list or union."""
    if _is_table(annotation):
        return annotation
    arguments = getattr(annotation, "__args__", ())
    return next((found for found in map(_inner_table, arguments) if found is not None), None)
