"""Gymnasium environments whose actions are finitely many: their labels, and their tables.

An environment that has the table ``unwrapped.P`` of the toy-text environments, P[s][a] a list of (probability, next
state, reward, terminated), is taken from it:

    P(s'|s, a) = sum of the probabilities of outcomes that go on in s',     c(s, a) = −sum of probability × reward,

and the probability of outcomes that terminate is that of an end.  One of finitely many states without such a table is
stepped once from every state, if its state can be set and its steps are not random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import FloatArray
from wpoflow.core.registry import choices
from wpoflow.grids.axis import label_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments.calls import RESETS
from wpoflow.problems.environments.gym import gymnasium, name_of
from wpoflow.problems.environments.models import Steps
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.tabular import ACTION, numbered_states, tabular_mdp
from wpoflow.solver.mdp import GridMDP

_TOY, _CLASSIC = "gymnasium.envs.toy_text", "gymnasium.envs.classic_control"
KNOWN_LABELS: dict[str, tuple[str, ...]] = {
    f"{_TOY}.frozen_lake.FrozenLakeEnv": ("left", "down", "right", "up"),
    f"{_TOY}.cliffwalking.CliffWalkingEnv": ("up", "right", "down", "left"),
    f"{_TOY}.taxi.TaxiEnv": ("south", "north", "east", "west", "pick up", "drop off"),
    f"{_CLASSIC}.cartpole.CartPoleEnv": ("left", "right"),
    f"{_CLASSIC}.mountain_car.MountainCarEnv": ("left", "none", "right"),
    f"{_CLASSIC}.acrobot.AcrobotEnv": ("negative", "none", "positive"),
}
"""What the actions of an environment are called in its documentation, by its class."""


def is_discrete(space: Any) -> bool:
    """Whether a space is finite: one number, or several."""
    spaces = gymnasium().spaces
    return isinstance(space, spaces.Discrete | spaces.MultiDiscrete)


def counts_of(space: Any) -> list[int]:
    """How many choices there are for each number of a finite space, in C order."""
    return [int(n) for n in np.ravel(space.nvec if hasattr(space, "nvec") else space.n)]


def origin_of(space: Any) -> FloatArray:
    """The least of each number of a finite space."""
    return np.ravel(np.asarray(space.start, dtype=np.float64))


def label_grid(env: Any) -> Grid:
    """An axis of labels for each number of an environment's finite actions."""
    counts, kind = counts_of(env.action_space), type(env.unwrapped)
    known = KNOWN_LABELS.get(f"{kind.__module__}.{kind.__qualname__}")
    if known is not None and [len(known)] == counts:
        return Grid((label_axis(ACTION, known),))
    names = [ACTION] if len(counts) == 1 else [f"{ACTION}_{k}" for k in range(len(counts))]
    first = origin_of(env.action_space).astype(int)
    return Grid(
        tuple(
            label_axis(name, [str(start + k) for k in range(count)])
            for name, count, start in zip(names, counts, first, strict=True)
        )
    )


def check_labels_of(env: Any, actions: Grid) -> None:
    """Raise ProblemError unless an action grid has an axis of as many labels for each number of the actions."""
    counts = counts_of(env.action_space)
    found = [len(axis.labels) for axis in actions.axes]
    if found != counts:
        said = ", ".join(f"{axis.name} of {len(axis.labels) or 'no'} labels" for axis in actions.axes)
        wanted = choices([f"{n} labels" for n in counts], "and")
        raise ProblemError(f"environment {name_of(env)}: the action grid is {said}; it must be of {wanted}")


def action_maker(env: Any) -> Callable[[FloatArray], Any]:
    """From the numbers of labels (d,) to an action as ``step`` takes it."""
    space, first = env.action_space, origin_of(env.action_space)
    if hasattr(space, "nvec"):
        return lambda numbers: (numbers + first).astype(space.dtype).reshape(space.shape)
    return lambda numbers: int(numbers[0] + first[0])


def states_of_table(env: Any, states: Grid | None) -> Grid:
    """The grid of the states of an environment of finitely many, or the one that is given, once it is checked."""
    count = int(env.observation_space.n)
    if states is None:
        return numbered_states(count)
    if states.size != count:
        raise ProblemError(
            f"environment {name_of(env)}: it has {count} states, the grid of states {states.size} points"
        )
    return states


def table_problem(
    env: Any,
    *,
    discount: float,
    temperature: float,
    states: Grid | None,
    actions: Grid,
    rho: FloatArray | None,
) -> GridMDP:
    """The grid problem of an environment that has a table ``unwrapped.P``.

    Raises
    ------
    ProblemError
        Its observations are no states of that table, or an entry of it is no list of such outcomes; the pair is named.
    """
    name = name_of(env)
    if not isinstance(env.observation_space, gymnasium().spaces.Discrete):
        raise ProblemError(f"environment {name}: its observations are {env.observation_space}, no states of its table")
    grid = states_of_table(env, states)
    n_states, n_actions = grid.size, actions.size
    rows, columns, chances = [], [], []
    reward, ends = np.zeros((n_states, n_actions)), np.zeros((n_states, n_actions))
    for s in range(n_states):
        for a in range(n_actions):
            for chance, after, gain, ended in _outcomes(env, name, s, a, n_states):
                reward[s, a] += chance * gain
                if ended:
                    ends[s, a] += chance
                else:
                    rows.append(s * n_actions + a)
                    columns.append(after)
                    chances.append(chance)
    table = sp.csr_array(sp.coo_array((chances, (rows, columns)), shape=(n_states * n_actions, n_states)))
    law = rho if rho is not None else _first_states(env, n_states)
    return finite_problem(name, table, reward, ends, law, grid, actions, discount, temperature)


def finite_problem(
    name: str,
    table: sp.csr_array,
    reward: FloatArray,
    ends: FloatArray,
    rho: FloatArray,
    states: Grid,
    actions: Grid,
    discount: float,
    temperature: float,
) -> GridMDP:
    """A tabular problem; ProblemError, naming the environment, where its numbers are none of probabilities."""
    try:
        return tabular_mdp(
            table,
            reward=reward,
            ends=ends if ends.any() else None,
            discount=discount,
            temperature=temperature,
            rho=rho,
            states=states,
            actions=actions,
            title=name,
        )
    except ValueError as error:
        raise ProblemError(f"environment {name}: {error}") from error


def step_table(name: str, steps: Steps) -> sp.csr_array:
    """The table (S·A, S) of certain next states, rows of pairs that end being empty.

    Raises
    ------
    ProblemError
        A next state that is no state; the pair is named.
    """
    n_states, n_actions = steps.reward.shape
    after, on = steps.state[..., 0], ~steps.terminated
    wrong = on & ~((after >= 0.0) & (after < n_states) & (after == np.floor(after)))
    if wrong.any():
        s, a = (int(index) for index in np.argwhere(wrong)[0])
        raise ProblemError(
            f"environment {name}: from state {s}, action {a} leads to {after[s, a]:g}, which is no state"
        )
    pairs = np.flatnonzero(on)
    entries = (np.ones(pairs.size), (pairs, after[on].astype(np.int64)))
    return sp.csr_array(sp.coo_array(entries, shape=(n_states * n_actions, n_states)))


def _outcomes(env: Any, name: str, s: int, a: int, n_states: int) -> Sequence[tuple[float, int, float, bool]]:
    try:
        found = [(float(p), float(after), float(gain), bool(end)) for p, after, gain, end in env.unwrapped.P[s][a]]
    except (LookupError, TypeError, ValueError) as error:
        raise ProblemError(
            f"environment {name}: P[{s}][{a}] of its table is no list of (probability, next state, reward, terminated)"
        ) from error
    for chance, after, gain, _ in found:
        if (
            not (0 <= after < n_states and after == np.floor(after))
            or not np.isfinite(gain)
            or not 0.0 <= chance <= 1.0
        ):
            raise ProblemError(
                f"environment {name}: P[{s}][{a}] of its table holds (probability {chance:g}, next state {after:g}, "
                f"reward {gain:g}) of {n_states} states"
            )
    return [(chance, int(after), gain, end) for chance, after, gain, end in found]


def _first_states(env: Any, n_states: int) -> FloatArray:
    """Law of the first state: the one it says it draws from, or frequencies in a thousand resets."""
    stated = getattr(env.unwrapped, "initial_state_distrib", None)
    return frequencies(env, n_states) if stated is None else np.asarray(stated, dtype=np.float64).ravel()


def frequencies(env: Any, n_states: int) -> FloatArray:
    """How often each state comes first in resets with the seeds 0, 1, ..."""
    start = int(env.observation_space.start)
    first = [int(env.reset(seed=seed)[0]) - start for seed in range(RESETS)]
    return np.bincount(first, minlength=n_states) / RESETS
