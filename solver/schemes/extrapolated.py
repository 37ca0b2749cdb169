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

from typing import NamedTuple

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.brief import briefly
from wpoflow.grids.grid import Grid
from wpoflow.solver.arithmetic.combination import combine
from wpoflow.solver.bellman.evaluation import Evaluation
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.schemes.scheme import Problem, Scheme, State, Trial, values

HIGHEST = 6
FIXED_ORDER = 4
FIRST_ORDER = 3  # tried at the first step
GROWTH = 5.0
SHRINKING = 0.1
SAFETY = 0.9


def extrapolation_weights(order: int, skip: int = 0) -> FloatArray:
    """Weights (order,) of the results with 1..order substeps; the first ``skip`` of them are left out."""
    weights = np.zeros(order)
    for j in range(skip + 1, order + 1):
        others = [other for other in range(skip + 1, order + 1) if other != j]
        weights[j - 1] = np.prod([j / (j - other) for other in others])
    return weights


@briefly
class ExtrapolatedState(NamedTuple):
    """Where the scheme is; ``target`` is the order that is aimed at, the rest as in `State`."""

    policy: FloatArray
    evaluation: Evaluation | None
    size: float
    target: int
    time: float = 0.0


class ExtrapolatedScheme(Scheme):
    """Extrapolated backward Euler of variable order and step, or of order four with a fixed step."""

    name = "extrapolated"
    order = FIXED_ORDER
    automatic = True
    annealed = True
    pair_arrays = (10, 13)
    work = (9, 12)
    call_seconds = 1e-3

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        # one more than there are parts: the policy that a step begins at is in none of theirs
        self._parts = np.empty((1 + (FIXED_ORDER if problem.control is None else HIGHEST), *problem.mdp.cost.shape))
        self._rows = list(self._parts)
        self._drift = np.zeros(problem.mdp.states.size)

    @staticmethod
    def obstacle(actions: Grid, flow: type[Flow]) -> str:
        """See `Scheme`."""
        what = "their logarithms" if flow.logarithmic else "parameters" if flow.parametric else ""
        return what and f"combines probabilities, and the state of this flow is {what}"

    def init(self, policy: FloatArray, evaluation: Evaluation | None) -> ExtrapolatedState:
        """See `Scheme`."""
        return ExtrapolatedState(policy, evaluation, self.problem.first_step, FIRST_ORDER)

    def trial(self, state: State, dt: float) -> Trial:
        """See `Scheme`."""
        assert isinstance(state, ExtrapolatedState)
        control, substeps, policy, known = self.problem.control, self.problem.substeps, state.policy, values(state)
        slots = np.array([slot for slot, row in enumerate(self._rows) if row is not policy])
        if control is None:
            for j in range(1, FIXED_ORDER + 1):
                substeps(policy, known, state.time, dt, j, self._rows[slots[j - 1]])
            return self._combined(slots[:FIXED_ORDER], state._replace(time=state.time + dt), state)
        substeps.tolerance = control.start(policy, known)
        sizes, works = np.zeros(HIGHEST + 1), np.full(HIGHEST + 1, np.inf)
        for j in range(1, min(state.target + 1, HIGHEST) + 1):
            substeps(policy, known, state.time, dt, j, self._rows[slots[j - 1]])
            if j < 2:
                continue
            weights = extrapolation_weights(j) - extrapolation_weights(j, skip=1)
            ratio = control.combined_ratio(weights, slots[:j], self._parts, policy)
            # the error is of order j in the step and the progress allowed for it of order one
            factor = SAFETY * max(ratio, 1e-12) ** (-1.0 / (j - 1)) if np.isfinite(ratio) else SHRINKING
            sizes[j] = dt * min(GROWTH, max(SHRINKING, factor))
            works[j] = (1 + j * (j + 1) // 2) / sizes[j]
            if ratio <= 1.0 and j >= state.target - 1:
                chosen = self._choose(j, dt, sizes, works, state)
                return self._combined(slots[:j], chosen, state._replace(target=chosen.target))
        best = int(np.argmin(works))
        rejected = state._replace(policy=self._rows[slots[0]])
        return Trial(rejected, state._replace(target=best, size=min(sizes[best], 0.7 * dt)), np.inf)

    def _choose(
        self, reached: int, dt: float, sizes: FloatArray, works: FloatArray, state: ExtrapolatedState
    ) -> ExtrapolatedState:
        """The state with order and size of the next step, of least work per unit time among the neighbours."""
        best = int(np.argmin(works))
        proposed = sizes[best]
        if best == reached and reached < HIGHEST and (reached == 2 or works[reached] < 0.95 * works[reached - 1]):
            best = reached + 1
            proposed = sizes[reached] * (1 + best * (best + 1) / 2) / (1 + reached * (reached + 1) / 2)
        proposed = min(float(proposed), GROWTH * dt)
        # a step cut short to land on a time says nothing against the size it was cut from
        size = max(proposed, state.size) if proposed >= dt else proposed
        return state._replace(target=max(2, best), size=size, time=state.time + dt)

    def _combined(self, slots: IntArray, following: ExtrapolatedState, retry: ExtrapolatedState) -> Trial:
        """The parts in these slots combined, in place of the last of them.

        Weights of either sign enlarge the parts' errors of mass up to some two-hundredfold; the drift is given before.
        """
        weights, out = extrapolation_weights(slots.size), self._rows[slots[-1]]
        slab = self.problem.mdp.slab
        part = slab.part(self._drift)
        combine(weights, slots, self._parts, out, part)
        slab.gather((self._drift, part))
        self._drift /= float(np.abs(weights).sum())
        return Trial(following._replace(policy=out), retry, drift=self._drift, negative=None)
