"""alpha of two cells: the least of dissipation over twice the relative entropy, a function of one number.

    alpha = min_q  c (x_1 - x_0) ln(x_1/x_0) / (2 KL(q|g)),   x_0 = (1 - q)/g_0, x_1 = q/g_1

found on a grid of ln(q/(1 - q)) and refined by minimisation between its neighbours; at q = g the ratio is its limit
lambda = u + w.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.independent.generator import Frozen
from wpoflow.validation.independent.policy import relative_entropy

NODES = 160


def exact_alpha(frozen: Frozen, state: int) -> float:
    """alpha of a state with two cells, to 1e-8."""
    return _minimised(frozen, state)[0]


def least_favourable(frozen: Frozen, state: int) -> FloatArray:
    """The law (2,) for which the ratio is alpha."""
    logit = _minimised(frozen, state)[1]
    return np.asarray(np.exp(np.array([-np.logaddexp(0.0, logit), -np.logaddexp(0.0, -logit)])))


def _minimised(frozen: Frozen, state: int) -> tuple[float, float]:
    """The least ratio, and ln(q/(1 - q)) there."""
    log_g = frozen.log_g[state]
    center = float(log_g[1] - log_g[0])
    one = Frozen(frozen.geometry, frozen.right[[state]], frozen.left[[state]], log_g[None, :], frozen.temperature)

    def ratio(logit: float) -> float:
        if abs(logit - center) < 1e-4:
            return float(one.right[0, 0] + one.left[0, 0])
        law = np.array([[-np.logaddexp(0.0, logit), -np.logaddexp(0.0, -logit)]])
        policy = np.exp(law)
        lost = float(one.dissipation(policy)[0]) / one.temperature
        return lost / (2.0 * float(relative_entropy(policy, log_g)[0]))

    reach = 40.0 + abs(center)
    grid = np.linspace(-reach, reach, NODES)
    values = [ratio(float(x)) for x in grid]
    k = int(np.nanargmin(values))
    around = grid[max(k - 1, 0)], grid[min(k + 1, NODES - 1)]
    found = minimize_scalar(ratio, bounds=around, method="bounded", options={"xatol": 1e-10})
    if float(found.fun) <= values[k]:
        return float(found.fun), float(found.x)
    return float(values[k]), float(grid[k])
