"""The error that says what is wrong with the statement of a problem."""

from __future__ import annotations

from wpoflow.core.text import one_line
from wpoflow.core.travel import TravellingError

MOST_LINES = 20


class ProblemError(TravellingError, ValueError):
    """A problem that cannot be used.

    Parameters
    ----------
    *lines : str
        One line per fault, each naming file, key and what would be valid.

    Attributes
    ----------
    lines : tuple of str
        Printable, each one line; of very many faults the first ones.
    """

    def __init__(self, *lines: str) -> None:
        shown = [one_line(line) for line in lines[:MOST_LINES]]
        if len(lines) > MOST_LINES:
            shown[-1] = f"{shown[-1]} (and {len(lines) - MOST_LINES} faults more)"
        super().__init__("\n".join(shown))
        self.lines = tuple(shown)
