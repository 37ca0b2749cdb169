"""Problems on half of their states: values, Q and laws are those of the whole, and false symmetries are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.coarsening import AxisPoints
from wpoflow.grids.cubic.table import mirror_of
from wpoflow.grids.grid import Grid
from wpoflow.grids.halving import images, mirrored_cells
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import load_problem, read_statement
from wpoflow.problems.memory import estimate
from wpoflow.problems.problem_file import read_problem
from wpoflow.problems.statement import Outcome, Statement, build
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.corrected.band import GridBand, at_points, coarse_optimum
from wpoflow.solver.corrected.value import corrected_value
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.storage.optimum_file import save_optimum
from wpoflow.solver.storage.writer import open_run

NAMES = ["x", "v", "u"]


def _statement(reflection: list[str], **other: Any) -> Statement:
    """A mass on a spring, with an axis y that keeps its sign and an action w that does."""
    states = Grid(
        (
            uniform_axis("y", 0.0, 1.0, 3, "clamp"),
            uniform_axis("x", -1.0, 1.0, other.pop("cells", 9), "clamp"),
            uniform_axis("v", -2.0, 2.0, 6, "clamp"),
        )
    )
    known: dict[str, Any] = {
        "states": states,
        "actions": Grid((uniform_axis("u", -1.0, 1.0, 5), uniform_axis("w", 0.0, 1.0, 3))),
        "discount": 0.9,
        "temperature": 0.1,
        "cost": lambda y, x, v, u, w: x**2 + y + 0.1 * x * v + u * u + w * v * v,
        "dynamics": {
            "y": lambda y, x, v, u, w: 0.5 * y + 0.3 * w + 0.1 * abs(x),
            "x": lambda y, x, v, u, w: x + 0.3 * v,
            "v": lambda y, x, v, u, w: 0.9 * v + 0.8 * u - 0.5 * x + 0.1 * y * u,
        },
        "reflection": reflection,
    }
    return Statement(**{**known, **other})


def _assert_half_of(half: GridMDP, whole: GridMDP, names: list[str]) -> None:
    """V, Q, rho and the value of the first policy are those of the whole, to rounding."""
    number, mirrored = images(half.states)
    assert whole.states.size == number.size
    found, expected = solve_optimum(half), solve_optimum(whole)
    scale = np.abs(expected.q).max()
    np.testing.assert_allclose(found.value[number], expected.value, rtol=0.0, atol=1e-13 * scale / (1 - half.discount))
    q = found.q[number]
    q[mirrored] = q[mirrored][:, mirrored_cells(half.actions, names)]
    np.testing.assert_allclose(q, expected.q, rtol=0.0, atol=1e-13 * scale / (1 - half.discount))
    np.testing.assert_allclose(half.rho, np.bincount(number, whole.rho, half.states.size), rtol=0.0, atol=1e-15)
    first = evaluate(half, half.initial_policy).value
    np.testing.assert_allclose(first[number], evaluate(whole, whole.initial_policy).value, rtol=1e-11)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"noise": {"v": 0.4, "y": 0.3}},
        {"noise": {"v": lambda y, x, v, u, w: 0.1 + 0.1 * x * x, "x": 0.05}},
        {"terminal_set": lambda y, x, v: abs(x) > 0.85, "terminal_cost": lambda y, x, v: 1.0 + x * v},
        {
            "terminal_set": lambda y, x, v: abs(x) + y > 1.2,
            "terminal_cost": lambda y, x, v: 1.0 + x * v,
            "noise": {"y": 0.3},
        },
        {"hold": 3, "terminal_set": lambda y, x, v: abs(x) > 0.9, "terminal_cost": lambda y, x, v: 2.0 + x * v},
        {"state_density": lambda y, x, v: 1.0 + 0.5 * x, "potential": lambda u, w: u * u + w},
        {"policy_density": lambda y, x, v, u, w: 1.0 + x * u + w},
        {
            "policy_mean": {"u": lambda y, x, v: 0.3 * x, "w": 0.5},
            "policy_covariance": {"u,u": 0.1, "w,w": 0.1, "u,w": lambda y, x, v: 0.05 * x},
        },
    ],
    ids=["plain", "noise", "varying", "ends", "noisy-ends", "held", "laws", "policy", "gaussian"],
)
def test_values_on_the_half_are_those_of_the_whole(other: Mapping[str, Any]) -> None:
    _assert_half_of(build(_statement(NAMES, **other)), build(_statement([], **other)), NAMES)


def test_outcomes_are_mirrored_one_by_one() -> None:
    def outcome(push: float) -> Outcome:
        dynamics: dict[str, Any] = {
            "y": 0.5,
            "x": lambda y, x, v, u, w: push * x + 0.3 * v,
            "v": lambda y, x, v, u, w: 0.9 * v + u,
        }
        return Outcome(lambda y, x, v, u, w: 0.5 + (push - 0.75) * y, dynamics)

    other = {"dynamics": {}, "outcomes": [outcome(1.0), outcome(0.5)]}
    _assert_half_of(build(_statement(NAMES, **other)), build(_statement([], **other)), NAMES)


def test_one_axis_alone() -> None:
    def one(reflection: list[str]) -> GridMDP:
        return build(
            Statement(
                states=Grid((uniform_axis("x", -1.0, 1.0, 21, "clamp"),)),
                actions=Grid((uniform_axis("u", -1.0, 1.0, 5, "clamp"),)),
                discount=0.95,
                temperature=0.01,
                cost=lambda x, u: x**4 + 0.1 * u**2,
                dynamics={"x": lambda x, u: 1.1 * x + 0.2 * u},
                reflection=reflection,
            )
        )

    _assert_half_of(one(["x", "u"]), one([]), ["x", "u"])


@pytest.mark.slow
def test_cart_pole_of_the_gallery() -> None:
    names = ["x", "theta", "v", "omega", "u"]
    cells = {"x": 5, "theta": 8, "v": 5, "omega": 5}
    half = load_problem("cartpole_swingup", cells=cells, set={"problem.reflection": names})
    _assert_half_of(half, load_problem("cartpole_swingup", cells=cells), names)
    assert half.states.shape == (3, 8, 5, 5)
    assert half.states.reflection is not None


@pytest.mark.parametrize("hold", [1, 3])
def test_circle_is_that_of_points_at_zero_and_pi(hold: int) -> None:
    names, ahead = ["theta", "speed", "torque"], np.pi / 20
    cells, held = {"speed": 9, "torque": 5}, {"problem.hold": hold}
    half = load_problem("pendulum", cells={**cells, "theta": 21}, set={**held, "problem.reflection": names})
    bounds = [-np.pi - ahead, np.pi - ahead]
    whole = load_problem("pendulum", cells={**cells, "theta": 20}, set={**held, "state.theta.bounds": bounds})
    _assert_half_of(half, whole, names)


@pytest.mark.parametrize(
    "other",
    [{}, {"noise": {"v": 0.4, "y": 0.3}}, {"noise": {"v": lambda y, x, v, u, w: 0.1 + 0.1 * x * x}}],
    ids=["plain", "noise", "varying"],
)
def test_corrected_values_on_the_half_are_those_of_the_whole(other: Mapping[str, Any]) -> None:
    """Beyond 0 the cubics of the half look at the images."""
    half, whole = (build(_statement(names, **other)) for names in (NAMES, []))
    number, _ = images(half.states)
    for policies in ((None, None), (half.initial_policy, whole.initial_policy)):
        pairs = zip((half, whole), policies, strict=True)
        found, expected = (corrected_value(mdp, policy, residual=1e-10) for mdp, policy in pairs)
        np.testing.assert_allclose(found.value[number], expected.value, rtol=0.0, atol=2e-9)


def test_cubics_on_the_half_are_those_of_the_whole_at_any_place() -> None:
    """Rough values, at whose kinks they are limited, among them."""
    half, whole = (build(_statement(names)).states for names in (NAMES, []))
    random = np.random.default_rng(3)
    states = random.uniform([0.0, -1.0, -2.0], [1.0, 1.0, 2.0], (500, 3))
    folded = np.where(states[:, [1]] < 0.0, [1.0, -1.0, -1.0], 1.0) * states
    y, x, v = whole.points.T
    for value in (np.cos(x + 0.3 * v) + y, random.standard_normal(whole.size)):
        grid = value.reshape(whole.shape)
        symmetric = grid + grid[:, ::-1, ::-1]
        here = at_points(half, symmetric[:, 4:].reshape(-1), folded)
        np.testing.assert_allclose(here, at_points(whole, symmetric.reshape(-1), states), rtol=0.0, atol=1e-13)


def test_a_symmetry_that_is_false_at_a_few_pairs_is_refused() -> None:
    """All pairs are compared, up to a quarter of a million of them."""
    x, v = (uniform_axis(name, -1.0, 1.0, cells, "clamp") for name, cells in (("x", 101), ("v", 61)))
    states, lone = Grid((uniform_axis("y", 0.0, 1.0, 2, "clamp"), x, v)), {"y": 1.0, "x": 0.06, "v": 0.5}

    def cost(y: Any, x: Any, v: Any, u: Any, w: Any) -> Any:
        here = (abs(y - lone["y"]) < 0.01) & (abs(x - lone["x"]) < 0.001) & (abs(v - lone["v"]) < 0.001)
        return x**2 + np.where(here & (abs(u) < 0.1) & (w > 0.7), -50.0, 0.0)

    with pytest.raises(
        ValueError, match=r"cost at y = 1, x = 0.06, v = 0.5, u = 0.*w = 0.8.* not the same .* off by 50"
    ):
        build(_statement(NAMES, states=states, cost=cost))


def test_corrected_values_on_half_a_circle_are_those_of_the_whole() -> None:
    ahead, cells = np.pi / 20, {"speed": 9, "torque": 5}
    names = ["theta", "speed", "torque"]
    half = load_problem("pendulum", cells={**cells, "theta": 21}, set={"problem.reflection": names})
    bounds = [-np.pi - ahead, np.pi - ahead]
    whole = load_problem("pendulum", cells={**cells, "theta": 20}, set={"state.theta.bounds": bounds})
    found, expected = (corrected_value(mdp, residual=1e-9) for mdp in (half, whole))
    assert not found.limits_kept
    np.testing.assert_allclose(found.value[images(half.states)[0]], expected.value, rtol=0.0, atol=1e-7)
    # the band of a rough difference between these and values on coarser points, whose last on the half is pi
    halves, points = ([AxisPoints.of(axis) for axis in mdp.states.axes] for mdp in (half, whole))
    rough = np.random.default_rng(1).random((20, 9))
    rough += np.roll(rough[::-1, ::-1], 1, axis=0)  # -pi is its own image
    right = np.concatenate((rough[10:], rough[:1]))
    mirror = mirror_of(half.states, [axis.points for axis in halves])
    places = np.random.default_rng(2).uniform([0.0, -8.0], [np.pi, 8.0], (300, 2))
    bands = GridBand.of(halves, right.reshape(-1), mirror), GridBand.of(points, rough.reshape(-1))
    np.testing.assert_array_equal(bands[0].at(places), bands[1].at(places))


def test_corrected_values_on_coarser_halves_are_those_of_coarser_wholes() -> None:
    y, v = uniform_axis("y", 0.0, 1.0, 3, "clamp"), uniform_axis("v", -2.0, 2.0, 21, "clamp")
    states = Grid((y, uniform_axis("x", -1.0, 1.0, 21, "clamp"), v))
    half, whole = (build(_statement(names, states=states)) for names in (NAMES, []))
    found, expected = (coarse_optimum(mdp) for mdp in (half, whole))
    assert [axis.points.size for axis in expected.axes] == [3, 11, 11]
    assert [axis.points.size for axis in found.axes] == [3, 6, 11]
    right = expected.found.value.reshape(3, 11, 11)[:, 5:].reshape(-1)
    np.testing.assert_allclose(found.found.value, right, rtol=0.0, atol=1e-5)
    rough = np.random.default_rng(1).random((3, 11, 11))
    rough += rough[:, ::-1, ::-1]
    bands = found.band(rough[:, 5:].reshape(-1)), expected.band(rough.reshape(-1))
    places = np.random.default_rng(2).uniform([0.0, 0.0, -2.0], [1.0, 1.0, 2.0], (300, 3))
    np.testing.assert_array_equal(bands[0].at(places), bands[1].at(places))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"cost": lambda y, x, v, u, w: x}, "cost at y = 0, .* is not the same where x, v, u change sign: off by 0.5"),
        ({"cost": lambda y, x, v, u, w: x, "hold": 2}, "cost of a decision at"),
        ({"terminal_set": lambda y, x, v: x > 0.6}, "terminal_set at y = 0, x = 0.75"),
        ({"potential": lambda u, w: u}, "reference potential at"),
        ({"policy_density": lambda y, x, v, u, w: 1.0 + 0.1 * u}, "policy_density at"),
        ({"noise": {"v": lambda y, x, v, u, w: 0.3 + 0.01 * x}}, r"noise\.v at"),
        ({"noise": {"x": 0.1}}, "axis x is halved, and noise smoothed along it would cross 0"),
        ({"cells": 8}, "an odd number"),
        ({"policy_mean": {"u": 0.3, "w": 0.5}, "policy_covariance": {"u,u": 0.1, "w,w": 0.1}}, r"policy_mean\.u at"),
    ],
)
def test_false_symmetry_is_refused(other: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build(_statement(NAMES, **other))


def test_an_axis_left_out_is_told_by_the_next_state() -> None:
    with pytest.raises(ValueError, match=r"dynamics\.v at .* is not of opposite sign where x, v change sign"):
        build(_statement(["x", "v"]))


def test_cells_integrated_over_are_refused() -> None:
    statement = Statement(
        states=Grid((uniform_axis("x", -1.0, 1.0, 9, "clamp"),)),
        actions=Grid((uniform_axis("u", -1.0, 1.0, 5),)),
        discount=0.9,
        temperature=0.1,
        cost=lambda x, u: x * x,
        dynamics={"x": lambda x, u: 0.5 * x + u},
        noise={"x": lambda x, u: 0.3 + x * x},
        reflection=["x", "u"],
    )
    with pytest.raises(ValueError, match="axis x is halved, and noise"):
        build(statement)


def test_file_is_blamed_in_one_line() -> None:
    with pytest.raises(ProblemError) as caught:
        load_problem("pendulum", set={"problem.reflection": ["theta", "speed"]})
    assert str(caught.value).startswith("pendulum (gallery): reflection: dynamics.theta at")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("names", "cells", "said"),
    [
        (["theta"], 20, "pendulum (gallery): reflection: axis theta is halved; it has 20 cells"),
        (["speed", "torqe"], 21, "pendulum (gallery): reflection: 'torqe' is no axis; choose among"),
    ],
)
def test_axes_that_cannot_be_are_blamed_before_anything_is_built(names: object, cells: int, said: str) -> None:
    with pytest.raises(ProblemError) as caught:
        read_statement(read_problem("pendulum", cells={"theta": cells}, set={"problem.reflection": names}))
    assert str(caught.value).startswith(said)


def test_estimate_and_plan_see_the_half() -> None:
    half, whole = (
        read_problem("pendulum", set={"problem.reflection": names}) for names in (["theta", "speed", "torque"], [])
    )
    statement = read_statement(half)
    assert statement.plan.states == (51, 101)
    needed = [estimate(read_statement(problem), problem.flow).needed for problem in (half, whole)]
    assert needed[0] < needed[1]


def test_files_carry_it(tmp_path: Path) -> None:
    half = build(_statement(NAMES))
    save_optimum(half, solve_optimum(half), tmp_path / "half.h5")
    run = open_run(tmp_path / "half.h5")
    assert run.states.reflection == half.states.reflection


def test_text_of_a_problem_file_keeps_it() -> None:
    problem = read_problem("pendulum", set={"problem.reflection": ["theta", "speed", "torque"]})
    assert "reflection = [" in problem.text
    assert "reflection" not in read_problem("pendulum").text
