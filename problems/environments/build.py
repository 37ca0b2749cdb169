"""Grid problems of environments of Gymnasium and dm_control, by their own dynamics.

    f(s, a) = state after one step,     c(s, a) = −reward,     pairs that terminate contribute nothing to E[V(s')]

Every pair of state point and action cell is stepped once, by a vectorised model where one is known
(problems/environments/models.py) and by calling the environment elsewhere.  Whether a pair ends is taken from
``terminated`` of its own step; a time limit (``truncated``) is none of the problem's business and ends nothing.

Finitely many actions are labels.  With finitely many states as well the problem is a table: that of the environment,
``unwrapped.P``, in which outcomes may be random, or that of its steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wpoflow.core.arguments import check_mapping
from wpoflow.core.arrays import FloatArray, underflow_to_zero
from wpoflow.core.memory import available_bytes
from wpoflow.core.text import did_you_mean
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.halving import halved_grid, masses_on
from wpoflow.grids.interpolation import state_chunks
from wpoflow.grids.masses import potential_masses
from wpoflow.grids.transitions import interpolated_transition
from wpoflow.grids.transitions.cell_integrated import hat_means
from wpoflow.problems.environments.calls import CalledEnvironment
from wpoflow.problems.environments.control import ControlEnvironment
from wpoflow.problems.environments.control_models import control_step
from wpoflow.problems.environments.discrete import (
    action_maker,
    check_labels_of,
    finite_problem,
    frequencies,
    is_discrete,
    label_grid,
    states_of_table,
    step_table,
    table_problem,
)
from wpoflow.problems.environments.fitting import check_actions
from wpoflow.problems.environments.gym import action_box, gymnasium, make_environment, name_of
from wpoflow.problems.environments.hats import hat_weights
from wpoflow.problems.environments.models import Box, Step, Steps, known_model, repeated
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.hold import check_power, check_steps
from wpoflow.problems.mirrored import MOST_PAIRS, MirroredPairs
from wpoflow.problems.tabular import numbered_states
from wpoflow.solver.mdp import GridMDP

STATE_CELLS, ACTION_CELLS = 101, 21
_MIRRORED = 512  # pairs of which an environment is called, and their images, to see whether a reflection holds
_PAIR_NUMBERS = 4  # of a pair besides its next state, and what is made of that: reward, cost, first policy, end


@underflow_to_zero
def from_environment(
    environment: Any,
    *,
    discount: float,
    temperature: float,
    cells: Mapping[str, int] | None = None,
    states: Grid | None = None,
    actions: Grid | None = None,
    vectorised: bool = True,
    rho: FloatArray | None = None,
    repeat: int = 1,
    reflection: Sequence[str] = (),
) -> GridMDP:
    """The grid problem of a Gymnasium environment, or of one of dm_control.

    Parameters
    ----------
    environment : str, gymnasium.Env or dm_control.rl.control.Environment
        An id, as in ``"Pendulum-v1"`` or ``"dm_control/cartpole-swingup"``, or an environment.  What its wrappers
        change is not seen: the grid problem is that of the unwrapped environment, in its own units.  The state of one
        of dm_control is (qpos, qvel); the angle of a hinge without limits is best an axis that is periodic.
    discount, temperature : float
        gamma in (0, 1), of a step of the environment; tau > 0, of a decision.
    cells : mapping of axis name to int, optional
        Numbers of cells of the axes that are not given as grids.  Axes of Pendulum-v1: theta, speed, torque; of
        MountainCarContinuous-v0: position, velocity, force; by default 101 cells for a state and 21 for an action.
    states : Grid, optional
        Needed for all other environments of infinitely many states: axes in the order of ``unwrapped.state``. Of
        finitely many by default the points 0, 1, ... of an axis ``state``, or any other grid of as many points.
    actions : Grid, optional
        By default the environment's box, its axes called ``action``, or ``action_0``, ``action_1`` ... if several; or
        axes of labels, one for each number of a Discrete or MultiDiscrete space.  Clamped axes have points at both
        ends, for controls of the bang-bang kind.  Needed where actions have no bounds.
    vectorised : bool
        False calls the environment at every pair even where its model is known.
    rho : array (S,), optional
        Law of the first state, instead of that of the environment's first states.
    repeat : int, optional
        Held actions: a decision takes so many steps of the environment, all by one action.  Rewards are summed with
        powers of the discount, and the discount of the problem is its power.  No grid is looked at between the steps.
    reflection : sequence of str, optional
        State and action axes that change sign together and leave the environment as it is: of the first state axis
        among them the grid problem has the half from 0 on.  Grids and cells are still those of the whole.

    Returns
    -------
    GridMDP
        The reference measure is uniform on the action grid and the first policy equal to it; rho is the law
        of the environment's first states, for a called environment estimated from a thousand resets.  It is zero at
        states that no episode begins near, though most are visited.

    Raises
    ------
    ProblemError
        No such environment, actions that are neither a box nor finitely many, a box without bounds and no grid of them,
        neither a table nor a settable state, a state grid that is missing or of another dimension, an environment
        without a table that is random, an unknown axis in ``cells``, actions beyond the environment's, axes by its own
        names in another order, or ``repeat`` of a table of random outcomes.
    ValueError
        A next state or reward that is not finite, or a number out of range; named.  A reflection of axes that are not
        symmetric about 0, or under which steps are not the same.
    MemoryError
        The steps of all pairs do not fit into memory.
    ImportError
        Gymnasium, or dm_control, is not installed.
    """
    check_mapping("cells", cells, "{'theta': 64}")
    check_steps("repeat", repeat)
    check_power(discount, "repeat", repeat)
    env = make_environment(environment)
    if is_discrete(env.action_space):
        if reflection:
            raise ProblemError(f"environment {name_of(env)}: reflection: its actions are labels, which have no sign")
        _sizes(name_of(env), (), (), cells or {})
        return _of_labels(env, discount, temperature, states, actions, rho, repeat)
    space, name, model = action_box(env), name_of(env), known_model(env)
    if states is None and model is None:
        raise ProblemError(f"environment {name}: the grid of its states is needed, states=Grid(...)")
    if actions is None and not space.is_bounded():
        raise ProblemError(
            f"environment {name}: its actions are {space}; a bounded Box is needed, or the grid of actions to choose "
            "from, actions=Grid(...)"
        )
    state_boxes = () if states is not None or model is None else model.states
    action_boxes = () if actions is not None else _boxes(space) if model is None else model.actions
    sizes = _sizes(name, state_boxes, action_boxes, cells or {})
    states = _grid(state_boxes, sizes) if states is None else states
    actions = _grid(action_boxes, sizes) if actions is None else actions
    check_actions(env, actions, "the grid's")
    if model is not None and vectorised:
        dim, step, first_states, sampled = len(model.states), model.step, model.first_states, False
        compared = MOST_PAIRS
    else:
        called = CalledEnvironment(env)
        known = control_step(env.unwrapped) if vectorised else None
        dim, step, first_states, sampled = called.dim, known or called.step, called.first_states, True
        compared = _MIRRORED if known is None else MOST_PAIRS
    if states.dim != dim:
        raise ProblemError(f"environment {name}: its state has {dim} numbers, the grid of states {states.dim} axes")
    if model is not None:
        _check_order(name, states, [box.name for box in model.states])
    if isinstance(env, ControlEnvironment):
        env.check_model()
        env.check_angles(states)
    decision = repeated(step, repeat, discount)
    if reflection:
        whole, states = states, halved_grid(states, actions, reflection)
        _check_mirrored(decision, MirroredPairs.chosen(states, whole, actions, compared))
    _refuse_if_too_large(name, states, actions)
    steps = _all_pairs(decision, states, actions)
    law = _law(states, first_states(), smoothed=sampled) if rho is None else rho
    return _interpolated(name, steps, states, actions, discount**repeat, temperature, law)


def _check_order(name: str, states: Grid, wanted: Sequence[str]) -> None:
    """Refuse axes by the names of the environment's own in another order: they would be taken for one another."""
    found = [axis.name for axis in states.axes]
    if found != wanted and sorted(found) == sorted(wanted):
        raise ProblemError(
            f"environment {name}: its state is {', '.join(wanted)}, in this order; the axes are {', '.join(found)}"
        )


def _refuse_if_too_large(name: str, states: Grid, actions: Grid) -> None:
    """Raise MemoryError, before anything is allocated, where the steps of all pairs would not fit."""
    needed, available = 8 * states.size * actions.size * (2 * states.dim + _PAIR_NUMBERS), available_bytes()
    if needed > available:
        sizes = ", ".join(f"{axis.name} {axis.size}" for axis in (*states.axes, *actions.axes))
        raise MemoryError(
            f"environment {name}: needs about {needed / 1e9:.3g} GB, {available / 1e9:.3g} GB are available; lower the "
            f"cells (now {sizes})"
        )


def _check_mirrored(step: Step, mirror: MirroredPairs) -> None:
    """Refuse a reflection under which steps are not the same."""
    here, there = (step(*pair) for pair in (mirror.points, mirror.images))
    for j, axis in enumerate(mirror.whole.axes):
        mirror.check_next(f"next state {axis.name}", j, here.state[:, j], there.state[:, j])
    mirror.check_equal("reward", here.reward, there.reward)
    mirror.check_equal("terminated", here.terminated.astype(np.float64), there.terminated.astype(np.float64))


def _interpolated(
    name: str, steps: Steps, states: Grid, actions: Grid, discount: float, temperature: float, rho: FloatArray
) -> GridMDP:
    """The grid problem of the steps of all pairs, next states lying between the points."""
    ended = steps.terminated if steps.terminated.any() else None
    mass = potential_masses(actions, lambda *a: np.zeros_like(a[0]))
    return GridMDP(
        states=states,
        actions=actions,
        discount=discount,
        temperature=temperature,
        cost=-steps.reward,
        transition=interpolated_transition(states, steps.state, ended=ended, n_actions=actions.size),
        reference_mass=mass,
        rho=rho,
        initial_policy=np.tile(mass, (states.size, 1)),
        title=name,
        rewards=True,
    )


def _of_labels(
    env: Any,
    discount: float,
    temperature: float,
    states: Grid | None,
    actions: Grid | None,
    rho: FloatArray | None,
    repeat: int,
) -> GridMDP:
    """The grid problem of an environment of finitely many actions."""
    name, finite = name_of(env), isinstance(env.observation_space, gymnasium().spaces.Discrete)
    actions = label_grid(env) if actions is None else actions
    check_labels_of(env, actions)
    if hasattr(env.unwrapped, "P"):
        if repeat > 1:
            raise ProblemError(
                f"environment {name}: repeat = {repeat}, but its table is of the outcomes of single steps"
            )
        return table_problem(env, discount=discount, temperature=temperature, states=states, actions=actions, rho=rho)
    if states is None and not finite:
        raise ProblemError(f"environment {name}: the grid of its states is needed, states=Grid(...)")
    called = CalledEnvironment(env, action_maker(env))
    step, discount_of_decision = repeated(called.step, repeat, discount), discount**repeat
    if not finite:
        assert states is not None
        if states.dim != called.dim:
            raise ProblemError(
                f"environment {name}: its state has {called.dim} numbers, the grid of states {states.dim} axes"
            )
        _refuse_if_too_large(name, states, actions)
        steps = _all_pairs(step, states, actions)
        law = _law(states, called.first_states(), smoothed=True) if rho is None else rho
        return _interpolated(name, steps, states, actions, discount_of_decision, temperature, law)
    grid = states_of_table(env, states)
    _refuse_if_too_large(name, grid, actions)
    steps = _all_pairs(step, numbered_states(grid.size), actions)
    law = frequencies(env, grid.size) if rho is None else rho
    return finite_problem(
        name,
        step_table(name, steps),
        steps.reward,
        steps.terminated.astype(np.float64),
        law,
        grid,
        actions,
        discount_of_decision,
        temperature,
    )


def _boxes(space: Any) -> tuple[Box, ...]:
    """Axes of a box of actions, in C order of its entries."""
    ends = list(zip(np.ravel(space.low).tolist(), np.ravel(space.high).tolist(), strict=True))
    names = ["action"] if len(ends) == 1 else [f"action_{k}" for k in range(len(ends))]
    return tuple(Box(name, low, high, "no-flux") for name, (low, high) in zip(names, ends, strict=True))


def _sizes(
    name: str, state_boxes: Sequence[Box], action_boxes: Sequence[Box], cells: Mapping[str, int]
) -> dict[str, int]:
    """Numbers of cells of all axes to be made."""
    sizes = {box.name: STATE_CELLS for box in state_boxes} | {box.name: ACTION_CELLS for box in action_boxes}
    unknown = sorted(set(cells) - set(sizes))
    if unknown:
        choices = f"choose among {', '.join(sizes)}" if sizes else "all its axes are given as grids"
        near = did_you_mean(unknown[0], sizes)
        raise ProblemError(f"environment {name}: cells for {', '.join(unknown)}; {choices}{near}")
    return {**sizes, **cells}


def _grid(boxes: Sequence[Box], sizes: Mapping[str, int]) -> Grid:
    return Grid(tuple(uniform_axis(box.name, box.lower, box.upper, sizes[box.name], box.boundary) for box in boxes))


def _all_pairs(step: Step, states: Grid, actions: Grid) -> Steps:
    """Steps of all pairs: next states (S, A, dim), rewards and terminations (S, A)."""
    shape = (states.size, actions.size)
    found = Steps(np.empty((*shape, states.dim)), np.empty(shape), np.empty(shape, dtype=np.bool_))
    for start, stop in state_chunks(*shape):
        rows = stop - start
        steps = step(np.repeat(states.points[start:stop], actions.size, axis=0), np.tile(actions.points, (rows, 1)))
        for table, values in zip(found, steps, strict=True):
            table[start:stop] = values.reshape(rows, actions.size, *values.shape[1:])
    return found


def _law(states: Grid, first_states: FloatArray, *, smoothed: bool) -> FloatArray:
    """Law on the points of evenly weighted states, each shared among the points around it.

    A sample of n states in d dimensions is smoothed on every axis, or the law would be a histogram, zero between its
    states: normal kernels of b standard deviations, b = n^(-1/(d + 4)) (Scott, Multivariate Density Estimation, 1992),
    about states drawn towards their mean by sqrt(1 - b²), so that means and variances stay those of the sample.
    """
    if not smoothed:
        points, weights = hat_weights(states, first_states)
        shared = np.bincount(points.ravel(), weights=weights.ravel(), minlength=states.size)
        return np.asarray(shared / shared.sum())
    if states.reflection is not None:
        return masses_on(states, lambda whole: _law(whole, first_states, smoothed=True))
    n, dim = first_states.shape
    b = n ** (-1.0 / (dim + 4.0))
    mean = first_states.mean(axis=0)
    centres, spreads = mean + np.sqrt(1.0 - b**2) * (first_states - mean), b * first_states.std(axis=0)
    factors = [hat_means(axis, y, float(s)) for axis, y, s in zip(states.axes, centres.T, spreads, strict=True)]
    # the mean over the sample of products over the axes, as one product of two halves
    first, second = (_products(half, n) for half in (factors[: dim // 2], factors[dim // 2 :]))
    law = (first.T @ second).ravel()
    return np.asarray(law / law.sum())


def _products(factors: Sequence[FloatArray], n: int) -> FloatArray:
    """Products over several axes, row by row: (n, c_0 c_1 ...)."""
    out = np.ones((n, 1))
    for factor in factors:
        out = (out[:, :, None] * factor[:, None, :]).reshape(n, -1)
    return out
