"""Steps of any environment with a settable state, by calling it: the generic counterpart of a model.

The environment is unwrapped, so that no time limit ends an episode; its state is set, one step is made, and the
state it is left in is the next state.  After a step that terminates it is reset, as some remember that they ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.problems.environments.gym import gymnasium, name_of
from wpoflow.problems.environments.models import Steps
from wpoflow.problems.errors import ProblemError

RESETS = 1000
_CHECKED = 16


class CalledEnvironment:
    """Steps by setting the state of an environment and calling its ``step``.

    Parameters
    ----------
    env : gymnasium.Env
        Its ``unwrapped.state`` can be read as numbers and set, and determines the next state; of one whose states are
        whole numbers it may be called ``unwrapped.s``.
    act : callable, optional
        From the numbers (d,) of an action to what ``step`` takes; by default they have the shape of the action space,
        and its type if the environment refuses double numbers, as those do that ask ``action_space.contains``.

    Raises
    ------
    ProblemError
        The environment has no attribute ``state`` of numbers.
    """

    def __init__(self, env: Any, act: Callable[[FloatArray], Any] | None = None) -> None:
        self._env, self._name = env.unwrapped, name_of(env)
        space = env.observation_space
        self._whole = isinstance(space, gymnasium().spaces.Discrete)
        self._first = int(space.start) if self._whole else 0
        env.reset(seed=0)
        self._attribute = "s" if self._whole and not hasattr(self._env, "state") else "state"
        try:
            first = self._read()
        except (AttributeError, TypeError, ValueError) as error:
            raise ProblemError(f"environment {self._name}: no unwrapped.state of numbers that could be set") from error
        if not np.all(np.isfinite(first)):
            raise ProblemError(f"environment {self._name}: its unwrapped.state is {first} after a reset")
        self.dim = first.size
        self._act = act or self._acting(env.action_space)

    def _acting(self, space: Any) -> Callable[[FloatArray], Any]:
        """What makes an action: double numbers, which the problem is exact for, unless a step refuses them."""

        def exact(action: FloatArray) -> Any:
            return action.reshape(space.shape)

        def of_its_type(action: FloatArray) -> Any:
            return exact(action).astype(space.dtype)

        low, high = np.ravel(space.low).astype(np.float64), np.ravel(space.high).astype(np.float64)
        try:
            bounded = np.isfinite(low) & np.isfinite(high)
            self._env.step(exact(np.add(*(0.5 * np.where(bounded, end, 0.0) for end in (low, high)))))
        except Exception:  # of whatever kind; what is wrong with any action comes again
            return of_its_type
        finally:
            self._env.reset(seed=0)
        return exact

    def _read(self) -> FloatArray:
        return np.array(getattr(self._env, self._attribute), dtype=np.float64).reshape(-1) - self._first

    def _write(self, state: FloatArray) -> None:
        setattr(self._env, self._attribute, int(state[0]) + self._first if self._whole else state.copy())

    def step(self, states: FloatArray, actions: FloatArray) -> Steps:
        """Steps from states (n, dim) by actions (n, d); a few are repeated, and must lead to the same.

        Raises
        ------
        ProblemError
            The environment is random, or has a memory besides its state.
        ValueError
            A next state or reward that is not finite.
        """
        steps = self._steps(states, actions)
        lost = ~(np.isfinite(steps.reward) & np.isfinite(steps.state).all(axis=1))
        if lost.any():
            i = int(lost.argmax())
            what = "next state" if np.isfinite(steps.reward[i]) else "reward"
            raise ValueError(
                f"environment {self._name}: the {what} from state {_numbers(states[i])} by action "
                f"{_numbers(actions[i])} is not finite"
            )
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
            self._write(states[i])
            _, reward, terminated, _, _ = self._env.step(self._act(actions[i]))
            found.state[i] = self._read()
            found.reward[i], found.terminated[i] = reward, terminated
            if terminated:
                self._env.reset(seed=0)
        return found

    def first_states(self) -> FloatArray:
        """First states of resets with the seeds 0, 1, ..."""
        states = np.empty((RESETS, self.dim))
        for seed in range(RESETS):
            self._env.reset(seed=seed)
            states[seed] = self._read()
        return states


def _numbers(x: FloatArray) -> str:
    return ", ".join(f"{number:g}" for number in np.ravel(x))
