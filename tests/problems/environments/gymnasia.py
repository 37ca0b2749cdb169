"""Small environments for the tests: a drifting point with two actions, and one that is random."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid


class Point(gymnasium.Env[FloatArray, FloatArray]):
    """x moves by 0.2 a + 0.1 b and ends beyond 0.9, is cut below -0.9; its observation is its state."""

    noise = 0.0

    def __init__(self) -> None:
        self.state: Any = np.zeros(1)
        self.observation_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float64)
        self.action_space = gymnasium.spaces.Box(np.array([[-1.0], [0.0]]), np.array([[1.0], [2.0]]), dtype=np.float64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[FloatArray, Any]:
        super().reset(seed=seed)
        self.state = self.np_random.uniform(-0.5, 0.5, 1)
        return self.state.copy(), {}

    def step(self, action: FloatArray) -> tuple[FloatArray, float, bool, bool, Any]:
        push, drift = action[:, 0]
        reward = -float(self.state[0] ** 2 + push**2)
        self.state = np.array([self.state[0] + 0.2 * push + 0.1 * drift + self.noise * self.np_random.normal()])
        return self.state.copy(), reward, bool(self.state[0] > 0.9), bool(self.state[0] < -0.9), {}


class NoisyPoint(Point):
    """The same with noise."""

    noise = 0.1


class Strict(Point):
    """A point whose actions are single numbers of single precision, and which takes no others."""

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        super().__init__()
        single: Any = gymnasium.spaces.Box(-0.1, 0.1, shape, np.float32)
        self.action_space = single

    def step(self, action: FloatArray) -> tuple[FloatArray, float, bool, bool, Any]:
        assert isinstance(action, np.ndarray)
        assert self.action_space.contains(action)
        return super().step(np.array([[float(np.ravel(action)[0])], [0.0]]))


def point_states(cells: int = 9) -> Grid:
    return Grid((uniform_axis("x", -1.0, 1.0, cells, "clamp"),))
