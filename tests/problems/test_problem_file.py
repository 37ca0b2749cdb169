"""Problem files: what is read comes back from the resolved text, with what was overridden."""

from __future__ import annotations

import copy
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from wpoflow.problems.checks import read_scope
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.gallery import gallery_names, gallery_text, gallery_titles
from wpoflow.problems.load import load_problem
from wpoflow.problems.problem_file import parse_problem, read_problem
from wpoflow.solver.records.flow_table import FlowTable
from wpoflow.solver.registry import AUTOMATIC, FLOWS, default_accuracy, own_step_flows, scheme_names
from wpoflow.solver.runs.evolve import evolve

MINIMAL: dict[str, Any] = {
    "problem": {"discount": 0.9, "temperature": 0.2},
    "state": {"x": {"bounds": [-1.0, 1.0], "cells": 8}},
    "action": {"u": {"bounds": [-1.0, 1.0], "cells": 8}},
    "dynamics": {"x": "0.9*x + u"},
    "cost": {"running": "x**2 + u**2"},
    "flow": {"until": {"time": 1.0}},
}


def changed(changes: dict[str, Any], base: dict[str, Any] = MINIMAL) -> str:
    """TOML text of the minimal problem, or another, with dotted keys replaced; None removes one."""
    raw = copy.deepcopy(base)
    for key, value in changes.items():
        *path, last = key.split(".")
        table = raw
        for part in path:
            table = table.setdefault(part, {})
        if value is None:
            del table[last]
        else:
            table[last] = value
    return tomli_w.dumps(raw)


def test_short_lists_stand_on_one_line() -> None:
    many = [k / 100.0 for k in range(101)]
    changes = {"action.u": {"edges": many}, "state.x.bounds": [-1e-20, 1], "problem.title": "[\n1,\n]"}
    stated = parse_problem(changed(changes))
    assert "\nbounds = [-1e-20, 1.0]\n" in stated.text
    assert max(map(len, stated.text.splitlines())) <= 110
    assert parse_problem(stated.text).tables == stated.tables


def test_minimal_problem_gets_the_documented_defaults() -> None:
    problem = parse_problem(changed({}), "folder/mine.toml")
    assert (problem.name, problem.title) == ("mine", "mine")
    assert problem.tables.state["x"].boundary == "clamp"
    assert problem.tables.action["u"].boundary == "no-flux"
    flow = FlowTable.model_validate({"until": 1.0, "accuracy": default_accuracy(AUTOMATIC)})
    assert problem.flow == flow
    assert flow.scheme == "automatic"
    assert problem.record.series.model_dump(exclude_none=True) == {"first": 1e-3, "per_decade": 20}
    assert problem.record.snapshots == 30
    assert "kept, 30 by default" in (evolve.__doc__ or "")
    assert parse_problem(changed({"flow.step": 0.1})).flow.accuracy is None
    assert parse_problem(changed({"flow.until": 3})).flow.until.criteria == {"time": 3.0}


def test_choices_are_those_of_the_registry() -> None:
    for key, names in (("flow.scheme", scheme_names()), ("flow.kind", tuple(FLOWS))):
        for name in names:
            step = {"flow.step": FLOWS[name].step or 0.1} if name in own_step_flows() else {}
            given = {f"flow.{own}": value for own, value in FLOWS[name].required.items()} if name in FLOWS else {}
            parse_problem(changed({key: name, **step, **given}))
        with pytest.raises(ProblemError, match=f"{key}: 'none' is not a .*{names[-1]}"):
            parse_problem(changed({key: "none"}))


@pytest.mark.parametrize("name", gallery_names())
def test_resolved_text_reads_back_as_itself(name: str) -> None:
    problem = read_problem(name)
    again = replace(parse_problem(problem.text, f"{name}.toml"), label=problem.label)
    assert again == problem
    assert again.text == problem.text


def test_resolved_text_keeps_unusual_shapes() -> None:
    changes = {
        "state.x": {"edges": [0.0, 0.25, 1.0], "boundary": "reflect"},
        "action.u": {"bounds": [0, 1], "cells": 3, "spacing": "sinh", "focus": 0.5, "ratio": 4},
        "noise.x": 0.1,
        "cost.terminal_set": "x > 0.9",
        "record": {"series": {"times": [0.0, 1.5]}, "snapshots": {"times": [1.0]}},
        "flow.until": {"steps": 7, "wall": 2.5},
        "problem.title": 'Quotes " and \\ and é',
    }
    problem = parse_problem(changed(changes))
    assert parse_problem(problem.text) == problem
    assert problem.flow.until.criteria == {"steps": 7, "wall": 2.5}


def test_overrides_replace_what_the_file_says() -> None:
    problem = read_problem(
        "inventory",
        cells={"stock": 31, "order": 9},
        set={
            "problem.temperature": "0.25",
            "outcome.1.noise.stock": "2.0",
            "constants.new": 3,
            "cost.running": '"order"',
        },
        until={"gap": 1e-3},
    )
    assert [axis.size for axis in (problem.tables.state["stock"], problem.tables.action["order"])] == [31, 9]
    assert problem.tables.problem.temperature == 0.25
    assert problem.tables.outcome[1].noise == {"stock": "2.0"}
    assert problem.tables.constants["new"] == 3.0
    assert problem.tables.cost is not None
    assert problem.tables.cost.running == "order"
    assert problem.flow.until.criteria == {"gap": 1e-3}
    assert read_problem("lqr", until=5).flow.until.criteria == {"time": 5.0}


def test_step_and_accuracy_replace_each_other() -> None:
    assert read_problem("lqr", step=0.1).flow.accuracy is None
    assert read_problem("lqr", set={"flow.step": "0.1"}, accuracy=1e-3).flow.step is None
    assert read_problem("lqr", scheme="euler", step=0.1).flow.scheme == "euler"
    with pytest.raises(ProblemError, match="not both"):
        read_problem("lqr", step=0.1, accuracy=1e-3)


def test_cells_of_an_axis_given_by_edges_cannot_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(changed({"state.x": {"edges": [0.0, 0.5, 1.0]}}))
    with pytest.raises(ProblemError, match=r"cells\['x'\]: the axis is given by edges"):
        read_problem(path, cells={"x": 4})


def test_names_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lqr").write_text("not a problem")
    assert read_problem("lqr").title == gallery_titles()["lqr"]
    (tmp_path / "own.toml").write_text(changed({}), encoding="utf-8")
    assert read_problem("own.toml").label == "own.toml"
    assert read_problem("./own.toml").name == "own"
    for absent in ("..", "gallery", "LQR", ""):
        with pytest.raises(ProblemError, match="is not in the gallery; choose among acrobot"):
            read_problem(absent)
    with pytest.raises(ProblemError, match=r"'own' is not in the gallery; for the file here write own\.toml"):
        read_problem("own")
    (tmp_path / "torus").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert read_problem("torus").title == gallery_titles()["torus"]
    for path in ("absent.toml", "../gallery/lqr", "./"):
        with pytest.raises(ProblemError, match=r"No such file|Is a directory"):
            read_problem(path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ProblemError, match="UTF-8"):
        read_problem("binary.toml")


@pytest.mark.parametrize("name", gallery_names())
def test_gallery_files_are_short_and_say_where_they_come_from(name: str) -> None:
    text = gallery_text(name)
    assert text.startswith("# ")
    assert len(text.splitlines()) <= 70
    assert 10 < len(gallery_titles()[name]) <= 80


def test_reading_a_problem_needs_no_numerics() -> None:
    code = (
        "import sys; from wpoflow.problems.problem_file import read_problem; read_problem('lqr').text; "
        "bad = {'numpy', 'numba', 'scipy', 'h5py'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_discount_and_temperature_are_constants_of_the_file() -> None:
    problem = parse_problem(
        changed({"cost.running": "x**2 + temperature*u**2/discount", "definitions.half": "discount/2"})
    )
    scope, wrong = read_scope(tomllib.loads(problem.text))
    assert not wrong
    assert scope.constants == {"discount": 0.9, "temperature": 0.2}


@pytest.mark.parametrize("discount", [0.9, 0.99])
def test_the_goal_of_the_mountain_car_is_worth_100_at_every_discount(discount: float) -> None:
    mdp = load_problem(
        "mountain_car", cells={"position": 21, "velocity": 21, "force": 5}, set={"problem.discount": discount}
    )
    termination = mdp.transition.termination
    assert termination is not None
    assert termination.max() == 1.0
    force = mdp.actions.points[:, 0]
    assert mdp.cost == pytest.approx(0.1 * force**2 - 100.0 * termination, rel=1e-14)
