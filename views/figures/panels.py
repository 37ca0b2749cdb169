"""What several figures have in common: labels in the paper's symbols, maps, scales and legends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.views.figures.canvas import MAP
from wpoflow.views.figures.fields import geometric

TIME = "flow time $t$"
DENSITY = r"density $\pi_t(a|s)$"
GAP = r"$V^{\pi_t}(\rho)-V^*(\rho)$"
LONGEST_NAME, LONGEST_LABEL, LONGEST_TICK = 18, 36, 12
MOST_NAMES, SHORT_NAMES = 12, 20  # ticks that are labels; their letters in all, side by side
DEEPEST = 1e120  # from the lower to the upper end of a logarithmic axis
ACROSS = 0.95  # of a figure's width that a legend may take
WIDEST = 8e307  # half of a linear axis
PLUNGE = 1e-6  # of the gap before: how far a fall from one row to the next is followed
DECADES = 12  # most decades of a logarithmic colour scale
MOST_POWERS = 5  # of ten, named on an axis of time


def few_ticks(most: int) -> MaxNLocator:
    """At most so many intervals, of round numbers."""
    return MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])


def plain(text: str, longest: int = LONGEST_NAME) -> str:
    """A name that may stand beside math in a label: its dollars are dollars, and what is too long ends in dots."""
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return short.replace("$", r"\$")


def axis_label(axis: Axis) -> str:
    """Name of an axis, and its unit if it has one."""
    return f"{plain(axis.label, LONGEST_LABEL) or plain(axis.name)}{in_units(axis)}"


def in_units(axis: Axis) -> str:
    """The unit of an axis in brackets; nothing of a number without one."""
    return f" [{plain(axis.units)}]" if axis.units else ""


def name_ticks(ticks: XAxis | YAxis, axis: Axis) -> None:
    """At an axis of labels these as ticks, evenly thinned where they are many; other axes keep their ticks."""
    if not axis.labels:
        return
    step = -(-axis.size // MOST_NAMES)
    names = [plain(label, LONGEST_TICK) for label in axis.labels[::step]]
    ticks.set_major_locator(FixedLocator(axis.points[::step].tolist()))
    ticks.set_major_formatter(FixedFormatter(names))
    if isinstance(ticks, XAxis) and sum(map(len, names)) > SHORT_NAMES:
        ticks.set_tick_params(labelrotation=90.0)


def profile_look(axis: Axis, linestyle: str = "-") -> dict[str, Any]:
    """How a function of the points of an axis is drawn: by a line, or by marks where nothing lies between points."""
    return (
        {"linestyle": "none", "marker": "o" if linestyle == "-" else "x"} if axis.labels else {"linestyle": linestyle}
    )


def log_scale(panel: Axes, values: Sequence[FloatArray], pad: float = 1.5) -> None:
    """Logarithmic ordinate over the positive numbers among the values; what is not positive is left out."""
    found = np.concatenate([np.ravel(v) for v in values]) if values else np.zeros(0)
    found = found[np.isfinite(found) & (found > 0.0)]
    if not found.size:
        panel.set_ylim(0.1, 1.0)  # else matplotlib looks for limits, and says that there are none
    panel.set_yscale("log", nonpositive="mask")
    if found.size:
        low, high = max(float(found.min()), 1e-300), min(float(found.max()), 1e300)
        if high > DEEPEST * low:  # the ticks beyond the ends are numbers still
            high = min(high, 1e270)
            low = max(low, high / DEEPEST, 1e-270)
        pad = max(pad, (high / low) ** 0.04)
        panel.set_ylim(max(low / pad, 1e-300), min(high * pad, 1e300))
    log_ticks(panel.yaxis, *panel.get_ylim())


def held_to_floats(panel: Axes, values: FloatArray) -> None:
    """A linear ordinate whose length is a number, of values that are too far apart for that, too."""
    found = values[np.isfinite(values)]
    if found.size and not np.isfinite(float(found.max()) - float(found.min())):
        panel.set_ylim(-WIDEST, WIDEST)


def spanned(gap: FloatArray, floor: float, followed: float = 0.0) -> FloatArray:
    """What a scale spans of a gap, (rows,): nothing below its floor, nor below ``followed`` times the row before.

    Where other lines share the scale, `PLUNGE` keeps one that falls by many decades at once from flattening them.
    """
    floor = floor if bool(np.any(gap > floor)) else 0.0
    return np.maximum(gap, np.maximum(floor, followed * np.concatenate((gap[:1], gap[:-1]))))


def positive_scale(panel: Axes, values: Sequence[FloatArray]) -> None:
    """`log_scale` of what has been drawn; said in words where none of it is positive, or nothing known."""
    if any(bool(np.any(np.isfinite(part) & (part > 0.0))) for part in values):
        log_scale(panel, values)
        return
    known = any(bool(np.any(np.isfinite(part))) for part in values)
    panel.set_ylim(-1.0, 1.0)
    panel.set_yticks([0.0])
    words = "not positive in any row" if known else "not known in any row"
    panel.text(0.5, 0.75, words, transform=panel.transAxes, ha="center", va="center")


def log_ticks(axis: XAxis | YAxis, low: float, high: float, most: int = 7) -> None:
    """Powers of ten as ticks; over less than two decades 1, 2 and 5 times them, written out; else round numbers."""
    if high < 90.0 * low:
        close = high < 6.0 * low
        axis.set_major_locator(few_ticks(most - 2) if close else LogLocator(subs=(1.0, 2.0, 5.0), numticks=most))
        axis.set_major_formatter(FuncFormatter(_number))
    else:
        axis.set_major_locator(LogLocator(numticks=most))
    axis.set_minor_locator(LogLocator(subs="auto", numticks=most) if high >= 6.0 * low else NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _number(value: float, _: object = None) -> str:
    """A tick written out where that is short, else as a power."""
    if 1e-3 <= value < 1e4:
        return f"{value:g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    return rf"${mantissa}\!\times\!10^{{{int(exponent)}}}$"


def time_scale(panel: Axes, times: FloatArray) -> None:
    """Abscissa of flow time: logarithmic with zero at its left where the times are geometric, else linear."""
    panel.set_xlabel(TIME)
    if geometric(times):
        first = float(times[times > 0.0][0])
        panel.set_xscale("symlog", linthresh=first, linscale=0.4)
        panel.xaxis.set_major_locator(FixedLocator(_time_ticks(float(times[0]), first, float(times[-1]))))
        panel.set_xlim(float(times[0]), float(times[-1]))
    elif times.size > 1:
        panel.set_xlim(float(times[0]), float(times[-1]))
        panel.xaxis.set_major_locator(few_ticks(5))
    else:
        panel.set_xticks([float(t) for t in times])


def _time_ticks(start: float, first: float, last: float) -> list[float]:
    """The start, and powers of ten from the first positive time on, few enough to stand apart."""
    least, most = math.ceil(math.log10(first) - 1e-9), math.floor(math.log10(last) + 1e-9)
    powers = range(most, least - 1, -max(1, math.ceil((most - least + 1) / MOST_POWERS)))
    return [*([start] if start < first else []), *(10.0**power for power in reversed(powers))]


def map_of(
    panel: Axes, across: FloatArray, up: FloatArray, values: FloatArray, norm: Normalize | None = None, cmap: str = MAP
) -> QuadMesh:
    """Cells in colour: values (n, m) over edges (n + 1,) and (m + 1,); an image inside vector files."""
    shown = np.ma.masked_invalid(values.T)
    mesh = panel.pcolormesh(across, up, shown, norm=norm, cmap=cmap, shading="flat", rasterized=True)
    panel.set_facecolor("#dddddd")
    panel.xaxis.set_major_locator(few_ticks(4))
    panel.yaxis.set_major_locator(few_ticks(5))
    return mesh


def axes_map(
    panel: Axes, across: Axis, up: Axis, values: FloatArray, norm: Normalize | None = None, cmap: str = MAP
) -> QuadMesh:
    """Cells of two axes in colour, both named; on a row of panels follow it by ``label_outer``."""
    panel.set_xlabel(axis_label(across))
    panel.set_ylabel(axis_label(up))
    mesh = map_of(panel, across.edges, up.edges, values, norm, cmap)
    name_ticks(panel.xaxis, across)
    name_ticks(panel.yaxis, up)
    return mesh


def linear_norm(*values: FloatArray) -> Normalize:
    """Colour scale over all finite values."""
    found = np.concatenate([v[np.isfinite(v)].ravel() for v in values])
    if not found.size:
        return Normalize(0.0, 1.0)
    low, high = float(found.min()), float(found.max())
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        spread = 0.5 * abs(low) or 0.5
        low, high = low - spread, high + spread
    return Normalize(low, high)


def density_norm(*values: FloatArray) -> Normalize:
    """Colour scale of densities, from zero."""
    found = np.concatenate([v[np.isfinite(v)].ravel() for v in values])
    return Normalize(0.0, float(found.max()) if found.size and found.max() > 0.0 else 1.0)


def log_norm(*values: FloatArray) -> LogNorm | None:
    """Logarithmic colour scale over the positive values; None if there are none."""
    found = np.concatenate([v.ravel() for v in values])
    found = found[np.isfinite(found) & (found > 0.0)]
    if not found.size:
        return None
    high = float(found.max())
    low = max(float(found.min()), high * 10.0**-DECADES)
    if high < 2.0 * low:
        low, high = low / 1.5, high * 1.5
    return LogNorm(low, high)


def colour_bar(
    mesh: QuadMesh, panels: Axes | Sequence[Axes], label: str, where: str = "top", names: Sequence[str] = ()
) -> None:
    """Colour scale with few ticks, or with names at 0, 1, ..., above the panel or panels, or at their right."""
    figure = mesh.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(mesh, ax=panels, location=where, label=label, aspect=18, pad=0.03)
    if isinstance(mesh.norm, LogNorm):
        log_ticks(bar.ax.yaxis if where in ("left", "right") else bar.ax.xaxis, *mesh.get_clim(), 5)
        bar.minorticks_off()
    elif names:
        step = -(-len(names) // MOST_NAMES)
        bar.set_ticks(list(range(0, len(names), step)), labels=[plain(name, LONGEST_TICK) for name in names[::step]])
    else:
        bar.locator = few_ticks(4)
        bar.update_ticks()


def contours(panel: Axes, across: FloatArray, up: FloatArray, values: FloatArray) -> None:
    """Thin lines of equal values (n, m) at points (n,) and (m,), unless all are the same."""
    if min(values.shape) < 2 or not np.all(np.isfinite(values)):
        return
    if np.ptp(values) > 1e-9 * np.abs(values).max():
        levels = MaxNLocator(8).tick_values(float(values.min()), float(values.max()))
        inside = levels[(levels > values.min()) & (levels < values.max())]
        if inside.size:
            panel.contour(across, up, values.T, levels=inside, colors="white", linewidths=0.5, linestyles="solid")


def legend_below(figure: Figure, panel: Axes) -> Legend:
    """Legend of a panel below a whole figure, in as many columns as its width holds."""
    handles, labels = panel.get_legend_handles_labels()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for columns in range(len(labels), 0, -1):
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=columns)
        if columns == 1 or legend.get_window_extent(renderer).width <= ACROSS * figure.bbox.width:
            break
        legend.remove()
    return legend


def legend_above(panel: Axes, columns: int, narrow: bool = False) -> None:
    """Legend above the panel, where it covers no data."""
    tight = {"handlelength": 1.0, "columnspacing": 0.7} if narrow else {}
    panel.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, **tight)
