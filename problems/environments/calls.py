"""Steps of any environment with a settable state, by calling it: the generic counterpart of a model.

The environment is unwrapped, so that no time limit ends an episode; its state is set, one step is made, and the
state it is left in is the next state.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.problems.environments.gym import name_of
from wpoflow.problems.environments.models import Steps
from wpoflow.problems.errors import ProblemError

RESETS = 1000
_CHECKED = 16


class CalledEnvironment:
    """Steps by setting the state of an environment and calling its ``step``.

    Parameters
    ----------
    env : gymnasium.Env
        Its ``unwrapped.state`` can be read as numbers and set, and determines the next state.

    Raises
    ------
    ProblemError
        The environment has no attribute ``state`` of numbers.
    """

    def __init__(self, env: Any) -> None:
        self._env, self._name = env.unwrapped, name_of(env)
        self._shape = env.action_space.shape
        env.reset(seed=0)
        try:
            first = self._read()
        except (AttributeError, TypeError, ValueError) as error:
            raise ProblemError(f"environment {self._name}: no unwrapped.state of numbers that could be set") from error
        if not np.all(np.isfinite(first)):
            raise ProblemError(f"environment {self._name}: its unwrapped.state is {first} after a reset")
        self.dim = first.size

    def _read(self) -> FloatArray:
        return np.array(self._env.state, dtype=np.float64).reshape(-1)

    def step(self, states: FloatArray, actions: FloatArray) -> Steps:
        """Steps from states (n, dim) by actions (n, d); a few are repeated, and must lead to the same.

        Raises
        ------
        ProblemError
            The environment is random, or has a memory besides its state.
        """
        steps = self._steps(states, actions)
        some = np.linspace(0, len(states) - 1, min(_CHECKED, len(states))).astype(int)
        again = self._steps(states[some], actions[some])
        if any(not np.array_equal(old[some], new) for old, new in zip(steps, again, strict=True)):
            raise ProblemError(
                f"environment {self._name}: the same state and action led to different steps; "
                "only environments without noise can be put on a grid by calling them"
            )
        return steps

    def _steps(self, states: FloatArray, actions: FloatArray) -> Steps:
        n = len(states)
        found = Steps(np.empty_like(states), np.empty(n), np.empty(n, dtype=np.bool_))
        for i in range(n):
            self._env.state = states[i].copy()
            _, reward, terminated, _, _ = self._env.step(actions[i].reshape(self._shape))
            found.state[i] = self._read()
            found.reward[i], found.terminated[i] = reward, terminated
        return found

    def first_states(self) -> FloatArray:
        """First states of resets with the seeds 0, 1, ..."""
        states = np.empty((RESETS, self.dim))
        for seed in range(RESETS):
            self._env.reset(seed=seed)
            states[seed] = self._read()
        return states
