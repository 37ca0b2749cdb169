"""What tells runs apart, in few words: by title, flow, scheme, and whatever differs in their problems and settings."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from wpoflow.core.text import one_line
from wpoflow.solver.records.run import Run

CONTROL = "control"
SETTINGS = ("flow", "scheme", CONTROL)
UNTOLD = ("problem.title", "flow.kind", "flow.scheme", "flow.accuracy", "flow.step")
"""Keys of a problem file that the run's own attributes say better."""
OF_THE_FILE = ("flow.until.", "record.")
"""Keys that say how long was run and what was recorded: told where nothing else differs."""
MOST_FACTS, LONGEST_VALUE, LONGEST_LABEL = 3, 28, 72


def labels_of(runs: Sequence[Run], names: Sequence[str]) -> list[str]:
    """A label for each run, no two alike.

    Parameters
    ----------
    runs : sequence of Run
    names : sequence of str
        What each is called, as its file; said where nothing else tells two runs apart, or too much does.
    """
    labels = [""] * len(runs)
    titles = [run.title for run in runs]
    for title in dict.fromkeys(titles):
        alike = [k for k, other in enumerate(titles) if other == title]
        told = _told_apart([facts_of(runs[k]) for k in alike])
        for k, words in zip(alike, told, strict=True):
            parts = [title, *words] if len(set(titles)) > 1 else words
            labels[k] = one_line(", ".join(part for part in parts if part), LONGEST_LABEL)
    count = Counter(labels)
    named = [
        label if label and count[label] == 1 else f"{label} ({name})" if label else name
        for label, name in zip(labels, names, strict=True)
    ]
    seen: Counter[str] = Counter()
    for k, label in enumerate(named):
        seen[label] += 1
        named[k] = label if seen[label] == 1 else f"{label}, {seen[label]}"
    return named


def _told_apart(facts: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Of runs of one title: all in which they differ, or of too much that in which each differs from most."""
    keys = [key for key in dict.fromkeys(key for entry in facts for key in entry) if _differs(facts, key)]
    telling = [key for key in keys if not key.startswith(OF_THE_FILE)] or keys
    short = _short_names(telling)
    usual: dict[str, Any] = {}
    if len(telling) > MOST_FACTS:
        for key in telling:
            usual[key] = Counter(repr(entry.get(key)) for entry in facts).most_common(1)[0][0]
    told = []
    for entry in facts:
        unusual = [key for key in telling if repr(entry.get(key)) != usual.get(key)]
        words = [_words(short[key], key, entry.get(key)) for key in unusual]
        told.append([word for word in words if word][:MOST_FACTS])
    return told


def facts_of(run: Run) -> dict[str, Any]:
    """Settings and grid of a run, and all of its problem that is stated, by dotted key."""
    attributes = run.attributes
    facts = {name: attributes[name] for name in ("flow", "scheme") if name in attributes}
    for name in ("accuracy", "step"):
        if name in attributes:
            facts[CONTROL] = f"{name} {_text(attributes[name])}"
    stated = {}
    if run.problem:
        try:
            stated = _flat(tomllib.loads(run.problem))
        except ValueError:  # a text that is no problem file says nothing
            stated = {}
    if not stated:
        stated = {name: attributes[name] for name in ("discount", "temperature") if name in attributes}
        stated |= {f"{axis.name}.cells": axis.size for axis in (*run.states.axes, *run.actions.axes)}
    return facts | {key: value for key, value in stated.items() if key not in UNTOLD}


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = str(value) if isinstance(value, list) else value
    return found


def _differs(facts: Sequence[Mapping[str, Any]], key: str) -> bool:
    return len({repr(entry.get(key)) for entry in facts}) > 1


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each key, with the part before it where two would be the same or it says nothing alone."""
    last = Counter(key.rpartition(".")[2] for key in keys)
    names = {}
    for key in keys:
        before, _, name = key.rpartition(".")
        alone = last[name] == 1 and name not in ("cells", "bounds", "edges", "boundary")
        parent = before.rpartition(".")[2]
        named = name if alone and parent not in ("dynamics", "noise") else f"{parent}.{name}".lstrip(".")
        names[key] = named
    return names


def _words(name: str, key: str, value: Any) -> str:
    """``temperature 0.1``; flow and scheme by their value alone; no word of what a run does not have."""
    if value is None:
        return ""
    text = _text(value)
    if key in SETTINGS:
        return text
    return f"{text} cells of {name.removesuffix('.cells')}" if name.endswith(".cells") else f"{name} {text}"


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else one_line(value, LONGEST_VALUE)
