"""An agent's value, Q or policy held against the truth.

    value      v(s) - V*(s): mean, mean size, root mean square, largest; how many exceed the band and by how much
    q          the same over all pairs
    policy     put on the grid and evaluated there with the same correction: J(agent) - J(optimal policy), J the
               discounted costs without entropy, and the certified V(agent) - V* of the grid problem, with it

A deterministic action between two points of an axis is put there with the probabilities that keep its mean.  The
difference of two values of one grid has far less of the grid's error than either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wpoflow.core.arrays import FloatArray, real_array, underflow_to_zero
from wpoflow.core.brief import briefly
from wpoflow.grids.cubic.map import CubicMap
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions.cubic import cubic_expectation
from wpoflow.solver.bellman.evaluation import evaluate, suboptimality
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.corrected.value import Corrected, solve_corrected
from wpoflow.solver.mdp import GridMDP
from wpoflow.studies.truth.truth import Truth, folded_places

Function = Callable[[FloatArray], ArrayLike]
NO_ENTROPY = 0.0


@briefly
@dataclass(frozen=True, eq=False)
class Errors:
    """Of an agent's numbers against the truth.

    Attributes
    ----------
    mean, mean_size, root_mean_square, largest : float
        Of the error.
    beyond_band : float
        Share of the states at which its size exceeds the band: where it is the agent's, and not the grid's.
    certain : float
        Mean of what exceeds the band.
    """

    mean: float
    mean_size: float
    root_mean_square: float
    largest: float
    beyond_band: float
    certain: float


@briefly
@dataclass(frozen=True, eq=False)
class Regret:
    """Of an agent's policy.

    Attributes
    ----------
    cost : array (n,)
        Discounted costs, without entropy, beyond those of the optimal policy, at the states of the truth; corrected.
        The soft-optimal policy pays for its entropy, so that a better one may be negative by about tau/(1 - gamma).
    soft : array (n,)
        V^pi - V* of the grid problem with its entropy, not negative.
    optimal_cost : array (n,)
        Discounted costs of the optimal policy.
    """

    cost: FloatArray
    soft: FloatArray
    optimal_cost: FloatArray


@briefly
@dataclass(frozen=True, eq=False)
class Score:
    """What is known of an agent; None of what was not given."""

    value: Errors | None = None
    q: Errors | None = None
    regret: Regret | None = None


@underflow_to_zero
def score(
    truth: Truth,
    *,
    value: Function | ArrayLike | None = None,
    q: Function | ArrayLike | None = None,
    policy: Function | ArrayLike | None = None,
) -> Score:
    """Hold an agent against the truth.

    Parameters
    ----------
    truth : Truth
        From `wpoflow.truth`.
    value : array (n,), or function of states (n, dim), optional
        The agent's value, of the problem's objective: costs, or where it is stated by rewards the sum maximised.
    q : array (n, A), or function of states (n, dim), optional
        The agent's Q at the action points of the grid.
    policy : array (S, A), or function of states (S, dim), optional
        Cell probabilities, or actions (S, d), (S,) where there is one axis, at the points of the grid.

    Raises
    ------
    ValueError
        Nothing to score, an array of the wrong shape or not finite, probabilities that are none, an action outside of
        its box or between labels; names the state.
    """
    if value is None and q is None and policy is None:
        raise ValueError("nothing to score: give value, q or policy")
    sign = -1.0 if truth.mdp.rewards else 1.0
    n = len(truth.states)
    found_value = found_q = regret = None
    if value is not None:
        found_value = errors_of(sign * _numbers("value", value, truth.states, (n,)) - truth.value, truth.value_band)
    if q is not None:
        numbers = _numbers("q", q, truth.states, truth.q.shape)
        found_q = errors_of(sign * numbers - truth.q, truth.value_band[:, None])
    if policy is not None:
        regret = _regret(truth, policy_on_grid(truth.mdp, policy))
    return Score(found_value, found_q, regret)


def errors_of(error: FloatArray, band: FloatArray) -> Errors:
    """Statistics of errors against a band of the same, or one more, number of axes."""
    size = np.abs(error)
    beyond = np.maximum(size - band, 0.0)
    return Errors(
        mean=float(error.mean()),
        mean_size=float(size.mean()),
        root_mean_square=float(np.sqrt((error**2).mean())),
        largest=float(size.max()),
        beyond_band=float((beyond > 0.0).mean()),
        certain=float(beyond.mean()),
    )


def _numbers(name: str, given: Function | ArrayLike, states: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """An array, or what a function gives at the states."""
    numbers = np.array(real_array(given(states.copy()) if callable(given) else given, name))
    if numbers.shape == (*shape, 1):
        numbers = numbers[..., 0]
    if numbers.shape != shape:
        raise ValueError(f"{name} has shape {numbers.shape}; it must be {shape}")
    if not np.all(np.isfinite(numbers)):
        row = int(np.argwhere(~np.isfinite(numbers))[0][0])
        raise ValueError(f"{name} is not finite at state {row}")
    return numbers


def policy_on_grid(mdp: GridMDP, given: Function | ArrayLike) -> FloatArray:
    """Cell probabilities (S, A) of a policy that is given by them, or by its actions at the points of the grid."""
    points = mdp.states.points
    array = np.array(real_array(given(points.copy()) if callable(given) else given, "policy"))
    if array.shape == mdp.cost.shape:
        mdp.check_policy(array)
        return array
    if array.ndim == 1:
        array = array[:, None]
    if array.shape != (mdp.states.size, mdp.actions.dim):
        shapes = f"{mdp.cost.shape} for probabilities or {(mdp.states.size, mdp.actions.dim)} for actions"
        raise ValueError(f"policy has shape {array.shape}; it must be {shapes}")
    return placed_actions(mdp.states, mdp.actions, array)


def placed_actions(states: Grid, actions: Grid, given: FloatArray) -> FloatArray:
    """Probabilities (S, A) of the points around actions (S, d), with these as their mean.

    Raises
    ------
    ValueError
        An action outside of its box, not finite, or between two labels; names the state.
    """
    out = np.ones((len(given), 1))
    for j, axis in enumerate(actions.axes):
        y, x = axis.points, given[:, j]
        wrong = ~np.isfinite(x) | (x < axis.lower) | (x > axis.upper)
        if axis.labels:
            wrong = ~np.isin(x, y)
        if wrong.any():
            row = int(wrong.argmax())
            valid = (
                f"the number of one of its {axis.size} labels"
                if axis.labels
                else f"in [{axis.lower:g}, {axis.upper:g}]"
            )
            raise ValueError(f"policy at {states.describe(row)}: {axis.name} = {x[row]:g}; it must be {valid}")
        along = np.zeros((len(given), axis.size))
        rows = np.arange(len(given))
        if axis.size == 1:
            along[:] = 1.0
        else:
            low = np.clip(np.searchsorted(y, x, side="right") - 1, 0, axis.size - 2)
            w = np.clip((x - y[low]) / (y[low + 1] - y[low]), 0.0, 1.0)
            along[rows, low] = 1.0 - w
            along[rows, low + 1] += w
        out = (out[:, :, None] * along[:, None, :]).reshape(len(given), -1)
    return out


def _regret(truth: Truth, policy: FloatArray) -> Regret:
    mdp = truth.mdp
    at = CubicMap.at(mdp.states, folded_places(mdp.states, truth.states)[0])

    def at_states(x: FloatArray) -> FloatArray:
        return at.expect(x, np.empty((len(truth.states), 1)))[:, 0]

    best = solve_optimum(mdp)
    own = evaluate(mdp, policy)
    gap = suboptimality(mdp, policy, best.q, own.system)
    cubic = cubic_expectation(mdp.transition)
    costs = Corrected(mdp.cost, mdp.transition, mdp.discount, NO_ENTROPY, mdp.log_mass, cubic)
    paid, least = (
        solve_corrected(costs, begun, p).value
        for begun, p in ((own.value, policy), (best.value, truth.solution.policy))
    )
    return Regret(cost=at_states(paid - least), soft=at_states(gap), optimal_cost=at_states(least))
