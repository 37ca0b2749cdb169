"""The policy at one state at several flow times: lines over one action axis, marks over labels, maps over two axes."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.records.run import Run
from wpoflow.views.figures.canvas import BLACK, DOUBLE, MAP, SINGLE, new_figure
from wpoflow.views.figures.fields import Slice, densities, long_axes, no_moving_policy, some_snapshots, time_words
from wpoflow.views.figures.panels import (
    DENSITY,
    axes_map,
    axis_label,
    colour_bar,
    density_norm,
    few_ticks,
    legend_above,
    name_ticks,
    profile_look,
)

LINES, MAPS = 5, 3
why_not = no_moving_policy


def plane(run: Run, probabilities: FloatArray) -> FloatArray:
    """Density over the first two long action axes, (n, m), or the first, (n,); the others summed out."""
    axes = long_axes(run.actions)[:2]
    cells = probabilities.reshape(run.actions.shape)
    kept = cells.sum(axis=tuple(j for j in range(run.actions.dim) if j not in axes))
    if len(axes) == 1:
        return np.asarray(kept / run.actions.axes[axes[0]].widths)
    if len(long_axes(run.actions)) == 2 and run.actions.dim == 2:
        return densities(run, probabilities)
    return np.asarray(kept / np.outer(*(run.actions.axes[k].widths for k in axes)))


def draw(cut: Slice) -> Figure:
    """Lines or maps, the optimum last."""
    run, (flat,) = cut.run, cut.rows
    assert run.snapshots is not None
    axes = [run.actions.axes[k] for k in long_axes(run.actions)[:2]]
    rows = some_snapshots(run, LINES if len(axes) == 1 else MAPS)
    shown = [(time_words(float(run.snapshots.time[j])), plane(run, run.snapshots.policy_at(j)[flat])) for j in rows]
    if run.optimum is not None:
        shown.append((r"$\pi^*$", plane(run, run.optimum.policy[flat])))
    if len(axes) == 1:
        figure = new_figure(SINGLE, 2.8)
        panel = figure.subplots()
        colours = matplotlib.colormaps[MAP](np.linspace(0.0, 0.88, max(len(rows), 2)))
        for number, (label, values) in enumerate(shown):
            colour, dashes = (tuple(colours[number]), "-") if number < len(rows) else (BLACK, "--")
            panel.plot(axes[0].points, values, color=colour, label=label, **profile_look(axes[0], dashes))
        panel.set_xlabel(axis_label(axes[0]))
        panel.set_ylabel(DENSITY)
        panel.set_xlim(axes[0].lower, axes[0].upper)
        panel.set_ylim(bottom=0.0)
        panel.xaxis.set_major_locator(few_ticks(5))
        name_ticks(panel.xaxis, axes[0])
        legend_above(panel, 3)
    else:
        figure = new_figure(DOUBLE, 2.5)
        panels = figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
        norm = density_norm(*(values for _, values in shown))
        for panel, (label, values) in zip(panels, shown, strict=True):
            mesh = axes_map(panel, axes[0], axes[1], values, norm)
            panel.set_title(label)
            panel.label_outer()
        colour_bar(mesh, list(panels), DENSITY, "right")
    return figure
