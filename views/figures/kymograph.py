"""The policy at one state in flow time: density over action and time, one strip an action axis, beside the optimum."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.records.run import Run
from wpoflow.views.figures.canvas import BLACK, BLUE, DOUBLE, ORANGE, new_figure
from wpoflow.views.figures.fields import (
    Slice,
    long_axes,
    marginal,
    no_moving_policy,
    snapshot_times,
    time_edges,
    time_words,
)
from wpoflow.views.figures.panels import (
    DENSITY,
    axis_label,
    colour_bar,
    density_norm,
    few_ticks,
    legend_above,
    map_of,
    name_ticks,
    plain,
    profile_look,
    time_scale,
)

MOST_AXES = 3
why_not = no_moving_policy


def history(cut: Slice, k: int) -> FloatArray:
    """Density of action axis ``k`` at a state in all snapshots, (times, n_k); reads a few snapshots at a time."""
    run, (flat,) = cut.run, cut.rows
    assert run.snapshots is not None
    return np.array([marginal(run, policy[flat], k) for policy in run.snapshots.each_policy()])


def density_label(run: Run, k: int) -> str:
    """Symbol of the density that is drawn; of one axis alone where there are several."""
    if len(long_axes(run.actions)) == 1:
        return DENSITY
    return rf"density $\pi_t$ of {plain(run.actions.axes[k].name)} alone"


def draw(cut: Slice) -> Figure:
    """A strip for each action axis, and first, last and optimal density at its side."""
    axes = long_axes(cut.run.actions)[:MOST_AXES]
    figure = new_figure(DOUBLE, 0.9 + 2.0 * len(axes))
    panels = figure.subplots(len(axes), 2, width_ratios=[3.0, 1.0], sharey="row", squeeze=False)
    for (strip, side), k in zip(panels, axes, strict=True):
        strip_panel(strip, cut, k)
        _side(side, cut, k)
    for strip, _ in panels[:-1]:
        strip.set_xlabel("")
    return figure


def strip_panel(panel: Axes, cut: Slice, k: int) -> None:
    """Density over flow time and one action axis, with its scale."""
    times, axis, values = snapshot_times(cut.run), cut.run.actions.axes[k], history(cut, k)
    mesh = map_of(panel, time_edges(times), axis.edges, values, density_norm(values))
    time_scale(panel, times)
    name_ticks(panel.yaxis, axis)
    panel.set_ylabel(axis_label(axis))
    colour_bar(mesh, panel, density_label(cut.run, k), "right")


def _side(panel: Axes, cut: Slice, k: int) -> None:
    """First, last and optimal density."""
    run, axis, times, values = cut.run, cut.run.actions.axes[k], snapshot_times(cut.run), history(cut, k)
    look = profile_look(axis)
    panel.plot(values[0], axis.points, color=ORANGE, linewidth=1.0, label=time_words(float(times[0])), **look)
    panel.plot(values[-1], axis.points, color=BLUE, label=time_words(float(times[-1])), **look)
    if run.optimum is not None:
        best = marginal(run, run.optimum.policy[cut.rows[0]], k)
        panel.plot(best, axis.points, color=BLACK, linewidth=0.8, label=r"$\pi^*$", **profile_look(axis, "--"))
    panel.set_xlabel("density")
    panel.set_xlim(left=0.0)
    panel.xaxis.set_major_locator(few_ticks(3))
    legend_above(panel, 3, narrow=True)
