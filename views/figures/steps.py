"""Dissipation and step size in flow time."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wpoflow.solver.records.run import Run
from wpoflow.views.figures.canvas import BLUE, SINGLE, VERMILION, new_figure
from wpoflow.views.figures.fields import NO_ROWS, Slice
from wpoflow.views.figures.panels import positive_scale, time_scale


def why_not(run: Run) -> str:
    """Rows are needed."""
    return "" if run.series["time"].size else NO_ROWS


def draw(cut: Slice) -> Figure:
    """Dissipation above, step size below."""
    figure = new_figure(SINGLE, 3.4)
    above, below = figure.subplots(2, 1, sharex=True)
    series_panel(above, cut.run, "dissipation", BLUE, r"$-\frac{d}{dt}V^{\pi_t}(\rho)$")
    series_panel(below, cut.run, "step_size", VERMILION, r"step $\Delta t$")
    above.set_xlabel("")
    return figure


def series_panel(panel: Axes, run: Run, name: str, colour: str, label: str) -> None:
    """One series on a logarithmic axis; said in words where none of it is positive."""
    time, values = run.series["time"], run.series[name]
    positive = bool(np.any(np.isfinite(values) & (values > 0.0)))
    # a row at the end of the axis is seen whole
    panel.plot(time, values, color=colour, marker="o", markersize=2.0, linewidth=0.9, clip_on=not positive, zorder=3)
    positive_scale(panel, [values])
    time_scale(panel, time)
    panel.set_ylabel(label)
