"""Whether a policy on grids fits an environment, and what its observations and actions are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments.discrete import check_labels_of, is_discrete, origin_of, states_of_table
from wpoflow.problems.environments.gym import action_box, gymnasium, name_of
from wpoflow.problems.environments.models import known_model
from wpoflow.problems.errors import ProblemError

_SLACK = 1e-6

Observe = Callable[[FloatArray], FloatArray]


def fitted(states: Grid, actions: Grid, env: Any, observe: Observe | None) -> dict[str, Any]:
    """Fields of a `GridPolicy` that acts in an environment; errors as of `GridPolicy.for_environment`."""
    if is_discrete(env.action_space):
        return _of_labels(states, actions, env, observe)
    space, model = action_box(env), known_model(env)
    low, high = check_actions(env, actions, "the policy's")
    if observe is None and model is not None:
        observe = model.state_of
    _check_observation(states, env, observe)
    if observe is None and hasattr(env, "check_angles"):
        env.check_angles(states)
    return {"observe": observe, "shape": space.shape, "dtype": space.dtype, "low": low, "high": high}


def check_actions(env: Any, actions: Grid, whose: str) -> tuple[FloatArray, FloatArray]:
    """Ends (d,) of the actions of an environment with a box of them, which must hold a grid's.

    Raises
    ------
    ProblemError
        Another number of axes, labels, or an axis that goes beyond; ``whose`` grid of actions it is.
    """
    space, name = action_box(env), name_of(env)
    low, high = np.ravel(space.low).astype(np.float64), np.ravel(space.high).astype(np.float64)
    if low.size != actions.dim:
        raise ProblemError(
            f"environment {name}: its actions have {low.size} axes, {whose} {actions.dim} ({_names(actions)})"
        )
    for axis, least, most in zip(actions.axes, low, high, strict=True):
        if axis.labels:
            raise ProblemError(f"environment {name}: its actions are {space}, {whose} ({axis.name}) are labels")
        slack = _SLACK * (most - least)
        if axis.lower < least - slack or axis.upper > most + slack:
            raise ProblemError(
                f"environment {name}: its actions lie in [{least:g}, {most:g}], {whose} axis {axis.name} in "
                f"[{axis.lower:g}, {axis.upper:g}]"
            )
    return low, high


def _of_labels(states: Grid, actions: Grid, env: Any, observe: Observe | None) -> dict[str, Any]:
    """The same for an environment of finitely many actions."""
    check_labels_of(env, actions)
    seen, space = env.observation_space, env.action_space
    if observe is None and isinstance(seen, gymnasium().spaces.Discrete):
        observe = _NumberedStates(states, int(seen.start), states_of_table(env, states).size)
    _check_observation(states, env, observe)
    return {"observe": observe, "shape": space.shape, "dtype": space.dtype, "origin": origin_of(space)}


def _check_observation(states: Grid, env: Any, observe: Observe | None) -> None:
    """Raise ProblemError unless states of as many numbers as the grid has axes follow from observations."""
    blank = np.full(env.observation_space.shape or (1,), getattr(env.observation_space, "start", 0.0))
    found = blank.size if observe is None else np.shape(observe(blank))[-1]
    if found != states.dim:
        what, hint = "state", ""
        if observe is None:
            what, hint = "observation", "; say with observe= how states follow from observations"
        raise ProblemError(
            f"environment {name_of(env)}: its {what} has {found} numbers, the policy {states.dim} state axes "
            f"({_names(states)}){hint}"
        )


@dataclass(frozen=True, eq=False)
class _NumberedStates:
    """States of a grid from their numbers, which begin with ``first``."""

    states: Grid
    first: int
    count: int

    def __call__(self, observations: FloatArray) -> FloatArray:
        numbers = np.asarray(observations)[..., 0] - self.first
        if not np.all((numbers >= 0) & (numbers < self.count) & (numbers == np.floor(numbers))):
            raise ValueError(f"an observation is none of the {self.count} states")
        return self.states.points[numbers.astype(np.int64)]


def _names(grid: Grid) -> str:
    return ", ".join(axis.name for axis in grid.axes) or "none"
