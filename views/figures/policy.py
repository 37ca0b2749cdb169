"""The policy over state and action beside the optimal one: first, last, optimal; one row an action axis.

For a single state the densities are lines.  With several state axes the map lies along one of them, through the
chosen state, the middle by default.
"""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.records.run import Run
from wpoflow.views.figures.canvas import BLACK, BLUE, DOUBLE, ORANGE, SINGLE, heading, new_figure
from wpoflow.views.figures.fields import (
    NO_ACTIONS,
    NO_OPTIMUM,
    chosen_state,
    drawn_axes,
    long_axes,
    marginal,
    slice_rows,
    snapshot_times,
    time_words,
    words,
)
from wpoflow.views.figures.panels import axis_label, colour_bar, density_norm, legend_above, map_of

MOST_AXES = 3


def why_not(run: Run) -> str:
    """A policy, and an action axis, are needed."""
    if not long_axes(run.actions):
        return NO_ACTIONS
    return NO_OPTIMUM if run.optimum is None and not snapshot_times(run).size else ""


def policies(run: Run, rows: IntArray, k: int) -> list[tuple[str, FloatArray]]:
    """Densities of action axis ``k`` at some states, (states, n_k): first and last snapshot and optimum."""
    found, times = [], snapshot_times(run)
    if run.snapshots is not None:
        for j in sorted({0, times.size - 1}) if times.size else []:
            label = rf"$\pi_t$, {time_words(float(times[j]))}"
            found.append((label, marginal(run, run.snapshots.policy_at(j)[rows], k)))
    if run.optimum is not None:
        found.append((r"$\pi^*$", marginal(run, run.optimum.policy[rows], k)))
    return found


def draw(run: Run, *, state: Mapping[str, float] | None, title: bool) -> Figure:
    """Maps in a row with one colour scale, or lines."""
    index, along = chosen_state(run, state), drawn_axes(run, state, 1)
    axes = long_axes(run.actions)[:MOST_AXES]
    note = words(run, index, along)
    if not along:
        figure = new_figure(SINGLE * (1 if len(axes) == 1 else 2), 2.6)
        for panel, k in zip(figure.subplots(1, len(axes), squeeze=False)[0], axes, strict=True):
            line_panel(panel, run, k)
    else:
        rows = slice_rows(run, along, index)
        shown = {k: policies(run, rows, k) for k in axes}
        columns = len(shown[axes[0]])
        figure = new_figure(DOUBLE if columns > 1 else SINGLE, 0.7 + 2.1 * len(axes))
        panels = figure.subplots(len(axes), columns, sharex=True, sharey="row", squeeze=False)
        for row, k in zip(panels, axes, strict=True):
            norm = density_norm(*(values for _, values in shown[k]))
            for panel, (label, values) in zip(row, shown[k], strict=True):
                mesh = map_of(panel, run.states.axes[along[0]].edges, run.actions.axes[k].edges, values, norm)
                panel.set_title(label)
            colour_bar(figure, mesh, list(row), "density [1]", "right")
            row[0].set_ylabel(axis_label(run.actions.axes[k]))
        for panel in panels[-1]:
            panel.set_xlabel(axis_label(run.states.axes[along[0]]))
    heading(figure, run.title if title else "", f"slice {note}" if note else "")
    return figure


def line_panel(panel: Axes, run: Run, k: int) -> None:
    """Densities of one action axis at the only state."""
    colours = [ORANGE, BLUE, BLACK]
    shown = policies(run, slice_rows(run, [], (0,) * run.states.dim), k)
    for (label, values), colour in zip(shown, colours[3 - len(shown) :], strict=True):
        dashed = colour is BLACK
        panel.plot(run.actions.axes[k].points, values[0], color=colour, label=label, linestyle="--" if dashed else "-")
    panel.set_xlabel(axis_label(run.actions.axes[k]))
    panel.set_ylabel("density [1]")
    panel.set_ylim(bottom=0.0)
    legend_above(panel, 3)


def map_panel(panel: Axes, run: Run, state: Mapping[str, float] | None) -> tuple[QuadMesh, str]:
    """The last policy, or the optimal one, over one state and one action axis; for the overview."""
    index, along = chosen_state(run, state), drawn_axes(run, state, 1)
    k = long_axes(run.actions)[0]
    shown = policies(run, slice_rows(run, along, index), k)
    label, values = shown[min(1, len(shown) - 1)]
    mesh = map_of(panel, run.states.axes[along[0]].edges, run.actions.axes[k].edges, values, density_norm(values))
    panel.set_xlabel(axis_label(run.states.axes[along[0]]))
    panel.set_ylabel(axis_label(run.actions.axes[k]))
    return mesh, label
