"""Scheme ``runge-kutta``: the pair of orders five and four of Dormand & Prince (1980), for parameters.

A flow of parameters is an ordinary differential equation of few numbers a state, y' = v(y, Q^p(y)), and not stiff: its
rates are those of the curvature of Q, not of the cells.  Every stage makes p of its y and evaluates it, so that Q is
never frozen; of the seven stages the last is the first of the next step, so that a step costs six Bellman evaluations.

The error is that of p, between the results of both orders, against what is allowed of it by
`solver.schemes.error_control`; with a fixed step the scheme is of order five.  Where V would rise at some state the
step is repeated shorter and, at last, as the flow's own descent step.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.grid import Grid
from wpoflow.solver.bellman.evaluation import Evaluation
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.solver.schemes.scheme import ParametricState, Problem, Ring, Scheme, State, Trial, values

STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
)
FIFTH = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
FOURTH = (5179 / 57600, 0.0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40)
ORDER_OF_ERROR = 4  # beyond that of the progress it is held against
GROWTH = 5.0
SHRINKING = 0.1
SAFETY = 0.9


class RungeKuttaScheme(Scheme):
    """Explicit steps of order five, of fixed or controlled size."""

    name = "runge-kutta"
    order = 5
    automatic = True
    annealed = True
    borrowed = ("policy", "parameters")
    pair_arrays = (12, 14)
    work = (7, 12)
    call_seconds = 1e-3

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        if not (isinstance(problem.flow, ParametricFlow) and problem.flow.smooth):
            raise ValueError(
                f"scheme {self.name!r}: the {problem.flow.name} flow as it is given has steps alone; give euler"
            )
        shape = problem.mdp.initial_policy.shape
        self._ring, self._inner = Ring(shape, 2), np.empty(shape)
        self._slopes: list[FloatArray] = []

    @staticmethod
    def obstacle(actions: Grid, flow: type[Flow]) -> str:
        """See `Scheme`."""
        smooth = issubclass(flow, ParametricFlow) and flow.smooth
        return "" if smooth else "is for flows of parameters that follow a differential equation"

    def trial(self, state: State, dt: float) -> Trial:
        """See `Scheme`."""
        assert isinstance(state, ParametricState)
        control, start = self.problem.control, state.parameters
        known = values(state)
        tolerance = 0.0 if control is None else control.start(state.policy, known)
        slopes = [self._velocity(start, known, state.time)]
        for weights in STAGES:
            inner = self._combined(start, slopes, weights, dt)
            slopes.append(self._evaluated(inner, known, state.time + dt * sum(weights), tolerance))
        parameters = self._combined(start, slopes, FIFTH, dt)
        out = self._ring.free(state.policy)
        after = ParametricState(out, None, state.size, parameters, state.number + 1, state.time + dt)
        self._flow(after.time).project(parameters, out)
        self._slopes = slopes
        return Trial(after, state)

    def finish(self, trial: Trial, dt: float, evaluation: Evaluation | None) -> Trial:
        """The last stage, at the end of the step, which the error needs."""
        after, before, control = trial.state, trial.retry, self.problem.control
        assert isinstance(after, ParametricState)
        assert isinstance(before, ParametricState)
        assert evaluation is not None
        after = after._replace(evaluation=evaluation)
        if control is None:
            return trial._replace(state=after)
        last = self._velocity(after.parameters, evaluation, after.time)
        other = self._combined(before.parameters, [*self._slopes, last], FOURTH, dt)
        self._flow(after.time).project(other, self._inner)
        ratio = control.ratio(after.policy, self._inner, before.policy)
        factor = SHRINKING
        if np.isfinite(ratio):
            factor = min(GROWTH, max(SHRINKING, SAFETY * max(ratio, 1e-12) ** (-1.0 / ORDER_OF_ERROR)))
        # a step cut short to land on a time says nothing against the size it was cut from
        size = max(before.size, factor * dt) if factor >= 1.0 else factor * dt
        shorter = before._replace(size=min(factor, 0.7) * dt)
        return Trial(after._replace(size=size), shorter, ratio)

    def _flow(self, time: float) -> ParametricFlow:
        flow = self.problem.tempered.at(time).flow
        assert isinstance(flow, ParametricFlow)
        return flow

    def _velocity(self, parameters: FloatArray, known: Evaluation, time: float) -> FloatArray:
        mdp = self.problem.tempered.mdp(time)
        return self._flow(time).velocity(parameters, known.at(mdp).q, np.empty_like(parameters))

    def _evaluated(self, parameters: FloatArray, known: Evaluation, time: float, tolerance: float) -> FloatArray:
        """Velocity at parameters of a policy that is not evaluated yet."""
        policy, mdp = self._flow(time).project(parameters, self._inner), self.problem.tempered.mdp(time)
        return self._velocity(parameters, self.problem.substeps.evaluate(policy, known.value, tolerance, mdp), time)

    @staticmethod
    def _combined(start: FloatArray, slopes: list[FloatArray], weights: tuple[float, ...], dt: float) -> FloatArray:
        """y + dt sum of weighted slopes."""
        out = np.array(start)
        for weight, slope in zip(weights, slopes, strict=True):
            out += dt * weight * slope
        return out
