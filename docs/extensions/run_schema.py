"""Reference of the run file, from the table by which it is written and read."""

from __future__ import annotations

from collections.abc import Iterable

from docs.extensions.generated import cell
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.records.layout import ATTRIBUTES, OPTIMUM_ATTRIBUTES, variables
from wpoflow.solver.records.series import FURTHER_SERIES, SERIES

_OWN = (
    "Each data set has the attributes `long_name`, its meaning below, and `units`, always `1`; axes `boundary` and "
    "`bounds`, too, labels of actions their names in `labels`, a JSON list, values a `comment`."
)
_TITLES = {
    "series": "Scalar series",
    "optimum": "Optimum",
    "snapshot": "Snapshots",
    "": "Grid and measures",
    "problem": "Problems stated in Python",
}


def markdown() -> str:
    """Tables of data sets and attributes, for one state axis x and one action axis u."""
    x, u = (Grid((uniform_axis(name, 0.0, 1.0, 2),)) for name in ("x", "u"))
    groups: dict[str, list[tuple[str, ...]]] = {group: [] for group in _TITLES}
    for entry in variables(x, u).values():
        row = (f"`/{entry.path}`", f"({', '.join(entry.dims)})", cell(entry.explained or entry.long_name))
        groups["series" if entry.path in {**SERIES, **FURTHER_SERIES} else entry.group].append(row)
    lines = [_OWN, ""]
    for group, title in _TITLES.items():
        lines += [f"## {title}", ""]
        if group == "problem":
            lines += ["These have no text; the file keeps the arrays instead.", ""]
        lines += _table(("data set", "dimensions", "meaning"), groups[group])
        if group == "optimum":
            numbers = [(f"`{name}`", cell(entry.meaning)) for name, entry in OPTIMUM_ATTRIBUTES.items()]
            lines += _table(("attribute of `/optimum`", "meaning"), numbers)
    attributes = [(f"`{name}`", cell(entry.meaning)) for name, entry in ATTRIBUTES.items()]
    return "\n".join([*lines, "## Attributes of the file", "", *_table(("attribute", "meaning"), attributes)])


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [heads, ("---",) * len(heads), *rows]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]
