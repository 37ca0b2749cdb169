"""Environments of dm_control as grid problems, against the simulator; without it only what is said of the extra."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments.build import from_environment
from wpoflow.problems.environments.calls import CalledEnvironment
from wpoflow.problems.environments.control import control_environment
from wpoflow.problems.environments.control_models import control_step
from wpoflow.problems.environments.policy import GridPolicy
from wpoflow.problems.environments.rollout import rollout
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import read_statement
from wpoflow.problems.pairs import evaluate
from wpoflow.problems.problem_file import read_problem

CARTPOLE = Grid(
    (
        uniform_axis("x", -1.6, 1.6, 4, "clamp"),
        uniform_axis("theta", -np.pi, np.pi, 6, "periodic"),
        uniform_axis("v", -3.0, 3.0, 3, "clamp"),
        uniform_axis("omega", -8.0, 8.0, 3, "clamp"),
    )
)


@pytest.fixture(scope="module")
def suite() -> Any:
    pytest.importorskip("mujoco", exc_type=ImportError)
    return pytest.importorskip("dm_control.suite", exc_type=ImportError)


def stepped(env: Any, state: Any, action: float, steps: int, discount: float) -> tuple[Any, float]:
    """State and discounted rewards after steps of the simulator's own ``env.step``."""
    env.reset()
    with env.physics.reset_context():
        env.physics.set_state(state)
    total = 0.0
    for j in range(steps):
        total += discount**j * env.step([action]).reward
    return env.physics.get_state(), total


@pytest.mark.parametrize("repeat", [1, 4])
@pytest.mark.parametrize("by_name", [True, False])
def test_next_states_and_rewards_are_the_simulators(suite: Any, by_name: bool, repeat: int) -> None:
    env = suite.load("cartpole", "swingup", task_kwargs={"random": 0})
    mdp = from_environment(
        "dm_control/cartpole-swingup" if by_name else env,
        discount=0.99,
        temperature=0.1,
        states=CARTPOLE,
        cells={"action": 3},
        repeat=repeat,
        vectorised=by_name,
        rho=np.full(CARTPOLE.size, 1.0 / CARTPOLE.size),
    )
    assert mdp.discount == pytest.approx(0.99**repeat, rel=1e-15)
    # linear functions of the state are interpolated exactly where nothing is clamped and no seam is crossed
    x, theta, v, omega = CARTPOLE.points.T
    expected = [mdp.transition.expect(column) for column in (x, theta, v, omega)]
    compared = 0
    for i in np.random.default_rng(1).permutation(CARTPOLE.size)[:60]:
        for k, action in enumerate(mdp.actions.points[:, 0]):
            state, reward = stepped(env, CARTPOLE.points[i], action, repeat, 0.99)
            assert abs(-mdp.cost[i, k] - reward) <= 1e-12
            for j, axis in enumerate(CARTPOLE.axes):
                if axis.points[0] <= state[j] <= axis.points[-1]:
                    assert abs(expected[j][i, k] - state[j]) <= 1e-12
                    compared += 1
    assert compared > 200
    assert mdp.transition.termination is None


def test_a_state_on_either_side_of_the_seam_is_one(suite: Any) -> None:
    env = control_environment("dm_control/cartpole-swingup")
    found = []
    for angle in (np.pi - 0.05, -np.pi - 0.05):
        env.unwrapped.state = np.array([0.0, angle, 0.1, 0.2])
        found.append(env.unwrapped.step(np.array([0.3]))[0])
    np.testing.assert_allclose(found[0] - found[1], [0.0, 2.0 * np.pi, 0.0, 0.0], rtol=0, atol=1e-12)


def test_episodes_are_those_of_the_suite(suite: Any) -> None:
    """Seeds, returns and the time limit of a thousand steps; a policy of one action plays them."""
    mdp = from_environment(
        "dm_control/cartpole-balance", discount=0.99, temperature=0.1, states=CARTPOLE, cells={"action": 1}
    )
    assert mdp.rho.sum() == pytest.approx(1.0)
    near = np.abs(CARTPOLE.points[:, 1]) < 1.2
    assert mdp.rho[near].sum() > 0.99  # balancing begins upright
    policy = GridPolicy(mdp.states, mdp.actions, np.ones((CARTPOLE.size, 1)))
    done = rollout(policy, "dm_control/cartpole-balance", episodes=2, seed=5)
    for episode, seed in enumerate((5, 6)):
        env = suite.load("cartpole", "balance", task_kwargs={"random": seed})
        found, total = env.reset(), 0.0
        while not found.last():
            found = env.step([0.0])
            total += found.reward
        assert done.returns[episode] == pytest.approx(total, rel=1e-12)
    assert done.steps.tolist() == [1000, 1000]
    assert not done.terminated.any()


def test_what_does_not_fit_is_said(suite: Any) -> None:
    common: Any = {"discount": 0.9, "temperature": 0.1}
    with pytest.raises(ProblemError, match="no such task; did you mean 'cartpole-swingup'") as error:
        from_environment("dm_control/cartpole-swingupp", states=CARTPOLE, **common)
    assert "\n" not in str(error.value)
    with pytest.raises(ProblemError, match=r"the grid of its states is needed"):
        from_environment("dm_control/cartpole-swingup", **common)
    with pytest.raises(ProblemError, match="free or ball joints"):
        from_environment("dm_control/humanoid-stand", states=CARTPOLE, **common)
    with pytest.raises(ProblemError, match="point_mass-hard: it draws another model at every reset"):
        from_environment("dm_control/point_mass-hard", states=CARTPOLE, **common)
    axes = list(CARTPOLE.axes)
    axes[1] = uniform_axis("theta", 0.0, 6.0, 6, "periodic")
    with pytest.raises(ProblemError, match="theta is periodic with length 6; the angle of a hinge has 2 pi"):
        from_environment("dm_control/cartpole-swingup", states=Grid(tuple(axes)), **common)
    axes[0] = uniform_axis("x", -np.pi, np.pi, 6, "periodic")
    with pytest.raises(ProblemError, match="x is periodic; it is no unlimited hinge"):
        from_environment("dm_control/cartpole-swingup", states=Grid(tuple(axes)), **common)


def test_without_the_packages_the_extra_is_named_and_nothing_else_needs_them() -> None:
    code = (
        "import sys; sys.modules['dm_control'] = None\n"
        "import wpoflow as wpo\n"
        "try:\n    wpo.from_environment('dm_control/cartpole-swingup', discount=0.9, temperature=0.1)\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert 'pip install "wpoflow[control]"' in line


def test_the_gallery_states_the_same_cart_and_pole(suite: Any) -> None:
    """Off the ends of the rail a step of the file is the simulator's, and so are decisions of four."""
    statement = read_statement(read_problem("cartpole_swingup"))
    env = suite.load("cartpole", "swingup", task_kwargs={"random": 0})
    model = env.physics.model
    assert model.opt.timestep == 0.01
    rng, high = np.random.default_rng(2), [1.6, np.pi, 4.0, 10.0, 1.0]
    pairs = rng.uniform(-np.array(high), high, size=(300, 5))
    names = [axis.name for axis in statement.states.axes]
    columns = list(pairs.T)
    following = np.stack([evaluate(statement.dynamics[name], (300,), columns, name) for name in names], axis=1)
    costs, held = evaluate(statement.cost, (300,), columns, "cost"), statement.steps(*columns)
    compared = 0
    for row, next_state, cost, decision in zip(pairs, following, costs, held, strict=True):
        state, reward = stepped(env, row[:4], row[4], 1, 0.99)
        np.testing.assert_allclose(next_state, state, rtol=0, atol=1e-12)
        assert abs(cost + reward) <= 1e-12
        state, total = stepped(env, row[:4], row[4], 4, 0.99)
        if decision[5] or abs(state[0]) > 1.75:
            continue
        turns = (decision[1] - state[1]) / (2.0 * np.pi)
        np.testing.assert_allclose(decision[[0, 2, 3]], state[[0, 2, 3]], rtol=0, atol=1e-12)
        assert abs(turns - np.rint(turns)) <= 1e-12
        assert abs(decision[4] + total) <= 1e-12
        compared += 1
    assert compared > 100


def test_the_gallery_states_the_same_acrobot(suite: Any) -> None:
    """Steps of the file and decisions of eight, and its box of torques with both ends."""
    statement = read_statement(read_problem("acrobot"))
    env = suite.load("acrobot", "swingup", task_kwargs={"random": 0})
    assert statement.actions.points[:, 0].tolist() == [-1.0, 0.0, 1.0]
    rng, high = np.random.default_rng(5), [np.pi, np.pi, 5.0, 7.0, 1.0]
    pairs = rng.uniform(-np.array(high), high, size=(100, 5))
    names = [axis.name for axis in statement.states.axes]
    columns = list(pairs.T)
    following = np.stack([evaluate(statement.dynamics[name], (100,), columns, name) for name in names], axis=1)
    costs, held, compared = evaluate(statement.cost, (100,), columns, "cost"), statement.steps(*columns), 0
    for row, next_state, cost, decision in zip(pairs, following, costs, held, strict=True):
        state, reward = stepped(env, row[:4], row[4], 1, 0.99)
        np.testing.assert_allclose(next_state, state, rtol=0, atol=1e-12)
        assert abs(cost + reward) <= 1e-12
        if decision[5]:  # of speeds that have left the box
            continue
        state, total = stepped(env, row[:4], row[4], 8, 0.99)
        turns = (decision[:2] - state[:2]) / (2.0 * np.pi)
        assert np.abs(turns - np.rint(turns)).max() <= 1e-12
        np.testing.assert_allclose(decision[2:4], state[2:], rtol=0, atol=1e-12)
        assert abs(decision[4] + total) <= 1e-12
        compared += 1
    assert compared > 50


@pytest.mark.parametrize("task", ["swingup", "balance"])
def test_the_vectorised_cart_and_pole_is_the_simulator_also_at_the_ends_of_the_rail(suite: Any, task: str) -> None:
    axes = list(CARTPOLE.axes)
    axes[0] = uniform_axis("x", -1.9, 1.9, 9, "clamp")
    states = Grid(tuple(axes))
    common: Any = {"discount": 0.99, "temperature": 0.1, "states": states, "cells": {"action": 3}, "repeat": 2}
    fast, called = (from_environment(f"dm_control/cartpole-{task}", vectorised=v, **common) for v in (True, False))
    value = np.random.default_rng(3).standard_normal(states.size)
    np.testing.assert_allclose(fast.cost, called.cost, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fast.transition.expect(value), called.transition.expect(value), rtol=0, atol=1e-11)


def test_a_policy_of_other_joints_is_not_played(suite: Any) -> None:
    """Angles of an acrobot are no places of a cart, though both have four numbers."""
    angles = [uniform_axis(name, -np.pi, np.pi, 5, "periodic") for name in ("theta", "phi")]
    speeds = [uniform_axis(name, -9.0, 9.0, 3, "clamp") for name in ("omega", "psi")]
    states, actions = Grid((*angles, *speeds)), Grid((uniform_axis("u", -1.0, 1.0, 3),))
    policy = GridPolicy(states, actions, np.full((states.size, 3), 1.0 / 3.0))
    with pytest.raises(ProblemError, match="dm_control/cartpole-swingup: axis theta is periodic; it is no unlimited"):
        rollout(policy, "dm_control/cartpole-swingup", episodes=1)
    with pytest.raises(ProblemError, match=r"lqr_2_1: it has no time limit; give a function that makes it with one"):
        rollout(policy, "dm_control/lqr-lqr_2_1", episodes=1)


def test_only_what_the_equations_are_of_is_vectorised(suite: Any) -> None:
    for name, known in (("swingup", True), ("balance", True), ("swingup_sparse", True), ("two_poles", False)):
        env = control_environment(f"dm_control/cartpole-{name}")
        assert (control_step(env.unwrapped) is not None) == known
    heavy = suite.load("cartpole", "swingup")
    heavy.physics.model.body_mass[2] = 0.3
    states, actions = CARTPOLE.points[::7], np.linspace(-1.0, 1.0, len(CARTPOLE.points[::7]))[:, None]
    env = control_environment(heavy)
    step = control_step(env.unwrapped)
    assert step is not None
    for one, other in zip(step(states, actions), CalledEnvironment(env).step(states, actions), strict=True):
        np.testing.assert_allclose(np.asarray(one, dtype=np.float64), other.astype(np.float64), rtol=0, atol=1e-12)


def test_any_task_of_hinges_and_slides_is_called(suite: Any) -> None:
    """Two hinges of an acrobot that turns twice; the pendulum; a point with two actions."""
    cases: dict[str, tuple[float, ...]] = {
        "acrobot-swingup": (np.pi, np.pi, 4.0, 4.0),
        "pendulum-swingup": (np.pi, 4.0),
        "point_mass-easy": (0.25, 0.25, 0.2, 0.2),
    }
    for name, ends in cases.items():
        env = control_environment(f"dm_control/{name}")
        called, domain = CalledEnvironment(env), suite.load(*name.split("-"), task_kwargs={"random": 0})
        rng, d = np.random.default_rng(4), int(np.prod(env.action_space.shape))
        states = rng.uniform(-np.array(ends), ends, size=(20, len(ends)))
        actions = rng.uniform(-1.0, 1.0, size=(20, d))
        steps = called.step(states, actions)
        for state, action, found, reward in zip(states, actions, steps.state, steps.reward, strict=True):
            domain.reset()
            with domain.physics.reset_context():
                domain.physics.set_state(state)
            told = domain.step(action)
            np.testing.assert_allclose(found, domain.physics.get_state(), rtol=0, atol=1e-12)
            assert abs(reward - told.reward) <= 1e-12
