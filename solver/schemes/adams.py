"""Scheme ``adams``: exponential Adams formulas of orders one to six for flows of logarithms, one evaluation a step.

The Fisher–Rao flow is linear in ln p but for Q, which is affine in V:

    d/dt ln p = -tau ln p + tau ln m - c - gamma P V + constant,

    p(t + dt) ∝ p(t)^x g^(1-x),    x = e^{-tau dt},    g the Gibbs policy of c + gamma P <V>,

<V> the average of V over the step with a weight that decays backwards (`solver.arithmetic.decaying_average`).  There V
is extrapolated by the polynomial through its values at the last d + 1 times: a formula of order d + 1 (Nørsett 1969,
doi:10.1007/BFb0060031; Hochbruck & Ostermann, Acta Numerica 2010, doi:10.1017/S0962492910000048), of which only values
(S,) are kept.  Every step is a mixture: positive, of mass one, in ln p, and exact where Q does not move.

Once V is known at the end, its difference D to the extrapolated one tells what the average left out: ln p is wrong by
at most

    e = (1 - x) gamma k/(2 tau) osc_a (P D)(s, .)

in a state, k a number of the formula, wherever its mass is: tails that are to carry the policy later are as accurate
as its bulk.  e is held to ``accuracy`` times the progress ||p' - p|| and the floor of rounding
(`solver.schemes.error_control`); the degree is the one that allows the longest next step.  Where V does not fall the
integrator takes mixtures with Q of their start instead.  Between the ends of a step the same formula gives the policy
at any time.

With a fixed step the order is four.  The first three steps, and those after a fall-back, have no past: there V of the
step is the cubic through its own values at four times within the step, found by four iterations from a constant,
each of which raises the order by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.brief import briefly
from wpoflow.grids.grid import Grid
from wpoflow.solver.arithmetic.decaying_average import DecayingAverage
from wpoflow.solver.arithmetic.extremes import oscillations
from wpoflow.solver.bellman.evaluation import Evaluation, q_of_value
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.mixture import log_of
from wpoflow.solver.flows.mixture_kernels import oscillation_of_rows, squared_progress
from wpoflow.solver.schemes.scheme import Problem, Ring, Scheme, State, Trial, values

HIGHEST_DEGREE = 5  # of the extrapolation of V
FIXED_DEGREE = 3
PARTS = 3  # of a step without a past: V at its ends and between them
SWEEPS = 4
GROWTH = 4.0
SHRINKING = 0.2
SAFETY = 0.8
BELLMAN_SHARE = 1e-3  # of the error that is allowed, left to the solver of V while a step is judged
FIRST_STEP = 0.1  # times the square root of the accuracy, of the time in which the first policy changes


@briefly
class AdamsState(NamedTuple):
    """Where the scheme is.

    Attributes
    ----------
    policy, evaluation, size
        As in `State`.
    log_policy, log_before : arrays (S, A)
        ln p, and that of the start of the last step.
    times : tuple of float
        Of the policy and the past values, newest first, since the scheme began.
    past_values : tuple of arrays (S,)
        V of the policies before, newest first.
    degree : int
        Of the next extrapolation.
    averages : array (S,)
        The <V> of the last step; what dense output of steps without a past goes by.
    used : int
        Degree of the last extrapolation; -1 of a step that was made without one.
    """

    policy: FloatArray
    evaluation: Evaluation | None
    size: float
    log_policy: FloatArray
    log_before: FloatArray
    times: tuple[float, ...]
    past_values: tuple[FloatArray, ...]
    degree: int
    averages: FloatArray
    used: int

    @property
    def time(self) -> float:
        """See `State`."""
        return self.times[0]


class AdamsScheme(Scheme):
    """Exponential Adams formulas of variable order and step, or of order four with a fixed step."""

    name = "adams"
    order = FIXED_DEGREE + 1
    automatic = True
    annealed = True
    borrowed = ("policy", "log_policy")
    tuples: ClassVar[Mapping[str, str]] = {"times": "size", "past_values": "value"}
    pair_arrays = (11, 12)
    work = (1.6, 2)
    call_seconds = 4e-4

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        shape = problem.mdp.initial_policy.shape
        self._ring, self._logs = Ring(shape, 2), Ring(shape, 3)
        self._q, self._squares = np.empty(shape), np.empty((2, problem.mdp.states.size))
        self._oscillation = np.empty(problem.mdp.states.size)
        self.dense = problem.control is not None

    @staticmethod
    def obstacle(actions: Grid, flow: type[Flow]) -> str:
        """See `Scheme`."""
        return "" if flow.logarithmic and not flow.own_step else "is for continuous flows of logarithms"

    def init(self, policy: FloatArray, evaluation: Evaluation | None) -> AdamsState:
        """See `Scheme`."""
        assert evaluation is not None
        problem = self.problem
        size, logs = problem.first_step, log_of(policy)
        if problem.control is not None:
            lost = problem.flow.dissipation(policy, evaluation.q)
            assert lost is not None
            speed = problem.mdp.slab.whole(lost)
            fastest = problem.mdp.temperature + float(np.sqrt(speed[problem.control.counted].max(initial=0.0)))
            size = FIRST_STEP * math.sqrt(problem.control.accuracy) / fastest
        nothing = np.zeros_like(evaluation.value)
        return AdamsState(policy, evaluation, size, logs, logs, (0.0,), (), self._first_degree, nothing, -1)

    @property
    def _first_degree(self) -> int:
        return FIXED_DEGREE if self.problem.control is None else 0

    def restart(self, state: State) -> AdamsState:
        """See `Scheme`."""
        assert isinstance(state, AdamsState)
        return state._replace(times=state.times[:1], past_values=(), degree=self._first_degree)

    def trial(self, state: State, dt: float) -> Trial:
        """See `Scheme`."""
        assert isinstance(state, AdamsState)
        known, control = values(state), self.problem.control
        out, log_out = self._ring.free(state.policy), self._logs.free(state.log_policy, state.log_before)
        history = self._history(state)
        if control is None and len(history) <= FIXED_DEGREE:
            average, guess, used = self._without_past(state, known, dt, log_out, out), None, -1
        else:
            formula, used = self._formula(state, dt), min(state.degree, len(history) - 1)
            average, guess = formula.of(history, used), formula.predictions(history)[used]
            self._mix(state.log_policy, average, state.time, dt, log_out, out)
        made = state._replace(
            policy=out,
            evaluation=None,
            log_policy=log_out,
            log_before=state.log_policy,
            times=(state.time + dt, *state.times),
            averages=average,
            used=used,
        )
        tolerance = 0.0
        if control is not None:
            mdp = known.mdp
            control.note_scale(known.value, mdp.temperature)
            part = mdp.slab.part(self._squares[1])
            squared_progress(state.policy, out, part)
            mdp.slab.gather((self._squares[1], part))
            allowed = control.allowed(control.mean(self._squares[1]))
            tolerance = BELLMAN_SHARE * allowed * mdp.temperature * (1.0 - mdp.discount)
        return Trial(made, state, negative=0, guess=guess, tolerance=tolerance)

    def finish(self, trial: Trial, dt: float, evaluation: Evaluation | None) -> Trial:
        """The error from what V was extrapolated wrong by; then degree and size of the next step."""
        before, made, control = trial.retry, trial.state, self.problem.control
        assert isinstance(before, AdamsState)
        assert isinstance(made, AdamsState)
        assert evaluation is not None
        kept = 1 + (HIGHEST_DEGREE if control is not None else FIXED_DEGREE)  # the next step needs one less
        following = made._replace(
            evaluation=evaluation,
            times=made.times[: kept + 1],
            past_values=(values(before).value, *before.past_values[: kept - 1]),
        )
        if control is None:
            return trial._replace(state=following)
        formula, (mdp, flow, length) = self._formula(before, dt), self.problem.tempered.over(before.time, dt)
        guesses = formula.predictions(self._history(before))
        wrong = evaluation.value - guesses[made.used]
        scale = -math.expm1(-flow.decay * length) * mdp.discount / (2.0 * mdp.temperature)
        part = mdp.slab.part(self._oscillation)
        oscillation_of_rows(mdp.transition.expect(wrong, self._q), part)
        mdp.slab.gather((self._oscillation, part))
        np.square(scale * formula.share(made.used) * self._oscillation, out=self._squares[0])
        ratio = control.measured(self._squares)
        if not ratio <= 1.0:
            factor = SAFETY * ratio ** (-1.0 / (made.used + 1)) if math.isfinite(ratio) else SHRINKING
            size = dt * min(0.9, max(SHRINKING, factor))
            return trial._replace(retry=before._replace(size=size), error=np.inf)
        degree, growth = self._longest(formula, evaluation.value, guesses, made.used, ratio)
        proposed = growth * dt
        # a step cut short to land on a time says nothing against the size it was cut from
        size = max(proposed, before.size) if growth >= 1.0 else proposed
        return trial._replace(state=following._replace(size=size, degree=degree), error=ratio)

    def _longest(
        self, formula: DecayingAverage, value: FloatArray, guesses: FloatArray, used: int, ratio: float
    ) -> tuple[int, float]:
        """The degree that would have allowed the longest step, or an untried one above it, and the growth it allows."""
        control, missed = self.problem.control, np.empty(len(guesses))
        assert control is not None
        oscillations(value, guesses, control.counted, missed)
        missed *= [formula.share(degree) for degree in range(len(guesses))]
        ratios = ratio * missed / missed[used] if missed[used] > 0.0 else np.full(len(guesses), ratio)
        growths = SAFETY * np.maximum(ratios, 1e-12) ** (-1.0 / (1.0 + np.arange(len(guesses))))
        best = int(growths.argmax())
        growth = min(GROWTH, max(SHRINKING, float(growths[best])))
        untried = best == len(guesses) - 1 < HIGHEST_DEGREE
        return best + int(untried), growth

    def descend(self, trial: Trial, flow: Flow, q: FloatArray, dt: float) -> FloatArray:
        """See `Scheme`."""
        assert isinstance(trial.state, AdamsState)
        assert isinstance(trial.retry, AdamsState)
        return flow.log_step(trial.retry.log_policy, q, dt, trial.state.log_policy, trial.state.policy)

    def replaced(self, trial: Trial, dt: float, policy: FloatArray, evaluation: Evaluation | None) -> AdamsState:
        """See `Scheme`; the past is forgotten but for where the step began."""
        assert isinstance(trial.state, AdamsState)
        before = self.restart(trial.retry)
        fixed = self.problem.control is None
        return before._replace(
            policy=policy,
            evaluation=evaluation,
            log_policy=trial.state.log_policy,
            log_before=before.log_policy,
            times=(before.times[0] + dt,) if fixed else (before.times[0] + dt, before.times[0]),
            past_values=() if fixed else (values(before).value,),
            averages=values(before).value,
            used=-1,
        )

    def interpolate(self, state: State, since: float) -> FloatArray:
        """See `Scheme`: the step's own formula."""
        assert isinstance(state, AdamsState)
        average = state.averages
        if state.used >= 0:
            past = np.array(state.past_values)
            times = np.array(state.times[1:]) - state.times[1]
            average = self._averaging(state.times[1], times, since).of(past, state.used)
        out = np.empty_like(self._q)
        self._mix(state.log_before, average, state.times[1], since, np.empty_like(out), out)
        return out

    @staticmethod
    def _history(state: AdamsState) -> FloatArray:
        """V that a step may be extrapolated from, newest first."""
        return np.array((values(state).value, *state.past_values)[: HIGHEST_DEGREE + 1])

    def _formula(self, state: AdamsState, dt: float) -> DecayingAverage:
        times = np.array(state.times[: HIGHEST_DEGREE + 1]) - state.times[0]
        return self._averaging(state.time, times, dt)

    def _averaging(self, start: float, times: FloatArray, dt: float) -> DecayingAverage:
        return DecayingAverage(times, dt, self.problem.tempered.moments(start, dt, times.size + 1))

    def _mix(
        self, log_p: FloatArray, average: FloatArray, start: float, dt: float, log_out: FloatArray, out: FloatArray
    ) -> None:
        """A step of length dt with Q of an averaged V."""
        q_of_value(self.problem.mdp, average, self._q)
        _, flow, length = self.problem.tempered.over(start, dt)
        flow.log_step(log_p, self._q, length, log_out, out)

    def _without_past(
        self, state: AdamsState, known: Evaluation, dt: float, log_out: FloatArray, out: FloatArray
    ) -> FloatArray:
        """A step from values within itself, iterated; the <V> it was made with."""
        nodes = dt * np.arange(PARTS + 1) / PARTS
        within = np.tile(known.value, (PARTS + 1, 1))
        average = known.value
        for sweep in range(SWEEPS):
            before = within.copy()
            for j in range(1, PARTS + 1):
                average = self._averaging(state.time, nodes, nodes[j]).of(before, PARTS)
                self._mix(state.log_policy, average, state.time, nodes[j], log_out, out)
                if sweep < SWEEPS - 1:
                    mdp = self.problem.tempered.mdp(state.time + nodes[j])
                    within[j] = self.problem.substeps.evaluate(out, within[j], mdp=mdp).value
        return average
