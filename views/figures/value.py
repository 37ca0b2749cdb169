"""Value against optimum: in flow time for one state, lines over one state axis, maps over two.

With more state axes a slice through the chosen state, the middle by default, is drawn; the title says where.
"""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.records.run import Run
from wpoflow.views.figures.canvas import BLACK, BLUE, DOUBLE, MAP, SECOND_MAP, SINGLE, new_figure
from wpoflow.views.figures.fields import (
    NO_OPTIMUM,
    NO_ROWS,
    Slice,
    long_axes,
    signed_value,
    snapshot_times,
    some_snapshots,
    time_words,
)
from wpoflow.views.figures.panels import (
    axes_map,
    axis_label,
    colour_bar,
    contours,
    few_ticks,
    held_to_floats,
    legend_above,
    linear_norm,
    log_norm,
    log_scale,
    time_scale,
)

LINES = 5
NOW, BEST = r"V^{\pi_t}(s)", "V^*(s)"


def why_not(run: Run) -> str:
    """An optimum is needed; for a single state rows as well."""
    if run.optimum is None:
        return NO_OPTIMUM
    if not long_axes(run.states) and not run.series["time"].size:
        return NO_ROWS
    return ""


def draw(cut: Slice) -> Figure:
    """By the number of state axes."""
    if len(cut.along) == 2:
        return _maps(cut)
    run = cut.run
    has_flow = bool(cut.along) and snapshot_times(run).size > 0
    figure = new_figure(SINGLE, 3.6 if has_flow else 2.5)
    panels = figure.subplots(2 if has_flow else 1, 1, sharex=True, squeeze=False)[:, 0]
    line_panel(panels[0], run)
    if has_flow:
        legend_above(panels[0], 3)
        _differences(panels[1], run)
        panels[0].set_xlabel("")
    else:
        panels[0].legend(loc="best")
    return figure


def line_panel(panel: Axes, run: Run) -> None:
    """Values over the one state axis, or in flow time where there is one state."""
    assert run.optimum is not None
    along = long_axes(run.states)
    if not along:
        time = run.series["time"]
        sign, label = signed_value(run, BEST.replace("(s)", r"(\rho)"), short=True)
        best = sign * float(run.rho @ run.optimum.value)
        # before the values: matplotlib inverts the scale, and one of numbers that are far apart is singular
        panel.axhline(best, color=BLACK, linestyle="--", linewidth=1.0, label=label)
        _, label = signed_value(run, NOW.replace("(s)", r"(\rho)"), short=True)
        panel.plot(time, sign * run.series["value_rho"], color=BLUE, label=label, marker="o", markersize=2.0)
        held_to_floats(panel, run.series["value_rho"])
        time_scale(panel, time)
        panel.set_ylabel("value" if sign > 0.0 else "value, rewards")
        return
    axis, (sign, label) = run.states.axes[along[0]], signed_value(run, BEST, short=True)
    for row, colour in _chosen_rows(run):
        assert run.snapshots is not None
        when = time_words(float(run.snapshots.time[row]))
        panel.plot(axis.points, sign * run.snapshots.value_at(row), color=colour, label=when)
    panel.plot(axis.points, sign * run.optimum.value, color=BLACK, linestyle="--", linewidth=1.0, label=label)
    panel.set_xlabel(axis_label(axis))
    panel.set_ylabel(signed_value(run, NOW if snapshot_times(run).size else BEST)[1])
    panel.set_xlim(axis.lower, axis.upper)
    panel.xaxis.set_major_locator(few_ticks(5))


def _chosen_rows(run: Run) -> list[tuple[int, tuple[float, float, float, float]]]:
    """Snapshots that are drawn, and their colours: early dark, late light."""
    rows = some_snapshots(run, LINES)
    colours = matplotlib.colormaps[MAP](np.linspace(0.0, 0.88, max(len(rows), 2)))
    return [(row, tuple(colours[k])) for k, row in enumerate(rows)]


def _differences(panel: Axes, run: Run) -> None:
    """What the value is above the optimum, logarithmically."""
    assert run.optimum is not None
    assert run.snapshots is not None
    axis = run.states.axes[long_axes(run.states)[0]]
    shown = []
    for row, colour in _chosen_rows(run):
        above = run.snapshots.value_at(row) - run.optimum.value
        panel.plot(axis.points, above, color=colour)
        shown.append(above)
    log_scale(panel, shown)
    panel.set_xlabel(axis_label(axis))
    panel.set_ylabel(r"$V^{\pi_t}(s)-V^*(s)$")
    panel.set_xlim(axis.lower, axis.upper)


def _maps(cut: Slice) -> Figure:
    """First value, optimum, and the last difference; grey where that is not positive."""
    run = cut.run
    assert run.optimum is not None
    best = cut.of(run.optimum.value)
    times = snapshot_times(run)
    sign, best_label = signed_value(run, BEST)
    shown = [(best_label, sign * best)]
    if run.snapshots is not None and times.size:
        shown.insert(0, (_label(run, times[0]), sign * cut.of(run.snapshots.value_at(0))))
    figure = new_figure(DOUBLE if len(shown) > 1 else SINGLE, 2.9)
    panels = figure.subplots(1, 3 if len(shown) > 1 else 1, sharey=True, squeeze=False)[0]
    for panel, (label, values) in zip(panels, shown, strict=False):
        _map(panel, cut, label, values)
    if run.snapshots is not None and times.size:
        above = cut.of(run.snapshots.value_at(-1)) - best
        norm = log_norm(above)
        shown_above = above if norm is None else np.where(above > 0.0, above, np.nan)
        mesh = axes_map(panels[2], cut.axes[0], cut.axes[1], shown_above, norm or linear_norm(above), SECOND_MAP)
        colour_bar(mesh, panels[2], rf"$V^{{\pi_t}}(s)-V^*(s)$, {time_words(float(times[-1]))}")
    for panel in panels:
        panel.label_outer()
    return figure


def _map(panel: Axes, cut: Slice, label: str, values: FloatArray, where: str = "top") -> None:
    """Values as a map with lines of equal value and its scale."""
    first, second = cut.axes
    mesh = axes_map(panel, first, second, values, linear_norm(values))
    contours(panel, first.points, second.points, values)
    colour_bar(mesh, panel, label, where)


def _label(run: Run, time: float) -> str:
    return f"{signed_value(run, NOW)[1]}, {time_words(float(time))}"


def map_panel(panel: Axes, cut: Slice) -> None:
    """The last value, or the optimum where there is no flow, as a map with its scale."""
    run, times = cut.run, snapshot_times(cut.run)
    sign, best_label = signed_value(run, BEST)
    assert run.optimum is not None
    if times.size:
        _map(panel, cut, _label(run, times[-1]), sign * cut.of(run.value), "right")
    else:
        _map(panel, cut, best_label, sign * cut.of(run.optimum.value), "right")
