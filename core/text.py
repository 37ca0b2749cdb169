"""Text from files nobody vouches for, made fit for one line of an error or a table."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 600


def one_line(text: object, longest: int = LONGEST) -> str:
    """The text with white space joined, what a terminal would obey escaped, and its middle left out where it is long.

    Parameters
    ----------
    text : object
        Shown by ``str``.
    longest : int
        Characters kept, at most.
    """
    line = " ".join(str(text).split())
    if len(line) > longest:
        half = longest // 2
        line = f"{line[:half]} ... {line[-half:]}"
    return printable(line)


def escaped_line(text: object) -> str:
    """The text as it is, in one line: line breaks too are written as escapes, so that the names of files stay right."""
    return printable(str(text), but="")


def printable(text: str, but: str = "\n") -> str:
    """The text with characters that are not printable written as escapes; those of ``but`` stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in but else c.encode("unicode_escape").decode() for c in text)


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """``; did you mean 'NAME'?`` for the nearest name, to be put at the end of a message; empty if none is near.

    Parameters
    ----------
    name : object
        What was given.
    names : iterable of str
        What could have been meant.
    """
    known = {candidate.lower(): candidate for candidate in names}
    near = difflib.get_close_matches(str(name)[:LONGEST].lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {known[near[0]]!r}?" if near else ""
