"""``wpoflow keys``: the keys of a problem file."""

from __future__ import annotations

import re
import textwrap

from wpoflow.core.text import did_you_mean
from wpoflow.exits import CommandError, Exit
from wpoflow.problems.keys import Key, described
from wpoflow.views.terminal import show

WIDTH = 100


def main(*, name: str | None) -> Exit:
    """Print all keys, or those of one table or of one name, with what may be given, the default and the meaning."""
    found = described()
    if name is not None:
        wanted = name.removesuffix("[]").split(".")
        chosen = {key: words for key, words in found.items() if _named(key, wanted)}
        if not chosen:
            tables = list(dict.fromkeys(re.split(r"[.\[]", key)[0] for key in found))
            parts = [*tables, *(part for key in found for part in key.split("."))]
            near = did_you_mean(name, parts)
            raise CommandError(Exit.UNUSABLE, f"{name!r} is no key; the tables are {', '.join(tables)}{near}")
        found = chosen
    table = ""
    for words in found.values():
        if words.table != table:
            show(("\n" if table else "") + _heading(words.table))
            table = words.table
        show(_lines(words))
    return Exit.DONE


def _named(key: str, wanted: list[str]) -> bool:
    """Whether some of the key's parts, one after the other, are those wanted; an axis or constant may have any name."""
    parts = key.replace("[]", "").split(".")
    pairs = (zip(parts[start:], wanted, strict=False) for start in range(len(parts) - len(wanted) + 1))
    return any(all(part == name or (part in ("AXIS", "NAME") and n) for n, (part, name) in enumerate(p)) for p in pairs)


def _heading(table: str) -> str:
    return "[[outcome]]" if table == "outcome" else f"[{table}]"


def _lines(key: Key) -> str:
    given = _plain(key.given)
    known = _plain(key.default)
    says = given if known == "–" else f"{given}; {known}" if known == "must be given" else f"{given}; default {known}"
    meaning = textwrap.fill(_plain(key.meaning), WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4)
    return f"  {key.name}  ({says})\n{meaning}"


def _plain(text: str) -> str:
    """Without the marks of Markdown."""
    return re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text).replace("`", "")
