"""Vectorised models of dm_control's tasks, against the simulator: states, rewards and ends, also beyond soft limits."""

from __future__ import annotations

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

TASKS: dict[str, tuple[float, ...]] = {
    "cartpole-swingup": (2.1, 7.0, 6.0, 12.0),
    "cartpole-balance": (2.1, 7.0, 6.0, 12.0),
    "cartpole-swingup_sparse": (0.6, 0.25, 6.0, 12.0),
    "cartpole-balance_sparse": (0.6, 0.25, 6.0, 12.0),
    "acrobot-swingup": (7.0, 7.0, 12.0, 16.0),
    "acrobot-swingup_sparse": (7.0, 7.0, 12.0, 16.0),
    "pendulum-swingup": (7.0, 10.0),
    "point_mass-easy": (0.32, 0.32, 1.5, 1.5),
    "lqr-lqr_2_1": (1.5, 1.5, 4.0, 4.0),
    "lqr-lqr_6_2": (1.5,) * 12,
}


@pytest.fixture(scope="module")
def suite() -> Any:
    pytest.importorskip("mujoco", exc_type=ImportError)
    return pytest.importorskip("dm_control.suite", exc_type=ImportError)


@pytest.mark.parametrize("name", TASKS)
def test_any_step_is_the_simulators(suite: Any, name: str) -> None:
    """From states on either side of the ends of joints, by actions on either side of the ends of controls."""
    env, ends = control_environment(f"dm_control/{name}"), np.array(TASKS[name])
    step = control_step(env.unwrapped)
    assert step is not None
    rng = np.random.default_rng(6)
    states = rng.uniform(-ends, ends, (300, ends.size))
    states[::10] *= 1e-3  # near the goal
    actions = rng.uniform(-1.3, 1.3, (300, int(np.prod(env.action_space.shape))))
    for one, other in zip(step(states, actions), CalledEnvironment(env).step(states, actions), strict=True):
        np.testing.assert_allclose(np.asarray(one, dtype=np.float64), other.astype(np.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", TASKS)
def test_steps_along_episodes_are_those_of_the_suite(suite: Any, name: str) -> None:
    """Twenty episodes by ``env.step`` of the suite itself, pushed at random for twenty steps at a time."""
    domain, task = name.split("-")
    env = suite.load(domain, task, task_kwargs={"random": 0})
    step = control_step(control_environment(env).unwrapped)
    assert step is not None
    spec, rng, on_rails = env.action_spec(), np.random.default_rng(7), 0
    limited = np.asarray(env.physics.model.jnt_limited, dtype=bool)
    ranges = np.where(limited[:, None], np.asarray(env.physics.model.jnt_range), [-np.inf, np.inf])
    for _ in range(20):
        env.reset()
        state = env.physics.get_state()
        for k in range(60):
            if k % 20 == 0:
                action = rng.uniform(-1.0, 1.0, spec.shape)
            found = step(state[None], action[None])
            told, before = env.step(action), state
            state = env.physics.get_state()
            # at a limit the simulator begins its iteration where the last step ended, and stops at its own tolerance
            near = np.abs(np.stack([before, state])[:, : len(ranges), None] - ranges).min() < 0.05
            on_rails += near
            tolerance = 1e-5 if near else 1e-12
            np.testing.assert_allclose(found.state[0], state, rtol=0, atol=tolerance)
            np.testing.assert_allclose(found.reward[0], told.reward, rtol=0, atol=tolerance)
    assert on_rails < 20 * 60 / 2


def test_models_are_of_the_physics_as_they_are(suite: Any) -> None:
    """Other masses, gravity or control intervals are read; what no equation here has is called instead."""
    changes: list[tuple[str, str, Any, bool]] = [
        ("acrobot", "swingup", lambda m: m.body_mass.__setitem__(2, 2.5), True),
        ("pendulum", "swingup", lambda m: m.opt.gravity.__setitem__(2, -3.0), True),
        ("point_mass", "easy", lambda m: m.dof_damping.__setitem__(0, 0.2), True),
        ("lqr", "lqr_2_1", lambda m: m.jnt_stiffness.__setitem__(1, 3.0), True),
        ("cartpole", "swingup", lambda m: m.jnt_solref.__setitem__((0, 0), 0.2), True),
        ("cartpole", "swingup", lambda m: setattr(m.opt, "viscosity", 0.5), False),
        ("pendulum", "swingup", lambda m: m.dof_frictionloss.__setitem__(0, 0.3), False),
        ("acrobot", "swingup", lambda m: m.opt.gravity.__setitem__(0, 1.0), False),
        ("lqr", "lqr_2_1", lambda m: m.jnt_axis.__setitem__(0, [0.0, 0.6, 0.8]), True),
    ]
    for domain, task, change, known in changes:
        env = suite.load(domain, task, task_kwargs={"random": 3})
        change(env.physics.model)
        control = control_environment(env)
        step = control_step(control.unwrapped)
        assert (step is not None) == known, (domain, task)
        if step is None:
            continue
        ends = np.array(TASKS[f"{domain}-{task}"])
        rng = np.random.default_rng(8)
        states = rng.uniform(-ends, ends, (50, ends.size))
        actions = rng.uniform(-1.0, 1.0, (50, int(np.prod(control.action_space.shape))))
        for one, other in zip(step(states, actions), CalledEnvironment(control).step(states, actions), strict=True):
            np.testing.assert_allclose(np.asarray(one, float), other.astype(float), rtol=0, atol=1e-12)


def test_several_substeps_are_made(suite: Any) -> None:
    for domain, task, interval in (("acrobot", "swingup", 0.03), ("pendulum", "swingup", 0.06)):
        env = control_environment(
            suite.load(domain, task, task_kwargs={"random": 0}, environment_kwargs={"control_timestep": interval})
        )
        step, ends = control_step(env.unwrapped), np.array(TASKS[f"{domain}-{task}"])
        assert step is not None
        assert env.substeps == 3
        states, actions = np.random.default_rng(9).uniform(-ends, ends, (20, ends.size)), np.full((20, 1), 0.4)
        for one, other in zip(step(states, actions), CalledEnvironment(env).step(states, actions), strict=True):
            np.testing.assert_allclose(np.asarray(one, float), other.astype(float), rtol=0, atol=1e-12)


def test_actions_without_bounds_need_a_grid_and_are_played(suite: Any) -> None:
    """The chain of springs: its own grid of actions; its model is one and the same by name."""
    sides = [uniform_axis(name, -3.0, 3.0, 5, "clamp") for name in ("q", "p", "v", "w")]
    common: Any = {"discount": 0.9, "temperature": 0.1, "states": Grid(tuple(sides))}
    with pytest.raises(ProblemError, match=r"a bounded Box is needed, or the grid of actions") as error:
        from_environment("dm_control/lqr-lqr_2_1", **common)
    assert "\n" not in str(error.value)
    push = Grid((uniform_axis("u", -2.0, 2.0, 3, "clamp"),))
    first, second, called = (
        from_environment("dm_control/lqr-lqr_2_1", actions=push, vectorised=way, **common)
        for way in (True, True, False)
    )
    np.testing.assert_array_equal(first.cost, second.cost)
    np.testing.assert_allclose(first.cost, called.cost, rtol=0, atol=1e-11)
    assert first.actions.points[:, 0].tolist() == [-2.0, 0.0, 2.0]
    p = np.zeros(first.cost.shape)
    p[:, 2] = 1.0
    policy = GridPolicy(first.states, first.actions, p)

    def short() -> Any:
        return suite.load("lqr", "lqr_2_1", task_kwargs={"random": 0, "time_limit": 0.3})

    done = rollout(policy, short, episodes=1, seed=4)
    env = suite.load("lqr", "lqr_2_1", task_kwargs={"random": 0, "time_limit": 0.3})
    env.task._random = np.random.RandomState(4)
    found, total = env.reset(), 0.0
    while not found.last():
        action = policy.batch(env.physics.get_state()[None])[0]
        assert 1.9 < action[0] <= 2.0
        found = env.step(action)
        total += found.reward
    assert done.returns[0] == pytest.approx(total, rel=1e-12)
