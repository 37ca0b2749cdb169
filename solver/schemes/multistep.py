"""Scheme ``multistep``: backward differentiation of orders one to five, one Bellman evaluation a step.

The new policy solves (I - c L) p' = (combination of past policies), see `solver.schemes.backward_differentiation`, with
the generator L frozen at a Q of the *new* time: V at past steps is extrapolated to it, by a polynomial of its own
degree, and Q = c + gamma P V.  So the equations are linear, one elimination for each state, and the evaluation of p'
both ends the step and feeds the next extrapolation, which is its warm start as well.

The error estimates are those of `solver.schemes.error_control`; besides, the extrapolated V was wrong by e, which moved
the potentials Q/tau by at most gamma osc(e) / (2 tau), and that is held against ||p' - g||.  Order and step minimise
the number of steps; the degree of the extrapolation is the one that did best at the last step: at late times, where V
moves by rounding alone, that is the lowest.

Every step is checked to descend.  Negative entries are removed by local flux limiting; a step that raises V at some
state is repeated shorter and, at last, as backward Euler.  Between steps the polynomial through the last policies is
the dense output.  One action axis only: with more, `solver.schemes.extrapolated` needs less.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.arithmetic.extremes import largest_rise, oscillations
from wpoflow.solver.bellman.evaluation import Evaluation, q_of_value
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.solver.flux.limiter import limit_fluxes
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.backward_differentiation import (
    HIGHEST_ORDER,
    formula,
    prediction_weights,
    predictions_around,
)
from wpoflow.solver.schemes.error_control import ErrorControl
from wpoflow.solver.schemes.history import combine_history, extrapolate_values, measure_step
from wpoflow.solver.schemes.scheme import (
    RECOVERABLE,
    Evaluate,
    Memory,
    Step,
    Substeps,
    attempts_at,
    descends,
    mass_drift,
)

HIGHEST_DEGREE = 4  # of the extrapolation of V
KEPT = HIGHEST_ORDER + 1  # past policies
ALL_SLOTS = frozenset(range(KEPT + 1))
GROWTH = 3.0
SHRINKING = 0.2
SAFETY = 0.8
LEFT_SHARE = 0.1  # of ||p' - g||, added to the progress errors are measured against
VALUE_SHARE = 0.25  # of the largest error of V over a step, taken for its mean
BELLMAN_SHARE = 0.02  # of the error of V that is allowed, left to its solver while a step is judged
GIBBS_SHARE = 0.3  # of ||p' - g||, by which potentials may move before g is computed anew
FIRST_STEP = 0.5  # most of the shortest time scale that the first step may take
DESCENT_ATTEMPTS = 3
UNTRIED = 0.1  # ratio assumed of the first step, too short to be judged
PERSISTENT = 3  # rejections in succession after which the past is no guide


class MultistepScheme:
    """Backward differentiation of variable order and step, with V extrapolated in time."""

    name = "multistep"
    order = HIGHEST_ORDER

    def __init__(self, mdp: GridMDP, substeps: Substeps, control: ErrorControl) -> None:
        self._mdp, self._substeps, self._control = mdp, substeps, control
        n_states, n_actions = mdp.initial_policy.shape
        self._history = np.empty((KEPT + 1, n_states, n_actions))
        self._rows = list(self._history)
        self._right, self._q, self._gibbs = (np.empty((n_states, n_actions)) for _ in range(3))
        self._squares, self._norms, self._drift = np.empty((5, n_states)), np.empty((5, 2)), np.empty(n_states)
        self._negative: IntArray = np.zeros(n_states, dtype=np.int64)
        # one row more than extrapolated values, for those the Gibbs policy was made of
        self._extrapolated, self._wrong = np.empty((HIGHEST_DEGREE + 2, n_states)), np.empty(HIGHEST_DEGREE + 2)
        self._values = np.empty((KEPT + 1, n_states))
        axes = mdp.actions.axes
        self._axis_sizes: IntArray = np.array(mdp.actions.shape, dtype=np.int64)
        self._axis_strides: IntArray = np.array(mdp.actions.strides, dtype=np.int64)
        self._axis_periodic: IntArray = np.array([axis.periodic for axis in axes], dtype=np.int64)
        self._times: FloatArray = np.empty(0)
        self._slots: IntArray = np.empty(0, dtype=np.int64)
        self._given: FloatArray | None = None
        self._newest: Evaluation | None = None
        self._taken: tuple[float, int, Evaluation] | None = None
        self._size, self._order, self._degree = 0.0, 1, 0

    def advance(self, policy: FloatArray, evaluate: Evaluate, remaining: float) -> Step:
        """One step, which ends at ``remaining`` if that comes first; see `Scheme`.

        Called again with the policy of the step before, it takes another step in its place.
        """
        control, substeps = self._control, self._substeps
        before = self._note(policy, evaluate)
        control.note_scale(before.value)
        attempts = attempts_at(substeps, control, lambda: evaluate().q)
        evaluations, lost, fallback = substeps.evaluations, 0, False
        while True:
            attempts.begin(self._size)
            if attempts.rejected and attempts.rejected % PERSISTENT == 0:
                self._forget()
            size = min(self._size, remaining)
            try:
                new = self._solve(size)
                ratios = self._measure(new, size)
                if not ratios[1] <= 1.0:
                    attempts.reject()
                    self._shorten(size, ratios[1], self._order)
                    continue
                drift, limited = mass_drift(self._mdp, self._drift), int(self._negative.sum())
                if limited:
                    self._limit(self._rows[new])
                allowed = control.allowed(float(self._norms[4, 0]))
                enough = BELLMAN_SHARE * allowed * self._mdp.temperature * (1.0 - self._mdp.discount)
                after = substeps.evaluate(self._rows[new], self._extrapolated[self._degree], enough)
                wrong = self._value_ratio(after.value, allowed)
                if not wrong <= 1.0:
                    attempts.reject()
                    self._shorten(size, wrong, self._degree)
                    continue
                if self._doubtful(before, after):
                    before, after = before.refined(), after.refined()
                if not descends(self._mdp, before, after):
                    lost += 1
                    if lost < DESCENT_ATTEMPTS:
                        attempts.reject()
                        self._size = 0.25 * size
                        continue
                    fallback, limited, drift = True, 0, 0.0
                    substeps.step(policy, evaluate().q, size, self._rows[new])
                    after = substeps.evaluate(self._rows[new], before.value)
                    self._forget()
            except RECOVERABLE as error:
                self._size = attempts.failed(error, size)
                self._forget()
                continue
            if not fallback:
                self._choose(size, ratios, wrong)
            self._values[new] = after.value
            self._taken = (self._times[0] + size, new, after)
            spent = substeps.evaluations - evaluations
            return Step(self._rows[new], after.refined, size, spent, attempts.rejected, limited, fallback, drift)

    def between(self, since: float) -> FloatArray:
        """The policy, (S, A), a time ``since`` after the start of the step taken last: dense output.

        The polynomial through the last policies, its negative entries limited.
        """
        assert self._taken is not None
        end, new, _ = self._taken
        start = float(self._times[0])
        degree = min(self._order, self._times.size)
        times, slots = np.append(end, self._times[:degree]), np.append(new, self._slots[:degree])
        out = np.empty_like(self._right)
        combine_history(self._history, slots, prediction_weights(times, start + since), out)
        self._limit(out)
        return out

    def memory(self) -> Memory:
        """See `Scheme`; empty before the first step."""
        if self._taken is None:
            return {}
        end, slot, newest = self._taken
        past = self._slots[: KEPT - 1]
        return {
            "times": self._times[: KEPT - 1],
            "slots": past,
            "values": self._values[past],
            "end": float(end),
            "slot": int(slot),
            "value": newest.value,
            "residual": float(newest.residual),
            "exact": int(newest.exact),
            "size": float(self._size),
            "order": int(self._order),
            "degree": int(self._degree),
            "left": self._norms[4],
            "gibbs": self._gibbs,
            "gibbs_value": self._extrapolated[-1],
            **{f"policy{j}": self._rows[row] for j, row in enumerate(past)},
        }

    def restore(self, memory: Memory, policy: FloatArray) -> FloatArray:
        """See `Scheme`; the policy becomes the newest of the past."""
        if not memory:
            return policy
        times, slots = np.asarray(memory["times"]), np.asarray(memory["slots"], dtype=np.int64)
        slot, value = int(memory["slot"]), np.asarray(memory["value"])
        self._times, self._slots = times, slots
        self._values[slots] = memory["values"]
        for j, row in enumerate(slots):
            self._rows[row][:] = memory[f"policy{j}"]
        self._rows[slot][:], self._values[slot] = policy, value
        exact = bool(memory["exact"])
        newest = self._substeps.remembered(self._rows[slot], value, float(memory["residual"]), exact)
        self._taken = (float(memory["end"]), slot, newest)
        self._size, self._order, self._degree = (
            float(memory["size"]),
            int(memory["order"]),
            int(memory["degree"]),
        )
        self._norms[4], self._gibbs[:], self._extrapolated[-1] = memory["left"], memory["gibbs"], memory["gibbs_value"]
        return self._rows[slot]

    def _note(self, policy: FloatArray, evaluate: Evaluate) -> Evaluation:
        """Make the step taken last part of the past, or begin a new past; V of the policy, as exact as is needed."""
        if self._taken is not None and policy is self._rows[self._taken[1]]:
            time, slot, self._newest = self._taken
            self._times = np.array([time, *self._times[: KEPT - 1].tolist()])
            self._slots = np.array([slot, *self._slots[: KEPT - 1].tolist()])
        elif policy is not self._given or self._newest is None:
            self._newest = evaluate()
            self._rows[0][:], self._values[0] = policy, self._newest.value
            self._times, self._slots = np.zeros(1), np.zeros(1, dtype=np.int64)
            self._order, self._degree = 1, 0
            narrowest = min(float(axis.widths.min()) for axis in self._mdp.actions.axes)
            shortest = narrowest**2 / (self._mdp.temperature + self._steepest(self._newest.q))
            self._size = min(FIRST_STEP, math.sqrt(self._control.accuracy)) * shortest
            self._norms[4] = 0.0
        self._given, self._taken = policy, None
        return self._newest

    def _steepest(self, q: FloatArray) -> float:
        """Largest difference of Q, (S, A), between neighbouring cells."""
        rows = q.reshape(-1, *self._mdp.actions.shape)
        return max((float(np.abs(np.diff(rows, axis=j)).max(initial=0.0)) for j in range(1, rows.ndim)), default=0.0)

    def _forget(self) -> None:
        """Begin anew from the newest policy."""
        self._times, self._slots = self._times[:1], self._slots[:1]
        self._order, self._degree = 1, 0

    def _solve(self, size: float) -> int:
        """Solve for the new policy: its slot."""
        mdp, time, past = self._mdp, float(self._times[0]) + size, self._times
        new = min(ALL_SLOTS.difference(self._slots.tolist()))
        c, weights = formula(past, time, self._order)
        combine_history(self._history, self._slots[: weights.size], weights, self._right)
        self._degrees = min(past.size, HIGHEST_DEGREE + 1)
        extrapolate_values(self._values, self._slots, past, time, self._extrapolated[: self._degrees])
        q_of_value(mdp, self._extrapolated[self._degree], self._q)
        self._substeps.step(self._right, self._q, c, self._rows[new])
        return new

    def _measure(self, new: int, size: float) -> FloatArray:
        """Errors over what is allowed, of the order below the present one, of this one and of the one above, (3,)."""
        control, time = self._control, float(self._times[0]) + size
        weights, constants = predictions_around(self._times, time, self._order)
        self._refresh_gibbs()
        measure_step(
            self._history,
            self._slots[: weights.shape[0]],
            weights,
            self._gibbs,
            self._rows[new],
            self._squares,
            self._drift,
            self._negative,
        )
        ratios = np.empty(3)
        if not control.step_ratios(self._squares, constants, LEFT_SHARE, self._norms, ratios):
            self._substeps.evaluate(self._rows[new], self._extrapolated[0])  # names the state and cell
            ratios[1] = np.nan
        elif self._times.size == 1:
            ratios[1] = UNTRIED
        return ratios

    def _refresh_gibbs(self) -> None:
        """Compute the Gibbs policy of the present Q unless the one at hand is as good."""
        mdp, last = self._mdp, self._extrapolated.shape[0] - 1
        value = self._extrapolated[self._degree]
        if self._norms[4, 0] > 0.0:
            oscillations(value, self._extrapolated[last:], self._control.counted, self._wrong[last:])
            if mdp.discount * self._wrong[last] <= GIBBS_SHARE * mdp.temperature * self._norms[4, 0]:
                return
        gibbs_policy(self._q, mdp.log_mass, mdp.temperature, self._gibbs)
        self._extrapolated[last] = value

    def _value_ratio(self, value: FloatArray, allowed: float) -> float:
        """What the error of the extrapolated V may have done to the policy, over what is allowed."""
        mdp, count = self._mdp, self._degrees
        oscillations(value, self._extrapolated[:count], self._control.counted, self._wrong[:count])
        moved = mdp.discount * float(self._wrong[self._degree]) / (2.0 * mdp.temperature)
        return VALUE_SHARE * moved / allowed

    def _doubtful(self, before: Evaluation, after: Evaluation) -> bool:
        """Whether V may have risen at some state by more than rounding, as far as these evaluations tell."""
        rise = largest_rise(before.value, after.value, self._control.counted)
        return rise > -(before.residual + after.residual) / (1.0 - self._mdp.discount)

    def _shorten(self, size: float, ratio: float, order: int) -> None:
        factor = SAFETY * ratio ** (-1.0 / (order + 1)) if math.isfinite(ratio) else SHRINKING
        self._size = size * min(0.9, max(SHRINKING, factor))

    def _choose(self, size: float, ratios: FloatArray, wrong: float) -> None:
        """Order, size and degree of the next step; the degree that extrapolated best, or an untried one above it."""
        growths = [SAFETY * max(ratio, 1e-12) ** (-1.0 / (self._order + j)) for j, ratio in enumerate(ratios.tolist())]
        best = growths.index(max(growths)) if self._times.size > 1 else 1
        growth = min(GROWTH, growths[best], SAFETY * max(wrong, 1e-12) ** (-1.0 / (self._degree + 1)))
        self._order += best - 1
        proposed = max(SHRINKING, growth) * size
        # a step cut short to land on a time says nothing against the size it was cut from
        self._size = max(proposed, self._size) if growth >= 1.0 else proposed
        self._degree = int(np.argmin(self._wrong[: self._degrees]))
        if self._degree == self._degrees - 1 < HIGHEST_DEGREE:
            self._degree += 1

    def _limit(self, policy: FloatArray) -> None:
        limit_fluxes(policy, self._axis_sizes, self._axis_strides, self._axis_periodic, self._negative)
