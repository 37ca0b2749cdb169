"""The figure of a comparison: what each flow did is where it did it, and no line presses the others together."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from tests.variants import slow_but
from tests.views.figures.runs import ENDINGS, made_up, small_run
from tests.views.figures.texts import drawn_texts, misplaced
from wpoflow.solver.records.run import Run
from wpoflow.studies.comparison.result import Comparison, Entry
from wpoflow.views.figures import plot
from wpoflow.views.figures.canvas import svg_text
from wpoflow.views.figures.comparison import draw_comparison

SLOW = [2.0 * 0.8**k for k in range(20)]
AT_ONCE = [2.0, 1e-3, 1e-30]
LABELS = ("wasserstein", "mirror:step=5", "policy-iteration", "wasserstein-fisher-rao:beta=2,accuracy=1e-4")


def of_flow(gap: list[float], flow: str, title: str = "Made up") -> Run:
    return made_up(gap, title=title, flow=flow, steps=len(gap) - 1)


def compared(gaps: list[list[float]], title: str = "Made up") -> Comparison:
    entries = []
    for k, gap in enumerate(gaps):
        label = LABELS[k % len(LABELS)] + "0" * (k // len(LABELS))
        run = of_flow(gap, label.split(":")[0].rstrip("0"), title)
        entries.append(Entry(label, "", run, np.zeros(len(gap)), {}))
    return Comparison(title, "made-up", tuple(entries))


def decades(panel: Axes) -> float:
    low, high = panel.get_ylim()
    return float(np.log10(high / low))


@pytest.mark.parametrize("count", slow_but([1, 2, 3, 5, 9], 2, 9))
@pytest.mark.parametrize("title", ["Made up", "A title that is much too long for two lines " * 4])
def test_legend_and_panels_share_no_place(count: int, title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All labels are there, on the sheet, over nothing else; those of five flows take less than an eighth of it."""
    figure = draw_comparison(compared([SLOW] * count, title))
    assert not misplaced(figure, drawn_texts(figure, monkeypatch))
    (legend,) = figure.legends
    assert len(legend.get_texts()) == count
    renderer: Any = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    box = legend.get_window_extent(renderer)
    for panel in figure.axes:
        assert panel.get_legend() is None
        taken = panel.get_tightbbox(renderer)
        assert taken is not None
        assert not box.overlaps(taken)
    assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
    if count <= 5:
        assert box.height < figure.bbox.height / 8.0


def test_what_falls_at_once_flattens_no_other_line() -> None:
    """An algorithm that is done in a step ends below the scale, and the others have theirs."""
    left, right = draw_comparison(compared([SLOW, SLOW, AT_ONCE])).axes
    assert decades(left) < 12.0
    assert decades(right) == decades(left)
    assert left.get_ylim()[0] < min(SLOW)
    above, _ = plot([of_flow(SLOW, "wasserstein"), of_flow(AT_ONCE, "policy-iteration")], "decay").axes
    assert decades(above) < 12.0
    assert above.get_ylim()[0] < min(SLOW)


def test_a_slow_fall_is_followed_to_its_end() -> None:
    """However deep, as long as it is no rounding."""
    deep = [10.0**-k for k in range(14)]
    left, _ = draw_comparison(compared([SLOW, deep])).axes
    assert left.get_ylim()[0] < deep[-1]


@pytest.mark.parametrize("last", [1e-30, 0.0])
def test_rounding_stretches_no_scale(last: float) -> None:
    """What is below the rounding floor of a gap is below the axis, which ends there; a line says so."""
    run = made_up([2.0, 1.0, last])
    assert run.optimum is not None
    above = plot(run, "decay").axes[0]
    assert above.get_ylim()[0] > 1e-3 * run.optimum.gap_floor
    tiny = plot(ENDINGS["a tiny gap"], "decay").axes[0]  # all of it rounding: shown as it is
    assert tiny.get_ylim()[0] < 1e-290


@pytest.mark.parametrize(("flow", "waits"), [("mirror", True), ("policy-iteration", True), ("wasserstein", False)])
def test_an_algorithm_is_where_it_began_until_its_first_step(flow: str, waits: bool) -> None:
    """On a logarithmic axis the time before the first step is wide, and the line in it is the first gap."""
    run = of_flow(SLOW, flow)
    run.series["time"][:] *= 5.0
    line = draw_comparison(Comparison("", "", (Entry(flow, "", run, np.zeros(20), {}),))).axes[0].lines[0]
    time, gap = (np.asarray(data, dtype=float) for data in line.get_data())
    just_before = gap[np.flatnonzero(time == 5.0)[0]]
    assert just_before == (SLOW[0] if waits else SLOW[1])
    assert np.isin(SLOW, gap).all()


def test_a_rate_that_no_row_knows_is_said() -> None:
    """A panel without a line says why."""
    run = made_up([2.0, 0.5, 0.1], flow="policy-iteration")
    for name in ("rate_observed", "dissipation"):
        run.series[name][:] = np.nan
    for kind, panel in (("decay", 1), ("steps", 0)):
        words = [text.get_text() for text in plot(run, kind).axes[panel].texts]
        assert words == ["not known in any row"], kind


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["value", "overview"])
def test_values_that_are_none_are_drawn_in_one_state_too(kind: str) -> None:
    run = deepcopy(small_run("bandit"))
    run.series["value_rho"][:2] = 1.7e308, -1.7e308
    assert svg_text(plot(run, kind))


@pytest.mark.parametrize("rates", [[1.7e308, np.nan], [1e-310, 1e300], [-1.7e308, 1.7e308]])
def test_rates_that_are_none_are_drawn_beside_the_sharp_one(rates: list[float]) -> None:
    """A damaged series has a figure all the same: the other lines are right."""
    run = made_up([2.0, 0.5])
    run.series["rate_observed"][:] = rates
    figure = plot(run, "decay")
    assert svg_text(figure)
    assert any(line.get_linestyle() == "-." for line in figure.axes[1].lines)
