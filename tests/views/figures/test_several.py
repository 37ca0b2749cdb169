"""Several runs in one figure: all lines are there, told apart by words, and nothing lies over anything else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import wpoflow
from tests.variants import slow
from tests.views.figures.runs import ENDINGS
from wpoflow.solver.records.run import Run
from wpoflow.views.figures import FIGURES, FigureError
from wpoflow.views.figures.canvas import svg_text
from wpoflow.views.figures.differences import labels_of

CELLS = {"x": 9, "u": 8}


def short_run(cells: dict[str, int] = CELLS, changes: dict[str, Any] | None = None, **settings: Any) -> Run:
    mdp = wpoflow.load_problem("lqr", cells=cells, set=changes)
    return wpoflow.evolve(mdp, until=0.5, **({"accuracy": 1e-3} | settings))


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    return [short_run(changes={"problem.temperature": tau}) for tau in (0.1, 0.2, 0.5)]


def words(figure: Figure) -> list[str]:
    """What the legends say, the lines one after another."""
    legends = [legend for panel in figure.axes if (legend := panel.get_legend()) is not None]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def test_the_legend_says_what_differs(runs: list[Run]) -> None:
    assert labels_of(runs, "abc") == ["temperature 0.1", "temperature 0.2", "temperature 0.5"]
    finer = short_run({"x": 9, "u": 16})
    assert labels_of([runs[1], finer], "ab") == ["8 cells of u", "16 cells of u"]
    euler = short_run(scheme="euler", step=0.1, accuracy=None)
    assert labels_of([runs[1], euler], "ab") == ["multistep, accuracy 0.001", "euler, step 0.1"]
    other = short_run(changes={"cost.running": '"x**2 + u**2"', "problem.title": '"Dearer control"'})
    told = labels_of([runs[1], other], "ab")
    assert told == [runs[1].title, "Dearer control"]


@pytest.mark.parametrize("count", [2, 3])
def test_labels_are_never_alike(runs: list[Run], count: int) -> None:
    """Runs that are the same in all are told apart by name, and by number where even the names are the same."""
    assert labels_of([runs[0]] * count, [f"{k}.h5" for k in range(count)]) == [f"{k}.h5" for k in range(count)]
    assert len(set(labels_of([runs[0]] * count, ["a.h5"] * count))) == count
    mixed = [*runs, *runs, short_run({"x": 9, "u": 16})]
    assert len(set(labels_of(mixed, [f"{k}.h5" for k in range(len(mixed))]))) == len(mixed)


@pytest.mark.parametrize(
    ("kind", "series"), [("decay", ("gap", "rate_observed")), slow(("steps", ("dissipation", "step_size")))]
)
def test_every_run_has_its_line(runs: list[Run], kind: str, series: Sequence[str]) -> None:
    figure = wpoflow.plot(runs, kind)
    assert words(figure) == ["temperature 0.1", "temperature 0.2", "temperature 0.5"]
    assert figure.get_suptitle() == runs[0].title
    for panel, name in zip(figure.axes, series, strict=True):
        drawn = [np.asarray(line.get_ydata(), dtype=float) for line in panel.lines]
        for run in runs:
            assert any(np.array_equal(line, run.series[name], equal_nan=True) for line in drawn)
    colours = [(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines]
    assert len(set(colours)) == len(runs)
    assert svg_text(figure) == svg_text(wpoflow.plot(runs, kind))


def test_legend_and_title_lie_apart(runs: list[Run]) -> None:
    """Whatever the number of runs, title, legend and panels share no place, and all lie on the sheet."""
    for count in (2, 9):
        figure = wpoflow.plot(
            [runs[k % 3] for k in range(count)], names=[f"a run of number {k}.h5" for k in range(count)]
        )
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        legend = figure.axes[0].get_legend()
        assert legend is not None
        title = figure._suptitle  # type: ignore[attr-defined]
        boxes = [title.get_window_extent(renderer), legend.get_window_extent(renderer)]
        boxes += [panel.get_window_extent(renderer) for panel in figure.axes]
        for first, second in pairwise(boxes):
            assert first.y0 >= second.y1 - 1.0
        sheet = figure.bbox
        assert all(sheet.x0 - 1.0 <= box.x0 and box.x1 <= sheet.x1 + 1.0 for box in boxes)
        assert boxes[0].y1 <= sheet.y1 + 1.0


def test_kinds_of_one_run_refuse_by_name(runs: list[Run]) -> None:
    for name, kind in FIGURES.items():
        if not kind.overlaid:
            with pytest.raises(
                FigureError, match=f"{name}: needs one run, not 3; several can be seen in decay and steps"
            ):
                wpoflow.plot(runs, name)
    with pytest.raises(FigureError, match=r"'decai' is not a kind; choose among .*; did you mean 'decay'"):
        wpoflow.plot(runs[0], "decai")
    with pytest.raises(FigureError, match="decay: b: the file holds no rows"):
        wpoflow.plot([runs[0], ENDINGS["optimum alone"]], names=["a", "b"])
    with pytest.raises(FigureError, match="no state to choose"):
        wpoflow.plot(runs, "decay", state={"x": 0.0})
    with pytest.raises(FigureError, match="25 runs"):
        wpoflow.plot([runs[0]] * 25)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (slow if kind == "steps" and name not in ("not finite at the end", "no optimum", "nothing at all") else tuple)(
            (name, kind)
        )
        for name in ENDINGS
        for kind in ("decay", "steps")
    ],
)
def test_runs_that_ended_in_any_way_are_drawn_or_refused(runs: list[Run], kind: str, name: str) -> None:
    run = ENDINGS[name]
    if reason := FIGURES[kind].why_not(run):
        with pytest.raises(FigureError, match=re.escape(f"{kind}: other: {reason}")):
            wpoflow.plot([runs[0], run], kind, names=["one", "other"])
        return
    assert len(words(wpoflow.plot([runs[0], run], kind))) == 2
    assert svg_text(wpoflow.plot([run, run], kind))
