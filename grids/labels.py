"""What an axis may be called besides its name, and its unit: words for figures, tables and the attributes of files."""

from __future__ import annotations

LONGEST = 100
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
