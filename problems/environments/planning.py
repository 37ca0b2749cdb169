"""What a plan is made by: a model of the steps, and a value at its end.

A plan of n decisions, each an action held for h steps of the discount γ, is judged by

    Σ_{j < n} Γ^j C(s_j, a_j) + Γ^n V(s_n),      C = Σ_{i < h} γ^i c,      Γ = γ^h,

with V multilinear between the grid's points, and nothing after a step that terminates.  Only V is the grid's: the steps
are not interpolated, so that what interpolation adds to every decision of the grid problem is paid once, at the end,
times Γ^n.

Of a decision of the grid problem, which may be of other length, the discount alone is known where it was stated in
Python.  How many steps it takes is found by trying: with the right number, and the right model, cost and value after a
decision make up the Q that is stored (`steps_of_decision`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from wpoflow.core.arrays import FloatArray, real_array
from wpoflow.core.text import did_you_mean
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import TabulatedTransition
from wpoflow.problems.environments.hats import hat_weights
from wpoflow.problems.environments.models import Step, Steps, repeated
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.hold import check_steps

MODELS = ("problem", "environment")
MOST_TRIED = 16  # steps of a decision
_PAIRS_TRIED = 64
_AGREES = 1e-6  # of the largest Q
_CHUNK = 1 << 16

OwnStep = Callable[[FloatArray, FloatArray], tuple[ArrayLike, ArrayLike, ArrayLike]]
"""A user's steps: from states (n, dim) and actions (n, d) to next states, rewards (n,), and which ended, (n,)."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What all plans may be told.

    Parameters
    ----------
    hold : int, optional
        Steps of the environment that each action of the plan is held for; by default those of a decision of the
        problem.
    repeat : int, optional
        Steps of a decision of the problem, where its file does not say it and its Q does not show it.
    model : {"problem", "environment"}, optional
        Whose steps: those the problem states, or those of the environment that is played.  By default the problem's,
        and the environment's where they are not known.
    """

    hold: int | None = None
    repeat: int | None = None
    model: str = ""

    def __post_init__(self) -> None:
        for name, steps in (("hold", self.hold), ("repeat", self.repeat)):
            if steps is not None:
                check_steps(name, steps)
        if self.model and self.model not in MODELS:
            near = did_you_mean(self.model, MODELS)
            raise ValueError(f"model {self.model!r}; choose one of {', '.join(MODELS)}{near}")


class Table(NamedTuple):
    """A problem of rows P(. | s, a): cost (S, A) and transition."""

    cost: FloatArray
    transition: TabulatedTransition


@dataclass(frozen=True, eq=False)
class Prospect:
    """What is known of the problem that a policy was solved for.

    Attributes
    ----------
    value : array (S,)
        Of the policy, or the optimal one.
    discount, temperature : float
        Of a decision.
    log_mass : array (A,)
        Logarithms of the reference measure.
    optimum : tuple of arrays (S,) and (S, A) and a float, optional
        Optimal value, Q, and the residual between them, by which the steps of a model are recognised.
    problem : str
        Text of the problem file that states it; empty if none does.
    table : Table, optional
        Its rows, where it has them.
    step : callable, optional
        Steps that a user gave: of the states and actions of the grids.
    repeat : int, optional
        Steps of a decision, where it is known.
    ending : callable, optional
        Values (n,) at states (n, dim), at which plans end instead of the value on the grid.
    """

    value: FloatArray
    discount: float
    temperature: float
    log_mass: FloatArray
    optimum: tuple[FloatArray, FloatArray, float] | None = None
    problem: str = ""
    table: Table | None = None
    step: Step | None = None
    repeat: int | None = None
    ending: Callable[[FloatArray], FloatArray] | None = None


@dataclass(frozen=True, eq=False)
class Model:
    """How states move, and what that costs.

    Attributes
    ----------
    decide : callable
        From how many steps an action is held for to `Step` of such decisions.
    discount : float
        Of a step.
    repeat : int
        Steps of a decision of the grid problem.
    words : str
        What it is.
    """

    decide: Callable[[int], Step]
    discount: float
    repeat: int
    words: str


@dataclass(frozen=True, eq=False)
class GridValue:
    """The value at states (n, dim), multilinear between the points of a grid."""

    states: Grid
    value: FloatArray

    def __call__(self, states: FloatArray) -> FloatArray:
        """Values (n,).

        Raises
        ------
        ValueError
            A state that is not finite, as where the steps of a plan diverge.
        """
        if not np.all(np.isfinite(states)):
            raise ValueError("plan: a step of it leads to a state that is not finite")
        found = np.empty(len(states))
        for start in range(0, len(states), _CHUNK):
            points, weights = hat_weights(self.states, states[start : start + _CHUNK])
            total = np.zeros(len(points))
            for corner in range(points.shape[1]):  # one after the other: the same bits for any number of states
                total += weights[:, corner] * self.value[points[:, corner]]
            found[start : start + _CHUNK] = total
        return found


@dataclass(frozen=True, eq=False)
class Decisions:
    """Held decisions, and what may follow them.

    Attributes
    ----------
    step : callable
        One decision, its rewards discounted within.
    discount : float
        Γ, from decision to decision.
    value : callable
        Values (n,) at states (n, dim).
    """

    step: Step
    discount: float
    value: Callable[[FloatArray], FloatArray]


def as_steps(step: OwnStep) -> Step:
    """A user's steps, checked as they are made: next states (n, dim), rewards (n,), whether they end, (n,)."""

    def checked(states: FloatArray, actions: FloatArray) -> Steps:
        following, reward, ended = step(states, actions)
        found = Steps(
            real_array(following, "next states of the steps given"),
            real_array(reward, "rewards of the steps given"),
            np.asarray(ended, dtype=np.bool_),
        )
        for name, array, shape in zip(
            found._fields, found, (states.shape, states.shape[:1], states.shape[:1]), strict=True
        ):
            if array.shape != shape:
                raise ValueError(f"plan: {name} of the steps given has shape {array.shape}; expected {shape}")
        return found

    return checked


def stepped_model(step: Step, prospect: Prospect, states: Grid, actions: Grid, words: str) -> Model:
    """The model of single steps, once it is known how many of them a decision takes.

    Raises
    ------
    ProblemError
        That was not said, and no number up to `MOST_TRIED` makes the stored Q.
    """
    repeat = prospect.repeat
    if repeat is None:
        repeat = steps_of_decision(step, prospect, states, actions, words)
    discount = prospect.discount ** (1.0 / repeat)
    return Model(lambda hold: repeated(step, hold, discount), discount, repeat, words)


def steps_of_decision(step: Step, prospect: Prospect, states: Grid, actions: Grid, words: str) -> int:
    """How many steps a decision of the grid problem takes, by the Q it was solved to."""
    hint = "say with repeat= how many steps a decision of the problem takes"
    if prospect.optimum is None:
        raise ProblemError(f"plan: no optimum is known that {words} could be held against; {hint}")
    value, q, residual = prospect.optimum
    states_tried = np.linspace(0, states.size - 1, min(_PAIRS_TRIED, states.size)).astype(np.int64)
    actions_tried = np.arange(len(states_tried)) % actions.size
    stored = q[states_tried, actions_tried]
    allowed = _AGREES * max(1.0, float(np.abs(stored).max())) + 2.0 * residual
    at, going = states.points[states_tried], np.ones(len(states_tried), dtype=np.bool_)
    taken, paid, off = actions.points[actions_tried], [], np.inf
    after = GridValue(states, value)
    for steps in range(1, MOST_TRIED + 1):
        found = step(at[going], taken[going])
        reward = np.zeros(len(at))
        at = at.copy()
        at[going], reward[going] = found.state, found.reward
        going[going] = ~found.terminated
        paid.append(reward)
        discount = prospect.discount ** (1.0 / steps)
        made = -sum(discount**j * one for j, one in enumerate(paid))
        made[going] += prospect.discount * after(at[going])
        off = min(off, float(np.abs(made - stored).max()))
        if off <= allowed:
            return steps
    raise ProblemError(
        f"plan: decisions of 1 to {MOST_TRIED} steps of {words} are not those of the problem its value is of: "
        f"Q is off by {off:.2g} at least; if a plan with them is wanted all the same, {hint}"
    )
