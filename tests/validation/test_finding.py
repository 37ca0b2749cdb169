"""The logic of verdicts."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wpoflow.validation.finding import PARTS, Finding, Hypothesis, Measurement, Verdict, inflatable, json_ready

MET, UNMET = Hypothesis("known", True), Hypothesis("smooth", False, "it jumps")
GOOD, BAD = Measurement("rate", 1.0, 2.0, "<="), Measurement("rate", 3.0, 2.0, "<=")


def finding(*measurements: Measurement, hypotheses: tuple[Hypothesis, ...] = (MET,), **notes: Any) -> Finding:
    return Finding("claim", "case", "statement", "source", hypotheses, measurements, notes)


@pytest.mark.parametrize(
    ("relation", "below", "equal", "above"),
    [("<=", True, True, False), (">=", False, True, True), ("=", False, True, False)],
)
def test_relations(relation: str, below: bool, equal: bool, above: bool) -> None:
    found = [Measurement("rate", value, 1.0, relation).holds for value in (0.9, 1.0, 1.1)]
    assert found == [below, equal, above]


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.tuples(*[st.floats(0.0, 10.0)] * 3))
def test_the_parts_of_the_tolerance_add_up(measured: float, bound: float, parts: tuple[float, float, float]) -> None:
    budget: dict[str, Any] = dict(zip(PARTS, parts, strict=True))
    distance, total = measured - bound, Measurement("rate", 0.0, 0.0, "=", **budget).tolerance
    assert total == pytest.approx(sum(parts))
    assert Measurement("rate", measured, bound, "<=", **budget).holds == (distance <= total)
    assert Measurement("rate", measured, bound, ">=", **budget).holds == (-distance <= total)
    assert Measurement("rate", measured, bound, "=", **budget).holds == (abs(distance) <= total)


@pytest.mark.parametrize("relation", ["<=", ">=", "="])
def test_what_is_not_a_number_fails(relation: str) -> None:
    assert not Measurement("rate", math.nan, 1.0, relation, rounding=1e9).holds
    assert not Measurement("rate", 1.0, math.nan, relation, rounding=1e9).holds
    assert not Measurement("rate", 1.0, 1.0, relation, rounding=math.nan).holds


@pytest.mark.parametrize("part", ["theory", "discretisation", "rounding"])
def test_an_infinite_tolerance_decides_nothing(part: str) -> None:
    budget: dict[str, Any] = {part: math.inf}
    assert not Measurement("rate", 5.0, 1.0, "=", **budget).holds


def test_verdicts() -> None:
    assert finding(GOOD).verdict is Verdict.HOLDS
    assert finding(GOOD, BAD, GOOD).verdict is Verdict.FAILS
    assert finding().verdict is Verdict.NOT_CERTIFIED
    assert finding(GOOD, hypotheses=(MET, UNMET)).verdict is Verdict.NOT_CERTIFIED
    assert finding(BAD, hypotheses=(UNMET, MET)).verdict is Verdict.NOT_CERTIFIED


def slack(*values: float | None) -> Finding:
    return finding(*(Measurement("rate", 1.0, 2.0, "<=", slack=value) for value in values))


def test_slack_is_that_of_the_sharpest_measurement_and_a_million_is_empty() -> None:
    assert slack(None, None).slack is None
    assert slack(None, 7.0, 3.0, math.inf).slack == 3.0
    assert slack(3.0, 1e9).verdict is Verdict.HOLDS
    assert slack(2e6, math.inf).verdict is Verdict.EMPTY
    assert slack(None).verdict is Verdict.HOLDS
    assert finding(BAD, Measurement("rate", 1.0, 2.0, "<=", slack=math.inf)).verdict is Verdict.FAILS
    assert finding(replace(GOOD, slack=math.inf), hypotheses=(UNMET,)).verdict is Verdict.NOT_CERTIFIED
    assert slack(3.0).reason.endswith("; slack 3")
    assert slack(math.inf).as_dict()["slack"] == "inf"


@pytest.mark.parametrize(("room", "used", "expected"), [(2.0, 1.0, 2.0), (1.0, 0.0, math.inf), (0.5, 1.0, 0.5)])
def test_inflatable(room: float, used: float, expected: float) -> None:
    assert inflatable(room, used) == expected
    assert math.isnan(inflatable(math.nan, used))


def test_the_reason_is_the_hypothesis_that_is_not_met_or_the_worst_measurement() -> None:
    assert finding(BAD, hypotheses=(MET, UNMET)).reason == "smooth: it jumps"
    assert finding().reason == "nothing to measure"
    assert finding(GOOD, BAD).reason == "rate 3 <= 2"
    near = Measurement("closer", 1.999, 2.0, "<=", "t = 1", rounding=0.001)
    assert finding(GOOD, near).reason == "closer 1.999 <= 2 within 0.001 (t = 1)"
    infinite = Measurement("unbounded", 1.0, math.inf, "<=")
    assert finding(infinite, near).reason == finding(near, infinite).reason == near_reason(near)


def near_reason(entry: Measurement) -> str:
    return finding(entry).reason


def test_as_dict_is_json_of_the_whole_finding() -> None:
    entry = Measurement("rate", np.float64(math.inf), math.nan, "<=", "t = 1", theory=0.5)
    notes = {"orders": [1.0, math.nan], "issued": {"t = 1": {"rate": -math.inf}}, "count": 3, "name": "c3"}
    content = json.loads(json.dumps(finding(entry, hypotheses=(MET, UNMET), **notes).as_dict(), allow_nan=False))
    assert set(content) == {
        "claim", "case", "verdict", "slack", "statement", "source", "hypotheses", "measurements", "notes",
    }  # fmt: skip
    assert content["verdict"] == "not certified"
    assert content["hypotheses"][1] == {"name": "smooth", "met": False, "detail": "it jumps", "scope": False}
    assert content["measurements"] == [
        {
            "quantity": "rate",
            "measured": "inf",
            "relation": "<=",
            "bound": "nan",
            "holds": False,
            "tolerance": {"theory": 0.5, "discretisation": 0.0, "rounding": 0.0},
            "where": "t = 1",
            "slack": None,
        }
    ]
    assert content["notes"] == {
        "orders": [1.0, "nan"], "issued": {"t = 1": {"rate": "-inf"}}, "count": 3, "name": "c3",
    }  # fmt: skip


def test_json_ready_leaves_numbers_as_they_are() -> None:
    assert json_ready((1.5, 2, True, None, "inf")) == [1.5, 2, True, None, "inf"]
    assert type(json_ready(np.float64(0.5))) is float
