"""Scheme ``euler``: one descent step at a time, order one, unconditionally descending.

With a fixed step it is the descent step itself.  With an accuracy each step is two half steps, Q
refreshed in between, and the whole step made beside them gives the error; the result is then
still a composition of descent steps.  Of logarithmic flows the state is ln p.
"""

from __future__ import annotations

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import Evaluation
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.mixture import log_of
from wpoflow.solver.schemes.scheme import LogState, PlainState, Problem, Ring, Scheme, State, Trial, values

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
        out, log_p, log_out = self._ring.free(policy), None, None
        if isinstance(state, LogState):
            log_p, log_out = state.log_policy, self._logs.free(state.log_policy)
        if control is None:
            self._descent_steps(policy, known, state.time, dt, 1, out, log_p, log_out)
            return Trial(self._following(state, dt, out, log_out, state.size), state)
        substeps.tolerance = control.start(policy, known)
        whole = self._ring.free(policy, out)
        log_whole = None if log_p is None or log_out is None else self._logs.free(log_p, log_out)
        self._descent_steps(policy, known, state.time, dt, 1, whole, log_p, log_whole)
        self._descent_steps(policy, known, state.time, dt, 2, out, log_p, log_out)
        ratio = control.ratio(out, whole, policy)
        factor = min(GROWTH, max(SHRINKING, SAFETY / max(ratio, 1e-12))) if ratio == ratio else SHRINKING
        # a step cut short to land on a time says nothing against the size it was cut from
        size = max(state.size, factor * dt) if factor >= 1.0 else factor * dt
        return Trial(self._following(state, dt, out, log_out, size), state._replace(size=factor * dt), ratio)

    def descend(self, trial: Trial, flow: Flow, q: FloatArray, dt: float) -> FloatArray:
        """See `Scheme`."""
        if isinstance(trial.state, LogState) and isinstance(trial.retry, LogState):
            before, after = trial.retry.log_policy, trial.state
            return flow.log_step(before, q, dt, after.log_policy, after.policy)
        return super().descend(trial, flow, q, dt)

    def _descent_steps(
        self,
        policy: FloatArray,
        known: Evaluation,
        time: float,
        dt: float,
        count: int,
        out: FloatArray,
        log_p: FloatArray | None,
        log_out: FloatArray | None,
    ) -> None:
        logs = None if log_p is None or log_out is None else (log_p, log_out)
        self.problem.substeps(policy, known, time, dt, count, out, logs)

    @staticmethod
    def _following(state: State, dt: float, out: FloatArray, log_out: FloatArray | None, size: float) -> State:
        logs = {} if log_out is None else {"log_policy": log_out}
        following: State = state._replace(policy=out, evaluation=None, size=size, time=state.time + dt, **logs)
        return following
