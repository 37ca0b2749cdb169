"""What an axis may be called besides its name, its unit, and the labels of actions without an order.

Words for figures, tables and the attributes of files.
"""

from __future__ import annotations

from collections.abc import Sequence

LABELS = "labels"
"""Boundary of an axis of labels."""
LONGEST = 100
MOST_LABELS = 10_000
_TIME_UNITS = ("day", "hour", "minute", "second", "millisecond", "microsecond", "nanosecond")


def check_label(label: str) -> str:
    """The label; ValueError unless it is one line of at most a hundred printable characters."""
    if len(label) > LONGEST or not label.isprintable():
        raise ValueError(f"must be one line of at most {LONGEST} printable characters")
    return label


def check_units(units: str) -> str:
    """The unit; ValueError as `check_label`, and for words by which netCDF readers turn numbers into dates.

    xarray takes an axis in ``seconds``, or in ``days since`` some date, for times and gives its numbers another type.
    """
    if units.removesuffix("s") in _TIME_UNITS or " since " in units:
        raise ValueError(f"{units!r} would make netCDF readers take the axis for dates; write s, min, h or d")
    return check_label(units)


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels of an axis; ValueError, in words that follow "labels", unless each is a line of its own."""
    if not labels or len(labels) > MOST_LABELS:
        raise ValueError(f"are {len(labels)}; there must be between 1 and {MOST_LABELS:,}")
    for label in labels:
        fits = isinstance(label, str) and 0 < len(label) <= LONGEST and label.isprintable()
        if not fits or label != " ".join(label.split()):
            said = f"each must be one line of 1 to {LONGEST} printable characters, blanks only between words"
            raise ValueError(f"hold {label!r}; {said}")
    if len(set(labels)) < len(labels):
        twice = next(label for k, label in enumerate(labels) if label in labels[:k])
        raise ValueError(f"hold {twice!r} twice; all must be different")
    return tuple(labels)
