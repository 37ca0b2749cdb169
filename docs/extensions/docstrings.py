"""Docstrings are plain text; this makes reStructuredText of them without changing what is read."""

from __future__ import annotations

import re

_LITERAL = re.compile(r"``.*?``|`[^`]+`|:[a-z:]+:`[^`]+`")
_MARKS = re.compile(r"(?<!\\)([*|])|(?<=[A-Za-z0-9^}])(_)(?![A-Za-z0-9_])")


def escape(line: str) -> str:
    """A line with stars, bars and trailing underscores as the characters they are, except in literals."""
    pieces, start = [], 0
    for found in _LITERAL.finditer(line):
        pieces += [_escaped(line[start : found.start()]), found[0]]
        start = found.end()
    return "".join([*pieces, _escaped(line[start:])])


def _escaped(text: str) -> str:
    return _MARKS.sub(lambda found: "\\" + found[0], text)


def as_restructured_text(app: object, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Escape a docstring's lines in place; indented formulas become literal blocks."""
    out: list[str] = []
    section = False  # indented lines below a numpydoc section's heading are its entries' texts
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        section = section or bool(following.strip() and set(following.strip()) == {"-"})
        before = lines[number - 1] if number else ""
        if not section and line.startswith("    ") and not before.strip() and not _within(out):
            out += ["::", ""]
        out.append(line if line.startswith("    ") and not section else escape(line))
    lines[:] = out


def _within(out: list[str]) -> bool:
    """Whether the last line that is not empty belongs to an indented block already."""
    written = [line for line in out if line.strip()]
    return bool(written) and written[-1].startswith("    ")
