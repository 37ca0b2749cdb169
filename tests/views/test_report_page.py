"""report.html: whole, self-contained, the same numbers as report.json, and nothing from a file poses as HTML."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.problems.test_problem_file import changed
from tests.solver.small_problems import small_problem
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import parse_problem
from wpoflow.solver.records.run import Run
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.controls import CONTROLS
from wpoflow.validation.everything import validate_everything
from wpoflow.validation.finding import Finding, Hypothesis, Measurement
from wpoflow.validation.report import as_dict
from wpoflow.validation.suite import validate_run
from wpoflow.views.report import CaseView, case_view, evidence_view, page_html, write_page
from wpoflow.views.report.page import ROWS_SHOWN, rows_shown
from wpoflow.views.templating import number_short
from wpoflow.views.verdicts import RATES

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)> & \"q\" 'r'"
NAME = '/tmp/<b onclick="alert(3)">{{ 7*7 }}</b>.h5'
PROBLEM = changed(
    {"problem": {"title": EVIL + " ", "discount": 0.8, "temperature": 0.5}, "constants.script": 0.25, "noise.x": 0.3}
    | {"definitions.img": "where(x < script and u > 0, x, u)", "dynamics.x": "script*x + 0.2*u"}
    | {"action.u.cells": 9, "cost.running": "x**2 + u**2 + 0*img"}
)
VOID = {"meta", "br", "col", "wbr", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """Walks a page; refuses tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.numbers: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "data":
            self.numbers.append((dict(attrs)["value"] or "", ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "data":
            self.numbers[-1] = (self.numbers[-1][0], data)
        if "style" not in self.open:
            self.text += data


def made_up(claim: str, measured: float) -> Finding:
    entry = Measurement(EVIL, measured, 1.0, "<=", EVIL, theory=0.001, discretisation=0.0002, rounding=1.25e-09)
    return Finding(claim, NAME, EVIL, EVIL, (Hypothesis(EVIL, True), Hypothesis("ok", True)), (entry,), {EVIL: EVIL})


@pytest.fixture(scope="module")
def run() -> Run:
    """A short run of the hostile problem."""
    return evolve(build_problem(parse_problem(PROBLEM)), until=1.0, accuracy=1e-3)


@pytest.fixture(scope="module")
def view(run: Run) -> CaseView:
    """What the page shows of it."""
    return case_view(run)


@pytest.fixture(scope="module")
def content(run: Run) -> dict[str, Any]:
    """Its verdicts, one that fails, an exact case and controls."""
    result = validate_run(run, NAME)
    result.findings.extend([made_up("made_up", 2.0), made_up("exact_solution", 0.5)])
    control = CONTROLS["stale Q"]
    result.controls["stale Q"] = (control, [made_up("decay_sup_norm", 1.5)], True)
    result.controls["other"] = (replace(control, what=EVIL), [made_up("decay_sup_norm", math.inf)], False)
    return as_dict(result)


@pytest.fixture(scope="module")
def page(content: dict[str, Any], view: CaseView) -> Page:
    return Page(page_html(content, {NAME: view}))


@pytest.mark.slow
def test_nothing_from_a_file_is_html(page: Page) -> None:
    assert page.tags & {"script", "b", "img", "object", "iframe", "link", "form"} == set()
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert EVIL in page.text
    assert NAME in page.text
    assert "49" not in re.findall(r"/tmp/<b.*?h5", page.text)[0]


def test_nothing_is_loaded_from_elsewhere(content: dict[str, Any], view: CaseView, page: Page) -> None:
    loading = {"src", "href", "xlink:href", "data", "action", "poster", "srcset", "background"}
    for tag, name, value in page.attributes:
        if name in loading:
            assert value.startswith(("#", "data:")), (tag, name, value)
    text = page_html(content, {NAME: view})
    assert re.findall(r"url\((?!#)", text) == []
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_axes_of_every_boundary_are_said_in_words() -> None:
    """A Markov shock among the states and labels among the actions, whose names are no HTML either."""
    shock = {"points": [0.0, 1.0], "transition": [[0.9, 0.1], [0.5, 0.5]]}
    labels = {"action.move": {"labels": ["up & <b>", "down"]}, "flow.kind": "fisher-rao"}
    problem = parse_problem(changed({"shock": {"z": shock}, **labels}))
    run = evolve(build_problem(problem), until=0.1, flow="fisher-rao")
    text = page_html(as_dict(validate_run(run, "mixed", only=["structure"])), {"mixed": case_view(run, kinds=())})
    found = Page(text).text
    assert "a Markov chain of its own" in found
    assert "up & <b>, down" in found
    assert "no flux through the ends" in found


def test_links_lead_somewhere(page: Page) -> None:
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {value[1:] for _, name, value in page.attributes if name == "href" and value.startswith("#")}
    assert targets <= set(ids)
    assert len(targets) > 10


def test_every_claim_and_every_number_of_the_json_is_there(content: dict[str, Any], page: Page) -> None:
    values = {value for value, _ in page.numbers}
    findings = [*content["findings"], *(f for control in content["controls"].values() for f in control["findings"])]
    for finding in findings:
        assert finding["claim"] in page.text
        assert finding["statement"] in page.text
        for entry in finding["measurements"]:
            assert entry["quantity"] in page.text
            assert {str(entry["measured"]), str(entry["bound"])} <= values
            assert {str(part) for part in entry["tolerance"].values()} <= values
    (case,) = content["cases"].values()
    for constant in case["constants"].values():
        for number in constant.values() if isinstance(constant, dict) else [constant]:
            assert str(number) in values or isinstance(number, list)
    assert str(case["rates"]["sharp"]) in values


def read_again(shown: str) -> float:
    """The number a reader sees: 1.5, −2·10⁻³, 10⁻⁹."""
    superscripts = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
    text = shown.replace("−", "-").replace("\u202f", "")
    if not set(text) & set(superscripts):
        return float(text)
    digits, _, power = text.rpartition("10")
    return float(digits.rstrip("·") or "1") * 10.0 ** int(power.translate(str.maketrans(superscripts, "-0123456789")))


def test_the_digits_shown_are_those_of_the_number(page: Page) -> None:
    compared = 0
    for exact, shown in page.numbers:
        try:
            value = float(exact)
        except ValueError:
            continue
        if math.isfinite(value):
            assert read_again(shown) == pytest.approx(value, rel=5e-4)
            compared += 1
    assert compared > 200


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"), (1e-9, "10⁻⁹"), (-2.5e-12, "−2.5\u202f·\u202f10⁻¹²"), (0.12345, "0.1235"), (12345, "12\u202f345"),
        (math.inf, "∞"), ("-inf", "−∞"), ("nan", "nan"), (True, "True"), ("grid", "grid"),
        (123456.0, "1.235\u202f·\u202f10⁵"),
    ],
)  # fmt: skip
def test_numbers_in_short(number: object, text: str) -> None:
    assert number_short(number) == text


def test_a_failure_cannot_be_overlooked(page: Page, content: dict[str, Any]) -> None:
    assert content["passed"] is False
    assert "✗ FAILED" in page.text
    assert "OUTSIDE" in page.text
    assert "✗ MISSED" in page.text
    assert "1 of 2 negative controls caught" in page.text


def test_the_problem_is_typeset_and_drawn(page: Page, view: CaseView) -> None:
    assert {"math", "mfrac", "mtable", "svg", "figure"} <= page.tags
    assert [axis.name for _, axis in view.axes] == ["x", "u"]
    assert len(view.figures) >= 3
    assert all(figure.svg.count("<svg") == 1 for figure in view.figures)
    assert view.text in page.text
    assert "<mi mathvariant='normal'>script</mi>" in "".join(view.equations[1].pieces)
    assert content_of_head(page, "environment") == 1


def content_of_head(page: Page, name: str) -> int:
    return sum(value == name for tag, attribute, value in page.attributes if (tag, attribute) == ("section", "id"))


def test_a_problem_stated_in_python_has_no_equations() -> None:
    run = evolve(small_problem(5, 6), until=0.5, step=0.1)
    view = case_view(run, kinds=())
    assert (view.equations, view.text, view.figures) == ((), "", ())
    page = Page(page_html(as_dict(validate_run(run, "given")), {"given": view}))
    assert "stated in Python" in page.text


def test_a_case_without_a_view_is_shown_by_its_numbers(content: dict[str, Any]) -> None:
    assert "Claims" in Page(page_html(content, {})).text


@pytest.mark.parametrize("count", [1, 2, 11, 12, 13, 200])
def test_the_rows_shown_hold_both_ends(count: int) -> None:
    names = ("time", "gap", *RATES, "certified_level", "certified_rho_level", "judged")
    rows = rows_shown({name: list(range(count)) for name in names})
    assert [rows[0]["time"], rows[-1]["time"]] == [0, count - 1]
    assert len(rows) == min(count, ROWS_SHOWN)


def test_the_file_is_written_whole(content: dict[str, Any], view: CaseView, tmp_path: Path) -> None:
    path = write_page(content, {NAME: view}, tmp_path / "made" / "here")
    assert path.name == "report.html"
    assert list(path.parent.iterdir()) == [path]
    assert path.read_text(encoding="utf-8") == page_html(content, {NAME: view})


@pytest.mark.slow
def test_the_page_of_the_whole_suite_can_be_sent() -> None:
    result, views = validate_everything(view=evidence_view, jobs=2)
    text = page_html(as_dict(result), views)
    assert set(views) == set(result.cases)
    assert len(text.encode("utf-8")) < 10_000_000  # of 32 cases with four figures each
    Page(text)
