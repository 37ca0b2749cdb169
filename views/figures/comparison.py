"""A comparison of flows: the gap against flow time, and against Bellman evaluations; stalls are shaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wpoflow.solver.registry import own_step_flows
from wpoflow.views.figures.canvas import DOUBLE, heading, new_figure, style
from wpoflow.views.figures.panels import GAP, PLUNGE, TIME, legend_below, positive_scale, spanned
from wpoflow.views.figures.several import FEW_ROWS, looks

if TYPE_CHECKING:
    from wpoflow.studies.comparison.result import Comparison, Entry

HEIGHT = 3.0
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
        figure = new_figure(DOUBLE, HEIGHT)
        left, right = figure.subplots(1, 2, sharey=True)
        gaps = [entry.run.series["gap"] for entry in entries]
        for entry, gap, look in zip(entries, gaps, looks(len(entries)), strict=True):
            label = entry.label.replace("$", r"\$")
            drawn = {"marker": "o" if gap.size <= FEW_ROWS else "", "markersize": 3.0, **look}
            left.plot(entry.run.series["time"], gap, label=label, **drawn)
            if str(entry.run.attributes["flow"]) in own_step_flows():
                _wait(left.lines[-1])
            right.plot(np.maximum(entry.evaluations, 1.0), gap, **drawn)
            if (found := entry.stall) is not None:
                left.axvspan(found.begin, found.end, color=look["color"], alpha=STALLED, linewidth=0.0)
        floors = [entry.floor for entry in entries]
        positive_scale(left, [spanned(gap, floor, PLUNGE) for gap, floor in zip(gaps, floors, strict=True)])
        left.set_ylabel(GAP)
        left.set_xlabel(TIME)
        if any(bool(np.any(entry.run.series["time"] > 0.0)) for entry in entries):  # else all ended where they began
            left.set_xscale("log")
            left.set_xlim(left=min(map(_begun, entries)))
        right.set_xscale("log")
        right.set_xlabel(EVALUATIONS)
        legend_below(figure, left)
        heading(figure, comparison.title if title else "")
    return figure


def _wait(line: Line2D) -> None:
    """An algorithm is where it began until its first step is done, however long that is on a logarithmic axis."""
    time, gap = (np.asarray(data, dtype=float) for data in line.get_data())
    if time.size > 1:
        line.set_data(np.insert(time, 1, time[1]), np.insert(gap, 1, gap[0]))
        line.set_markevery([0, *range(2, time.size + 1)])


def _begun(entry: Entry) -> float:
    """Where its curve is worth looking at: the first time after the start at which the gap has fallen by `BEGUN`."""
    time, gap = entry.run.series["time"], entry.run.series["gap"]
    fallen = np.flatnonzero((gap <= (1.0 - BEGUN) * gap[0]) & (time > 0.0))
    return float(time[fallen[0]]) if fallen.size else float(time[-1]) or 1.0
