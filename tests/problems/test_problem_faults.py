"""Problem files: every fault is reported, at once, with its key."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wpoflow as wpo
from tests.problems.test_problem_file import MINIMAL, changed
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.problem_file import parse_problem, read_problem

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
    "unknown table that begins with #": ({"#": {"a": 1}}, "#: is not a known key; choose among problem"),
    "unknown key that begins with #": ({"cost.#a": "1"}, "cost.#a: is not a known key; choose among running"),
    "unknown key like a mark": ({"cost.#table": "1"}, "cost.#table: is not a known key; choose among running"),
    "constant that begins with #": ({"constants.#a": "x"}, "constants.#a: "),
    "unknown axis key": ({"state.x.foo": 1}, "state.x.foo: is not a known key; choose among bounds, cells"),
    "boundary": ({"state.x.boundary": "no-flux"}, "choose 'clamp', 'reflect' or 'periodic'"),
    "action boundary": ({"action.u.boundary": "reflect"}, "choose 'no-flux', 'clamp' or 'periodic'"),
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
        "'runge-kutta', 'extrapolated' or 'euler'",
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
@settings(max_examples=30, deadline=None)
def test_no_content_raises_anything_else(value: Any, key: str) -> None:
    def writable(entry: Any) -> Any:
        if isinstance(entry, dict):
            return {name: writable(inner) for name, inner in entry.items()}
        if isinstance(entry, list):
            return [writable(inner) for inner in entry]
        return 0 if entry is None else entry

    with suppress(ProblemError):
        parse_problem(changed({key: writable(value)}))


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


@pytest.mark.parametrize("key", ["constants.discount", "constants.temperature", "definitions.discount"])
def test_discount_and_temperature_cannot_be_given_twice(key: str) -> None:
    name = key.split(".")[1]
    with pytest.raises(ProblemError, match=f"{key}: the name is already taken by problem.{name}"):
        parse_problem(changed({key: 0.5}))


PUBLIC: Any = wpo  # what is called with wrong types on purpose


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: PUBLIC.load_problem("lqr", cells=4),
            "cells is of type int; it must be a mapping by names, as {'x': 64}",
        ),
        (lambda: PUBLIC.load_problem("lqr", set="problem.discount=0.5"), "set is of type str; it must be a mapping"),
        (lambda: PUBLIC.refine("lqr", 3, cells=7), "cells is of type int"),
        (lambda: PUBLIC.compare("lqr", ["fisher-rao"], set=["a"]), "set is of type list"),
        (lambda: PUBLIC.sweep("lqr", ["problem.discount"]), "over is of type list; it must be a mapping by names"),
        (lambda: PUBLIC.sweep("lqr", {"problem.discount": [0.5]}, cells=(8, 8)), "cells is of type tuple"),
        (lambda: PUBLIC.validate_problem("lqr", cells=3), "cells is of type int"),
        (
            lambda: PUBLIC.from_environment("MountainCarContinuous-v0", discount=0.9, temperature=0.1, cells=4),
            "cells is of",
        ),
    ],
)
def test_what_is_to_be_a_mapping_is_refused_by_name(call: Callable[[], object], says: str) -> None:
    with pytest.raises(TypeError) as found:
        call()
    assert str(found.value).startswith(says)


def test_numbers_of_numpy_are_numbers() -> None:
    read: Any = read_problem
    given_ = read(
        "lqr",
        cells={"x": np.int64(8), "u": np.int32(9)},
        set={
            "problem.temperature": np.float32(0.5),
            "state.x.bounds": np.array([-3, 3]),
            "flow.until": {"steps": np.int64(4)},
        },
        accuracy=np.float32(0.25),
    )
    same = read_problem(
        "lqr",
        cells={"x": 8, "u": 9},
        set={"problem.temperature": 0.5, "state.x.bounds": [-3, 3], "flow.until": {"steps": 4}},
        accuracy=0.25,
    )
    assert given_.text == same.text
