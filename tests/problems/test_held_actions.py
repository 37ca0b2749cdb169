"""Held actions: h steps of the dynamics in a decision, against compositions written by hand."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.problems.test_problem_file import MINIMAL, changed
from tests.variants import slow
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.keys import described
from wpoflow.problems.load import build_problem, read_statement
from wpoflow.problems.memory import estimate
from wpoflow.problems.problem_file import parse_problem
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.storage.optimum_file import save_optimum
from wpoflow.solver.storage.writer import open_run
from wpoflow.views.terminal import summary

GAMMA = 0.95
A, B = np.array([[0.8, 0.1], [-0.2, 0.7]]), np.array([0.05, 0.1])
Q, R = np.array([[1.0, 0.2], [0.2, 0.5]]), 0.3
LINEAR: dict[str, Any] = {
    "problem": {"discount": GAMMA, "temperature": 0.2},
    "definitions": {"pushed": "-0.2*x + 0.7*v + 0.1*u"},
    "state": {"x": {"bounds": [-1.0, 1.0], "cells": 13}, "v": {"bounds": [-1.0, 1.0], "cells": 11}},
    "action": {"u": {"bounds": [-0.1, 0.1], "cells": 4}},
    "dynamics": {"x": "0.8*x + 0.1*v + 0.05*u", "v": "pushed"},
    "cost": {"running": "x**2 + 0.4*x*v + 0.5*v**2 + 0.3*u**2"},
    "flow": {"until": {"steps": 1}},
}
WALKED: dict[str, Any] = {
    **LINEAR,
    "dynamics": {"x": "x + 0.3*v + u", "v": "v + 0.4*sin(3*x) + u"},
    "cost": {"running": "x**2 + u", "terminal_set": "x > 0.55 and v > -0.5", "terminal_cost": "3 + v"},
}


def built(base: dict[str, Any], **changes: Any) -> GridMDP:
    return build_problem(parse_problem(changed({key.replace("__", "."): v for key, v in changes.items()}, base)))


def expected_values(mdp: GridMDP) -> FloatArray:
    return mdp.transition.expect(np.random.default_rng(0).standard_normal(mdp.states.size))


@pytest.mark.parametrize("base", [LINEAR, slow(WALKED)])
def test_one_step_is_the_problem_without_the_key_bit_by_bit(base: dict[str, Any]) -> None:
    plain, held = built(base), built(base, problem__hold=1)
    assert plain.discount == held.discount == GAMMA
    np.testing.assert_array_equal(plain.cost, held.cost)
    np.testing.assert_array_equal(expected_values(plain), expected_values(held))


@pytest.mark.slow
@pytest.mark.parametrize("hold", [2, 3, 7])
def test_linear_dynamics_are_powers_and_quadratic_costs_their_sums(hold: int) -> None:
    """s_j = A^j s + Σ_{i<j} A^i B u inside the box, so that the decision is again linear-quadratic."""
    mdp = built(LINEAR, problem__hold=hold)
    s, u = mdp.states.points, mdp.actions.points[:, 0]
    cost, power, pushed = np.zeros(mdp.cost.shape), np.eye(2), np.zeros(2)
    for j in range(hold):
        at = (s @ power.T)[:, None, :] + u[None, :, None] * pushed
        cost += GAMMA**j * (np.einsum("...i,ij,...j", at, Q, at) + R * u**2)
        power, pushed = A @ power, A @ pushed + B
    by_hand = Statement(
        states=mdp.states,
        actions=mdp.actions,
        discount=GAMMA**hold,
        temperature=0.2,
        dynamics={
            name: lambda x, v, u, j=j: power[j, 0] * x + power[j, 1] * v + pushed[j] * u
            for j, name in enumerate(("x", "v"))
        },
        cost=0.0,
    )
    assert mdp.transition.clamped is None or not mdp.transition.clamped.any()
    assert mdp.discount == pytest.approx(GAMMA**hold, rel=1e-15)
    np.testing.assert_allclose(mdp.cost, cost, rtol=0, atol=1e-14)
    np.testing.assert_allclose(expected_values(mdp), expected_values(build(by_hand)), rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", ["clamp", "reflect", "periodic"])
@pytest.mark.parametrize("rewards", [slow(False), True])
def test_steps_are_those_of_the_process_walked_by_hand(boundary: str, rewards: bool) -> None:
    """With boundaries after every step and an end within the decision, pair by pair in plain numbers."""
    hold, base = 5, dict(WALKED)
    if rewards:
        base["reward"] = {
            "running": "-(x**2 + u)",
            "terminal_set": WALKED["cost"]["terminal_set"],
            "terminal_reward": "-(3 + v)",
        }
        del base["cost"]
    mdp = built(base, problem__hold=hold, state__x__boundary=boundary)
    value = np.random.default_rng(0).standard_normal(mdp.states.size)

    def back(x: float) -> float:
        if boundary == "clamp":
            return min(max(x, -1.0), 1.0)
        if -1.0 <= x <= 1.0:
            return x
        folded = (x + 1.0) % (4.0 if boundary == "reflect" else 2.0)
        return -1.0 + (min(folded, 4.0 - folded) if boundary == "reflect" else folded)

    ends, left = np.zeros(mdp.cost.shape), np.zeros(mdp.cost.shape)
    last = np.empty((*mdp.cost.shape, 2))
    for i, (x0, v0) in enumerate(mdp.states.points):
        for k, u in enumerate(mdp.actions.points[:, 0]):
            x, v, cost = x0, v0, 0.0
            for j in range(hold):
                cost += GAMMA**j * (x**2 + u)
                y, w = x + 0.3 * v + u, v + 0.4 * np.sin(3 * x) + u
                left[i, k] = max(left[i, k], abs(w) > 1.0 or (boundary == "clamp" and abs(y) > 1.0))
                x, v = back(y), min(max(w, -1.0), 1.0)
                if x > 0.55 and v > -0.5:
                    ends[i, k] = 1.0
                    cost += GAMMA ** (j + 1) * (3 + v)
                    break
            last[i, k] = x, v
            assert mdp.cost[i, k] == pytest.approx(cost, abs=1e-13)
    there = Statement(
        states=mdp.states,
        actions=mdp.actions,
        discount=GAMMA,
        temperature=0.2,
        dynamics={"x": lambda *_: last[..., 0], "v": lambda *_: last[..., 1]},
        cost=0.0,
    )
    assert mdp.transition.termination is not None
    np.testing.assert_array_equal(mdp.transition.termination, ends)
    assert 0.05 < ends.mean() < 0.95
    alive = np.where(ends == 0.0, build(there).transition.expect(value), 0.0)
    np.testing.assert_allclose(mdp.transition.expect(value), alive, rtol=0, atol=1e-12)
    assert mdp.transition.clamped is not None
    np.testing.assert_array_equal(mdp.transition.clamped, left)


def functions(hold: int) -> Statement:
    mdp = built(WALKED)
    return Statement(
        states=mdp.states,
        actions=mdp.actions,
        discount=GAMMA,
        temperature=0.2,
        dynamics={"x": lambda x, v, u: x + 0.3 * v + u, "v": lambda x, v, u: v + 0.4 * np.sin(3 * x) + u},
        cost=lambda x, v, u: x**2 + u,
        terminal_set=lambda x, v: (x > 0.55) & (v > -0.5),
        terminal_cost=lambda x, v: 3 + v,
        hold=hold,
    )


@pytest.mark.slow
def test_functions_of_python_are_held_as_expressions_are() -> None:
    stated, file = build(functions(5)), built(WALKED, problem__hold=5)
    np.testing.assert_allclose(stated.cost, file.cost, rtol=0, atol=1e-13)
    np.testing.assert_allclose(expected_values(stated), expected_values(file), rtol=0, atol=1e-12)
    assert stated.discount == file.discount == pytest.approx(GAMMA**5, rel=1e-15)


def test_a_bandit_pays_for_every_step() -> None:
    bandit = {key: value for key, value in MINIMAL.items() if key not in ("state", "dynamics")}
    bandit["cost"] = {"running": "u**2"}
    once, held = built(bandit), built(bandit, problem__hold=3)
    np.testing.assert_allclose(held.cost, once.cost * (1 + 0.9 + 0.81), rtol=1e-14)


def test_what_the_expressions_may_hold_counts_one_step() -> None:
    """Nearly all the operations that a file may have, in a step of which fifty make a decision."""
    stages = {f"k{n}": f"-sin(x + {0.1 * n}*{f'k{n - 1}' if n else '0'})**3" for n in range(60)}
    base = {**MINIMAL, "definitions": stages, "dynamics": {"x": "x + 0.01*k59 + 0.01*u"}}
    mdp = built(base, problem__hold=50)
    assert mdp.cost.shape == (8, 8)
    assert mdp.discount == pytest.approx(0.9**50, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"noise.x": "0.1"}, "noise.x"),
        ({"noise.x": "0.1*abs(x)"}, "noise.x"),
        ({"dynamics": None, "outcome": [{"probability": "1", "dynamics": {"x": "x"}}]}, "outcomes"),
        ({"shock.z": {"method": "tauchen", "persistence": 0.5, "deviation": 0.1, "points": 3}}, "shock.z"),
        ({"action.u": {"feasible": ["0", "1 + x"], "cells": 4}}, "feasible ends of u"),
    ],
)
def test_what_cannot_be_held_is_said_in_one_line(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(ProblemError, match=what) as error:
        build_problem(parse_problem(changed({"problem.hold": 4, **changes})))
    (line,) = str(error.value).splitlines()
    assert line.startswith("problem.toml: problem.hold: hold = 4 with ")


def test_noise_that_is_none_and_ends_that_stay_can_be_held() -> None:
    assert built(MINIMAL, problem__hold=2, noise__x="0*pi").discount == pytest.approx(0.81)
    assert built(MINIMAL, problem__hold=2, action__u={"feasible": ["-1", "2/2"], "cells": 4}).cost.shape == (8, 4)


@pytest.mark.parametrize("hold", [0, -1, 2.5, True, "2"])
def test_a_number_of_steps_is_positive_and_whole(hold: object) -> None:
    with pytest.raises(ProblemError, match=r"problem\.hold"):
        parse_problem(changed({"problem.hold": hold}))
    if hold != "2":
        with pytest.raises(ValueError, match="hold"):
            functions(hold)  # type: ignore[arg-type]


def test_python_refuses_what_files_do() -> None:
    u = Grid((uniform_axis("u", -1.0, 1.0, 4, "no-flux"),))
    x = Grid((uniform_axis("x", -1.0, 1.0, 4, "clamp"),))
    with pytest.raises(ValueError, match=r"hold = 2 with noise\.x"):
        Statement(u, 0.9, 0.1, 0.0, x, {"x": 0.0}, {"x": 0.5}, hold=2)


@pytest.mark.slow
@pytest.mark.parametrize("boundary", ["clamp", "periodic"])
def test_states_that_are_no_numbers_on_the_way_are_not_hidden_by_the_boundary(boundary: str) -> None:
    """1/0 is inf, which a clamped step would bring back into the box."""
    base = {**MINIMAL, "dynamics": {"x": "where(x > 0.9, 1/(x - x), x + 0.2)"}, "cost": {"running": "u"}}
    with pytest.raises(ProblemError, match=r"dynamics\.x within a decision is inf at x = "):
        built(base, problem__hold=6, state__x__boundary=boundary)
    far = {**MINIMAL, "dynamics": {"x": "where(x > 0.9, 1e18, x + 0.2)"}}
    if boundary == "periodic":
        with pytest.raises(ProblemError, match="its place on a periodic axis"):
            built(far, problem__hold=6, state__x__boundary=boundary)
    with pytest.raises(ProblemError, match="cost of a decision is nan at x = "):
        built(MINIMAL, problem__hold=6, cost__running="log(0.9 - x)", dynamics__x="x + 0.2")


def test_the_estimate_and_the_file_know_of_decisions(tmp_path: Path) -> None:
    problem = parse_problem(changed({"problem.hold": 3}, LINEAR))
    statement, mdp = read_statement(problem), build_problem(problem)
    rows = mdp.transition.under(np.full(mdp.cost.shape, 0.25))
    touched = np.mean([np.count_nonzero(rows.rmatvec(one)) for one in np.eye(mdp.states.size)])
    assert estimate(statement, problem.flow).row_entries == pytest.approx(touched, rel=0.35)
    path = tmp_path / "held.h5"
    save_optimum(mdp, solve_optimum(mdp), path)
    run = open_run(path)
    assert "hold = 3" in run.problem
    assert ("discount", "0.857375 of a decision: 3 steps of 0.95") in summary(run)
    again = pickle.loads(pickle.dumps(mdp))
    np.testing.assert_array_equal(again.cost, mdp.cost)
    np.testing.assert_array_equal(expected_values(again), expected_values(mdp))
    assert described()["problem.hold"].table == "problem"
