"""A refinement study as text: one table a direction and quantity, plain and aligned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wpoflow.studies.refinement.result import DirectionStudy, QuantityStudy, RefinementStudy

FAR = 0.5  # of an observed order from the expected one


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Right-aligned columns, two blanks apart and indented by two."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ("  ".join(f"{entry:>{width}}" for entry, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"  {line}".rstrip() for line in lines)


def study_text(study: RefinementStudy) -> str:
    """All tables of a study."""
    parts = [study.title] if study.title else []
    if study.times_from:
        parts.append(f"at flow time {study.times[-1]:g}: {study.times_from}")
    for entry in study.directions:
        parts.append(_heading(entry, study))
        parts += [_table(entry, quantity) for quantity in entry.studies]
    return "\n\n".join(parts)


def _heading(entry: DirectionStudy, study: RefinementStudy) -> str:
    fixed = [f"{name} {n}" for name, n in entry.levels[0].cells.items() if name not in entry.refined]
    control = f"scheme {study.scheme}" if entry.levels[0].step is not None else f"time error {study.accuracy:g}"
    others = f", at {', '.join(fixed)}" if fixed else ""
    return f"{entry.name}: {', '.join(entry.refined)} refined{others}; {control}; {sum(entry.seconds):.1f} s"


def _table(entry: DirectionStudy, quantity: QuantityStudy) -> str:
    when = "" if quantity.time is None else f" at time {quantity.time:g}"
    rows = [[*entry.refined, quantity.quantity, "difference", "order"]]
    for level, value, difference, order in zip(
        entry.levels, quantity.values, quantity.differences, quantity.orders, strict=True
    ):
        grid = [f"{level.step:g}" if name == "step" else str(level.cells[name]) for name in entry.refined]
        rows.append([*grid, f"{value:.12g}", _text(difference, ".3e"), _text(order, ".2f")])
    return f"{quantity.quantity}{when}\n{columns(rows)}\n  {_verdict(entry, quantity)}"


def _text(number: float, form: str) -> str:
    return "" if math.isnan(number) else format(number, form)


def _verdict(entry: DirectionStudy, quantity: QuantityStudy) -> str:
    finest = quantity.finest
    match finest.behaviour:
        case "monotone":
            far = abs(finest.order - entry.design_order) > FAR
            return (
                f"monotone, order {finest.order:.2f} (expected {entry.design_order:g}"
                f"{', not asymptotic yet' if far else ''}); "
                f"extrapolated {finest.value:.12g}, GCI {_band(finest.gci, quantity.values[-1])}"
            )
        case "oscillatory":
            return f"oscillatory: nothing extrapolated, half the spread is {_band(finest.gci, quantity.values[-1])}"
        case "unresolved":
            word = "rounding" if quantity.noise_from == "rounding" else "the error of the time steps"
            return f"down to {word}: no order can be seen; known to {_band(finest.gci, quantity.values[-1])}"
    return "divergent: the differences do not fall; finer grids are needed"


def _band(band: float, value: float) -> str:
    return f"{band:.2e}" + (f" ({100.0 * band / abs(value):.2g} %)" if value != 0.0 else "")
