"""What notebooks show: compact tables in which nothing from a problem can pose as HTML."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.solver.small_problems import small_problem
from wpoflow.core.display import Displayed
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.finding import Finding, Hypothesis, Measurement
from wpoflow.validation.suite import validate_run

EVIL = "<script>alert('x')</script> & \"more\""


class Cells(HTMLParser):
    """Texts of the cells, and every tag seen."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in ("th", "td", "caption", "p"):
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data


def cells(thing: Displayed) -> Cells:
    html = thing._repr_html_()
    assert html is not None
    found = Cells()
    found.feed(html)
    found.texts = [text.strip() for text in found.texts]
    assert "script" not in found.tags
    return found


def test_a_problem_its_optimum_and_its_run() -> None:
    mdp = replace(small_problem(5, 6), title=EVIL)
    best = solve_optimum(mdp)
    run = evolve(mdp, until={"time": 0.1}, step=0.05, optimum=best)
    assert cells(mdp).texts[0] == EVIL
    assert cells(run).texts[0] == EVIL
    assert "5 states x 6 actions = 30 pairs" in cells(mdp).texts
    assert f"{best.bellman_residual:.6g}" in cells(best).texts
    assert run.stop_reason in cells(run).texts
    for thing in (mdp, best, run):
        assert len(thing._repr_html_() or "") < 5000


def test_verdicts() -> None:
    entry = Measurement(EVIL, 0.125, 1.0, "<=", EVIL, theory=0.0, discretisation=0.0, rounding=1e-09)
    finding = Finding("decay", EVIL, EVIL, EVIL, (Hypothesis(EVIL, False, EVIL),), (entry,))
    texts = cells(finding).texts
    assert "".join(texts).count(EVIL) == 7
    assert "0.125" in texts
    run = evolve(replace(small_problem(5, 6), title=EVIL), until={"time": 0.5}, step=0.05)
    result = validate_run(run, EVIL)
    shown = cells(result).texts
    assert shown.count(EVIL) == len(result.findings)
    assert {finding.claim for finding in result.findings} <= set(shown)


def test_what_is_unknown_is_refused() -> None:
    with pytest.raises(TypeError, match="Displayed"):
        Displayed()._repr_html_()
