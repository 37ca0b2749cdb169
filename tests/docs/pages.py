"""Pages of the manual taken apart: blocks of code, the output shown below them, and how output is compared.

A page's blocks run in order, in one empty folder and, the Python ones, in one namespace:

    ```sh        each line is a command of wpoflow; the comment "% status 2" above says how it must end, else 0
    ```python    executed
    ```text      right below one of these, with prose in between at most: lines that its output must hold
    ```toml or python with a caption, or a literalinclude with one: a file of that name; Python ones can be imported

Other blocks (console, or toml without a caption) are shown and not run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
RELATIVE = 0.05
ROUNDING = 1e-8  # numbers below are of rounding's making, or of a solver's tolerance, and agree in being small

_FENCE = re.compile(
    r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?")
_TOKEN = re.compile(rf"\.\.\.|{_NUMBER.pattern}|[^\W\d]+|[^\w\s]")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, text, line on the page, file name (or none) and expected exit status."""

    language: str
    text: str
    line: int
    caption: str = ""
    status: int = 0


def pages() -> list[Path]:
    """All pages of the manual."""
    return sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


def blocks(page: Path) -> Iterator[Block]:
    """Fenced blocks of a page, in order."""
    source = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(source):
        words, text = found["info"].strip().split(), found["text"]
        above = source[: found.start()].rstrip("\n").rpartition("\n")[2]
        status = re.fullmatch(r"% status (\d+)", above)
        caption = re.search(r"^:caption: (\S+)$", text, re.MULTILINE)
        language = words[0] if words else ""
        if language == "{literalinclude}":
            text, language = (page.parent / words[1]).read_text(encoding="utf-8"), "toml"
        elif language == "{code-block}":
            language = words[1]
            text = re.sub(r"\A(:[a-z]+:[^\n]*\n)+\n?", "", text)
        line = source.count("\n", 0, found.start()) + 1
        yield Block(language, text, line, caption[1] if caption else "", int(status[1]) if status else 0)


def commands(block: Block) -> list[str]:
    """Command lines of a block; a line that ends in a backslash goes on in the next."""
    joined = block.text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def missing_lines(shown: str, output: str) -> list[str]:
    """Lines shown on a page that the output does not hold."""
    printed = [_TOKEN.findall(line) for line in output.splitlines()]
    return [
        line
        for line in shown.splitlines()
        if line.strip() not in ("", "...") and not any(_agree(_TOKEN.findall(line), other) for other in printed)
    ]


def _agree(shown: list[str], printed: list[str]) -> bool:
    """Whether two lines agree: the same words, numbers close to each other, ``...`` for anything."""
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(_agree(shown[1:], printed[k:]) for k in range(len(printed) + 1))
    return bool(printed) and _close(shown[0], printed[0]) and _agree(shown[1:], printed[1:])


def _close(shown: str, printed: str) -> bool:
    if not (_NUMBER.fullmatch(shown) and _NUMBER.fullmatch(printed)):
        return shown == printed
    first, second = (float(text.replace(",", "")) for text in (shown, printed))
    return math.isclose(first, second, rel_tol=RELATIVE, abs_tol=ROUNDING)
