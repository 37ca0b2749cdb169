"""Rewards instead of costs: the same problem with the sign turned, said so in the run file, and never both."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest

from tests.problems.test_problem_file import MINIMAL, changed
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import parse_problem
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.writer import open_run
from wpoflow.views.problem_math import equations

ENDS = {"terminal_set": "x > 0.7"}
AS_COST: dict[str, Any] = {"cost": {"running": "x**2 + u", "terminal_cost": "3*x", **ENDS}}
AS_REWARD: dict[str, Any] = {"cost": None, "reward": {"running": "-(x**2 + u)", "terminal_reward": "-3*x", **ENDS}}


def built(changes: dict[str, Any]) -> GridMDP:
    return build_problem(parse_problem(changed(changes)))


def test_a_reward_is_minus_a_cost_terminal_reward_included() -> None:
    cost, reward = built(AS_COST), built(AS_REWARD)
    np.testing.assert_array_equal(reward.cost, cost.cost)
    np.testing.assert_array_equal(reward.rho, cost.rho)
    assert (cost.rewards, reward.rewards) == (False, True)


def test_the_resolved_text_states_rewards_again_and_the_run_file_says_what_is_maximised(tmp_path: Any) -> None:
    mdp = built(AS_REWARD)
    evolve(mdp, until={"steps": 2}, output=tmp_path / "r.h5")
    run = open_run(tmp_path / "r.h5")
    table = tomllib.loads(run.problem)
    assert "cost" not in table
    assert table["reward"] == AS_REWARD["reward"]
    again = build_problem(parse_problem(run.problem))
    np.testing.assert_array_equal(again.cost, mdp.cost)
    assert str(run.attributes["objective"]).startswith("maximise")
    assert str(evolve(built(AS_COST), until={"steps": 1}).attributes["objective"]).startswith("minimise")


def test_equations_are_of_the_reward() -> None:
    what = [equation.what for equation in equations(parse_problem(changed(AS_REWARD)))]
    assert "running reward" in what
    assert "and then earns γ times" in what
    assert not any("cost" in words for words in what)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reward": {"running": "x"}}, "reward: give either [cost], which is minimised, or [reward]"),
        ({"cost": None}, "cost: is missing (or [reward]"),
        ({"cost": None, "reward": {}}, "reward.running: is missing"),
        ({"cost": None, "reward": {"running": "x", "terminal_cost": "1"}}, "reward.terminal_cost: is not a known key"),
        ({"cost": None, "reward": {"running": "x", "terminal_reward": "1"}}, "terminal_reward needs a terminal_set"),
        ({"cost": None, "reward": {"running": "y"}}, "reward.running: 'y' in 'y': y is not a name here"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ProblemError) as refused:
        parse_problem(changed(changes))
    assert len(refused.value.lines) == 1
    assert says in str(refused.value)


def test_python_takes_rewards_too() -> None:
    cost = build_problem(parse_problem(changed({}, MINIMAL)))
    arguments: dict[str, Any] = {
        name: getattr(cost, name) for name in ("states", "actions", "discount", "temperature", "transition")
    }
    arguments |= {name: getattr(cost, name) for name in ("reference_mass", "rho", "initial_policy")}
    arguments["reward"] = -cost.cost
    reward = GridMDP(**arguments)
    np.testing.assert_array_equal(reward.cost, cost.cost)
    assert reward.rewards
    with pytest.raises(ValueError, match="give either reward or cost, not both"):
        GridMDP(cost=cost.cost, **arguments)


def test_a_statement_takes_functions_and_numbers_of_reward() -> None:
    given: dict[str, Any] = {"discount": 0.9, "temperature": 0.3}
    base = build_problem(parse_problem(changed({})))
    given |= {"states": base.states, "actions": base.actions, "dynamics": {"x": lambda x, u: x + u}}
    given["terminal_set"] = lambda x: x > 0.5
    cost = build(Statement(cost=lambda x, u: x * u, terminal_cost=2.0, **given))
    given["terminal_reward"] = -2.0
    reward = build(Statement(**given | {"reward": lambda x, u: -x * u}))
    np.testing.assert_array_equal(reward.cost, cost.cost)
    assert reward.rewards
    with pytest.raises(ValueError, match="give either terminal_reward or cost, not both"):
        Statement(cost=0.0, **given)
