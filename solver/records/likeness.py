"""Arrays and numbers by name, held against a template of the same: all that must be true before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def check_like(found: Mapping[str, Any], template: Mapping[str, Any], tuples: Mapping[str, str] | None = None) -> None:
    """Raise ValueError, in words, unless names, shapes and kinds are those of a template and all numbers are finite.

    An infinity is let pass where the template has it, too.

    Parameters
    ----------
    found, template : mappings of arrays and numbers
    tuples : mapping, optional
        Tuples of any length, whose entries are named ``tuple.0`` and so on, by the name of what each entry is like.
    """
    tuples = tuples or {}

    def stem(name: str) -> str:
        return name.rpartition(".")[0]

    wanted = {name for name in template if stem(name) not in tuples}
    there = {name for name in found if stem(name) not in tuples}
    if missing := sorted(wanted - there):
        raise ValueError(f"{missing[0]} is missing")
    if surplus := sorted(there - wanted):
        raise ValueError(f"{surplus[0][:40]!r} is not part of it")
    for name, value in found.items():
        like, array = np.asarray(template[tuples.get(stem(name), name)]), np.asarray(value)
        same = array.shape == like.shape and array.dtype.kind == like.dtype.kind
        if not same or not np.all(np.isfinite(array) | (array == like)):  # ln 0 where the template has it
            wanted_words = f"finite numbers of shape {like.shape}" if like.shape else "a finite number"
            raise ValueError(f"{name} is not {wanted_words}")


def entries(arrays: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    """The entries of a tuple, in order."""
    found: list[Any] = []
    while f"{name}.{len(found)}" in arrays:
        found.append(arrays[f"{name}.{len(found)}"])
    return tuple(found)
