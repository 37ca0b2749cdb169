"""The policy at one state in flow time: density over action and time, one strip an action axis, beside the optimum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.records.run import Run
from wpoflow.views.figures.canvas import BLACK, BLUE, DOUBLE, ORANGE, heading, new_figure
from wpoflow.views.figures.fields import (
    NO_ACTIONS,
    NO_SNAPSHOTS,
    chosen_state,
    flat_index,
    long_axes,
    marginal,
    snapshot_times,
    time_edges,
    time_words,
    words,
)
from wpoflow.views.figures.panels import (
    axis_label,
    colour_bar,
    density_norm,
    few_ticks,
    legend_above,
    map_of,
    plain,
    time_scale,
)

MOST_AXES = 3


def why_not(run: Run) -> str:
    """Snapshots and an action axis are needed."""
    if not long_axes(run.actions):
        return NO_ACTIONS
    return "" if snapshot_times(run).size else NO_SNAPSHOTS


def history(run: Run, index: tuple[int, ...], k: int) -> FloatArray:
    """Density of action axis ``k`` at a state in all snapshots, (times, n_k); reads one snapshot at a time."""
    assert run.snapshots is not None
    flat = flat_index(run.states, index)
    return np.array([marginal(run, run.snapshots.policy_at(j)[flat], k) for j in range(snapshot_times(run).size)])


def density_label(run: Run, k: int, policy: str = r"\pi_t") -> str:
    """Symbol of the density that is drawn; of one axis alone where there are several."""
    name = plain(run.actions.axes[k].name)
    if len(long_axes(run.actions)) == 1:
        return rf"${policy}(a|s)$ [1]"
    return rf"${policy}$ of {name} alone [1]"


def draw(run: Run, *, state: Mapping[str, float] | None, title: bool) -> Figure:
    """A strip for each action axis, and first, last and optimal density at its side."""
    index = chosen_state(run, state)
    axes = long_axes(run.actions)[:MOST_AXES]
    figure = new_figure(DOUBLE, 0.9 + 2.0 * len(axes))
    panels = figure.subplots(len(axes), 2, width_ratios=[3.0, 1.0], sharey="row", squeeze=False)
    for (strip, side), k in zip(panels, axes, strict=True):
        mesh = strip_panel(strip, run, index, k)
        colour_bar(figure, mesh, strip, density_label(run, k), "right")
        _side(side, run, index, k)
    for strip, _ in panels[:-1]:
        strip.set_xlabel("")
    note = words(run, index)
    heading(figure, run.title if title else "", f"at {note}" if note else "")
    return figure


def strip_panel(panel: Axes, run: Run, index: tuple[int, ...], k: int) -> QuadMesh:
    """Density over flow time and one action axis."""
    times, axis = snapshot_times(run), run.actions.axes[k]
    values = history(run, index, k)
    mesh = map_of(panel, time_edges(times), axis.edges, values, density_norm(values))
    time_scale(panel, times)
    panel.set_ylabel(axis_label(axis))
    return mesh


def _side(panel: Axes, run: Run, index: tuple[int, ...], k: int) -> None:
    """First, last and optimal density."""
    axis, times, values = run.actions.axes[k], snapshot_times(run), history(run, index, k)
    panel.plot(values[0], axis.points, color=ORANGE, linewidth=1.0, label=time_words(float(times[0])))
    panel.plot(values[-1], axis.points, color=BLUE, label=time_words(float(times[-1])))
    if run.optimum is not None:
        best = marginal(run, run.optimum.policy[flat_index(run.states, index)], k)
        panel.plot(best, axis.points, color=BLACK, linestyle="--", linewidth=0.8, label=r"$\pi^*$")
    panel.set_xlabel("density [1]")
    panel.set_xlim(left=0.0)
    panel.xaxis.set_major_locator(few_ticks(3))
    legend_above(panel, 3, narrow=True)
