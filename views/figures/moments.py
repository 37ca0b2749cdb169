"""Means and standard deviations of Gaussians, or of particles, at one state in flow time, beside the optimum's."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.records.run import Run
from wpoflow.views.figures.canvas import BLACK, BLUE, ORANGE, SINGLE, new_figure
from wpoflow.views.figures.fields import Slice, no_moving_policy, snapshot_times
from wpoflow.views.figures.panels import TIME, axis_label, few_ticks, legend_above, time_scale

MOST_AXES = 3


def why_not(run: Run) -> str:
    """Policies must be made of parameters, on an action axis with two ends."""
    if words := no_moving_policy(run):
        return words
    kept = run.snapshots
    if kept is None or "policy_mean" not in kept.parameters:
        return "its policies are not made of parameters"
    return "" if _with_ends(run) else "actions on a circle have no mean that is one of them"


def _with_ends(run: Run) -> list[int]:
    """Numbers of the action axes whose mean is drawn: of more than one cell, and no circles."""
    axes = run.actions.axes
    return [j for j, axis in enumerate(axes) if axis.size > 1 and not axis.periodic][:MOST_AXES]


def draw(cut: Slice) -> Figure:
    """A panel for each action axis: the mean and one standard deviation to both sides; members of a mixture thin."""
    run, (flat,) = cut.run, cut.rows
    kept, times = run.snapshots, snapshot_times(run)
    assert kept is not None
    shown = _with_ends(run)
    figure = new_figure(SINGLE, 0.9 + 1.9 * len(shown))
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    mean = kept.parameter("policy_mean")[:, flat]
    covariance = kept.parameter("policy_covariance")[:, flat]
    for j, panel in zip(shown, panels, strict=True):
        spread = np.sqrt(covariance[:, j, j])
        panel.fill_between(times, mean[:, j] - spread, mean[:, j] + spread, color=BLUE, alpha=0.2, linewidth=0.0)
        panel.plot(times, mean[:, j], color=BLUE, label="mean, and one standard deviation")
        if "member_mean" in kept.parameters:
            members = kept.parameter("member_mean")[:, flat, :, j]
            for c in range(members.shape[1]):
                label = "means of its Gaussians" if c == 0 else None
                panel.plot(times, members[:, c], color=ORANGE, linewidth=0.8, label=label)
        if run.optimum is not None:
            for number, place in enumerate(_optimal(run, flat, j)):
                label = r"the same of $\pi^*$" if number == 0 else None
                panel.axhline(place, color=BLACK, linewidth=0.8 if number == 0 else 0.5, linestyle="--", label=label)
        panel.set_ylabel(axis_label(run.actions.axes[j]))
        panel.yaxis.set_major_locator(few_ticks(5))
        time_scale(panel, times)
        panel.set_xlabel("")
    panels[-1].set_xlabel(TIME)
    legend_above(panels[0], 2, narrow=True)
    return figure


def _optimal(run: Run, flat: int, j: int) -> FloatArray:
    """Mean of the optimal policy along an axis, and that less and plus one standard deviation."""
    assert run.optimum is not None
    p, points = run.optimum.policy[flat], run.actions.points[:, j]
    mean = float(p @ points)
    spread = float(np.sqrt(p @ (points - mean) ** 2))
    return np.array([mean, mean - spread, mean + spread])
