"""The flow from one policy to a later time, by a general solver of stiff equations: no scheme of this project's.

    dp/dt = transport L(Q^p) p - growth p (delta - V),   L the generators of `validation.independent.generator`, Q^p by
    dense elimination at every call.

SciPy's Radau method of order five controls its own error; unknowns are the cell probabilities, all but the largest of
which in a state would do, but mass is kept to the tolerance.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.independent.generator import Frozen, Geometry
from wpoflow.validation.independent.growth import centred_advantage, growth
from wpoflow.validation.independent.policy import PolicyValues

TOLERANCE = 1e-8
LEAST_LOGARITHM = -740.0  # of the smallest number, in place of that of zero


class TrajectoryError(ArithmeticError):
    """The solver gave up."""


def flow_to(mdp: GridMDP, policy: FloatArray, time: float, weights: tuple[float, float] = (1.0, 0.0)) -> FloatArray:
    """The policy a time later, (S, A), to about 1e-7 of what moves; ``weights`` are those of transport and growth.

    Raises
    ------
    TrajectoryError
        With the solver's own words.
    """
    geometry, shape = Geometry.of(mdp.actions), policy.shape

    def slope(_: float, p: FloatArray) -> FloatArray:
        now = np.maximum(p.reshape(shape), 0.0)
        q = PolicyValues(mdp, now).q
        moved = weights[1] * growth(mdp, now, q) if weights[1] else np.zeros(shape)
        if weights[0]:
            frozen = Frozen.of(geometry, q, mdp.reference_mass, mdp.temperature)
            moved = moved + weights[0] * frozen.apply(p.reshape(shape))
        return moved.ravel()

    if not weights[0]:  # nothing but growth: ln p is not stiff, and no zero is crossed
        return _by_logarithms(mdp, policy, time, weights[1])
    found = solve_ivp(slope, (0.0, time), policy.ravel(), method="Radau", rtol=TOLERANCE, atol=1e-14)
    if not found.success:
        raise TrajectoryError(str(found.message))
    return np.asarray(found.y[:, -1].reshape(shape))


def _by_logarithms(mdp: GridMDP, policy: FloatArray, time: float, weight: float) -> FloatArray:
    """Growth alone, d/dt ln p = -weight (delta - V), by an explicit method of order eight (DOP853)."""
    shape = policy.shape

    def slope(_: float, log_p: FloatArray) -> FloatArray:
        now = np.exp(log_p.reshape(shape))
        return (-weight * centred_advantage(mdp, now, PolicyValues(mdp, now).q)).ravel()

    with np.errstate(divide="ignore"):
        start = np.maximum(np.log(policy), LEAST_LOGARITHM).ravel()
    found = solve_ivp(slope, (0.0, time), start, method="DOP853", rtol=TOLERANCE, atol=TOLERANCE)
    if not found.success:
        raise TrajectoryError(str(found.message))
    return np.asarray(np.exp(found.y[:, -1].reshape(shape)))
