"""The error that says what is wrong with the statement of a problem."""

from __future__ import annotations


class ProblemError(ValueError):
    """A problem that cannot be used.

    Parameters
    ----------
    *lines : str
        One line per fault, each naming file, key and what would be valid.

    Attributes
    ----------
    lines : tuple of str
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
