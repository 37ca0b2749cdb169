"""A refinement study: differences between neighbouring levels against the mesh size, with the expected slopes.

It is drawn from the study itself, or from the ``refine.json`` that ``wpoflow refine --report`` writes; at the last of
its times.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from wpoflow.views.figures.canvas import (
    BLUE,
    DOUBLE,
    GREEN,
    ORANGE,
    PURPLE,
    SINGLE,
    SKY,
    VERMILION,
    heading,
    new_figure,
    style,
)
from wpoflow.views.figures.formats import FigureError
from wpoflow.views.figures.panels import plain

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
STUDY = frozenset({"title", "factor", "times", "directions"})
DIRECTION = frozenset({"direction", "refined", "design_order", "levels", "quantities"})
QUANTITY = frozenset({"quantity", "time", "differences", "order"})
SYMBOLS = {"value_rho": r"$V^{\pi_t}(\rho)$", "gap": r"$V^{\pi_t}(\rho)-V^*(\rho)$"}


def read_study(path: Path) -> dict[str, Any]:
    """A study from its report.

    Raises
    ------
    FigureError
        The file is not one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FigureError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise FigureError(f"{path}: not a report of wpoflow refine") from error
    if not _has(content, STUDY) or not all(
        _has(entry, DIRECTION) and all(_has(quantity, QUANTITY) for quantity in entry["quantities"])
        for entry in content["directions"]
    ):
        raise FigureError(f"{path}: not a report of wpoflow refine")
    return dict(content)


def _has(table: object, keys: frozenset[str]) -> bool:
    return isinstance(table, dict) and keys <= table.keys()


def draw_study(study: Mapping[str, Any], *, title: bool = True) -> Figure:
    """Draw a study.

    Parameters
    ----------
    study : mapping
        What `studies.refinement.result.RefinementStudy.as_dict` gives.
    title : bool
        Whether the problem's title stands above it.

    Raises
    ------
    FigureError
        It holds no direction.
    """
    directions = study["directions"]
    if not directions:
        raise FigureError("refinement: the study has no direction that could be drawn")
    columns = min(2, len(directions))
    rows = math.ceil(len(directions) / columns)
    with style():
        figure = new_figure(SINGLE if columns == 1 else DOUBLE, 0.4 + 2.6 * rows)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel, entry in zip(panels, directions, strict=False):
            _panel(panel, entry, float(study["factor"]))
        for panel in panels[len(directions) :]:
            panel.remove()
        times = study["times"]
        heading(figure, study["title"] if title else "", f"at flow time {times[-1]:g}" if times else "")
    return figure


def _panel(panel: Axes, entry: Mapping[str, Any], factor: float) -> None:
    """One direction: |differences| of each quantity and a line of the expected order."""
    count = len(entry["levels"])
    size = factor ** -np.arange(1.0, count)
    last = max((q["time"] for q in entry["quantities"] if q["time"] is not None), default=None)
    shown = [q for q in entry["quantities"] if q["time"] in (last, None)]
    drawn = []
    for number, quantity in enumerate(shown):
        differences = np.array([math.nan if d is None else abs(d) for d in quantity["differences"][1:]])
        drawn.append(differences)
        order = quantity["order"]
        found = "" if order is None else f", order {order:.2f}"
        name = SYMBOLS.get(quantity["quantity"], plain(quantity["quantity"]))
        panel.plot(size, differences, color=COLOURS[number % len(COLOURS)], marker="os^vD"[number % 5], markersize=3.5,
                   label=f"{name}{found}")  # fmt: skip
        if np.isfinite(differences[-1]) and differences[-1] > 0.0:
            expected = differences[-1] * (size / size[-1]) ** entry["design_order"]
            panel.plot(size, expected, color=COLOURS[number % len(COLOURS)], linewidth=0.7, linestyle=":")
    panel.set_xscale("log")
    panel.set_xticks(size, [_fraction(factor, k) for k in range(1, count)])
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.tick_params(axis="x", which="minor", length=0.0)
    if any(np.any(d > 0.0) for d in drawn):
        panel.set_yscale("log", nonpositive="mask")
        panel.yaxis.set_major_locator(LogLocator(numticks=7))
    what = "step" if list(entry["refined"]) == ["step"] else "mesh size"
    panel.set_xlabel(f"{what} over the coarsest; dotted: order {entry['design_order']:g}")
    panel.set_ylabel("difference of levels")
    panel.set_title(f"{entry['direction']} ({', '.join(entry['refined'])})", parse_math=False, loc="left", pad=3.0)
    panel.legend(loc="best")


def _fraction(factor: float, k: int) -> str:
    """The size of level k relative to the coarsest."""
    power = factor**k
    return f"1/{power:.0f}" if abs(power - round(power)) < 1e-9 else f"1/{power:.2g}"
