"""``wpoflow refine``: orders, extrapolated values and the report, through the front door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

import wpoflow
from tests.oracles import load
from tests.problems.test_problem_file import changed
from tests.variants import slow
from tests.wpoflow.conftest import Call, check_refusal
from tests.wpoflow.test_quick_answers import modules_after
from wpoflow.problems.problem_file import parse_problem, read_problem
from wpoflow.validation.exact.ornstein_uhlenbeck import OrnsteinUhlenbeck

OU = load("ou_bandit")["problem"]
EDGES = changed(
    {"problem": {"discount": 0.5, "temperature": 0.5}, "state.x.cells": 9, "noise.x": 0.3}
    | {"action.u": {"edges": [-1.0, -0.5, 0.0, 0.25, 1.0]}, "dynamics.x": "0.5*x + 0.1*u", "flow.until": {"gap": 1e-3}}
)


def directions(path: str) -> dict[str, dict[str, Any]]:
    """Directions of a report by name."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    return {entry["direction"]: entry for entry in content["directions"]}


def test_the_bandit_of_the_gallery(call: Call) -> None:
    """Order two in the action and one for euler; the table printed is the one stored."""
    arguments = ["bandit", "--cells", "a=256", "--levels", "3", "--time", "1", "--time", "2", "--scheme", "euler"]
    status, out, err = call("refine", *arguments, "--report", "made/report")
    assert (status, err) == (0, "")
    found = directions("made/report/refine.json")
    assert list(found) == ["actions", "time"]
    assert [level["cells"]["a"] for level in found["actions"]["levels"]] == [64, 128, 256]
    assert [level["step"] for level in found["time"]["levels"]] == [2.0 / 64, 2.0 / 128, 2.0 / 256]
    for name, order in (("actions", 2.0), ("time", 1.0)):
        studies = found[name]["quantities"]
        assert [(study["quantity"], study["time"]) for study in studies] == [
            ("value_rho", 1.0), ("value_rho", 2.0), ("gap", 1.0), ("gap", 2.0),
        ]  # fmt: skip
        for study in studies:
            assert study["order"] == pytest.approx(order, abs=0.1)
            assert study["behaviour"] == "monotone"
            assert f"{study['values'][-1]:.12g}" in out
            assert f"extrapolated {study['extrapolated']:.12g}, GCI {study['gci']:.2e}" in out
    assert not list(Path("made/report").glob("*.part"))
    stored = json.loads(Path("made/report/refine.json").read_text(encoding="utf-8"))
    assert parse_problem(stored["problem"]).tables.action["a"].cells == 256


@pytest.mark.slow
def test_an_ornstein_uhlenbeck_bandit_to_its_exact_value(call: Call) -> None:
    """A problem file of one's own: by t = 20 the value is V*, that of the line but for the mass of mu in the box."""
    changes = {
        "problem": {"discount": OU["gamma"], "temperature": OU["tau"]},
        "action": {"a": {"bounds": [OU["a_star"] - 4.0, OU["a_star"] + 4.0], "cells": 128}},
        "cost.running": f"0.5*{OU['kappa']}*(a - {OU['a_star']})**2",
        "reference.potential": f"a**2/(2*{OU['S_mu']})",
        "flow.until.time": 20.0,
    }
    Path("ou.toml").write_text(changed({"state": None, "dynamics": None, **changes}))
    status, out, _ = call("refine", "ou.toml", "--axis", "a", "--quantity", "value_rho", "--report", ".", "--quiet")
    assert (status, out) == (0, "")
    (study,) = directions("refine.json")["a"]["quantities"]
    assert study["time"] == 20.0
    assert study["order"] == pytest.approx(2.0, abs=0.1)
    line = OrnsteinUhlenbeck(
        OU["kappa"], OU["a_star"], OU["S_mu"], OU["tau"], OU["gamma"], weights=(1.0,), means=(0.0,), variances=(1.0,)
    )
    ends = (OU["a_star"] + np.array([-4.0, 4.0])) / np.sqrt(OU["S_mu"])
    exact = line.optimal_value + OU["tau"] / (1.0 - OU["gamma"]) * float(np.log(np.diff(ndtr(ends))[0]))
    error = abs(study["values"][-1] - exact)
    assert abs(study["extrapolated"] - exact) < 0.02 * error
    assert error < study["gci"] < 1.5 * error


def test_states_and_actions_of_a_regulator(call: Call) -> None:
    """Grids of clamped axes are nested, sqrt 2 is a ratio too, and only what is asked for is refined."""
    small = ["lqr", "--cells", "x=33", "--cells", "u=32", "--levels", "3", "--time", "0.2", "--accuracy", "1e-4"]
    status, out, _ = call("refine", *small, "--axis", "x", "--axis", "grid", "--quantity", "entropy", "--report", "r")
    assert status == 0
    found = directions("r/refine.json")
    assert list(found) == ["x", "grid"]
    assert [level["cells"] for level in found["x"]["levels"]] == [{"x": n, "u": 16} for n in (9, 17, 33)]
    assert [level["cells"] for level in found["grid"]["levels"]] == [{"x": n + 1, "u": n} for n in (8, 16, 32)]
    assert "x: x refined, at u 16; time error 0.0001" in out
    status, _, _ = call("refine", *small, "--axis", "u", "--factor", "sqrt2", "--report", "r")
    assert status == 0
    assert [level["cells"]["u"] for level in directions("r/refine.json")["u"]["levels"]] == [16, 23, 32]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["lqr", "--axis", "z"], 2, "lqr (gallery): direction 'z': choose among x, u, states"),
        (["lqr", "--time", "0"], 2, "--time 0: must be positive"),
        (["lqr", "--time", "soon"], 2, "'--time'"),
        (["lqr", "--levels", "2"], 2, "'--levels'"),
        (["lqr", "--quantity", "gapp"], 2, "quantity gapp: choose among value_rho, gap"),
        (["lqr", "--scheme", "rk4"], 2, "'rk4' is not one of 'adams', 'runge-kutta', 'extrapolated', 'euler'"),
        (
            ["lqr", "--scheme", "multistep"],
            2,
            "'multistep' is not one of 'adams', 'runge-kutta', 'extrapolated', 'euler'",
        ),
        (
            ["lqr", "--scheme", "adams"],
            2,
            "scheme 'adams' takes no fixed steps of flow wasserstein that could be refined",
        ),
        (["lqr", "--step", "0.3", "--time", "1"], 2, "the times 1 are no multiples"),
        (["lqr", "--accuracy", "-1"], 2, "accuracy: must be greater than 0, not -1.0"),
        (["bandit", "--axis", "states"], 2, "no axis of more than one point"),
        (["nosuch"], 2, "choose among acrobot"),
        (["edges.toml"], 2, "axis u is given by edges"),
        (["lqr", "--set", "flow.until={ steps = 5 }"], 2, "flow.until has neither time nor gap"),
        (["edges.toml", "--time", "1"], 2, "axis u is given by edges"),
        (["lqr", "--report", "edges.toml"], 2, "--report edges.toml: exists and is no folder"),
        slow((["navigation", "--cells", "x=4000", "--cells", "y=4000", "--quiet"], 4, "of memory")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_are_one_line(call: Call, arguments: list[str], status: int, says: str) -> None:
    Path("edges.toml").write_text(EDGES)
    check_refusal(call, ["refine", *arguments, "--quiet"], status, says)


def test_axes_given_by_edges_stay_where_others_are_refined(call: Call) -> None:
    Path("edges.toml").write_text(EDGES)
    status, _, err = call(
        "refine", "edges.toml", "--axis", "x", "--levels", "3", "--time", "0.1", "--report", "r", "--cells", "x=17"
    )
    assert (status, err) == (0, "")
    levels = directions("r/refine.json")["x"]["levels"]
    assert [level["cells"] for level in levels] == [{"x": n, "u": 4} for n in (5, 9, 17)]


def test_a_run_that_fails_is_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from wpoflow.studies.refinement import study

    def fail(*_: object, **__: object) -> None:
        raise study.RefinementError("the run at x 9, u 8 ended early: a reason")

    monkeypatch.setattr(study, "refine", fail)
    status, _, err = call("refine", "lqr", "--time", "1")
    assert status == 1
    assert err == "wpoflow: lqr (gallery): the run at x 9, u 8 ended early: a reason\n"


def test_mistakes_are_answered_at_once() -> None:
    status, modules = modules_after(["refine", "lqr", "--axis", "z"])
    assert status == 2
    assert modules & {"numpy", "numba", "scipy"} == set()


@pytest.mark.slow
def test_it_looks_where_the_gap_is_met(call: Call) -> None:
    """A run that stops at its gap is looked at there, long before its time limit; one that does not, at the limit."""
    small = ["lqr", "--cells", "x=17", "--cells", "u=16", "--levels", "3", "--axis", "u", "--quantity", "gap"]
    far = ["--set", "flow.until={ gap = 1e-3, time = 500.0 }"]
    status, out, _ = call("refine", *small, *far, "--report", "far")
    assert status == 0
    content = json.loads(Path("far/refine.json").read_text(encoding="utf-8"))
    (time,) = content["times"]
    assert f"at flow time {time:g}: where the gap of flow.until, 0.001, is met" in out
    assert 1.0 < time < 50.0
    (study,) = directions("far/refine.json")["u"]["quantities"]
    assert study["values"][1] == pytest.approx(1e-3, rel=0.2)  # of the middle grid
    near = ["--set", "flow.until={ gap = 1e-9, time = 0.5 }"]
    assert call("refine", *small, *near, "--report", "near", "--quiet")[0] == 0
    content = json.loads(Path("near/refine.json").read_text(encoding="utf-8"))
    assert (content["times"], content["times_from"]) == ([0.5], "flow.until.time")
    alone = ["--set", "flow.until={ gap = 1e-3 }"]
    assert call("refine", *small, *alone, "--report", "alone", "--quiet")[0] == 0
    assert json.loads(Path("alone/refine.json").read_text(encoding="utf-8"))["times"] == [time]


def test_rounding_is_called_rounding(call: Call) -> None:
    """At t = 40 the regulator has arrived: its steps differ by rounding alone, and nothing diverges."""
    arguments = ["--cells", "x=17", "--cells", "u=16", "--time", "40", "--axis", "time", "--levels", "3"]
    status, out, _ = call("refine", "lqr", *arguments)
    assert status == 0
    assert "down to rounding: no order can be seen" in out
    assert "divergent" not in out


def test_refine_in_python() -> None:
    """By name, by a file that was read, and on one grid, where it is the steps that can be refined."""
    cells = {"x": 17, "u": 16}
    found = wpoflow.refine("lqr", 3, ["gap"], times=[0.5], directions=["u"], cells=cells)
    stated = read_problem("lqr", cells=cells)
    again = wpoflow.refine(stated, 3, ["gap"], times=[0.5], directions=["u"])
    assert found.find("u", "gap").values == again.find("u", "gap").values
    mdp = wpoflow.load_problem("lqr", cells=cells)
    steps = wpoflow.refine(mdp, 3, ["value_rho"], times=[0.5], scheme="euler")
    assert steps.find("time", "value_rho").finest.order == pytest.approx(1.0, abs=0.1)
    with pytest.raises(ValueError, match="has one grid"):
        wpoflow.refine(mdp, times=[0.5], directions=["u"])
    with pytest.raises(ValueError, match=r"times=\[...\]"):
        wpoflow.refine(mdp)
    with pytest.raises(ValueError, match="nosuch"):
        wpoflow.refine("nosuch")
