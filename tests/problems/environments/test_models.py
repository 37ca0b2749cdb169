"""The vectorised models against the environments' own ``step``, at thousands of states and actions."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from wpoflow.core.arrays import FloatArray
from wpoflow.problems.environments.models import Steps, known_model

EXACT = 1e-12


def real_steps(env: Any, states: FloatArray, actions: FloatArray) -> Steps:
    """Steps of the real environment, whose states are read as they are."""
    env.reset(seed=0)
    found = Steps(np.empty_like(states), np.empty(len(states)), np.empty(len(states), dtype=np.bool_))
    for i, (state, action) in enumerate(zip(states, actions, strict=True)):
        env.unwrapped.state = state.copy()
        _, found.reward[i], found.terminated[i], _, _ = env.step(action)
        found.state[i] = env.unwrapped.state
    return found


def assert_equal_steps(found: Steps, real: Steps) -> None:
    assert np.abs(found.state - real.state).max() <= EXACT
    assert np.abs(found.reward - real.reward).max() <= EXACT
    assert np.array_equal(found.terminated, real.terminated)


@pytest.mark.parametrize("gravity", [10.0, 9.81])
def test_pendulum(gravity: float) -> None:
    env = gymnasium.make("Pendulum-v1", g=gravity)
    model = known_model(env)
    assert model is not None
    rng = np.random.default_rng(1)
    states = rng.uniform([-10.0, -8.0], [10.0, 8.0], (4000, 2))
    actions = rng.uniform(-3.0, 3.0, (4000, 1))
    states[:5] = [[np.pi, 0.0], [-np.pi, 0.0], [np.pi, 8.0], [0.0, -8.0], [np.nextafter(np.pi, 0.0), 1.0]]
    found = model.step(states, actions)
    assert_equal_steps(found, real_steps(env, states, actions))
    assert np.any(found.state[:, 1] == 8.0)
    assert np.any(found.state[:, 1] == -8.0)
    assert not np.any(found.terminated)


@pytest.mark.parametrize("goal_velocity", [0.0, 0.02])
def test_mountain_car(goal_velocity: float) -> None:
    env = gymnasium.make("MountainCarContinuous-v0", goal_velocity=goal_velocity)
    model = known_model(env)
    assert model is not None
    rng = np.random.default_rng(2)
    states = np.concatenate(
        [
            rng.uniform([-1.2, -0.07], [0.6, 0.07], (2000, 2)),
            rng.uniform([-1.2, -0.07], [-1.15, 0.02], (1000, 2)),
            rng.uniform([0.4, -0.02], [0.6, 0.07], (1000, 2)),
        ]
    )
    actions = rng.uniform(-1.5, 1.5, (4000, 1))
    found = model.step(states, actions)
    assert_equal_steps(found, real_steps(env, states, actions))
    wall = found.state[:, 0] == np.float32(-1.2)
    assert np.any(wall & (found.state[:, 1] == 0.0))
    assert np.any(found.state[:, 0] == np.float32(0.6))
    assert np.any(found.state[:, 1] == np.float32(0.07))
    assert 500 < found.terminated.sum() < 2000
    assert np.all(found.reward[found.terminated] > 99.0)
    assert np.any(~found.terminated & (found.state[:, 0] >= 0.45) & (found.state[:, 1] < goal_velocity))


@pytest.mark.parametrize("name", ["Pendulum-v1", "MountainCarContinuous-v0"])
def test_observations_give_the_state_and_first_states_the_law(name: str) -> None:
    env = gymnasium.make(name)
    model = known_model(env)
    assert model is not None
    seen = []
    for seed in range(400):
        observation, _ = env.reset(seed=seed)
        states: Any = env.unwrapped
        assert model.state_of(np.asarray(observation, dtype=np.float64)) == pytest.approx(states.state, abs=1e-6)
        seen.append(np.array(states.state))
    law = model.first_states()
    assert np.abs(law.mean(axis=0) - np.mean(seen, axis=0)).max() < 0.25
    assert law.std(axis=0) == pytest.approx(np.std(seen, axis=0), rel=0.1)
    for end, law_end in ((np.min(seen, axis=0), law.min(axis=0)), (np.max(seen, axis=0), law.max(axis=0))):
        assert law_end == pytest.approx(end, abs=0.03)


def test_a_subclass_has_no_model() -> None:
    from gymnasium.envs.classic_control.pendulum import PendulumEnv

    class Other(PendulumEnv):
        pass

    assert known_model(PendulumEnv()) is not None
    assert known_model(Other()) is None
