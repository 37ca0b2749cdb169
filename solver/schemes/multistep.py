"""Scheme ``multistep``: backward differentiation of orders one to five, one Bellman evaluation a step.

The new policy solves (I - c L) p' = (combination of past policies), see `solver.schemes.backward_differentiation`, with
the generator L frozen at a Q of the *new* time: V at past steps is extrapolated to it, by a polynomial of its own
degree, and Q = c + gamma P V.  So the equations are linear, one elimination for each state, and the evaluation of p'
both ends the step and feeds the next extrapolation, which is its warm start as well.

The error estimates are those of `solver.schemes.error_control`; besides, the extrapolated V was wrong by e, which moved
the potentials Q/tau by at most gamma osc(e) / (2 tau), and that is held against ||p' - g||.  Order and step minimise
the number of steps; the degree of the extrapolation is the one that did best at the last step: at late times, where V
moves by rounding alone, that is the lowest.

A Bellman equation is solved to a residual of two roundings of V, which P^pi may turn into errors of V far larger than
that, and not the same at all states: up to 1/(1 - gamma) times as large, if states communicate badly.  Where e is too
large and V is known to rounding only, V is computed a second time, of a policy with another last bit in each entry.
What the two differ by is noise, of which V and its extrapolation hold several times as much, and the floor of the
errors is raised to that (see `solver.schemes.error_control`).

Every step is checked to descend.  Negative entries are removed by local flux limiting; a step that raises V at some
state is repeated shorter and, at last, as backward Euler.  Between steps the polynomial through the last policies is
the dense output.  One action axis only: with more, `solver.schemes.extrapolated` needs less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.brief import briefly
from wpoflow.grids.grid import Grid
from wpoflow.solver.arithmetic.extremes import largest_entry, oscillations
from wpoflow.solver.bellman.evaluation import Evaluation, q_of_value
from wpoflow.solver.bellman.system import EPS
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.backward_differentiation import (
    HIGHEST_ORDER,
    formula,
    prediction_weights,
    predictions_around,
)
from wpoflow.solver.schemes.history import combine_history, extrapolate_values, measure_step
from wpoflow.solver.schemes.scheme import PlainState, Problem, Scheme, State, Trial, values

# Tuned on the gallery's problems and those of benchmarks/ at accuracies 1e-3 to 1e-8: within 20 % of their values the
# number of Bellman evaluations changes by a few percent.
HIGHEST_DEGREE = 4  # of the extrapolation of V
KEPT = HIGHEST_ORDER + 1  # policies, the newest included
ALL_SLOTS = frozenset(range(KEPT + 1))
GROWTH = 3.0
SHRINKING = 0.2
SAFETY = 0.8
LEFT_SHARE = 0.1  # of ||p' - g||, added to the progress errors are measured against
VALUE_SHARE = 0.25  # of the largest error of V over a step, taken for its mean
BELLMAN_SHARE = 0.02  # of the error of V that is allowed, left to its solver while a step is judged
GIBBS_SHARE = 0.3  # of ||p' - g||, by which potentials may move before g is computed anew
FIRST_STEP = 0.5  # most of the shortest time scale that the first step may take
NOISES = 4.0  # times the noise of one V: what the error of an extrapolated V is held to at least
UNTRIED = 0.1  # ratio assumed of the first step, too short to be judged


@briefly
class MultistepState(NamedTuple):
    """Where the scheme is.

    Attributes
    ----------
    policy, evaluation, size
        As in `State`.
    times : tuple of float
        Of the policy and the past ones, newest first, since the scheme began.
    policies : tuple of arrays (S, A)
        Past policies, newest first.
    past_values : tuple of arrays (S,)
        V of them.
    order : int
        Of the next step.
    degree : int
        Of the extrapolation of V.
    left : array (2,)
        ||p - g|| in the mean and in the maximum of the states.
    gibbs_value : array (S,)
        The V that g was made of.
    noise : float
        Oscillation of the rounding of V over the states, in roundings of its largest entry; zero until it is measured.
    """

    policy: FloatArray
    evaluation: Evaluation | None
    size: float
    times: tuple[float, ...]
    policies: tuple[FloatArray, ...]
    past_values: tuple[FloatArray, ...]
    order: int
    degree: int
    left: FloatArray
    gibbs_value: FloatArray
    noise: float

    @property
    def time(self) -> float:
        """See `State`."""
        return self.times[0]


class MultistepScheme(Scheme):
    """Backward differentiation of variable order and step, with V extrapolated in time."""

    name = "multistep"
    order = HIGHEST_ORDER
    automatic = True
    annealed = True
    tuples: ClassVar[Mapping[str, str]] = {"times": "size", "policies": "policy", "past_values": "value"}
    dense = True
    pair_arrays = (15, 15)
    work = (1.3, 4)
    call_seconds = 4e-4

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        shape, n_states = problem.mdp.initial_policy.shape, problem.mdp.states.size
        self._history = np.empty((KEPT + 1, *shape))
        self._rows = list(self._history)
        self._slots = {id(row): slot for slot, row in enumerate(self._rows)}
        self._values = np.empty((KEPT + 1, n_states))
        self._value_rows = list(self._values)
        self._q = np.empty(shape)
        # g is no part of a state: it is made anew where the one at hand is of another V
        self._gibbs, self._gibbs_value = np.empty(shape), np.empty(0)
        self._squares, self._norms, self._drift = np.empty((5, n_states)), np.empty((5, 2)), np.empty(n_states)
        self._negative: IntArray = np.zeros(n_states, dtype=np.int64)
        whole = self._squares, self._drift, self._negative
        self._parts = tuple(problem.mdp.slab.part(array) for array in whole)
        self._measured = tuple(zip(whole, self._parts, strict=True))
        self._extrapolated, self._wrong = np.empty((HIGHEST_DEGREE + 1, n_states)), np.empty(HIGHEST_DEGREE + 1)
        self._ratios, self._moved = np.empty(3), np.empty(1)

    @staticmethod
    def obstacle(actions: Grid, flow: type[Flow]) -> str:
        """See `Scheme`."""
        if not flow.generator:
            return "is for flows with a generator"
        return "is for one action axis" if sum(axis.size > 1 for axis in actions.axes) > 1 else ""

    def init(self, policy: FloatArray, evaluation: Evaluation | None) -> MultistepState:
        """See `Scheme`."""
        assert evaluation is not None
        problem, mdp = self.problem, self.problem.mdp
        assert problem.control is not None
        narrowest = min(float(axis.widths.min()) for axis in mdp.actions.axes)
        shortest = narrowest**2 / (mdp.temperature + self._steepest(evaluation.q))
        size = min(FIRST_STEP, math.sqrt(problem.control.accuracy)) * shortest
        nothing = np.zeros_like(evaluation.value)  # any V will do, as nothing is left to go by
        return MultistepState(policy, evaluation, size, (0.0,), (), (), 1, 0, np.zeros(2), nothing, 0.0)

    def _steepest(self, q: FloatArray) -> float:
        """Largest difference of Q, (S, A), between neighbouring cells."""
        rows = q.reshape(-1, *self.problem.mdp.actions.shape)
        here = max((float(np.abs(np.diff(rows, axis=j)).max(initial=0.0)) for j in range(1, rows.ndim)), default=0.0)
        return self.problem.mdp.slab.largest(here)[0]

    def fit(self, state: State, remaining: float) -> float:
        """The step is cut where that comes first."""
        return min(state.size, remaining)

    def restart(self, state: State) -> MultistepState:
        """See `Scheme`."""
        assert isinstance(state, MultistepState)
        return state._replace(times=state.times[:1], policies=(), past_values=(), order=1, degree=0)

    def adopted(self, state: State) -> MultistepState:
        """See `Scheme`."""
        assert isinstance(state, MultistepState)
        return self._placed(state, values(state))[0]

    def trial(self, state: State, dt: float) -> Trial:
        """See `Scheme`."""
        assert isinstance(state, MultistepState)
        control, known = self.problem.control, values(state)
        assert control is not None
        state, taken = self._placed(state, known)
        slots, times, time = np.array(taken), np.array(state.times), state.times[0] + dt
        mdp, flow, _ = self.problem.tempered.at(time)
        control.note_scale(known.value, mdp.temperature, state.noise)
        new = self._rows[min(ALL_SLOTS.difference(taken))]
        c, weights = formula(times, time, state.order)
        combine_history(self._history, slots[: weights.size], weights, new)
        guesses = self._extrapolated[: min(len(taken), HIGHEST_DEGREE + 1)]
        extrapolate_values(self._values, slots, times, time, guesses)
        guess = guesses[state.degree]
        q_of_value(mdp, guess, self._q)
        flow.step(new, self._q, c, new)
        gibbs_value = self._make_gibbs(mdp, state, guess)
        error = self._measure(times, time, state.order, slots, new, guesses)
        left = self._norms[4].copy()
        retry = MultistepState(*state[:8], left, gibbs_value, state.noise)
        if not error <= 1.0:
            return Trial(
                PlainState(new, None, state.size, time), self._shortened(retry, dt, error, state.order), np.inf
            )
        enough = BELLMAN_SHARE * control.allowed(float(left[0])) * mdp.temperature * (1.0 - mdp.discount)
        # hardly ever is there a negative entry, and to count states is faster than to sum
        negative = int(self._negative.sum()) if np.count_nonzero(self._negative) else 0
        return Trial(PlainState(new, None, state.size, time), retry, error, self._drift, negative, guess, enough)

    def finish(self, trial: Trial, dt: float, evaluation: Evaluation | None) -> Trial:
        """What the error of the extrapolated V may have done to the policy is an error, too; then the next step."""
        retry, control = trial.retry, self.problem.control
        assert isinstance(retry, MultistepState)
        assert evaluation is not None
        assert control is not None
        mdp, wrong = evaluation.mdp, self._wrong[: min(len(retry.times), HIGHEST_DEGREE + 1)]
        oscillations(evaluation.value, self._extrapolated[: wrong.size], control.counted, wrong)
        moved = mdp.discount * float(wrong[retry.degree]) / (2.0 * mdp.temperature)
        ratio = VALUE_SHARE * moved / control.allowed(float(retry.left[0]))
        if not ratio <= 1.0 and evaluation.residual > trial.tolerance:  # no better than rounding
            retry = retry._replace(noise=max(retry.noise, self._noise(trial.state.policy, evaluation)))
            control.note_scale(evaluation.value, mdp.temperature, retry.noise)
            ratio = VALUE_SHARE * moved / control.allowed(float(retry.left[0]))
        if not ratio <= 1.0:
            return trial._replace(retry=self._shortened(retry, dt, ratio, retry.degree), error=np.inf)
        order, size, degree = self._chosen(retry, dt, ratio, wrong)
        following = MultistepState(
            trial.state.policy,
            evaluation,
            size,
            (retry.times[0] + dt, *retry.times[: KEPT - 1]),
            (retry.policy, *retry.policies[: KEPT - 2]),
            (self._value_rows[self._slots[id(retry.policy)]], *retry.past_values[: KEPT - 2]),
            order,
            degree,
            retry.left,
            retry.gibbs_value,
            retry.noise,
        )
        return Trial(following, retry, trial.error)

    def _noise(self, policy: FloatArray, evaluation: Evaluation) -> float:
        """Oscillation of the rounding of V, in roundings: some times that of a change of last bits of p."""
        nothing = np.zeros_like(evaluation.value)
        again = self.problem.substeps.evaluate(np.nextafter(policy, 1.0), nothing, mdp=evaluation.mdp)
        oscillations(again.value, evaluation.value[None], self.problem.mdp.counted, self._moved)
        return float(NOISES * self._moved[0] / (EPS * largest_entry(evaluation.value)))

    def replaced(self, trial: Trial, dt: float, policy: FloatArray, evaluation: Evaluation | None) -> MultistepState:
        """See `Scheme`; the past is forgotten but for where the step began."""
        before = self.restart(trial.retry)
        return before._replace(
            policy=policy,
            evaluation=evaluation,
            times=(before.times[0] + dt, before.times[0]),
            policies=(before.policy,),
            past_values=(values(before).value,),
        )

    def interpolate(self, state: State, since: float) -> FloatArray:
        """See `Scheme`: the polynomial through the last policies, its negative entries limited."""
        assert isinstance(state, MultistepState)
        degree = min(state.order, len(state.times) - 1)
        slots = np.array(self._slots_of(state))
        weights = prediction_weights(np.array(state.times[: degree + 1]), state.times[1] + since)
        out = np.empty_like(self._q)
        combine_history(self._history, slots[: degree + 1], weights, out)
        self.problem.limit(out)
        return out

    def _placed(self, state: MultistepState, known: Evaluation) -> tuple[MultistepState, list[int]]:
        """The state with its policies and values in rows of the history, and their slots."""
        if id(state.policy) not in self._slots:
            held = len(state.policies) + 1
            for slot, policy in enumerate((state.policy, *state.policies)):
                self._rows[slot][:] = policy
            for slot, value in enumerate(state.past_values, 1):
                self._values[slot] = value
            past = tuple(self._rows[1:held]), tuple(self._value_rows[1:held])
            state = state._replace(policy=self._rows[0], policies=past[0], past_values=past[1])
        slots = self._slots_of(state)
        self._values[slots[0]] = known.value
        return state, slots

    def _slots_of(self, state: MultistepState) -> list[int]:
        slots = self._slots
        return [slots[id(policy)] for policy in (state.policy, *state.policies)]

    def _make_gibbs(self, mdp: GridMDP, state: MultistepState, value: FloatArray) -> FloatArray:
        """Have at hand the Gibbs policy of the present Q, or the state's if it is as good; the V it was made of."""
        control, found = self.problem.control, state.gibbs_value
        assert control is not None
        if state.left[0] > 0.0 and self.problem.tempered.annealing is None:
            oscillations(value, found[None], control.counted, self._moved)
            if mdp.discount * self._moved[0] <= GIBBS_SHARE * mdp.temperature * state.left[0]:
                if found is self._gibbs_value:
                    return found
                q_of_value(mdp, found, self._q)
                value = found
        gibbs_policy(self._q, mdp.log_mass, mdp.temperature, self._gibbs)
        self._gibbs_value = found if value is found else value.copy()
        return self._gibbs_value

    def _measure(
        self,
        times: FloatArray,
        time: float,
        order: int,
        slots: IntArray,
        new: FloatArray,
        guesses: FloatArray,
    ) -> float:
        """The error over what is allowed; those of the order below the present one and above are kept besides."""
        control = self.problem.control
        assert control is not None
        weights, constants = predictions_around(times, time, order)
        used = slots[: weights.shape[0]]
        measure_step(self._history, used, weights, self._gibbs, new, *self._parts)
        self.problem.mdp.slab.gather(*self._measured)
        if not control.step_ratios(self._squares, constants, LEFT_SHARE, self._norms, self._ratios):
            self.problem.substeps.evaluate(new, guesses[0])  # names the state and cell
            self._ratios[1] = np.nan
        elif times.size == 1:
            self._ratios[1] = UNTRIED
        return float(self._ratios[1])

    def _shortened(self, state: MultistepState, dt: float, ratio: float, order: int) -> MultistepState:
        factor = SAFETY * ratio ** (-1.0 / (order + 1)) if math.isfinite(ratio) else SHRINKING
        return state._replace(size=dt * min(0.9, max(SHRINKING, factor)))

    def _chosen(self, before: MultistepState, dt: float, ratio: float, wrong: FloatArray) -> tuple[int, float, int]:
        """Order, size and degree of the next step; the degree that extrapolated best, or an untried one above it."""
        ratios = self._ratios.tolist()
        growths = [SAFETY * max(other, 1e-12) ** (-1.0 / (before.order + j)) for j, other in enumerate(ratios)]
        best = growths.index(max(growths)) if before.policies else 1
        growth = min(GROWTH, growths[best], SAFETY * max(ratio, 1e-12) ** (-1.0 / (before.degree + 1)))
        proposed = max(SHRINKING, growth) * dt
        # a step cut short to land on a time says nothing against the size it was cut from
        size = max(proposed, before.size) if growth >= 1.0 else proposed
        degree = int(wrong.argmin())
        if degree == wrong.size - 1 < HIGHEST_DEGREE:
            degree += 1
        return before.order + best - 1, size, degree
