"""The policy over state and action beside the optimal one: first, last, optimal; one row an action axis.

For a single state the densities are lines.  With several state axes the map lies along one of them, through the
chosen state, the middle by default.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.records.run import Run
from wpoflow.views.figures.canvas import BLACK, BLUE, DOUBLE, ORANGE, SINGLE, new_figure
from wpoflow.views.figures.fields import NO_ACTIONS, NO_OPTIMUM, Slice, long_axes, marginal, snapshot_times, time_words
from wpoflow.views.figures.panels import (
    axes_map,
    axis_label,
    colour_bar,
    density_norm,
    legend_above,
    name_ticks,
    profile_look,
)

MOST_AXES = 3


def why_not(run: Run) -> str:
    """A policy, and an action axis, are needed."""
    if not long_axes(run.actions):
        return NO_ACTIONS
    return NO_OPTIMUM if run.optimum is None and not snapshot_times(run).size else ""


def policies(cut: Slice, k: int) -> list[tuple[str, FloatArray]]:
    """Densities of action axis ``k`` on a slice, (states, n_k): first and last snapshot and optimum."""
    run, rows = cut.run, cut.rows
    found, times = [], snapshot_times(run)
    if run.snapshots is not None:
        for j in sorted({0, times.size - 1}) if times.size else []:
            label = rf"$\pi_t$, {time_words(float(times[j]))}"
            found.append((label, marginal(run, run.snapshots.policy_at(j)[rows], k)))
    if run.optimum is not None:
        found.append((r"$\pi^*$", marginal(run, run.optimum.policy[rows], k)))
    return found


def draw(cut: Slice) -> Figure:
    """Maps in a row with one colour scale, or lines."""
    actions = cut.run.actions.axes
    axes = long_axes(cut.run.actions)[:MOST_AXES]
    if not cut.along:
        figure = new_figure(SINGLE * (1 if len(axes) == 1 else 2), 2.6)
        for panel, k in zip(figure.subplots(1, len(axes), squeeze=False)[0], axes, strict=True):
            line_panel(panel, cut, k)
        return figure
    shown = {k: policies(cut, k) for k in axes}
    columns = len(shown[axes[0]])
    figure = new_figure(DOUBLE if columns > 1 else SINGLE, 0.7 + 2.1 * len(axes))
    panels = figure.subplots(len(axes), columns, sharex=True, sharey="row", squeeze=False)
    for row, k in zip(panels, axes, strict=True):
        norm = density_norm(*(values for _, values in shown[k]))
        for panel, (label, values) in zip(row, shown[k], strict=True):
            mesh = axes_map(panel, cut.axes[0], actions[k], values, norm)
            panel.set_title(label)
            panel.label_outer()
        colour_bar(mesh, list(row), "density", "right")
    return figure


def line_panel(panel: Axes, cut: Slice, k: int) -> None:
    """Densities of one action axis at the only state."""
    axis, shown = cut.run.actions.axes[k], policies(cut, k)
    colours = [ORANGE, BLUE, BLACK]
    for (label, values), colour in zip(shown, colours[3 - len(shown) :], strict=True):
        look = profile_look(axis, "--" if colour is BLACK else "-")
        panel.plot(axis.points, values[0], color=colour, label=label, **look)
    panel.set_xlabel(axis_label(axis))
    panel.set_ylabel("density")
    panel.set_ylim(bottom=0.0)
    name_ticks(panel.xaxis, axis)
    legend_above(panel, 3)


def map_panel(panel: Axes, cut: Slice) -> None:
    """The last policy, or the optimal one, over one state and one action axis, with its scale."""
    k = long_axes(cut.run.actions)[0]
    shown = policies(cut, k)
    label, values = shown[min(1, len(shown) - 1)]
    mesh = axes_map(panel, cut.axes[0], cut.run.actions.axes[k], values, density_norm(values))
    colour_bar(mesh, panel, f"density of {label}", "right")
