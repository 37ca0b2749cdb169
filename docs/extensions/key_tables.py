"""Reference of the problem file: the table of its keys, as the manual prints it."""

from __future__ import annotations

from docs.extensions.generated import cell
from wpoflow.problems.checks import PREDEFINED
from wpoflow.problems.expressions import ARGUMENTS
from wpoflow.problems.keys import described


def markdown() -> str:
    """A table of keys for every table of the file.

    Raises
    ------
    ValueError
        As `wpoflow.problems.keys.described`.
    """
    lines: list[str] = []
    table = ""
    for key in described().values():
        if key.table != table:
            table = key.table
            heading = "\\[\\[outcome\\]\\]" if table == "outcome" else f"\\[{table}\\]"
            lines += ["", f"## {heading}", "", "| key | given as | default | meaning |", "| --- | --- | --- | --- |"]
        lines.append(f"| `{key.name}` | {cell(key.given)} | {key.default} | {cell(key.meaning)} |")
    functions = " ".join(f"`{name}`" for name in ARGUMENTS)
    return "\n".join([*lines, "", "## Expressions", "", f"Functions: {functions}.", "", _WORDS, ""])


_WORDS = (
    "Operators: `+ - * / // % **`, comparisons, `and`, `or`, `not`. Names: the axes that the key's meaning names, "
    f"`[constants]`, `[definitions]`, `pi`, {' and '.join(f'`{name}`' for name in PREDEFINED)}. "
    "`where(condition, a, b)` chooses element by element, `clip(x, lower, upper)` limits, `min` and `max` take two or "
    "more. A number may stand for an expression. Arithmetic is float64 with NumPy's conventions: `1/0` is infinite and "
    "then refused with the state and action at which it came up. A comparison with nan hands it on, and is refused as "
    "well, unless `and`, `or` or `where` are decided without it. Nothing else parses, and no text of a file is ever "
    "executed."
)
