"""Value against optimum: in flow time for one state, lines over one state axis, maps over two.

With more state axes a slice through the chosen state, the middle by default, is drawn; the title says where.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wpoflow.solver.records.run import Run
from wpoflow.views.figures.canvas import BLACK, BLUE, DOUBLE, MAP, SECOND_MAP, SINGLE, heading, new_figure
from wpoflow.views.figures.fields import (
    NO_OPTIMUM,
    NO_ROWS,
    chosen_state,
    drawn_axes,
    long_axes,
    slice_of,
    snapshot_times,
    some_snapshots,
    time_words,
    words,
)
from wpoflow.views.figures.panels import (
    axis_label,
    colour_bar,
    contours,
    few_ticks,
    legend_above,
    linear_norm,
    log_norm,
    log_scale,
    map_of,
    time_scale,
)

LINES = 5


def why_not(run: Run) -> str:
    """An optimum is needed; for a single state rows as well."""
    if run.optimum is None:
        return NO_OPTIMUM
    if not long_axes(run.states) and not run.series["time"].size:
        return NO_ROWS
    return ""


def draw(run: Run, *, state: Mapping[str, float] | None, title: bool) -> Figure:
    """By the number of state axes."""
    index, along = chosen_state(run, state), drawn_axes(run, state, 2)
    note = words(run, index, along)
    if len(along) == 2:
        figure = _maps(run, along, index)
    else:
        has_flow = bool(along) and snapshot_times(run).size > 0
        figure = new_figure(SINGLE, 3.6 if has_flow else 2.5)
        panels = figure.subplots(2 if has_flow else 1, 1, sharex=True, squeeze=False)[:, 0]
        line_panel(panels[0], run)
        if has_flow:
            legend_above(panels[0], 3)
            _differences(panels[1], run)
            panels[0].set_xlabel("")
        else:
            panels[0].legend(loc="best")
    heading(figure, run.title if title else "", f"slice {note}" if note else "")
    return figure


def line_panel(panel: Axes, run: Run) -> None:
    """Values over the one state axis, or in flow time where there is one state."""
    assert run.optimum is not None
    along = long_axes(run.states)
    if not along:
        time = run.series["time"]
        panel.plot(time, run.series["value_rho"], color=BLUE, label=r"$V^{\pi_t}(\rho)$", marker="o", markersize=2.0)
        best = float(run.rho @ run.optimum.value)
        panel.axhline(best, color=BLACK, linestyle="--", linewidth=1.0, label=r"$V^*(\rho)$")
        time_scale(panel, time)
        panel.set_ylabel("value [1]")
        return
    axis = run.states.axes[along[0]]
    for row, colour in _chosen_rows(run):
        assert run.snapshots is not None
        label = time_words(float(run.snapshots.time[row]))
        panel.plot(axis.points, run.snapshots.value_at(row), color=colour, label=label)
    panel.plot(axis.points, run.optimum.value, color=BLACK, linestyle="--", linewidth=1.0, label="$V^*(s)$")
    panel.set_xlabel(axis_label(axis))
    panel.set_ylabel(r"$V^{\pi_t}(s)$ [1]" if snapshot_times(run).size else "$V^*(s)$ [1]")
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
    panel.set_ylabel(r"$V^{\pi_t}(s)-V^*(s)$ [1]")
    panel.set_xlim(axis.lower, axis.upper)


def _maps(run: Run, along: list[int], index: tuple[int, ...]) -> Figure:
    """First value, optimum, and the last difference; grey where that is not positive."""
    assert run.optimum is not None
    first, second = (run.states.axes[k] for k in along)
    best = slice_of(run.optimum.value, run, along, index)
    times = snapshot_times(run)
    shown = [("$V^*(s)$ [1]", best)]
    if run.snapshots is not None and times.size:
        start = slice_of(run.snapshots.value_at(0), run, along, index)
        shown.insert(0, (rf"$V^{{\pi_t}}(s)$ [1], {time_words(float(times[0]))}", start))
    figure = new_figure(DOUBLE if len(shown) > 1 else SINGLE, 2.9)
    panels = figure.subplots(1, 3 if len(shown) > 1 else 1, sharey=True, squeeze=False)[0]
    for panel, (label, values) in zip(panels, shown, strict=False):
        mesh = map_of(panel, first.edges, second.edges, values, linear_norm(values))
        contours(panel, first.points, second.points, values)
        colour_bar(figure, mesh, panel, label)
        panel.set_xlabel(axis_label(first))
    if run.snapshots is not None and times.size:
        above = slice_of(run.snapshots.value_at(-1), run, along, index) - best
        norm = log_norm(above)
        shown_above = above if norm is None else np.where(above > 0.0, above, np.nan)
        mesh = map_of(panels[2], first.edges, second.edges, shown_above, norm or linear_norm(above), SECOND_MAP)
        colour_bar(figure, mesh, panels[2], rf"$V^{{\pi_t}}(s)-V^*(s)$ [1], {time_words(float(times[-1]))}")
        panels[2].set_xlabel(axis_label(first))
    panels[0].set_ylabel(axis_label(second))
    return figure


def map_panel(panel: Axes, run: Run, state: Mapping[str, float] | None) -> None:
    """The optimum, or the last value, as a map with its scale; for the overview."""
    assert run.optimum is not None
    index, along = chosen_state(run, state), drawn_axes(run, state, 2)
    first, second = (run.states.axes[k] for k in along)
    has_flow = run.snapshots is not None and snapshot_times(run).size > 0
    values = slice_of(run.value if has_flow else run.optimum.value, run, along, index)
    mesh = map_of(panel, first.edges, second.edges, values, linear_norm(values))
    contours(panel, first.points, second.points, values)
    figure = panel.get_figure()
    assert isinstance(figure, Figure)
    label = rf"$V^{{\pi_t}}(s)$ [1], {time_words(float(snapshot_times(run)[-1]))}" if has_flow else "$V^*(s)$ [1]"
    colour_bar(figure, mesh, panel, label, "right")
    panel.set_xlabel(axis_label(first))
    panel.set_ylabel(axis_label(second))
