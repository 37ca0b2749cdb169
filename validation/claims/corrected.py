"""The corrected value solves its equation: what limited cubic interpolation makes of it, by other code, is itself.

    V = T_C V + e,      |e| <= the residual that is stated,      E_C 1 = E 1

`corrected_value` is asked for that of the optimum.  V is held against the soft minimum of Q in every state, by NumPy's
logarithms; expectations of a constant are those of the Markov kernel, as corrections of it vanish.  Where there is
neither noise nor a mixture its Q is computed again in a few states, next state by next state, by loops over corners
(`validation.independent.cubic`), of the whole grid where the problem has the half of one.  Nothing is claimed of how
far it is from the value of finer grids: that is measured (`wpoflow truth`), not proven.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import IntArray
from wpoflow.grids.axis import SHOCK
from wpoflow.grids.grid import Grid
from wpoflow.grids.halving import images, whole_grid
from wpoflow.grids.interpolation import boundary_map
from wpoflow.grids.transitions import InterpolatedTransition
from wpoflow.grids.transitions.cubic import cubic_expectation
from wpoflow.solver.bellman.system import BellmanError
from wpoflow.solver.corrected.value import CorrectedValue
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.cubic import limited_cubic

MOST_PAIRS = 300_000
STATES, ACTIONS = 6, 5  # of which Q is computed again


@claim(
    "corrected",
    "the corrected value solves its equation to the residual stated, with expectations that keep constants",
    "definition: solver/corrected/value.py",
    needs_problem=True,
)
def judge(evidence: Evidence) -> Judgement:
    """The corrected optimum, its equation and its interpolation."""
    mdp = evidence.mdp
    assert mdp is not None
    try:
        cubic = cubic_expectation(mdp.transition)
    except ValueError as error:
        return (Hypothesis("next states are interpolated", False, str(error), scope=True),), (), {}
    small = Hypothesis("small enough", mdp.cost.size <= MOST_PAIRS, f"{mdp.cost.size:,} pairs", scope=True)
    if not small.met:
        return (small,), (), {}
    try:
        found = evidence.corrected()
    except BellmanError as error:
        return (Hypothesis("solved", False, str(error)),), (), {}
    ones, out = np.ones(mdp.states.size), np.empty_like(mdp.cost)
    constants = float(np.abs(cubic.expect(ones, out) - mdp.transition.expect(ones)).max())
    least = found.q.min(axis=1)
    total = (mdp.reference_mass * np.exp(-(found.q - least[:, None]) / mdp.temperature)).sum(axis=1)
    left = np.abs(least - mdp.temperature * np.log(total) - found.value)
    size = max(float(np.abs(found.q).max()), mdp.temperature)
    state = int(left.argmax())
    measurements = [
        Measurement("|E_C 1 - E 1|", constants, 0.0, "<=", rounding=256.0 * EPS),
        Measurement(
            "|T_C V - V|",
            float(left[state]),
            found.residual,
            "<=",
            mdp.states.describe(state),
            rounding=64.0 * EPS * size,
        ),
    ]
    if _plain(mdp) and not found.limits_kept:
        off, where = _interpolation(mdp, found)
        measurements.append(Measurement("Q_C by other code", off, 0.0, "<=", where, rounding=1e-11 * size))
    return (small,), tuple(measurements), {"residual": found.residual, "corrections": found.iterations}


def _plain(mdp: GridMDP) -> bool:
    """Whether next states are known and interpolated without noise."""
    kernel = mdp.transition
    axes = mdp.states.axes
    return (
        isinstance(kernel, InterpolatedTransition)
        and mdp.states.dim > 0
        and not kernel.noise.any()
        and all(axis.boundary != SHOCK for axis in axes)
    )


def _chosen(states: Grid) -> IntArray:
    """Some states; of half of a grid also such as lie where it was cut."""
    chosen = np.unique(np.linspace(0, states.size - 1, STATES + 2).astype(np.int64))[1:-1]
    if states.reflection is None:
        return chosen
    axis = [axis.name for axis in states.axes].index(states.reflection.halved)
    cut = [[n // 3, n // 2] for n in states.shape]
    cut[axis] = [0, 0] if not states.reflection.period else [0, states.shape[axis] - 1]
    return np.union1d(chosen, np.ravel_multi_index(tuple(np.array(cut)), states.shape))


def _interpolation(mdp: GridMDP, found: CorrectedValue) -> tuple[float, str]:
    """The largest difference of Q and Q computed again, and where."""
    kernel = mdp.transition
    assert isinstance(kernel, InterpolatedTransition)
    states, values = mdp.states, mdp.discount * found.value
    if states.reflection is not None:
        states, values = whole_grid(states), values[images(states)[0]]
    values = values.reshape(states.shape)
    ended = kernel.termination
    worst, where = 0.0, ""
    for state in _chosen(mdp.states):
        following = kernel.next_points(state, state + 1)
        for cell in np.unique(np.linspace(0, mdp.actions.size - 1, ACTIONS).astype(int)):
            places = [
                float(boundary_map(axis, f[0, cell : cell + 1])[0])
                for axis, f in zip(states.axes, following, strict=True)
            ]
            over = ended is not None and ended[state, cell] > 0.0
            expected = 0.0 if over else limited_cubic(states.axes, values, places)
            off = abs(float(mdp.cost[state, cell]) + expected - float(found.q[state, cell]))
            if off >= worst:
                worst, where = off, f"{mdp.states.describe(state)}, {mdp.actions.describe(cell)}"
    return worst, where
