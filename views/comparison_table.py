"""A comparison as text: what each flow took to which gap, at which rates, and where it stalled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from wpoflow.core.text import one_line
from wpoflow.views.refinement_table import columns

if TYPE_CHECKING:
    from wpoflow.studies.comparison.result import Comparison, Entry

MOST_LEVELS = 8
LONGEST = 40


def comparison_text(comparison: Comparison) -> str:
    """All tables: flow time, Bellman evaluations and processor seconds to each gap; rates; which fell short."""
    parts = [one_line(comparison.title)] if comparison.title else []
    shown = shown_levels(comparison)
    for heading, name, form in (
        ("flow time to a gap of", "time", ".4g"),
        ("Bellman evaluations to a gap of", "evaluations", ".0f"),
        ("processor seconds to a gap of", "cpu_seconds", ".2g"),
    ):
        rows = [["flow", *(f"{gap:.0e}" for gap in shown)]]
        for entry in comparison.entries:
            found = [getattr(entry.reached(gap), name) for gap in shown]
            rows.append([_label(entry), *(number(value, form) for value in found)])
        if shown:
            parts.append(f"{heading}\n{columns(rows)}")
    rows = [["flow", "guaranteed", "observed", "sharp", "longest stall", "gap at the end", "at time"]]
    for entry in comparison.entries:
        last = entry.run.series
        rates = [number(rate, ".4g") for rate in entry.rates.values()]
        rows.append([_label(entry), *rates, stall_words(entry), f"{last['gap'][-1]:.2g}", f"{last['time'][-1]:.4g}"])
    parts.append(f"rates of the gap, and where it stalled\n{columns(rows)}")
    if short := [entry for entry in comparison.entries if not entry.run.reached_goal]:
        sentences = [f"  {_label(entry)}: {one_line(entry.run.stop_reason)}" for entry in short]
        parts.append("\n".join(["short of what was asked for", *sentences]))
    return "\n\n".join(parts)


def shown_levels(comparison: Comparison) -> list[float]:
    """All levels, or about eight of them with the first and the last."""
    levels = comparison.levels
    if len(levels) <= MOST_LEVELS:
        return list(levels)
    chosen = dict.fromkeys(round(k * (len(levels) - 1) / (MOST_LEVELS - 1)) for k in range(MOST_LEVELS))
    return [levels[k] for k in chosen]


def number(value: float, form: str) -> str:
    """A number, or a dash where there is none."""
    return "-" if math.isnan(value) else format(value, form)


def stall_words(entry: Entry) -> str:
    """Where it stalled, in a few words."""
    found = entry.stall
    return "none" if found is None else f"{found.gap:.2g} from {found.begin:.4g} to {found.end:.4g}"


def _label(entry: Entry) -> str:
    return one_line(entry.label, LONGEST)
