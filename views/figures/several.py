"""Several runs in one figure: the same series of all, one line a run, the legend by what tells them apart.

What has a theory of its own beside it, or a policy or value of one grid, needs one run; the registry says which kinds
can be overlaid (`views.figures.registry.Kind.overlaid`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.records.run import Run
from wpoflow.views.figures.canvas import (
    BLACK,
    BLUE,
    GREEN,
    MAP,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    heading,
    new_figure,
    style,
)
from wpoflow.views.figures.differences import labels_of
from wpoflow.views.figures.panels import GAP, PLUNGE, TIME, few_ticks, legend_above, positive_scale, spanned, time_scale

WIDTH = 4.6
PANELS_HEIGHT, LINE_HEIGHT = 3.9, 0.15
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
FEW_ROWS = 12
ABOVE_FLOOR = 1e2
RATE_RANGE = 1e-5


def overlay_decay(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Gap above, local rate below; rates faint where the gap is near its rounding floor."""
    figure, (above, below) = _sheet(len(runs), (1.6, 1.0))
    rates, gaps = [], []
    for (run, label), look in zip(zip(runs, labels, strict=True), looks(len(runs)), strict=True):
        time, gap, rate = (run.series[name] for name in ("time", "gap", "rate_observed"))
        assert run.optimum is not None
        clear = gap > ABOVE_FLOOR * run.optimum.gap_floor
        marker = "o" if time.size <= FEW_ROWS else ""
        above.plot(time, gap, label=label.replace("$", r"\$"), marker=marker, markersize=3.0, **look)
        below.plot(time, rate, alpha=0.3, **look)
        below.plot(time, np.where(clear, rate, np.nan), marker=marker, markersize=3.0, **look)
        gaps.append(spanned(gap, run.optimum.gap_floor, PLUNGE))
        rates.append(rate[clear] if clear.any() else rate)
    positive_scale(above, gaps)
    largest = max((float(np.max(part, where=np.isfinite(part), initial=0.0)) for part in rates), default=0.0)
    positive_scale(below, [part[part >= RATE_RANGE * largest] for part in rates])
    above.set_ylabel(GAP)
    below.set_ylabel("local rate")
    below.set_xlabel(TIME)
    below.xaxis.set_major_locator(few_ticks(5))
    legend_above(above, 1)
    return figure


def overlay_steps(runs: Sequence[Run], labels: Sequence[str]) -> Figure:
    """Dissipation above, step size below."""
    figure, (above, below) = _sheet(len(runs), (1.0, 1.0))
    shown: dict[str, list[FloatArray]] = {"dissipation": [], "step_size": []}
    for (run, label), look in zip(zip(runs, labels, strict=True), looks(len(runs)), strict=True):
        for panel, name in ((above, "dissipation"), (below, "step_size")):
            panel.plot(run.series["time"], run.series[name], label=label.replace("$", r"\$"), **look)
            shown[name].append(run.series[name])
    for panel, name in ((above, "dissipation"), (below, "step_size")):
        positive_scale(panel, shown[name])
    times = np.unique(np.concatenate([run.series["time"] for run in runs]))
    time_scale(below, times)
    above.set_xlabel("")
    above.set_ylabel(r"$-\frac{d}{dt}V^{\pi_t}(\rho)$")
    below.set_ylabel(r"step $\Delta t$")
    legend_above(above, 1)
    return figure


OVERLAYS = {"decay": overlay_decay, "steps": overlay_steps}


def draw_several(runs: Sequence[Run], kind: str, names: Sequence[str], title: bool) -> Figure:
    """Several runs in one figure of `OVERLAYS`, all of which can have it."""
    titles = {run.title for run in runs}
    with style():
        figure = OVERLAYS[kind](runs, labels_of(runs, names))
        heading(figure, titles.pop() if title and len(titles) == 1 else "")
    return figure


def _sheet(count: int, heights: tuple[float, float]) -> tuple[Figure, Any]:
    """A sheet of two panels that share their times, with room for a line of the legend for each run."""
    figure = new_figure(WIDTH, PANELS_HEIGHT + LINE_HEIGHT * count)
    return figure, figure.subplots(2, 1, sharex=True, height_ratios=heights)


def looks(count: int) -> list[dict[str, Any]]:
    """Colour and dashes of each line: of the palette, or, for more runs, of a map, dark to light."""
    if count <= len(COLOURS):
        chosen: list[Any] = list(COLOURS[:count])
    else:
        chosen = [tuple(colour) for colour in matplotlib.colormaps[MAP](np.linspace(0.0, 0.92, count))]
    return [{"color": colour, "linestyle": DASHES[k % len(DASHES)]} for k, colour in enumerate(chosen)]
