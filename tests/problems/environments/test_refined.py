"""A value refined where plans end: exact inside its box whatever the value was there, and the coarse one outside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.problems.environments.test_look_ahead import GAMMA, LINE, PUSHES, TAU, line_problem, shifted
from wpoflow.grids.axis import label_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments.build import from_environment
from wpoflow.problems.environments.look_ahead import LookAhead
from wpoflow.problems.environments.policy import GridPolicy
from wpoflow.problems.environments.refined import refined_ending
from wpoflow.problems.errors import ProblemError
from wpoflow.solver.bellman.optimum import solve_optimum

INNER = Grid((uniform_axis("x", 2.0, 6.0, 5, "clamp"),))


def ending_of(policy: GridPolicy) -> Any:
    return policy.known_prospect.ending


@pytest.mark.parametrize("temperature", [TAU, 0.0])
def test_inside_it_is_the_optimum_that_belongs_to_the_value_outside(temperature: float) -> None:
    """However wrong the value inside was; and a wrong value outside is not mended but lived with."""
    mdp = line_problem()
    best = solve_optimum(mdp, temperature=temperature)
    points, inside = LINE.points, (LINE.points[:, 0] >= 2.0) & (LINE.points[:, 0] <= 6.0)
    for wrong in (np.where(inside, 50.0, 0.0), np.where(inside, 0.0, -3.0)):
        given = replace(best, value=best.value + wrong)
        policy = GridPolicy.from_problem(mdp, given, step=shifted, repeat=1)
        ending = ending_of(refined_ending(policy, INNER, residual=None))
        found = ending(points)
        assert np.array_equal(found[~inside], given.value[~inside])
        value = given.value.copy()  # by value iteration, what is outside held fast
        for _ in range(400):
            q = mdp.cost + GAMMA * mdp.transition.expect(value)
            soft = q.min(axis=1)
            if temperature:
                soft = -temperature * np.log((mdp.reference_mass * np.exp(-q / temperature)).sum(axis=1))
            value[inside] = soft[inside]
        assert found == pytest.approx(value, abs=1e-9)
        if wrong[inside].any():
            assert found[inside] == pytest.approx(best.value[inside], abs=1e-9)
        else:
            assert np.abs(found - best.value)[inside].max() > 0.05


def test_plans_end_in_it() -> None:
    mdp = line_problem()
    best = solve_optimum(mdp)
    flat = replace(best, value=np.where((LINE.points[:, 0] >= 2.0) & (LINE.points[:, 0] <= 6.0), 0.0, best.value))
    policy = GridPolicy.from_problem(mdp, flat, plan=LookAhead(1), step=shifted, repeat=1)
    finer = refined_ending(policy, INNER, residual=None)
    middle = np.array([[3.0], [4.0], [5.0]])  # one decision from these lies inside
    exact = best.policy[3:6]
    assert finer.planner.probabilities(middle) == pytest.approx(exact, rel=1e-8)
    assert np.abs(policy.planner.probabilities(middle) - exact).max() > 1e-3


def test_angles_are_met_on_every_turn() -> None:
    """A box about theta = pi, across the seam of the pendulum's axis: exact values do not depend on the turn."""
    cells = {"theta": 15, "speed": 15, "torque": 3}
    mdp = from_environment("Pendulum-v1", discount=0.9, temperature=0.2, cells=cells)
    policy = GridPolicy.from_problem(mdp, solve_optimum(mdp))
    box = Grid((uniform_axis("theta", 2.6, 3.7, 9, "clamp"), uniform_axis("speed", -2.0, 2.0, 9, "clamp")))
    finer = refined_ending(policy, box, environment="Pendulum-v1")
    states = np.random.default_rng(0).uniform([2.7, -1.9], [3.6, 1.9], (40, 2))
    ending = ending_of(finer)
    values = ending(states)
    for turns in (-2, -1, 1):
        assert ending(states + np.array([2.0 * np.pi * turns, 0.0])) == pytest.approx(values, abs=1e-9)
    assert np.abs(values - ending.outside(states)).max() > 0.01
    coarse, fine = (
        replace(found, plan=LookAhead(1)).for_environment("Pendulum-v1").planner.probabilities(states)
        for found in (policy, finer)
    )
    assert np.abs(coarse - fine).max() > 0.01


def test_a_finer_grid_comes_nearer_to_the_optimum() -> None:
    """Of the pendulum about its top: the values of a grid of four times the points, in the same box."""
    sizes = ((21, 21), (81, 81))
    coarse, fine = (
        from_environment("Pendulum-v1", discount=0.9, temperature=0.05, cells={"theta": a, "speed": b, "torque": 5})
        for a, b in sizes
    )
    box = Grid((uniform_axis("theta", -0.8, 0.8, 41, "clamp"), uniform_axis("speed", -3.0, 3.0, 41, "clamp")))
    states = np.random.default_rng(1).uniform([-0.3, -1.0], [0.3, 1.0], (60, 2))
    truth = GridPolicy.from_problem(fine, solve_optimum(fine))
    own = GridPolicy.from_problem(coarse, solve_optimum(coarse))
    exact = refined_ending(truth, box, environment="Pendulum-v1")
    finer = refined_ending(own, box, environment="Pendulum-v1")
    error = [np.abs(ending_of(finer)(states) - ending_of(exact)(states)).max()]
    error.append(np.abs(ending_of(finer).outside(states) - ending_of(exact)(states)).max())
    assert error[0] < 0.3 * error[1]


def test_what_does_not_fit_is_refused() -> None:
    mdp = line_problem()
    policy = GridPolicy.from_problem(mdp, solve_optimum(mdp), step=shifted, repeat=1)
    for axis, words in (
        (uniform_axis("y", 2.0, 6.0, 5, "clamp"), "its axes are y; those of the policy x"),
        (uniform_axis("x", 2.0, 6.0, 5, "reflect"), "axis x is reflect; it must be clamp"),
        (uniform_axis("x", 2.0, 9.0, 5, "clamp"), "axis x from 2 to 9 goes beyond the policy's, 0 to 8"),
    ):
        with pytest.raises(ProblemError, match=words):
            refined_ending(policy, Grid((axis,)))
    for pushes, words in (
        (uniform_axis("v", -1.0, 1.0, 3), "its actions have the axes v; those of the policy are u"),
        (uniform_axis("u", -9.0, 9.0, 3), "action axis u must be within the policy's, -1.5 to 1.5"),
        (label_axis("u", ["left", "right"]), "action axis u must be within the policy's"),
    ):
        with pytest.raises(ProblemError, match=words):
            refined_ending(policy, INNER, actions=Grid((pushes,)))
    with pytest.raises(ProblemError, match="knows no value"):
        refined_ending(GridPolicy(LINE, PUSHES, mdp.initial_policy), INNER)
    with pytest.raises(ProblemError, match="no steps are known"):
        refined_ending(GridPolicy.from_problem(mdp, solve_optimum(mdp)), INNER)
    lake = from_environment("FrozenLake-v1", discount=0.9, temperature=0.05)
    with pytest.raises(ProblemError, match="a table of finitely many states"):
        refined_ending(GridPolicy.from_problem(lake, solve_optimum(lake)), lake.states)
