"""Things that are chosen by name: where each is defined, imported when it is first asked for.

A list of names must cost nothing, as help and mistakes in an option are answered from it; what stands behind a name may
import numba.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any


def load(place: str) -> Any:
    """What is defined at ``module:name``."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def choices(names: Iterable[str], last: str = "or") -> str:
    """Names in words: a, b or c."""
    *most, end = names
    return f"{', '.join(most)} {last} {end}" if most else end
