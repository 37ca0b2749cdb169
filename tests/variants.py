"""Variants of a test: what a change waits for tries some of them, the others are marked slow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def slow_but(values: Iterable[Any], *quick: Any) -> list[Any]:
    """Parameters in their order, all marked slow but those named.

    Raises
    ------
    ValueError
        A name is that of no variant: the test would no longer try what it is believed to.
    """
    values = list(values)
    unknown = [name for name in quick if name not in values]
    if unknown:
        raise ValueError(f"no such variants: {unknown}; there are {values}")
    return [value if value in quick else slow(value) for value in values]


def slow(value: Any) -> Any:
    """One parameter, or several as a tuple, marked slow."""
    return pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow)
