"""Scheme ``euler``: one descent step at a time, order one, unconditionally descending.

With a fixed step it is the descent step itself.  With an accuracy each step is two half steps, Q
refreshed in between, and the whole step made beside them gives the error; the result is then
still a composition of descent steps.  Of logarithmic flows the state is ln p, of flows of parameters these.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import Evaluation
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.mixture import log_of
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.solver.schemes.scheme import (
    Arrays,
    LogState,
    ParametricState,
    PlainState,
    Problem,
    Ring,
    Scheme,
    State,
    Trial,
    values,
)

GROWTH = 4.0
SHRINKING = 0.1
SAFETY = 0.8


class EulerScheme(Scheme):
    """First-order descent steps, of fixed or controlled size."""

    name = "euler"
    order = 1
    monotone = True
    annealed = True
    pair_arrays = (6, 9)
    log_arrays = (3, 3)
    work = (1, 1)
    call_seconds = 1.5e-4

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        shape, count = problem.mdp.initial_policy.shape, 2 if problem.control is None else 3
        self._ring = Ring(shape, count)
        self._logs = Ring(shape, count if problem.flow.logarithmic else 0)
        if problem.flow.logarithmic:
            self.borrowed = ("policy", "log_policy")
        if isinstance(problem.flow, ParametricFlow):
            self.borrowed = ("policy", "parameters")

    def init(self, policy: FloatArray, evaluation: Evaluation | None) -> PlainState | LogState:
        """See `Scheme`."""
        size = self.problem.first_step
        if not self.problem.flow.logarithmic:
            return PlainState(policy, evaluation, size)
        return LogState(policy, evaluation, size, log_of(policy))

    def fit(self, state: State, remaining: float) -> float:
        """See `Scheme`; a step that belongs to the algorithm is never shortened."""
        return state.size if self.problem.flow.own_step else super().fit(state, remaining)

    def trial(self, state: State, dt: float) -> Trial:
        """See `Scheme`."""
        control, substeps, policy, known = self.problem.control, self.problem.substeps, state.policy, values(state)
        out, (before, after, other) = self._ring.free(policy), self._beside(state)
        if control is None:
            self._descent_steps(state, known, dt, 1, out, before, after)
            return Trial(self._following(state, dt, out, after, state.size), state)
        substeps.tolerance = control.start(policy, known)
        whole = self._ring.free(policy, out)
        self._descent_steps(state, known, dt, 1, whole, before, other)
        self._descent_steps(state, known, dt, 2, out, before, after)
        ratio = control.ratio(out, whole, policy)
        factor = min(GROWTH, max(SHRINKING, SAFETY / max(ratio, 1e-12))) if ratio == ratio else SHRINKING
        # a step cut short to land on a time says nothing against the size it was cut from
        size = max(state.size, factor * dt) if factor >= 1.0 else factor * dt
        return Trial(self._following(state, dt, out, after, size), state._replace(size=factor * dt), ratio)

    def descend(self, trial: Trial, flow: Flow, q: FloatArray, dt: float) -> FloatArray:
        """See `Scheme`."""
        if isinstance(trial.state, LogState) and isinstance(trial.retry, LogState):
            before, after = trial.retry.log_policy, trial.state
            return flow.log_step(before, q, dt, after.log_policy, after.policy)
        return super().descend(trial, flow, q, dt)

    def _beside(self, state: State) -> tuple[FloatArray | None, FloatArray | None, FloatArray | None]:
        """What the flow is followed in if not in p, of a state, and two arrays for the results of steps."""
        if isinstance(state, LogState):
            before = state.log_policy
            after = self._logs.free(before)
            return before, after, None if self.problem.control is None else self._logs.free(before, after)
        if isinstance(state, ParametricState):
            before = state.parameters
            return before, np.empty_like(before), None if self.problem.control is None else np.empty_like(before)
        return None, None, None

    def _descent_steps(
        self,
        state: State,
        known: Evaluation,
        dt: float,
        count: int,
        out: FloatArray,
        before: FloatArray | None,
        after: FloatArray | None,
    ) -> None:
        beside = None if before is None or after is None else (before, after)
        number = state.number if isinstance(state, ParametricState) else 0
        self.problem.substeps(state.policy, known, state.time, dt, count, out, beside, number)

    @staticmethod
    def _following(state: State, dt: float, out: FloatArray, after: FloatArray | None, size: float) -> State:
        more: Arrays = {}
        if isinstance(state, LogState):
            more = {"log_policy": after}
        elif isinstance(state, ParametricState):
            more = {"parameters": after, "number": state.number + 1}
        following: State = state._replace(policy=out, evaluation=None, size=size, time=state.time + dt, **more)
        return following
