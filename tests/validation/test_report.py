"""report.json: its schema, and that it is JSON whatever was found."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.validation.cases import fixed, nowhere_but_in_the_first_state, small_problem
from wpoflow.solver.records.provenance import VERSION
from wpoflow.validation import report
from wpoflow.validation.case_numbers import case_numbers
from wpoflow.validation.controls import CONTROLS
from wpoflow.validation.finding import Finding, Hypothesis, Measurement, Verdict
from wpoflow.validation.report import as_dict, write_report
from wpoflow.validation.suite import LEVELS, SuiteResult, judge, merged

HYPOTHESIS = {"name", "met", "detail", "scope"}
MEASUREMENT = {"quantity", "measured", "relation", "bound", "holds", "tolerance", "where", "slack"}
FINDING = {"claim", "case", "verdict", "slack", "statement", "source", "hypotheses", "measurements", "notes"}


def made_up(claim: str, measured: float, case: str = "case") -> Finding:
    entry = Measurement("rate", measured, 1.0, "<=", rounding=1e-09)
    return Finding(claim, case, "it decays", "a paper", (Hypothesis("smooth", True),), (entry,), {"worst": measured})


@pytest.fixture(scope="module")
def result() -> SuiteResult:
    """A run with an infinite density ratio, and a control."""
    evidence = fixed("lqr", "euler", time=0.5, mdp=nowhere_but_in_the_first_state(small_problem("lqr")))
    control = CONTROLS["unreachable states"]
    found = SuiteResult("run", judge(evidence, LEVELS["quick"]), {"lqr": case_numbers(evidence)})
    found.controls[control.name] = (control, [made_up("decay_paper", 0.5)], True)
    return found


def keys_of_the_docstring() -> list[str]:
    assert report.__doc__ is not None
    return re.findall(r"^    (\w+) {2,}\S", report.__doc__, flags=re.MULTILINE)


def test_the_schema_is_the_one_documented(result: SuiteResult) -> None:
    content = as_dict(result)
    assert list(content) == keys_of_the_docstring()
    assert content["schema"] == report.SCHEMA == 1
    assert content["level"] == "run"
    assert content["versions"]["wpoflow"] == VERSION
    assert {"python", "numpy"} <= set(content["versions"])
    for finding in content["findings"]:
        assert set(finding) == FINDING
        assert all(set(entry) == HYPOTHESIS for entry in finding["hypotheses"])
        assert all(set(entry) == MEASUREMENT for entry in finding["measurements"])
        assert finding["verdict"] in set(Verdict)
    (control,) = content["controls"].values()
    assert set(control) == {"what", "expected", "caught", "findings"}
    assert control["expected"] == {"decay_paper": "not certified"}


def test_cases_hold_constants_and_rates_row_by_row(result: SuiteResult) -> None:
    (case,) = as_dict(result)["cases"].values()
    assert set(case) == {
        "title", "states", "actions", "grid", "own_grid", "discount", "temperature", "stop_reason", "constants",
        "rates", "from_when",
    }  # fmt: skip
    assert (case["states"], case["actions"]) == ([20], [20])
    rates = case["rates"]
    certified = {"certified", "certified_level", "certified_rho", "certified_rho_level"}
    assert set(rates) == certified | {"time", "gap", "guaranteed", "sup_norm", "paper", "observed", "judged", "sharp"}
    assert {len(entry) for name, entry in rates.items() if name != "sharp"} == {11}
    assert case["constants"]["alpha_bounds_label"] == "grid"
    assert case["constants"]["alpha_lower_bound"] <= case["constants"]["spectral_gap_least"]


def test_infinities_are_text_and_the_rest_survives(result: SuiteResult, tmp_path: Path) -> None:
    reported = as_dict(result)  # once: it holds the time it was made at
    path = write_report(reported, tmp_path / "made" / "here")
    assert path.name == "report.json"
    assert list(path.parent.iterdir()) == [path]

    def refuse(name: str) -> None:
        raise AssertionError(name)

    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert content == reported
    assert content["cases"]["lqr"]["constants"]["density_ratio"] == "inf"
    assert set(content["cases"]["lqr"]["rates"]["paper"]) == {0.0}


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_is_text_wherever_it_stands(value: float, tmp_path: Path) -> None:
    entry = Measurement("rate", np.float64(value), value, "=", theory=value)
    notes: dict[str, Any] = {"errors": [1.0, value], "issued": {"t = 0": {"rate": value}}}
    finding = Finding("claim", "case", "", "", (), (entry,), notes)
    written = json.loads(write_report(as_dict(SuiteResult("quick", [finding])), tmp_path).read_text(encoding="utf-8"))
    (found,) = written["findings"]
    assert found["measurements"][0]["measured"] == found["measurements"][0]["bound"] == str(value)
    assert found["notes"] == {"errors": [1.0, str(value)], "issued": {"t = 0": {"rate": str(value)}}}
    assert found["verdict"] == "fails"


def test_passed() -> None:
    good, bad = made_up("structure", 0.5), made_up("structure", 1.5)
    control = CONTROLS["negated potential"]
    assert SuiteResult("quick", [good]).passed
    assert not SuiteResult("quick", [good, bad]).passed
    assert SuiteResult("quick", [good], controls={"c": (control, [bad], True)}).passed
    assert not SuiteResult("quick", [good], controls={"c": (control, [bad], False)}).passed


def test_merged_results_hold_everything() -> None:
    first = SuiteResult("quick", [made_up("structure", 0.5, "a")], {"a": {}})
    second = SuiteResult("run", [made_up("structure", 1.5, "b")], {"b": {}})
    whole = merged([first, second])
    assert [finding.verdict for finding in whole.findings] == [Verdict.HOLDS, Verdict.FAILS]
    assert (set(whole.cases), whole.level, whole.passed) == ({"a", "b"}, "mixed", False)
    assert merged([first]).level == "quick"
