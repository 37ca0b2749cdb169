r"""Constants of the optimal policy, state by state: rates at which its frozen flow relaxes.

    lambda(s)    spectral gap: what the flow shows in the end is twice the least of them
    alpha(s)     log-Sobolev constant: guaranteed lower bound, and what descent finds (an upper bound) where it is cheap

For one state all lower bounds are shown; over two state axes, or a slice along two, maps.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import Axis
from wpoflow.solver.records.run import Run
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.views.figures.canvas import BLUE, DOUBLE, GREEN, MAP, SECOND_MAP, SINGLE, VERMILION, new_figure
from wpoflow.views.figures.fields import NO_ACTIONS, NO_OPTIMUM, Slice, long_axes
from wpoflow.views.figures.panels import (
    axes_map,
    axis_label,
    colour_bar,
    legend_above,
    linear_norm,
    log_norm,
    log_scale,
    log_ticks,
)

MOST_CELLS, MOST_MINIMISED = 1024, 64
FAR_BELOW = 1e-4  # of the spectral gap: bounds below it are arrows at the edge
GAP_LABEL = r"spectral gap $\lambda$"
BOUND_LABEL = r"$\alpha$, lower bound"
FOUND_LABEL = r"$\alpha$, minimised"


def why_not(run: Run) -> str:
    """The optimum and an action axis are needed, and none of labels."""
    if not long_axes(run.actions):
        return NO_ACTIONS
    if names := [axis.name for axis in run.actions.axes if axis.labels and axis.size > 1]:
        return f"no mass moves between the labels of {', '.join(names)}"
    return NO_OPTIMUM if run.optimum is None else ""


def generators_at(run: Run, rows: IntArray) -> Generators:
    """The generators of the optimal policy at some states."""
    assert run.optimum is not None
    temperature = float(run.attributes["temperature"])
    q = np.ascontiguousarray(run.optimum.q[rows])
    return Generators(run.actions, q, np.log(run.reference_mass), temperature)


def draw(cut: Slice) -> Figure:
    """A chart of bounds, lines, or maps."""
    generators = generators_at(cut.run, cut.rows)
    with np.errstate(all="ignore"):
        match cut.axes:
            case [first, second]:
                return _maps(first, second, generators)
            case [axis]:
                return _lines(axis, generators)
        return _chart(generators)


def _minimised(generators: Generators) -> tuple[IntArray, FloatArray]:
    """Some of the states, evenly spread, and alpha there; none where it would take long."""
    if generators.actions.size > MOST_CELLS:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    rows = np.unique(np.linspace(0, generators.size - 1, MOST_MINIMISED).round().astype(np.int64))
    return rows, minimise_log_sobolev(generators.select(rows))


def _chart(generators: Generators) -> Figure:
    """One state: every bound that applies, what descent finds, and the spectral gap."""
    gap = float(spectral_gap(generators)[0])
    entries = [(name.replace("_", " "), float(v[0]), GREEN) for name, v in lower_bounds(generators).values.items()]
    entries = sorted((entry for entry in entries if entry[1] > 0.0), key=lambda entry: entry[1])
    _, found = _minimised(generators)
    entries += [(FOUND_LABEL, float(alpha), VERMILION) for alpha in found]
    entries.append((GAP_LABEL, gap, BLUE))
    figure = new_figure(SINGLE, 1.0 + 0.24 * len(entries))
    panel = figure.subplots()
    left = gap * FAR_BELOW
    for height, (name, rate, colour) in enumerate(entries):
        marker, shown = ("<", left) if rate < left else ("o", rate)
        panel.plot([shown], [height], marker=marker, markersize=4.0, color=colour, linestyle="none", clip_on=False)
        if rate < left:
            entries[height] = (f"{name}, {rate:.0e}", rate, colour)
    panel.set_yticks(range(len(entries)), [name for name, _, _ in entries])
    panel.set_ylim(-0.6, len(entries) - 0.4)
    panel.tick_params(axis="y", length=0.0)
    panel.grid(axis="y", linewidth=0.3, color="#cccccc")
    panel.set_xscale("log", nonpositive="mask")
    shown_rates = [max(rate, left) for _, rate, _ in entries]
    panel.set_xlim(min(shown_rates) / 1.5, max(shown_rates) * 1.5)
    log_ticks(panel.xaxis, *panel.get_xlim(), 5)
    panel.set_xlabel(r"rate; green: lower bounds of $\alpha$")
    return figure


def _lines(axis: Axis, generators: Generators) -> Figure:
    """One state axis."""
    figure = new_figure(SINGLE, 2.7)
    panel = figure.subplots()
    gaps, bound = spectral_gap(generators), lower_bounds(generators).best
    rows, found = _minimised(generators)
    panel.plot(axis.points, gaps, color=BLUE, label=GAP_LABEL)
    panel.plot(axis.points, bound, color=GREEN, linestyle="--", label=BOUND_LABEL)
    if rows.size:
        panel.plot(
            axis.points[rows], found, color=VERMILION, linestyle="none", marker="o", markersize=2.5, label=FOUND_LABEL
        )
    log_scale(panel, [gaps, bound, found])
    panel.set_xlim(axis.lower, axis.upper)
    panel.set_xlabel(axis_label(axis))
    panel.set_ylabel("rate")
    legend_above(panel, 2)
    return figure


def _maps(first: Axis, second: Axis, generators: Generators) -> Figure:
    """Spectral gap, bound, and the quotient of the two over two state axes."""
    gaps, bound = spectral_gap(generators), lower_bounds(generators).best
    quotient = np.where(gaps > 0.0, bound / gaps, np.nan)
    figure = new_figure(DOUBLE, 2.9)
    panels = figure.subplots(1, 3, sharey=True)
    shape = (first.size, second.size)
    for panel, values, label in (
        (panels[0], gaps, r"$\lambda(s)$"),
        (panels[1], bound, r"$\alpha(s)$, lower bound"),
        (panels[2], quotient, r"lower bound over $\lambda(s)$"),
    ):
        last = panel is panels[2]
        norm = linear_norm(values) if last else (log_norm(values) or linear_norm(values))
        shown = values if last else np.where(values > 0.0, values, np.nan)
        mesh = axes_map(panel, first, second, shown.reshape(shape), norm, SECOND_MAP if last else MAP)
        colour_bar(mesh, panel, label)
        panel.label_outer()
    return figure
