"""Actions between ends that depend on the state, as shares: consumption with log utility has a closed solution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import betainc, betaln

from tests.problems.test_problem_file import changed
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import parse_problem, read_problem
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.writer import open_run

DISCOUNT, TEMPERATURE, RETURN = 0.5, 0.5, 1.05

CONSUMPTION: dict[str, Any] = {
    "problem": {"discount": DISCOUNT, "temperature": TEMPERATURE},
    "constants": {"R": RETURN},
    "definitions": {"wealth": "exp(x)"},
    "state": {"x": {"bounds": [-60.0, 20.0], "cells": 321}},
    "action": {"c": {"feasible": ["0", "wealth"], "cells": 32}},
    "dynamics": {"x": "log(R*(wealth - c))"},
    "reward": {"running": "log(c)"},
    "flow": {"until": {"steps": 1}},
}

EATING: dict[str, Any] = {
    "problem": {"discount": 0.9, "temperature": 0.3},
    "state": {"w": {"bounds": [0.0, 4.0], "cells": 9}},
    "action": {"c": {"feasible": ["0", "w"], "cells": 8}},
    "dynamics": {"w": "w - c"},
    "cost": {"running": "(c - 1)**2"},
    "flow": {"until": {"steps": 2}},
}


def built(base: dict[str, Any], changes: dict[str, Any] | None = None) -> GridMDP:
    return build_problem(parse_problem(changed(changes or {}, base)))


def consumption_errors(cells: int) -> tuple[float, float]:
    """Errors of the soft-optimal value and policy in the middle of the box, against the closed solution.

    With utility ln c, next wealth R (w - c) and the uniform reference on [0, w] the value of wealth is A + B ln w,
    B = 1/(1 - gamma), and the share c/w has the law Beta(1 + 1/tau, 1 + gamma B/tau) in every state.
    """
    mdp = built(CONSUMPTION, {"action.c.cells": cells})
    best = solve_optimum(mdp)
    slope = 1.0 / (1.0 - DISCOUNT)
    a, b = 1.0 + 1.0 / TEMPERATURE, 1.0 + DISCOUNT * slope / TEMPERATURE
    level = (DISCOUNT * slope * math.log(RETURN) + TEMPERATURE * float(betaln(a, b))) / (1.0 - DISCOUNT)
    x = mdp.states.points[:, 0]
    inner = np.abs(x) <= 5.0
    law = np.diff(betainc(a, b, mdp.actions.axes[0].edges))
    value = np.abs(-best.value - level - slope * x)[inner].max()
    return float(value), float(np.abs(best.policy[inner] - law).sum(axis=1).max())


def test_consumption_with_log_utility_converges_to_the_closed_solution_at_second_order_at_least() -> None:
    coarse, fine = consumption_errors(32), consumption_errors(64)
    for before, after in zip(coarse, fine, strict=True):
        assert after < 2e-3
        assert before / after > 3.6


def test_the_grid_axis_is_the_share_and_expressions_see_the_action() -> None:
    mdp = built(EATING)
    (axis,) = mdp.actions.axes
    assert (axis.name, axis.lower, axis.upper) == ("c_share", 0.0, 1.0)
    w, c = mdp.states.points, mdp.states.points * axis.points
    np.testing.assert_allclose(mdp.cost, (c - 1.0) ** 2, rtol=1e-14)
    np.testing.assert_allclose(mdp.transition.expect(mdp.states.points[:, 0]), w - c, atol=1e-14)
    assert np.all(c < np.where(w > 0.0, w, 1.0))


def test_densities_of_the_action_are_restricted_to_what_is_feasible() -> None:
    """The first policy proportional to exp(-c) on [0, w], also where w = 0; the reference is uniform on it."""
    mdp = built(EATING, {"initial.policy_density": "exp(-c)"})
    w, edges = mdp.states.points, mdp.actions.axes[0].edges
    exact = np.where(w > 0.0, -np.diff(np.exp(-w * edges)) / -np.expm1(-np.where(w > 0.0, w, 1.0)), 1 / 8)
    np.testing.assert_allclose(mdp.initial_policy, exact, rtol=1e-12)
    np.testing.assert_allclose(mdp.reference_mass, 1 / 8, rtol=1e-14)


def test_ends_may_use_actions_further_up_definitions_and_both_signs() -> None:
    changes = {
        "definitions": {"rest": "w - first", "mean": "(c + first)/2", "first": "0.5*w"},
        "action.c.feasible": ["-w", "first"],
        "action.d": {"feasible": [0, "w - c"], "cells": 4},
        "cost.running": "c + 10*d",
    }
    with pytest.raises(ProblemError, match="first is not a name here"):
        built(EATING, changes)  # definitions are in the order of the file
    changes["definitions"] = {"first": "0.5*w", "mean": "(c + first)/2", "rest": "w - first"}
    mdp = built(EATING, {**changes, "cost.running": "c + 10*d + 100*mean + 1000*rest"})
    w, (u, v) = mdp.states.points, mdp.actions.points.T
    c = -w + u * 1.5 * w
    expected = c + 10 * v * (w - c) + 50 * (c + 0.5 * w) + 500 * w
    np.testing.assert_allclose(mdp.cost, expected, rtol=1e-12, atol=1e-11)


def test_a_run_carries_the_statement_and_is_rebuilt_from_it(tmp_path: Any) -> None:
    mdp = built(EATING)
    evolve(mdp, until={"steps": 2}, output=tmp_path / "eat.h5")
    run = open_run(tmp_path / "eat.h5")
    again = parse_problem(run.problem)
    assert again.tables.action["c"].feasible == ["0", "w"]
    np.testing.assert_array_equal(build_problem(again).cost, mdp.cost)
    assert [axis.name for axis in run.actions.axes] == ["c_share"]


@pytest.mark.parametrize("name", ["c", "c_share"])
def test_cells_take_either_name(tmp_path: Any, name: str) -> None:
    path = tmp_path / "eat.toml"
    path.write_text(changed({}, EATING))
    assert read_problem(path, cells={name: 5}).tables.action["c"].size == 5


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"action.c.feasible": "c <= w"}, 'action.c.feasible: give the two ends of an interval, as in ["0", "wealth"]'),
        ({"action.c.feasible": ["0"]}, "action.c.feasible: "),
        ({"action.c.bounds": [0.0, 1.0]}, "action.c: give either bounds or feasible, not both"),
        ({"action.c.cells": None}, "action.c: give bounds = [lower, upper] and cells"),
        ({"action.c.feasible": ["0", "w +"]}, "action.c.feasible.1: 'w +' does not parse"),
        ({"action.c.feasible": ["0", "2*c"]}, "action.c.feasible.1: 'c' in '2*c': c is not a name here"),
        ({"action.c.feasible": ["0", "d"], "definitions.d": "c + w"}, "its ends depend on c itself"),
        ({"action.c.feasible": ["0", "u"], "action.u": {"bounds": [0, 1], "cells": 2}}, "u is not a name here"),
        (
            {"action.c.feasible": ["0", "d"], "action.u": {"bounds": [0, 1], "cells": 2}, "definitions.d": "u"},
            "action.c.feasible.1: 'd' depends on u through a definition",
        ),
        ({"constants.c_share": 1.0}, "action.c: its share is called c_share, a name already taken by constants"),
        ({"reference.potential": "c"}, "reference.potential: 'c' depends on w through a definition"),
        ({"action.c.feasible": ["1", "w"]}, "the upper minus the lower feasible end of c is -1.0 at w = 0"),
        ({"action.c.feasible": ["0", "1/w"]}, "the upper feasible end of c is inf at w = 0"),
        ({"action.c.feasible": ["0", "+".join(["w"] * 4999)]}, "action.c.feasible"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ProblemError) as refused:
        built(EATING, changes)
    assert len(refused.value.lines) == 1
    assert says in str(refused.value)


def test_the_potential_is_one_of_the_share() -> None:
    mdp = built(EATING, {"reference.potential": "2*c_share"})
    edges = mdp.actions.axes[0].edges
    np.testing.assert_allclose(mdp.reference_mass, -np.diff(np.exp(-2 * edges)) / -np.expm1(-2.0), rtol=1e-12)
