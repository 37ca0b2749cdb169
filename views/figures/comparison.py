"""A comparison of flows: the gap against flow time, and against Bellman evaluations; stalls are shaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from wpoflow.views.figures.canvas import DOUBLE, heading, new_figure, style
from wpoflow.views.figures.panels import GAP, TIME, legend_above, positive_scale
from wpoflow.views.figures.several import LINE_HEIGHT, looks

if TYPE_CHECKING:
    from wpoflow.studies.comparison.result import Comparison, Entry

HEIGHT = 2.7
EVALUATIONS = "Bellman evaluations"
STALLED = 0.08  # of a colour
BEGUN = 0.01


def draw_comparison(comparison: Comparison, *, title: bool = True) -> Figure:
    """Draw one.

    Parameters
    ----------
    comparison : Comparison
    title : bool
        Whether the problem's title stands above it.
    """
    entries = comparison.entries
    with style():
        figure = new_figure(DOUBLE, HEIGHT + LINE_HEIGHT * len(entries) / 2.0)
        left, right = figure.subplots(1, 2, sharey=True)
        gaps = [entry.run.series["gap"] for entry in entries]
        for entry, gap, look in zip(entries, gaps, looks(len(entries)), strict=True):
            label = entry.label.replace("$", r"\$")
            left.plot(entry.run.series["time"], gap, label=label, **look)
            right.plot(np.maximum(entry.evaluations, 1.0), gap, **look)
            if (found := entry.stall) is not None:
                left.axvspan(found.begin, found.end, color=look["color"], alpha=STALLED, linewidth=0.0)
        positive_scale(left, gaps)
        left.set_ylabel(GAP)
        left.set_xlabel(TIME)
        left.set_xscale("log")
        left.set_xlim(left=min(map(_begun, entries)))
        right.set_xscale("log")
        right.set_xlabel(EVALUATIONS)
        legend_above(left, 1)
        heading(figure, comparison.title if title else "")
    return figure


def _begun(entry: Entry) -> float:
    """Where its curve is worth looking at: the first time after the start at which the gap has fallen by `BEGUN`."""
    time, gap = entry.run.series["time"], entry.run.series["gap"]
    fallen = np.flatnonzero((gap <= (1.0 - BEGUN) * gap[0]) & (time > 0.0))
    return float(time[fallen[0]]) if fallen.size else float(time[-1]) or 1.0
