"""What every answer must be: a few clear lines that begin with the name of what is at fault."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_LINE = 1000
MOST_LINES = 40


class BadAnswerError(AssertionError):
    """An answer that is not in one clear line."""


def check_lines(lines: Iterable[str], begin: str) -> None:
    """Raise BadAnswerError unless there are a few clear lines that begin with a name."""
    lines = list(lines)
    if not 1 <= len(lines) <= MOST_LINES:
        raise BadAnswerError(f"{len(lines)} lines")
    for line in lines:
        if not line.isprintable() or len(line) > LONGEST_LINE:
            raise BadAnswerError(f"a line of {len(line)} characters: {line[:200]!r}")
        if not line.startswith(begin):
            raise BadAnswerError(f"a line that does not begin with {begin}: {line[:200]!r}")
