"""A study of many runs: a series of every point in one panel, and a number of every point over the swept keys.

Curves are coloured by the key with most values, and dashed by the next one.  The number is drawn as lines over one key,
or as maps over two, one map for each combination of the others.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wpoflow.core.text import did_you_mean, one_line
from wpoflow.views.figures.canvas import DOUBLE, GREY, MAP, SINGLE, heading, new_figure, style
from wpoflow.views.figures.formats import FigureError
from wpoflow.views.figures.panels import GAP, LONGEST_LABEL, TIME, plain, positive_scale

if TYPE_CHECKING:
    from wpoflow.studies.sweep.result import Study

KINDS = {"study": "both panels", "curves": "a series of every point", "map": "a number of every point"}
SERIES, NUMBER = "gap", "rate"
HEIGHT = 2.7
DASHES = ("-", "--", ":", "-.")
MOST_MAPS = 6
RATIO = 5.0  # of the largest value to the least, from which a key lies on a logarithmic axis
NAMES = {
    "gap": GAP,
    "rate": "observed rate of the gap",
    "end_time": "flow time at the end",
    "end_gap": "gap at the end",
}


def draw_sweep(study: Study, kind: str | None = None, quantity: str | None = None, *, title: bool = True) -> Figure:
    """Draw one.

    Parameters
    ----------
    study : Study
    kind : {"study", "curves", "map"}, optional
    quantity : str, optional
        What is drawn: a series as curves, a number as a map; both by default, the gap and its observed rate.
    title : bool
        Whether the study's title stands above it.

    Raises
    ------
    FigureError
        An unknown kind or quantity, or no point has come to its end.
    """
    if kind not in (None, *KINDS):
        raise FigureError(
            f"figure {kind!r} is not a kind; of a study there are {', '.join(KINDS)}{did_you_mean(kind, KINDS)}"
        )
    series, number = _quantities(study, kind, quantity)
    if not study.counts.get("complete"):
        raise FigureError("study: no point has come to its end")
    panels = [name for name in (series, number) if name]
    with style():
        figure = new_figure(DOUBLE if len(panels) > 1 or _maps(study) > 1 else SINGLE, HEIGHT)
        notes = []
        if len(panels) > 1:
            parts: Any = figure.subfigures(1, 2)
            left, right = parts
            _curves(left, study, series)
            notes.append(_numbers(right, study, number))
        elif series:
            _curves(figure, study, series)
        else:
            notes.append(_numbers(figure, study, number))
        heading(figure, study.title if title else "", "; ".join(filter(None, [*notes, _failed(study)])))
    return figure


def _quantities(study: Study, kind: str | None, quantity: str | None) -> tuple[str, str]:
    """The series and the number to be drawn; empty where none is."""
    chosen = kind or "study"
    if quantity is not None:
        array = study.arrays.get(quantity)
        if array is None or array.values.dtype == object or array.dims not in (study.dims, (*study.dims, "time")):
            known = [
                name for name, a in study.arrays.items() if a.values.dtype != object and len(a.dims) >= len(study.dims)
            ]
            raise FigureError(
                f"--quantity {quantity!r} is not in the study; choose among {', '.join(known)}"
                f"{did_you_mean(quantity, known)}"
            )
        curves = array.dims != study.dims
        if kind not in (None, "study", "curves" if curves else "map"):
            raise FigureError(f"--quantity {quantity}: is drawn as {'curves' if curves else 'map'}, not as {kind}")
        return (quantity, "") if curves else ("", quantity)
    return (SERIES if chosen != "map" else ""), (NUMBER if chosen != "curves" else "")


def _failed(study: Study) -> str:
    without = sum(number for status, number in study.counts.items() if status != "complete")
    return f"{without} of {study.status.size} points have no number" if without else ""


def _by_length(study: Study) -> list[str]:
    """Dimensions of more than one value: those of numbers first, the longest first."""
    varied = [dim for dim in study.dims if study[dim].size > 1]
    return sorted(varied, key=lambda dim: (study[dim].dtype == object, -study[dim].size))


def _norm(values: Any) -> Normalize:
    if values.dtype == object or values.size < 2:
        return Normalize(0.0, max(1.0, values.size - 1.0))
    return _scale(values)


def _scale(values: Any) -> Normalize:
    low, high = float(values.min()), float(values.max())
    return LogNorm(low, high) if low > 0.0 and high >= RATIO * low else Normalize(low, high)


def _positions(values: Any) -> Any:
    """Where values of a key are drawn: numbers at themselves, words one after the other."""
    return np.arange(values.size) if values.dtype == object else values


def _curves(figure: Any, study: Study, name: str) -> None:
    panel = figure.subplots()
    varied = _by_length(study)
    colour, dash = (varied[0] if varied else ""), (varied[1] if len(varied) > 1 else "")
    keys = study[colour] if colour else np.zeros(1)
    norm, at = _norm(keys), _positions(keys)
    map_ = ScalarMappable(norm, MAP)
    times, array = study["time"], study[name]
    drawn = []
    for place in np.ndindex(study.status.shape):
        curve = array[place]
        if not np.isfinite(curve).any():
            continue
        look: dict[str, Any] = {}
        if colour:
            look["color"] = map_.to_rgba(at[place[study.dims.index(colour)]])
        if dash:
            look["linestyle"] = DASHES[place[study.dims.index(dash)] % len(DASHES)]
        panel.plot(times, curve, linewidth=0.9, **look)
        drawn.append(curve[np.isfinite(curve)])
    panel.set_xlabel(TIME)
    panel.set_xscale("log")
    panel.set_ylabel(NAMES.get(name, _name(name.replace("_", " "))))
    if all((curve > 0.0).all() for curve in drawn):
        positive_scale(panel, drawn)
    if colour:
        _bar(figure, panel, map_, study, colour)
    if dash and study[dash].size <= len(DASHES):
        for number, value in enumerate(study[dash]):
            panel.plot([], [], color=GREY, linestyle=DASHES[number], label=_name(f"{dash} {_word(value)}"))
        panel.legend(loc="best")


def _bar(figure: Any, panel: Axes, map_: ScalarMappable, study: Study, key: str) -> None:
    """The colours of a key beside a panel."""
    bar = figure.colorbar(map_, ax=panel)
    bar.set_label(_name(key))
    _ticks(bar.ax.yaxis, study[key])


def _ticks(axis: Any, values: Any) -> None:
    """At the values of a key themselves, where they are few enough."""
    if values.dtype == object or values.size <= 6:
        axis.set_ticks(_positions(values), [_word(value) for value in values])
        axis.set_ticks([], minor=True)


def _name(text: str) -> str:
    return plain(text, LONGEST_LABEL)


def _word(value: Any) -> str:
    return one_line(value, 24) if isinstance(value, str) else f"{value:.6g}"


def _maps(study: Study) -> int:
    return min(MOST_MAPS, int(np.prod([study[dim].size for dim in _by_length(study)[2:]], dtype=np.int64)))


def _numbers(figure: Any, study: Study, name: str) -> str:
    """Lines over one key or maps over two; gives what is not seen of the rest, in words."""
    varied = _by_length(study)
    if len(varied) < 2:
        panel = figure.subplots()
        key = varied[0] if varied else study.dims[0]
        values = np.ravel(study[name])
        panel.plot(_positions(study[key]), values, marker="o", markersize=3.5)
        panel.set_xlabel(_name(key))
        panel.set_ylabel(NAMES.get(name, _name(name.replace("_", " "))))
        if isinstance(_norm(study[key]), LogNorm):
            panel.set_xscale("log")
        _ticks(panel.xaxis, study[key])
        return ""
    across, up = sorted(varied[:2], key=study.dims.index)
    others = [dim for dim in study.dims if dim not in (across, up)]
    combinations = list(itertools.product(*(range(study[dim].size) for dim in others)))
    shown = combinations[:MOST_MAPS]
    finite = study[name][np.isfinite(study[name])]
    norm = _scale(finite) if finite.size and np.ptp(finite) > 0.0 else Normalize()
    rows = 1 if len(shown) <= 2 else 2
    panels = np.ravel(figure.subplots(rows, -(-len(shown) // rows), sharex=True, sharey=True, squeeze=False))
    for panel, combination in zip(panels, shown, strict=False):
        index: list[Any] = [slice(None)] * len(study.dims)
        for dim, number in zip(others, combination, strict=True):
            index[study.dims.index(dim)] = number
        image = study[name][tuple(index)]  # the two left stand in the order of the study's dimensions
        _image(panel, study, across, up, image, norm)
        named = [
            f"{dim} {_word(study[dim][n])}" for dim, n in zip(others, combination, strict=True) if study[dim].size > 1
        ]
        if named:
            panel.set_title(_name(", ".join(named)), pad=3.0)
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
    bar = figure.colorbar(ScalarMappable(norm, MAP), ax=list(panels))
    bar.set_label(NAMES.get(name, _name(name.replace("_", " "))))
    if len(combinations) > len(shown):
        return f"{len(shown)} of {len(combinations)} maps"
    return ""


def _image(panel: Axes, study: Study, across: str, up: str, image: Any, norm: Normalize) -> None:
    """A map: one box a point, grey where it has no number."""
    panel.set_facecolor("#DDDDDD")
    panel.pcolormesh(
        np.arange(image.shape[0] + 1) - 0.5, np.arange(image.shape[1] + 1) - 0.5, image.T, norm=norm, cmap=MAP
    )
    for axis, key in ((panel.xaxis, across), (panel.yaxis, up)):
        values = study[key]
        numbers = np.arange(values.size)
        if values.size > 6:
            wanted = MaxNLocator(5, integer=True).tick_values(0, values.size - 1)
            numbers = np.unique(np.clip(wanted, 0, values.size - 1).astype(int))
        axis.set_ticks(numbers, [_word(values[n]) for n in numbers])
    panel.tick_params(axis="x", rotation=45 if study[across].size > 4 else 0)
    if panel.get_subplotspec() is None or panel.get_subplotspec().is_last_row():  # type: ignore[union-attr]
        panel.set_xlabel(_name(across))
    if panel.get_subplotspec() is None or panel.get_subplotspec().is_first_col():  # type: ignore[union-attr]
        panel.set_ylabel(_name(up))
