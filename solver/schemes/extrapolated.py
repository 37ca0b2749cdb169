"""Scheme ``extrapolated``: extrapolation of backward Euler descent steps, orders two to six.

One step of length dt is made with 1, 2, 3, ... substeps, each a descent step with Q frozen at its
start.  The result of j substeps has an expansion in powers of dt/j, so the combinations

    T_m = sum_{j<=m} w_j(m) p^(j),      w_j(m) = prod_{l != j} j / (j - l),

are of order m; T_m - T_{m-1} estimates the error.  Order and step size are chosen to minimise
Bellman evaluations and sweeps per unit time (Deuflhard 1983, doi:10.1007/BF01418332; Hairer & Wanner,
Solving Ordinary Differential Equations II, section IV.9).  Every substep is positive and descends;
negative entries of the combination are removed by local flux limiting, and where a combination
would raise V at some state the step is repeated shorter and, at last, as backward Euler.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.bellman.evaluation import Evaluation
from wpoflow.solver.flux.limiter import limit_fluxes
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.combination import combine
from wpoflow.solver.schemes.error_control import ErrorControl
from wpoflow.solver.schemes.scheme import (
    RECOVERABLE,
    Evaluate,
    Memory,
    Step,
    Substeps,
    attempts_at,
    descends,
    known,
    landing_step,
    mass_drift,
)

HIGHEST = 6
FIXED_ORDER = 4
GROWTH = 5.0
SHRINKING = 0.1
SAFETY = 0.9
DESCENT_ATTEMPTS = 3


def extrapolation_weights(order: int, skip: int = 0) -> FloatArray:
    """Weights (order,) of the results with 1..order substeps; the first ``skip`` of them are left out."""
    weights = np.zeros(order)
    for j in range(skip + 1, order + 1):
        others = [other for other in range(skip + 1, order + 1) if other != j]
        weights[j - 1] = np.prod([j / (j - other) for other in others])
    return weights


class ExtrapolatedScheme:
    """Extrapolated backward Euler of variable order and step, or of order four with a fixed step."""

    name = "extrapolated"
    order = FIXED_ORDER

    def __init__(
        self, mdp: GridMDP, substeps: Substeps, step: float | None, control: ErrorControl | None, first: float
    ) -> None:
        self._mdp = mdp
        self._substeps = substeps
        self._size = first if step is None else step
        self._control = control
        self._target = 3
        self._drift = np.zeros(mdp.states.size)
        depth = FIXED_ORDER if control is None else HIGHEST
        self._parts = np.empty((depth, *mdp.initial_policy.shape))
        self._buffers = [np.empty_like(mdp.initial_policy) for _ in range(2)]
        self._axis_sizes: IntArray = np.array(mdp.actions.shape, dtype=np.int64)
        self._axis_strides: IntArray = np.array(mdp.actions.strides, dtype=np.int64)
        self._axis_periodic: IntArray = np.array([axis.periodic for axis in mdp.actions.axes], dtype=np.int64)

    def advance(self, policy: FloatArray, evaluate: Evaluate, remaining: float) -> Step:
        """One step; see `Scheme`."""
        evaluation = evaluate()
        self._buffers.reverse()
        out = self._buffers[0] if self._buffers[0] is not policy else self._buffers[1]
        if self._control is not None:
            self._substeps.tolerance = self._control.start(policy, evaluation)
        attempts, lost = attempts_at(self._substeps, self._control, lambda: evaluation.q), 0
        before = self._substeps.evaluations
        while True:
            attempts.begin(self._size)
            size = landing_step(self._size, remaining)
            try:
                order = self._attempt(policy, evaluation, size)
                if order == 0:
                    attempts.reject()
                    continue
                drift = self._combine(order, out)
                limited = self._limit(out)
                after = self._substeps.evaluate(out, evaluation.value)
                fallback = not descends(self._mdp, evaluation, after)
                if fallback:
                    lost += 1
                    if self._control is not None and lost < DESCENT_ATTEMPTS:
                        attempts.reject()
                        self._size = 0.25 * size
                        continue
                    out[:], limited, drift = self._parts[0], 0, 0.0
                    after = self._substeps.evaluate(out, evaluation.value)
            except RECOVERABLE as error:
                self._size = attempts.failed(error, size)
                continue
            spent = self._substeps.evaluations - before
            return Step(out, known(after), size, spent, attempts.rejected, limited, fallback, drift)

    def memory(self) -> Memory:
        """See `Scheme`."""
        return {"size": float(self._size), "target": int(self._target)}

    def restore(self, memory: Memory, policy: FloatArray) -> FloatArray:
        """See `Scheme`."""
        self._size, self._target = float(memory["size"]), int(memory["target"])
        return policy

    def _attempt(self, policy: FloatArray, evaluation: Evaluation, size: float) -> int:
        """Fill the parts for one step: the order reached, 0 if the step is rejected."""
        if self._control is None:
            for j in range(1, FIXED_ORDER + 1):
                self._substeps(policy, evaluation, size, j, self._parts[j - 1])
            return FIXED_ORDER
        deepest = min(self._target + 1, HIGHEST)
        sizes, works = np.zeros(HIGHEST + 1), np.full(HIGHEST + 1, np.inf)
        for j in range(1, deepest + 1):
            self._substeps(policy, evaluation, size, j, self._parts[j - 1])
            if j < 2:
                continue
            ratio = self._error(j, policy)
            # the error is of order j in the step and the progress allowed for it of order one
            factor = SAFETY * max(ratio, 1e-12) ** (-1.0 / (j - 1)) if np.isfinite(ratio) else SHRINKING
            sizes[j] = size * min(GROWTH, max(SHRINKING, factor))
            works[j] = (1 + j * (j + 1) // 2) / sizes[j]
            if ratio <= 1.0 and j >= self._target - 1:
                self._choose(j, size, sizes, works)
                return j
        best = int(np.argmin(works))
        self._target, self._size = best, min(sizes[best], 0.7 * size)
        return 0

    def _error(self, order: int, policy: FloatArray) -> float:
        assert self._control is not None
        weights = extrapolation_weights(order) - extrapolation_weights(order, skip=1)
        return self._control.combined_ratio(weights, self._parts[:order], policy)

    def _choose(self, reached: int, size: float, sizes: FloatArray, works: FloatArray) -> None:
        """Order and size of the next step, of least work per unit time among the neighbours."""
        best = int(np.argmin(works))
        proposed = sizes[best]
        if best == reached and reached < HIGHEST and (reached == 2 or works[reached] < 0.95 * works[reached - 1]):
            best = reached + 1
            proposed = sizes[reached] * (1 + best * (best + 1) / 2) / (1 + reached * (reached + 1) / 2)
        self._target = max(2, best)
        proposed = min(float(proposed), GROWTH * size)
        # a step cut short to land on a time says nothing against the size it was cut from
        self._size = max(proposed, self._size) if proposed >= size else proposed

    def _combine(self, order: int, out: FloatArray) -> float:
        """Combine the first parts into out; the largest mass error of the parts, which was taken off.

        Weights of either sign enlarge the parts' errors up to some two-hundredfold; the error is given before that.
        """
        weights = extrapolation_weights(order)
        combine(weights, self._parts[:order], out, self._drift)
        self._drift /= float(np.abs(weights).sum())
        return mass_drift(self._mdp, self._drift)

    def _limit(self, out: FloatArray) -> int:
        limited = np.zeros(out.shape[0], dtype=np.int64)
        limit_fluxes(out, self._axis_sizes, self._axis_strides, self._axis_periodic, limited)
        return int(limited.sum())
