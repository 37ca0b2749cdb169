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
from wpoflow.problems.environments.control import control_environment
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
