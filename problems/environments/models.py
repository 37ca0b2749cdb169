"""Vectorised models of two of Gymnasium's environments, equal to their ``step`` to rounding.

Pendulum-v1 (gymnasium/envs/classic_control/pendulum.py), θ = 0 upright, torque u cut to its bounds:

    θ̇' = clip(θ̇ + (3g/(2l) sin θ + 3u/(m l²)) dt),    θ' = θ + θ̇' dt,    reward −(θ² + 0.1 θ̇² + 0.001 u²)

with θ in [−π, π) and the reward that of the state *before* the step.  No episode terminates.

MountainCarContinuous-v0 (continuous_mountain_car.py), x the position:

    ẋ' = clip(ẋ + power u − 0.0025 cos 3x),    x' = clip(x + ẋ'),    ẋ' = 0 at the left wall if it was negative

It terminates where x' and ẋ' have reached the goal, and then pays 100, in the same step; −0.1 u² always.  This
environment keeps its state in single precision: next states are rounded to it here too, and the ends of
the grid are its own single-precision bounds.

Constants are read from the environment, so that one made with others (another g) is modelled as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.problems.environments.gym import gymnasium

_FIRST_ANGLES, _FIRST_SPEEDS, _FIRST_POSITIONS = 1000, 200, 10000


class Steps(NamedTuple):
    """What n steps led to: next states (n, dim), rewards (n,), and which terminated (n,)."""

    state: FloatArray
    reward: FloatArray
    terminated: BoolArray


Step = Callable[[FloatArray, FloatArray], Steps]
"""Steps from states (n, dim) by actions (n, d)."""


class Box(NamedTuple):
    """An axis without its cells."""

    name: str
    lower: float
    upper: float
    boundary: str


@dataclass(frozen=True, eq=False)
class EnvironmentModel:
    """What is known of an environment.

    Attributes
    ----------
    states, actions : tuple of Box
        Axes of the grids.
    step : callable
        Steps from states (n, dim) by actions (n, d).
    state_of : callable
        States (..., dim) from observations (..., n).
    first_states : array (n, dim)
        Evenly weighted points of the law of the first state.
    goal : bool
        Whether termination is the goal, so that an episode without it has failed.
    """

    states: tuple[Box, ...]
    actions: tuple[Box, ...]
    step: Callable[[FloatArray, FloatArray], Steps]
    state_of: Callable[[FloatArray], FloatArray]
    first_states: Callable[[], FloatArray]
    goal: bool


def repeated(step: Step, repeat: int, discount: float) -> Step:
    """So many steps by one action, their rewards summed with powers of the discount; what terminates stops there."""
    if repeat == 1:
        return step

    def steps(states: FloatArray, actions: FloatArray) -> Steps:
        found = Steps(states.copy(), np.zeros(len(states)), np.zeros(len(states), dtype=np.bool_))
        going, weight = np.arange(len(states)), 1.0
        for _ in range(repeat):
            one = step(found.state[going], actions[going])
            found.state[going], found.terminated[going] = one.state, one.terminated
            found.reward[going] += weight * one.reward
            going, weight = going[~one.terminated], weight * discount
            if not going.size:
                break
        return found

    return steps


def known_model(env: Any) -> EnvironmentModel | None:
    """The model of an environment, None if there is none; a subclass may do anything and has none."""
    classic = "gymnasium.envs.classic_control"
    kind = type(env.unwrapped)
    makers = {
        f"{classic}.pendulum.PendulumEnv": _pendulum,
        f"{classic}.continuous_mountain_car.Continuous_MountainCarEnv": _mountain_car,
    }
    gymnasium()
    maker = makers.get(f"{kind.__module__}.{kind.__qualname__}")
    return None if maker is None else maker(env.unwrapped)


def angle_and_speed(observation: FloatArray) -> FloatArray:
    """(θ, θ̇) from (cos θ, sin θ, θ̇), along the last axis."""
    cosine, sine, speed = np.moveaxis(observation, -1, 0)
    return np.stack([np.arctan2(sine, cosine), speed], axis=-1)


def _pendulum(env: Any) -> EnvironmentModel:
    g, m, length, dt = float(env.g), float(env.m), float(env.l), float(env.dt)
    top, most = float(env.max_speed), float(env.max_torque)

    def step(states: FloatArray, actions: FloatArray) -> Steps:
        (theta, speed), torque = states.T, np.clip(actions[:, 0], -most, most)
        angle = (theta + np.pi) % (2.0 * np.pi) - np.pi
        cost = angle**2 + 0.1 * speed**2 + 0.001 * torque**2
        pushed = speed + (3.0 * g / (2.0 * length) * np.sin(theta) + 3.0 / (m * length**2) * torque) * dt
        new_speed = np.clip(pushed, -top, top)
        state = np.stack([theta + new_speed * dt, new_speed], axis=1)
        return Steps(state, -cost, np.zeros(len(cost), dtype=np.bool_))

    def first_states() -> FloatArray:
        angles = np.pi * _midpoints(_FIRST_ANGLES)
        return np.stack(np.meshgrid(angles, _midpoints(_FIRST_SPEEDS), indexing="ij"), axis=-1).reshape(-1, 2)

    return EnvironmentModel(
        states=(Box("theta", -np.pi, np.pi, "periodic"), Box("speed", -top, top, "clamp")),
        actions=(Box("torque", -most, most, "no-flux"),),
        step=step,
        state_of=angle_and_speed,
        first_states=first_states,
        goal=False,
    )


def _mountain_car(env: Any) -> EnvironmentModel:
    left, right, top = float(env.min_position), float(env.max_position), float(env.max_speed)
    least, most = float(env.min_action), float(env.max_action)
    power, goal_position, goal_velocity = float(env.power), float(env.goal_position), float(env.goal_velocity)

    def step(states: FloatArray, actions: FloatArray) -> Steps:
        (position, velocity), force = states.T, actions[:, 0]
        pushed = velocity + (np.clip(force, least, most) * power - 0.0025 * np.cos(3.0 * position))
        new_velocity = np.clip(pushed, -top, top)
        new_position = np.clip(position + new_velocity, left, right)
        new_velocity = np.where((new_position == left) & (new_velocity < 0.0), 0.0, new_velocity)
        terminated = (new_position >= goal_position) & (new_velocity >= goal_velocity)
        reward = np.where(terminated, 100.0, 0.0) - 0.1 * force**2
        state = np.stack([new_position, new_velocity], axis=1).astype(np.float32).astype(np.float64)
        return Steps(state, reward, terminated)

    def first_states() -> FloatArray:
        positions = -0.5 + 0.1 * _midpoints(_FIRST_POSITIONS)
        return np.stack([positions, np.zeros(_FIRST_POSITIONS)], axis=1)

    lower, upper = (np.asarray(end, dtype=np.float64) for end in (env.low_state, env.high_state))
    return EnvironmentModel(
        states=(
            Box("position", float(lower[0]), float(upper[0]), "clamp"),
            Box("velocity", float(lower[1]), float(upper[1]), "clamp"),
        ),
        actions=(Box("force", least, most, "no-flux"),),
        step=step,
        state_of=lambda observation: observation,
        first_states=first_states,
        goal=True,
    )


def _midpoints(n: int) -> FloatArray:
    """Midpoints of n equal cells of [-1, 1]."""
    return (2.0 * np.arange(n) + 1.0) / n - 1.0
