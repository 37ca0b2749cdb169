"""One line for each fault of a problem file, and one for each short list of the resolved text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.problems.test_problem_file import changed
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.problem_file import parse_problem


@pytest.mark.parametrize(
    "changes",
    [
        {"dynamics": None, "noise.x": 0.1},
        {"dynamics": 3, "noise.x": 0.1},
        {"dynamics": None, "outcome": [{"probability": 1}]},
        {"dynamics": None, "noise.x": 0.1, "outcome": [{"probability": 1, "dynamics": {"x": "x"}}]},
    ],
    ids=["missing", "number", "missing in an outcome", "noise beside outcomes"],
)
def test_one_fault_gives_one_line(changes: dict[str, Any]) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_problem(changed(changes), "mine.toml")
    assert len(caught.value.lines) == 1, caught.value


def test_short_lists_stand_on_one_line() -> None:
    many = [k / 100.0 for k in range(101)]
    changes = {"action.u": {"edges": many}, "state.x.bounds": [-1e-20, 1], "problem.title": "[\n1,\n]"}
    stated = parse_problem(changed(changes))
    assert "\nbounds = [-1e-20, 1.0]\n" in stated.text
    assert max(map(len, stated.text.splitlines())) <= 110
    assert parse_problem(stated.text).tables == stated.tables
