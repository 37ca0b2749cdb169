"""Problem files: every fault is reported, at once, with its key; what is read comes back from the resolved text."""

from __future__ import annotations

import copy
import subprocess
import sys
import tomllib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from wpoflow.problems.checks import read_scope
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.gallery import gallery_names, gallery_text, gallery_titles
from wpoflow.problems.load import load_problem
from wpoflow.problems.problem_file import parse_problem, read_problem
from wpoflow.solver.records.settings import FlowTable
from wpoflow.solver.registry import AUTOMATIC, FLOWS, default_accuracy, own_step_flows, scheme_names

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


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "discount one": ({"problem.discount": 1}, "problem.discount: must be less than 1"),
    "discount zero": ({"problem.discount": 0.0}, "problem.discount: must be greater than 0"),
    "discount text": ({"problem.discount": "0.9"}, "problem.discount: must be a valid number"),
    "temperature": ({"problem.temperature": -1}, "problem.temperature: must be greater than 0"),
    "nan": ({"problem.temperature": float("nan")}, "problem.temperature: must be a finite number"),
    "infinite": ({"state.x.bounds": [0.0, float("inf")]}, "state.x.bounds.1: must be a finite number"),
    "boolean": ({"problem.temperature": True}, "problem.temperature: must be a valid number"),
    "missing": ({"problem.discount": None}, "problem.discount: is missing"),
    "no table": ({"cost": None}, "cost: is missing"),
    "not a table": ({"cost": 3}, "cost: must be a table"),
    "unknown table": ({"extra.a": 1}, "extra: is not a known key; choose among problem, constants"),
    "unknown key": ({"cost.runing": "1"}, "choose among running, terminal_set, terminal_cost"),
    "unknown axis key": ({"state.x.foo": 1}, "state.x.foo: is not a known key; choose among bounds, cells"),
    "boundary": ({"state.x.boundary": "no-flux"}, "choose 'clamp', 'reflect' or 'periodic'"),
    "action boundary": ({"action.u.boundary": "clamp"}, "choose 'no-flux' or 'periodic'"),
    "cells": ({"state.x.cells": 0}, "state.x.cells: must be greater than or equal to 1"),
    "cells not whole": ({"state.x.cells": 2.5}, "state.x.cells: must be a valid integer"),
    "edges and bounds": ({"state.x.edges": [0.0, 1.0]}, "state.x: give either edges, or bounds and cells"),
    "neither": ({"state.x.bounds": None}, "state.x: give bounds = [lower, upper] and cells, or edges"),
    "bounds order": ({"state.x.bounds": [1.0, 0.0]}, "state.x: bounds [1, 0] must be increasing"),
    "edges order": ({"state.x": {"edges": [0.0, 2.0, 1.0]}}, "state.x: edges must be strictly increasing"),
    "graded": ({"state.x.focus": 0.0}, "state.x: a graded axis needs all three"),
    "focus": (
        {"state.x.spacing": "sinh", "state.x.focus": 2.0, "state.x.ratio": 5.0},
        "state.x: focus 2 lies outside the bounds [-1, 1]",
    ),
    "ratio": (
        {"state.x.spacing": "sinh", "state.x.focus": 0.0, "state.x.ratio": 0.5},
        "state.x.ratio: must be greater than or equal to 1",
    ),
    "no action": ({"action": {}}, "action: at least one action axis"),
    "function name": ({"constants.sin": 1.0}, "constants.sin: 'sin' cannot be a name"),
    "pi": ({"constants.pi": 3.0}, "constants.pi: 'pi' cannot be a name"),
    "odd name": ({"constants.a-b": 3.0}, "constants.a-b: 'a-b' cannot be a name"),
    "not ASCII": ({"constants.é": 3.0}, "constants.é: 'é' cannot be a name"),
    "keyword": ({"constants.lambda": 3.0}, "constants.lambda: 'lambda' cannot be a name"),
    "twice": ({"constants.x": 3.0}, "constants.x: the name is already taken by state.x"),
    "same axes": ({"action.x": {"bounds": [0, 1], "cells": 2}}, "action.x: the name is already taken by state.x"),
    "run file name": ({"action.gap": {"bounds": [0, 1], "cells": 2}}, "action.gap: an axis may not be called 'gap'"),
    "inner name": ({"action.policy": {"bounds": [0, 1], "cells": 2}}, "an axis may not be called 'policy'"),
    "edges name": ({"action.a_edges": {"bounds": [0, 1], "cells": 2}}, "an axis may not be called 'a_edges'"),
    "constant text": ({"constants.k": "1"}, "constants.k: must be a valid number"),
    "definition": ({"definitions.d": "x +"}, "definitions.d: 'x +' does not parse"),
    "later definition": ({"definitions": {"d": "e + 1", "e": "x"}}, "definitions.d: 'e' in 'e + 1': e is not a name"),
    "no dynamics": ({"dynamics": None}, "dynamics: is missing: the next state of x"),
    "dynamics axis": ({"dynamics.y": "1"}, "dynamics.y: is not a state axis; state axes are x"),
    "dynamics missing": ({"state.y": {"bounds": [0, 1], "cells": 2}}, "dynamics.y: is missing"),
    "noise axis": ({"noise.u": 1.0}, "noise.u: is not a state axis; state axes are x"),
    "bandit with dynamics": ({"state": None}, "dynamics.x: is not a state axis; state axes are none"),
    "both": ({"outcome": [{"probability": "1", "dynamics": {"x": "x"}}]}, "dynamics: give either [dynamics]"),
    "outcome axes": (
        {"dynamics": None, "outcome": [{"probability": 1, "dynamics": {}}]},
        "outcome.0.dynamics.x: is missing",
    ),
    "outcome key": (
        {"dynamics": None, "outcome": [{"probability": 1, "dynamics": {"x": "x"}, "weight": 1}]},
        "outcome.0.weight: is not a known key; choose among probability, dynamics, noise",
    ),
    "outcome expression": (
        {"dynamics": None, "outcome": [{"probability": "p", "dynamics": {"x": "x"}}]},
        "outcome.0.probability: 'p' in 'p': p is not a name here; names are pi, x, u",
    ),
    "cost": ({"cost.running": "x.real"}, "cost.running: 'x.real' in 'x.real': Attribute is not part of the language"),
    "wrong axis": (
        {"reference.potential": "x"},
        "reference.potential: 'x' in 'x': x is not a name here; names are pi, u",
    ),
    "terminal axis": ({"cost.terminal_set": "u > 0"}, "cost.terminal_set: 'u' in 'u > 0': u is not a name here"),
    "through definition": (
        {"definitions.d": "x*u", "initial.state_density": "d"},
        "initial.state_density: 'd' depends on u through a definition; here only x can occur",
    ),
    "terminal cost alone": ({"cost.terminal_cost": 1.0}, "cost: terminal_cost needs a terminal_set"),
    "until empty": ({"flow.until": {}}, "flow.until: give at least one of time, gap, steps, wall"),
    "until missing": ({"flow": {}}, "flow.until: is missing"),
    "until key": ({"flow.until.days": 3}, "flow.until.days: is not a known key; choose among time, gap, steps, wall"),
    "until value": ({"flow.until.gap": 0.0}, "flow.until.gap: must be greater than 0"),
    "both controls": ({"flow.step": 0.1, "flow.accuracy": 1e-3}, "flow: give either accuracy or step, not both"),
    "scheme": (
        {"flow.scheme": "rk4"},
        "flow.scheme: 'rk4' is not a choice; choose 'automatic', 'multistep', 'adams', 'exponential', "
        "'extrapolated' or 'euler'",
    ),
    "kind": ({"flow.kind": "heat"}, "flow.kind: 'heat' is not a choice; choose 'wasserstein'"),
    "series": (
        {"record.series": {"first": 1.0}},
        "record.series: give { first, per_decade }, or { every }, or { times }",
    ),
    "series twice": ({"record.series": {"every": 1.0, "times": [1.0]}}, "record.series: give { first, per_decade }"),
    "series order": ({"record.series": {"times": [2.0, 1.0]}}, "record.series.times: must be strictly increasing"),
    "snapshots": ({"record.snapshots": -1}, "record.snapshots: must be greater than or equal to 0"),
    "snapshot text": ({"record.snapshots": "all"}, "record.snapshots: must be a valid integer"),
    "snapshot key": (
        {"record.snapshots": {"every": 1.0}},
        "record.snapshots.every: is not a known key; choose among times",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_each_fault_is_one_line_with_file_and_key(case: str) -> None:
    changes, expected = FAULTS[case]
    with pytest.raises(ProblemError) as caught:
        parse_problem(changed(changes), "mine.toml")
    assert any(line.startswith("mine.toml: ") and expected in line for line in caught.value.lines), caught.value
    assert all("\n" not in line for line in caught.value.lines)


def test_all_faults_come_at_once() -> None:
    chosen = [
        "discount one",
        "boundary",
        "definition",
        "cost",
        "until value",
        "scheme",
        "series",
        "run file name",
        "pi",
    ]
    together = {key: value for case in chosen for key, value in FAULTS[case][0].items()}
    with pytest.raises(ProblemError) as caught:
        parse_problem(changed(together))
    for case in chosen:
        assert FAULTS[case][1] in str(caught.value)
    assert len(caught.value.lines) == len(chosen)


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


@pytest.mark.parametrize("text", ["x = ", "[problem", "a = 1\na = 2", "\0", "x = " + "[" * 5000])
def test_text_that_is_not_toml(text: str) -> None:
    with pytest.raises(ProblemError, match="not valid TOML"):
        parse_problem(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*MINIMAL, "x", "u", "time"]), inner)
        ),
        max_leaves=10,
    ),
    st.sampled_from(
        [*MINIMAL, "noise", "outcome", "definitions", "constants", "initial", "record", "state.x", "flow.until"]
    ),
)
@settings(max_examples=60, deadline=None)
def test_no_content_raises_anything_else(value: Any, key: str) -> None:
    def writable(entry: Any) -> Any:
        if isinstance(entry, dict):
            return {name: writable(inner) for name, inner in entry.items()}
        if isinstance(entry, list):
            return [writable(inner) for inner in entry]
        return 0 if entry is None else entry

    with suppress(ProblemError):
        parse_problem(changed({key: writable(value)}))


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
    assert parse_problem(changed({"flow.step": 0.1})).flow.accuracy is None
    assert parse_problem(changed({"flow.until": 3})).flow.until.criteria == {"time": 3.0}


def test_choices_are_those_of_the_registry() -> None:
    for key, names in (("flow.scheme", scheme_names()), ("flow.kind", tuple(FLOWS))):
        for name in names:
            step = {"flow.step": FLOWS[name].step or 0.1} if name in own_step_flows() else {}
            parse_problem(changed({key: name, **step}))
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cells": {"z": 3}}, "cells['z']: is not an axis; axes are x, u"),
        ({"cells": {"x": 0}}, "cells['x']: must be greater than or equal to 1, not 0"),
        ({"set": {"problem.temperature": "warm"}}, "set['problem.temperature']: 'warm' is not a TOML value"),
        ({"set": {"flow.step": "1\nx = 2"}}, "is not a TOML value"),
        ({"set": {"problem.title.x": "1"}}, "set['problem.title.x']: the key does not lead to a table's entry"),
        ({"set": {"problem..x": "1"}}, "the key does not lead to a table's entry"),
        ({"set": {"problem.colour": "1"}}, "set['problem.colour']: is not a known key; choose among title"),
        ({"set": {"flow.until": "{ days = 1 }"}}, "set['flow.until'].days: is not a known key"),
        ({"set": {"state": 3}, "cells": {"u": 4}}, "set['state']: must be a table"),
        ({"until": {}}, "until: give at least one"),
        ({"until": -1.0}, "until.time: must be greater than 0"),
        ({"scheme": "rk4"}, "scheme: 'rk4' is not a choice"),
        ({"flow": "heat"}, "flow: 'heat' is not a choice"),
        ({"step": -1.0}, "step: must be greater than 0, not -1.0"),
        ({"accuracy": 2.0}, "accuracy: must be less than 1"),
        ({"set": {"problem": {"temperature": 1.0}}}, "set['problem'].discount: is missing"),
        (
            {"set": {"action.u.edges": [0.0, 1.0]}},
            "lqr (gallery): action.u (with set['action.u.edges']): give either edges",
        ),
    ],
)
def test_faulty_overrides_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ProblemError) as caught:
        read_problem("lqr", **arguments)
    assert message in str(caught.value)


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
        with pytest.raises(ProblemError, match="is not in the gallery; choose among bandit"):
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


@pytest.mark.parametrize("key", ["constants.discount", "constants.temperature", "definitions.discount"])
def test_discount_and_temperature_cannot_be_given_twice(key: str) -> None:
    name = key.split(".")[1]
    with pytest.raises(ProblemError, match=f"{key}: the name is already taken by problem.{name}"):
        parse_problem(changed({key: 0.5}))


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
