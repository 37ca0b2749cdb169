"""A plan made for a policy: its model, value and actions brought together."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments.cross_entropy import CrossEntropy
from wpoflow.problems.environments.hats import hat_weights
from wpoflow.problems.environments.look_ahead import LookAhead, acted_by, backed_up, table_backed_up
from wpoflow.problems.environments.plan_models import model_of
from wpoflow.problems.environments.planning import Decisions, GridValue, Plan, Prospect, Table
from wpoflow.problems.errors import ProblemError


class Planner:
    """What a plan of some settings makes of states.

    Parameters
    ----------
    plan : LookAhead or CrossEntropy
    prospect : Prospect
    states, actions : Grid
        Of the policy.
    low, high : arrays (d,)
        Bounds of the actions.
    spare : callable, optional
        Makes a copy of the environment that is played.

    Raises
    ------
    ProblemError
        No steps to plan with (`plan_models.model_of`); too many sequences; labels planned by samples.
    """

    def __init__(
        self,
        plan: Plan,
        prospect: Prospect,
        states: Grid,
        actions: Grid,
        low: FloatArray,
        high: FloatArray,
        spare: Callable[[], Any] | None,
    ) -> None:
        self.plan, self.prospect, self.states, self.actions = plan, prospect, states, actions
        self.low, self.high = low, high
        if isinstance(plan, CrossEntropy):
            for axis in actions.axes:
                if axis.labels or axis.periodic:
                    kind = "labels" if axis.labels else "periodic"
                    raise ProblemError(
                        f"plan: action axis {axis.name} is {kind}; plans by samples need an interval, choose look-ahead"
                    )
        model = model_of(plan, prospect, states, actions, spare)
        value = prospect.ending or GridValue(states, prospect.value)
        self.table = model if isinstance(model, Table) else None
        if isinstance(model, Table):
            self.hold, self.words = 1, "the problem's table"
            if isinstance(plan, CrossEntropy):
                raise ProblemError("plan: the problem is a table of finitely many states; choose look-ahead")
            if plan.hold not in (None, 1):
                raise ProblemError(f"plan: hold = {plan.hold}, but the problem is a table, of single decisions")
            return
        self.hold, self.words = plan.hold or model.repeat, model.words
        self.decisions = Decisions(model.decide(self.hold), model.discount**self.hold, value)
        if isinstance(plan, LookAhead):
            plan.check_actions(actions.size)

    @property
    def description(self) -> str:
        """Of what steps plans are made, and how long their actions are held."""
        softness = ""
        if isinstance(self.plan, LookAhead):
            softness = f", temperature {self.temperature:.6g}" if self.temperature else ", plain minimum"
        return f"actions of {self.hold} {'step' if self.hold == 1 else 'steps'} of {self.words}{softness}"

    @property
    def temperature(self) -> float:
        """Of a look-ahead."""
        asked = self.plan.temperature if isinstance(self.plan, LookAhead) else None
        return self.prospect.temperature if asked is None else asked

    @cached_property
    def _of_table(self) -> FloatArray:
        assert self.table is not None
        assert isinstance(self.plan, LookAhead)
        known = self.prospect
        q = table_backed_up(self.table, known.discount, known.log_mass, self.temperature, known.value, self.plan.depth)
        return acted_by(q, known.log_mass, self.temperature)

    def probabilities(self, states: FloatArray) -> FloatArray:
        """Of the grid's actions at states (n, dim), by look-ahead: (n, A)."""
        assert isinstance(self.plan, LookAhead)
        if self.table is not None:
            points, weights = hat_weights(self.states, states)
            p = np.zeros((len(states), self.actions.size))
            for corner in range(points.shape[1]):
                p += weights[:, corner, None] * self._of_table[points[:, corner]]
            return p
        taken = np.clip(self.actions.points, self.low, self.high)
        log_mass = self.prospect.log_mass
        q = backed_up(self.decisions, taken, log_mass, self.temperature, states, self.plan.depth)
        return acted_by(q, log_mass, self.temperature)

    def followed(self, act: Callable[[FloatArray], FloatArray], states: FloatArray, horizon: int) -> FloatArray:
        """Actions (n, horizon, d) of a policy from states (n, dim), by the model; after an end the last goes on."""
        found = np.empty((len(states), horizon, self.actions.dim))
        going = np.arange(len(states))
        for j in range(horizon):
            found[:, j] = found[:, max(j - 1, 0)]
            if going.size:
                found[going, j] = act(states)
                steps = self.decisions.step(states, found[going, j])
                states, going = steps.state[~steps.terminated], going[~steps.terminated]
        return found
