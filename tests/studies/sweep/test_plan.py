"""Studies as they are stated: values, ranges, groups, files; and what is no study is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wpoflow.problems.errors import ProblemError
from wpoflow.problems.problem_file import read_problem
from wpoflow.studies.sweep.plan import make_plan
from wpoflow.studies.sweep.points import resolved
from wpoflow.studies.sweep.study_file import plan_of
from wpoflow.studies.sweep.values import StudyError, checked_values, parse_values


def test_points_are_the_product_of_groups_the_last_fastest() -> None:
    plan = make_plan(["lqr"], {"problem.temperature": [0.1, 0.2]}, [{"cells.x": [8, 16, 32], "cells.u": [4, 8, 16]}])
    assert plan.shape == (2, 3)
    assert [group.dim for group in plan.groups] == ["problem.temperature", "cells.x"]
    assert [values for _, values in plan.points()][4] == {"problem.temperature": 0.2, "cells.x": 16, "cells.u": 8}


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"from": 0.5, "to": 1.0, "count": 3}, [0.5, 0.75, 1.0]),
        ({"from": 8, "to": 64, "count": 4, "spacing": "log"}, [8, 16, 32, 64]),
        ({"from": 1, "to": 2, "count": 3}, [1.0, 1.5, 2.0]),
        (np.array([0.5, 0.25]), [0.5, 0.25]),
        ((np.int64(3), np.int64(4)), [3, 4]),
        ([1, 0.5], [1.0, 0.5]),
    ],
)
def test_lists_and_ranges(given: Any, values: list[float]) -> None:
    found = checked_values("key", given)
    assert found == pytest.approx(values, rel=1e-15)
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.05,0.1", [0.05, 0.1]),
        ("8, 16", [8, 16]),
        (".5,1e-3", [0.5, 1e-3]),
        ("wasserstein,mirror:step=0.5", ["wasserstein", "mirror:step=0.5"]),
        ('"x**2","a,b"', ["x**2", "a,b"]),
        ("[-1,1],[-2,2]", [[-1, 1], [-2, 2]]),
        ("{from=1,to=2,count=2}", {"from": 1, "to": 2, "count": 2}),
    ],
)
def test_values_of_an_option(text: str, values: Any) -> None:
    assert parse_values("--over key", text) == values


BAD: list[tuple[str, str]] = [
    ("[over]\nproblem.temprature = [0.1, 0.2]", "over.problem.temprature: is not a known key; choose among title"),
    ("[over]\nprobelm.temperature = [0.1, 0.2]", "over.probelm.temperature: is not a key to sweep over"),
    ("[over]\nconstants.gian = [0.1, 0.2]", "over.constants.gian: the problem has no such entry of [constants]"),
    ("[over]\nproblem.temperature = []", "over.problem.temperature: the list is empty"),
    ("[over]\nproblem.temperature = 0.1", "over.problem.temperature: 0.1 is one value; give a list"),
    ("[over]\nproblem.temperature = [0.1, 'hot']", "over.problem.temperature: 'hot' is not a number, as 0.1 is"),
    ("[over]\nproblem.temperature = ['hot', 'cold']", "over.problem.temperature: must be a valid number, not 'hot'"),
    ("[over]\nproblem.temperature = [0.1, 0.2, 0.1]", "over.problem.temperature: 0.1 is given twice"),
    ("[over]\ncells.x = [8, 8.0]", "over.cells.x: 8.0 is given twice"),
    ("[over]\nproblem.temperature = [0.1, nan]", "over.problem.temperature: nan is not a finite number"),
    ("[over]\nproblem.temperature = [0.1, true]", "over.problem.temperature: true is not a value"),
    ("[over]\ncells.z = [8, 16]", "over.cells.z: is not an axis; axes are x, u"),
    ("[over]\nflow.kind = ['fisherrao']", "did you mean 'fisher-rao'?"),
    ("[over]\nflow = ['mirror:step=1']\nflow.kind = ['euler']", "not valid TOML"),
    ("[over]\nflow = ['wasserstein']\n'flow.kind' = ['fisher-rao']", "over.flow.kind: is swept twice, as flow, too"),
    ("[over]\nstate.x.cells = [8, 16]\ncells.x = [4, 5]", "over.cells.x: is swept twice, as state.x.cells, too"),
    ("[over]\nstate.x.cells = [8, 16]\n[set]\ncells.x = 4", "over.state.x.cells: is swept, and set to one value"),
    ("[over]\naction.u.cells = [8, 16]\n[set]\ncells.u = 4", "over.action.u.cells: is swept, and set to one value"),
    ("[over]\n'until' = [1, 2]\n'until.gap' = [0.1, 0.2]", "over.until.gap: is swept, and so is until; one is a part"),
    ("[over]\n'until.gap' = [0.1, 0.2]\n'flow.until' = [1, 2]", "over.flow.until: is swept, and so is until.gap; one"),
    ("[over]\nuntil.time = [1, 2]\n[set]\nuntil = 3", "over.until.time: is swept, and set to one value"),
    ("[over]\nuntil = [1, 2]\n[set]\n'flow.until.gap' = 0.1", "over.until: is swept, and flow.until.gap, a part"),
    ("[[zip]]\ncells.x = [8, 16]\ncells.u = [8]", "zip.cells.u: 1 values, and study.toml: zip.cells.x, which goes"),
    ("[[zip]]\ncells.x = [8, 8]\ncells.u = [4, 4]", "is given twice"),
    ("[over]\nproblem.temperature = {from = 0.1, to = 1.0, cout = 3}", "cout is not a key of a range; choose from"),
    ("[over]\nproblem.temperature = {from = 0.1, to = 1.0}", "a range needs count"),
    ("[over]\nproblem.temperature = {from = -1, to = 1, count = 3, spacing = 'log'}", "equal ratios need ends above"),
    ("[ovr]\nproblem.temperature = [0.1]", "ovr: is not a key of a study; choose problem, title, over, zip, set; did"),
    ("over = 3", "over: must be a table, not 3"),
    ("zip = 3", "zip: must be tables, [[zip]], not 3"),
    ("zip = 'cells.x'", "zip: must be tables, [[zip]], not 'cells.x'"),
    ("[over]\nproblem.temperature = [0.1]\n[set]\nproblem.temperature = 0.2", "is swept, and set to one value"),
    ("[over]\nproblem.temperature = [0.1]\n[set]\ncells.x = 8.5", "set.cells.x: 8.5 is not a positive whole number"),
    ("", "there is nothing to sweep over"),
]  # fmt: skip


@pytest.mark.parametrize("until", [{"gap": 1e-3}, {"gap": 1e-3, "steps": 7}])
def test_a_swept_criterion_stands_beside_those_that_are_given_for_all(until: dict[str, float]) -> None:
    plan = make_plan(["lqr"], {"until.time": [1.0, 2.0]}, settings={"until": until})
    found = [point.stated.flow.until.criteria for point in resolved(plan) if point.stated is not None]
    assert found == [{"time": time, **until} for time in (1.0, 2.0)]
    by_number = resolved(make_plan(["lqr"], {"until.gap": [0.1, 0.2]}, settings={"until": 3.0}))
    assert [point.stated.flow.until.criteria["gap"] for point in by_number if point.stated is not None] == [0.1, 0.2]


@pytest.mark.parametrize(("text", "says"), BAD)
def test_a_bad_study_is_refused_in_one_line(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(f'problem = "lqr"\n{text}\n', encoding="utf-8")
    with pytest.raises((StudyError, ProblemError)) as refused:
        resolved(plan_of("study.toml", None, ()))
    assert says in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("problem", ["", "problem = 3", "problem = []", 'problem = ["lqr", "lqr"]'])
def test_a_study_without_a_problem_or_with_one_twice_is_refused(problem: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(f"{problem}\n[over]\nproblem.temperature = [0.1]\n", encoding="utf-8")
    with pytest.raises(StudyError, match="problem"):
        plan_of(str(path), None, ())


def test_a_problem_file_is_not_a_study_and_is_found_beside_one(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(read_problem("bandit", cells={"a": 8}).text, encoding="utf-8")
    study = tmp_path / "study.toml"
    study.write_text('problem = ["./mine.toml", "bandit"]\n[over]\nproblem.discount = [0.5, 0.6]\n', encoding="utf-8")
    plan = plan_of(study, None, ())
    assert plan.problems == (str(tmp_path / "mine.toml"), "bandit")
    assert [group.dim for group in plan.groups] == ["problem", "problem.discount"]
    assert plan_of(tmp_path / "mine.toml", {"problem.discount": [0.5]}, ()).problems == (str(tmp_path / "mine.toml"),)


def test_keys_of_all_kinds_reach_the_problem() -> None:
    over = {
        "flow": ["wasserstein", "mirror:step=0.25", "wasserstein-fisher-rao:beta=2,accuracy=1e-4"],
        "cells.x": [8],
        "until.gap": [1e-3],
        "record.series": [{"every": 0.5}],
        "dynamics.x": ["0.5*x"],
        "state.x.bounds": [[-1.0, 1.0]],
    }
    points = resolved(make_plan(["lqr"], over, set={"flow.until.time": 2.0}))
    assert [point.fault for point in points] == ["", "", ""]
    stated = [point.stated for point in points]
    assert all(one is not None for one in stated)
    flows = [one.flow for one in stated if one is not None]
    assert [(flow.kind, flow.step, flow.accuracy) for flow in flows] == [
        ("wasserstein", None, 1e-6), ("mirror", 0.25, None), ("wasserstein-fisher-rao", None, 1e-4),
    ]  # fmt: skip
    assert flows[2].parameters == {"beta": 2.0}
    for one in stated:
        assert one is not None
        assert (one.flow.until.gap, one.flow.until.time) == (1e-3, 2.0)
        assert one.tables.dynamics["x"] == "0.5*x"
        assert one.tables.state["x"].cells == 8


def test_a_step_takes_the_place_of_the_accuracy_and_schedules_are_keys() -> None:
    points = resolved(make_plan(["lqr"], {"step": [0.1, 0.05], "scheme": ["euler"]}, set={"flow.accuracy": 1e-3}))
    assert [point.stated.flow.step for point in points if point.stated] == [0.1, 0.05]
    rates = resolved(
        make_plan(["bandit"], {"flow.anneal.rate": [0.1, 0.3]}, set={"flow.anneal.schedule": '"harmonic"'})
    )
    assert [point.stated.flow.annealing for point in rates if point.stated] == [
        {"schedule": "harmonic", "rate": rate} for rate in (0.1, 0.3)
    ]


def test_names_are_of_what_is_run_and_not_of_how_it_was_asked_for() -> None:
    one = resolved(make_plan(["lqr"], {"problem.temperature": [0.1, 0.3]}, cells={"x": 8}))
    other = resolved(make_plan(["lqr"], {"cells.x": [8, 16]}, set={"problem.temperature": 0.3}))
    assert one[1].name == other[0].name
    assert len({point.name for point in (*one, *other)}) == 3
    solvers = resolved(make_plan(["lqr"], {"linear_solver": ["dense", "sparse"]}))
    assert len({point.name for point in solvers}) == 2


def test_a_point_that_cannot_be_read_is_kept_with_its_sentence() -> None:
    points = resolved(make_plan(["lqr"], {"problem.temperature": [0.1, -1.0]}))
    assert [bool(point.fault) for point in points] == [False, True]
    assert points[1].fault == "problem.temperature: must be greater than 0, not -1.0"


@pytest.mark.parametrize("problem", [3, None, object()])
def test_what_is_no_problem_is_refused_with_what_is_one(problem: Any) -> None:
    with pytest.raises(TypeError, match="it must be the name of a gallery problem or a file"):
        plan_of(problem, {"problem.temperature": [0.1]}, ())
