"""Every kind on every problem: nothing written overlaps or is cut off, no panel is empty, labels say what is drawn."""

from __future__ import annotations

from itertools import product

import pytest
from matplotlib.figure import Figure

from tests.variants import slow_but
from tests.views.figures.runs import ENDINGS, HARD_TITLE, SHAPES, small_run
from tests.views.figures.texts import drawn_texts, misplaced
from wpoflow.solver.records.run import Run
from wpoflow.views.figures import applicable, plot

ALWAYS = {"overview", "value", "steps"}
OF_POLICIES = {"decay", "policy", "kymograph", "density", "constants"}


def check(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> None:
    """What must hold of any figure."""
    texts = drawn_texts(figure, monkeypatch)
    assert misplaced(figure, texts) == []
    assert not any("[1]" in text for text, _ in texts), "a unit of what has none"
    for panel in figure.axes:
        assert panel.has_data() or panel.texts, "an empty panel"


@pytest.mark.parametrize(
    "name",
    slow_but(SHAPES, "one action cell"),
)
def test_every_kind_on_every_shape(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run, shape = small_run(name), SHAPES[name]
    expected = set(ALWAYS)
    if any(cells > 1 for cells in shape.actions):
        expected |= OF_POLICIES
        if sum(cells > 1 for cells in shape.states) > 1:
            expected.add("phase")
    expected -= {"constants"} if shape.labels else set()
    assert set(applicable(run)) == expected
    for kind in expected:
        figure = plot(run, kind)
        check(figure, monkeypatch)


@pytest.mark.parametrize(
    ("name", "kind"),
    slow_but(product(("bandit", "line", "plane"), ("overview", "value")), ("bandit", "value"), ("plane", "overview")),
)
def test_values_of_rewards_fit(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check(plot(small_run(name, rewards=True), kind), monkeypatch)


@pytest.mark.parametrize(
    "name",
    slow_but(ENDINGS, "no optimum", "nothing at all"),
)
def test_every_way_a_run_may_end(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ENDINGS[name]
    for kind in applicable(run):
        check(plot(run, kind), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"), slow_but([("bandit", "decay"), ("line", "kymograph"), ("plane", "phase")], ("bandit", "decay"))
)
def test_a_title_is_never_read_as_math(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = small_run(name)
    run = Run(
        states=plain.states,
        actions=plain.actions,
        series=plain.series,
        snapshots=plain.snapshots,
        optimum=plain.optimum,
        reference_mass=plain.reference_mass,
        rho=plain.rho,
        attributes={**plain.attributes, "title": HARD_TITLE},
    )
    figure = plot(run, kind)
    check(figure, monkeypatch)
    shown = next(text for text, _ in drawn_texts(figure, monkeypatch) if text.startswith("A $"))
    assert HARD_TITLE.startswith(shown.split("\n")[0])
    assert "…" in shown or kind == "kymograph"
    assert "A $" not in "".join(text for text, _ in drawn_texts(plot(run, kind, title=False), monkeypatch))
