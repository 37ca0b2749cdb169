"""Look-ahead of depth d: exact backups of the value over all sequences of d actions of the grid.

    Q_1(s, a) = C(s, a) + Γ V(s'),      Q_d(s, a) = C(s, a) + Γ V_{d-1}(s'),      s' = f(s, a),

    V_k(s) = −τ ln Σ_a m_a e^{−Q_k(s, a)/τ},   or at τ = 0   min_a Q_k(s, a),

where V is the value on the grid, between whose points s' lies, and f a model of the steps.  V_d is d applications of
the Bellman operator of the model to V, so that |V_d − V*| ≤ Γ^d |V − V*|: with V = 0 the optimum of d decisions, and
with the model's own V* any depth has the optimal action.  On the grid V is no truth: every deeper level takes one
interpolation out of it.

At τ > 0 actions follow the Gibbs policy of Q_d, by whichever mode of acting; at τ = 0 the action is the cell point of
least Q_d, the first of several.  V is multilinear, and a minimum over actions may jump to and fro at its kinks.

Of a problem of finitely many states with rows P(. | s, a), whose steps may be random, the same backups are made on
the grid, once for all states.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wpoflow.core.arguments import real_number
from wpoflow.core.arrays import FloatArray
from wpoflow.core.brief import briefly
from wpoflow.grids.interpolation import state_chunks
from wpoflow.problems.environments.planning import Decisions, Plan, Table
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.hold import check_steps
from wpoflow.solver.entropy import gibbs_policy, soft_minimum
from wpoflow.solver.records.series import LEAST_TEMPERATURE

MOST_SEQUENCES = 100_000


@briefly
@dataclass(frozen=True)
class LookAhead(Plan):
    """Act by looking some decisions ahead.

    Parameters
    ----------
    depth : int
        Decisions looked ahead, over all sequences of the grid's actions; at most 100,000 of these.
    temperature : float, optional
        Of the backups and of the policy that is acted by; by default that of the problem, and zero is a plain minimum.
    hold, repeat : int, optional
        Steps of the environment that each action of the plan is held for, by default those of a decision of the
        problem; and the latter, where the problem's file does not say it and its Q does not show it.
    model : {"problem", "environment"}, optional
        Whose steps: those the problem states, or those of the environment that is played.  By default the problem's,
        and the environment's where they are not known.

    Raises
    ------
    ValueError
        A depth, hold or repeat that is no number of steps, a negative temperature, an unknown model.
    """

    depth: int = 1
    temperature: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_steps("depth", self.depth)
        if self.temperature is not None:
            temperature = real_number("temperature", self.temperature)
            if not (temperature == 0.0 or LEAST_TEMPERATURE <= temperature < np.inf):
                raise ValueError(
                    f"temperature {temperature} must be finite and not negative; 0, or {LEAST_TEMPERATURE:g} at least"
                )

    def check_actions(self, count: int) -> None:
        """Raise ProblemError where there are too many sequences of so many actions."""
        if count**self.depth > MOST_SEQUENCES:
            raise ProblemError(
                f"look-ahead of depth {self.depth} over {count} actions has {count**self.depth:,} sequences, more than "
                f"{MOST_SEQUENCES:,}; look less far ahead, or plan by samples"
            )


def backed_up(
    decisions: Decisions, actions: FloatArray, log_mass: FloatArray, temperature: float, states: FloatArray, depth: int
) -> FloatArray:
    """Q_d of the actions (A, a) at states (n, dim): (n, A)."""
    q = np.empty((len(states), len(actions)))
    for start, stop in state_chunks(len(states), len(actions)):
        rows = states[start:stop]
        found = decisions.step(np.repeat(rows, len(actions), axis=0), np.tile(actions, (len(rows), 1)))
        going, after = ~found.terminated, np.zeros(len(found.reward))
        reached = found.state[going]
        if depth == 1:
            after[going] = decisions.value(reached)
        elif len(reached):
            deeper = backed_up(decisions, actions, log_mass, temperature, reached, depth - 1)
            after[going] = least(deeper, log_mass, temperature)
        q[start:stop] = (decisions.discount * after - found.reward).reshape(len(rows), -1)
    return q


def table_backed_up(
    table: Table, discount: float, log_mass: FloatArray, temperature: float, value: FloatArray, depth: int
) -> FloatArray:
    """Q_d of all pairs of a table, (S, A)."""
    for _ in range(depth):
        q = table.cost + discount * table.transition.expect(value)
        value = least(q, log_mass, temperature)
    return q


def least(q: FloatArray, log_mass: FloatArray, temperature: float) -> FloatArray:
    """Soft minimum over the actions, (n,); at temperature zero the least."""
    if temperature == 0.0:
        return np.asarray(q.min(axis=1))
    out = np.empty(len(q))
    soft_minimum(q, log_mass, temperature, out)
    return out


def acted_by(q: FloatArray, log_mass: FloatArray, temperature: float) -> FloatArray:
    """Probabilities of the actions, (n, A): the Gibbs policy, or at temperature zero all on the first of least Q."""
    p = np.zeros_like(q)
    if temperature == 0.0:
        p[np.arange(len(q)), q.argmin(axis=1)] = 1.0
    else:
        gibbs_policy(q, log_mass, temperature, p)
    return p
