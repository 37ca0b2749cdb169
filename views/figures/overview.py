"""Four panels on one page: decay, value, policy in flow time, and the last policy; fewer where some do not apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wpoflow.solver.records.run import Run
from wpoflow.views.figures import decay, kymograph, policy, steps, value
from wpoflow.views.figures.canvas import BLUE, DOUBLE, SINGLE, new_figure
from wpoflow.views.figures.fields import Slice, long_axes
from wpoflow.views.figures.panels import legend_above

PANELS = 4


def panels_of(run: Run) -> Sequence[Callable[[Axes, Slice], None]]:
    """What is drawn, the most telling first."""
    parts = ((decay, _decay), (value, _value), (kymograph, _kymograph), (policy, _policy), (steps, _dissipation))
    return [draw for kind, draw in parts if not kind.why_not(run)][:PANELS]


def why_not(run: Run) -> str:
    """Anything at all is enough."""
    return "" if panels_of(run) else "the file holds neither rows nor an optimum nor snapshots"


def draw(cut: Slice) -> Figure:
    """Up to four panels."""
    chosen = panels_of(cut.run)
    columns = min(2, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = new_figure(DOUBLE if columns > 1 else SINGLE, 0.4 + 2.5 * rows)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, fill in zip(places, chosen, strict=False):
        fill(panel, cut)
    for panel in places[len(chosen) :]:
        panel.remove()
    return figure


def _decay(panel: Axes, cut: Slice) -> None:
    decay.gap_panel(panel, cut.run, short=True)
    legend_above(panel, 2)


def _value(panel: Axes, cut: Slice) -> None:
    plane = replace(cut, count=2)
    if len(plane.along) == 2:
        value.map_panel(panel, plane)
    else:
        value.line_panel(panel, cut.run)
        legend_above(panel, 3)


def _kymograph(panel: Axes, cut: Slice) -> None:
    kymograph.strip_panel(panel, cut, long_axes(cut.run.actions)[0])


def _policy(panel: Axes, cut: Slice) -> None:
    if long_axes(cut.run.states):
        policy.map_panel(panel, replace(cut, count=1))
    else:
        policy.line_panel(panel, cut, long_axes(cut.run.actions)[0])


def _dissipation(panel: Axes, cut: Slice) -> None:
    steps.series_panel(panel, cut.run, "dissipation", BLUE, r"$-\frac{d}{dt}V^{\pi_t}(\rho)$")
