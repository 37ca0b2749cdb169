"""Four panels on one page: decay, value, policy in flow time, and the last policy; fewer where some do not apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from wpoflow.solver.records.run import Run
from wpoflow.views.figures import decay, kymograph, policy, steps, value
from wpoflow.views.figures.canvas import BLUE, DOUBLE, SINGLE, heading, new_figure
from wpoflow.views.figures.fields import chosen_state, drawn_axes, long_axes, words
from wpoflow.views.figures.panels import colour_bar, legend_above

Draw = Callable[[Axes], None]
PANELS = 4


def panels_of(run: Run, state: Mapping[str, float] | None) -> list[Draw]:
    """What is drawn, the most telling first."""
    found: list[Draw] = []
    if not decay.why_not(run):
        found.append(partial(_decay, run))
    if not value.why_not(run):
        found.append(partial(_value, run, state))
    if not kymograph.why_not(run):
        found.append(partial(_kymograph, run, state))
    if not policy.why_not(run):
        found.append(partial(_policy, run, state))
    if not steps.why_not(run) and len(found) < PANELS:
        found.append(partial(_dissipation, run))
    return found


def why_not(run: Run) -> str:
    """Anything at all is enough."""
    return "" if panels_of(run, None) else "the file holds neither rows nor an optimum nor snapshots"


def draw(run: Run, *, state: Mapping[str, float] | None, title: bool) -> Figure:
    """Up to four panels."""
    index = chosen_state(run, state)
    chosen = panels_of(run, state)[:PANELS]
    columns = min(2, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = new_figure(DOUBLE if columns > 1 else SINGLE, 0.4 + 2.5 * rows)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, fill in zip(places, chosen, strict=False):
        fill(panel)
    for panel in places[len(chosen) :]:
        panel.remove()
    note = words(run, index)
    heading(figure, run.title if title else "", f"at {note}" if note else "")
    return figure


def _decay(run: Run, panel: Axes) -> None:
    decay.gap_panel(panel, run, short=True)
    legend_above(panel, 2)


def _value(run: Run, state: Mapping[str, float] | None, panel: Axes) -> None:
    if len(drawn_axes(run, state, 2)) == 2:
        value.map_panel(panel, run, state)
    else:
        value.line_panel(panel, run)
        legend_above(panel, 3)


def _kymograph(run: Run, state: Mapping[str, float] | None, panel: Axes) -> None:
    k = long_axes(run.actions)[0]
    mesh = kymograph.strip_panel(panel, run, chosen_state(run, state), k)
    _bar(panel, mesh, kymograph.density_label(run, k))


def _policy(run: Run, state: Mapping[str, float] | None, panel: Axes) -> None:
    if not long_axes(run.states):
        policy.line_panel(panel, run, long_axes(run.actions)[0])
        return
    mesh, label = policy.map_panel(panel, run, state)
    _bar(panel, mesh, f"density of {label} [1]")


def _dissipation(run: Run, panel: Axes) -> None:
    steps.series_panel(panel, run, "dissipation", BLUE, r"$-\frac{d}{dt}V^{\pi_t}(\rho)$ [1]")


def _bar(panel: Axes, mesh: QuadMesh, label: str) -> None:
    figure = panel.get_figure()
    assert isinstance(figure, Figure)
    colour_bar(figure, mesh, panel, label, "right")
