"""Convex references of one path: lower convex hulls, their chains, and the best curvature.

See `bound_holley_stroock` for what is bounded.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.flux.bernoulli import bernoulli_pair
from wpoflow.validation.constants.bakry_emery_kernels import bakry_emery_row

_TRIALS = 24
_REFINEMENTS = 16
_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)
_RATE_ERROR = 2.0**-49


@kernel()
def hull_slopes(x: FloatArray, y: FloatArray, slopes: FloatArray) -> None:
    """Slopes of the lower convex hull of the points (x_k, y_k) between neighbours, nondecreasing."""
    n = x.size
    corner = np.empty(n, dtype=np.int64)
    count = 0
    for k in range(n):
        while count >= 2:
            a, b = corner[count - 2], corner[count - 1]
            if (y[k] - y[b]) / (x[k] - x[b]) > (y[b] - y[a]) / (x[b] - x[a]):
                break
            count -= 1
        corner[count] = k
        count += 1
    for j in range(count - 1):
        a, b = corner[j], corner[j + 1]
        slope = (y[b] - y[a]) / (x[b] - x[a])
        for k in range(a, b):
            slopes[k] = slope


@kernel()
def curvature_range(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Where to look for the best curvature of a reference.

    Below 8/length^2 the oscillation changes by less than one in the logarithm for each factor of the
    curvature; above the largest second difference quotient the hull is a straight line.
    """
    n = x.size
    lower = 4.0 / (x[n - 1] - x[0]) ** 2
    upper = 2.0 * lower
    for k in range(1, n - 1):
        after = (y[k + 1] - y[k]) / (x[k + 1] - x[k])
        before = (y[k] - y[k - 1]) / (x[k] - x[k - 1])
        upper = max(upper, 2.0 * (after - before) / (x[k + 1] - x[k - 1]))
    return lower, upper


@kernel()
def log_compared(
    curvature: float,
    potential: FloatArray,
    x: FloatArray,
    widths: FloatArray,
    log_gibbs: FloatArray,
    log_conductance: FloatArray,
    sharp: bool,
    work: FloatArray,
) -> float:
    """Logarithm of the bound from the reference of one curvature, -inf where Bakry–Émery does not apply to it.

    Parameters
    ----------
    potential, x, widths, log_gibbs : arrays (n,)
        Of one state; the reference has the rates of temperature one.
    log_conductance : array (n - 1,)
    work : array (5, n)
    """
    n = x.size
    tilted, slopes, right, left, slack = work[0], work[1], work[2], work[3], work[4]
    for k in range(n):
        tilted[k] = potential[k] - 0.5 * curvature * x[k] * x[k]
    hull_slopes(x, tilted, slopes)
    reference = math.log(widths[0])
    most = log_gibbs[0] - reference
    least = math.inf
    for k in range(n - 1):
        distance = x[k + 1] - x[k]
        z = (slopes[k] + 0.5 * curvature * (x[k] + x[k + 1])) * distance
        forward, backward = bernoulli_pair(z)
        right[k], left[k] = forward / (distance * widths[k]), backward / (distance * widths[k + 1])
        slack[k] = _RATE_ERROR
        after = reference - z + math.log(widths[k + 1] / widths[k])
        conductance = math.log(right[k]) + reference if z <= 0.0 else math.log(left[k]) + after
        reference = after
        least = min(least, log_conductance[k] - conductance)
        most = max(most, log_gibbs[k + 1] - reference)
    constant = bakry_emery_row(right[: n - 1], left[: n - 1], slack[: n - 1], sharp)
    return math.log(constant) + least - most if constant > 0.0 else -math.inf


@kernel()
def convex_reference_row(
    potential: FloatArray, x: FloatArray, widths: FloatArray, log_gibbs: FloatArray, log_conductance: FloatArray
) -> float:
    """Logarithm of the best bound over curvatures: a geometric search, then golden sections around the best."""
    work = np.empty((5, x.size))
    lower, upper = curvature_range(x, potential)
    step = math.log(upper / lower) / (_TRIALS - 1)
    best, place = -math.inf, 0.0
    for trial in range(_TRIALS):
        at = math.log(lower) + trial * step
        value = log_compared(math.exp(at), potential, x, widths, log_gibbs, log_conductance, False, work)
        if value > best:
            best, place = value, at
    a, b = place - step, place + step
    for _ in range(_REFINEMENTS):
        p, q = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
        at_p = log_compared(math.exp(p), potential, x, widths, log_gibbs, log_conductance, False, work)
        at_q = log_compared(math.exp(q), potential, x, widths, log_gibbs, log_conductance, False, work)
        if at_p > best:
            best, place = at_p, p
        if at_q > best:
            best, place = at_q, q
        if at_p >= at_q:
            b = q
        else:
            a = p
    hull_alone = log_compared(0.0, potential, x, widths, log_gibbs, log_conductance, True, work)
    found = log_compared(math.exp(place), potential, x, widths, log_gibbs, log_conductance, True, work)
    return max(hull_alone, found)


@kernel(parallel=True)
def convex_reference_paths(
    potential: FloatArray,
    x: FloatArray,
    widths: FloatArray,
    log_gibbs: FloatArray,
    log_conductance: FloatArray,
    out: FloatArray,
) -> None:
    """out[i] = logarithm of the best bound of every state.  Arrays (S, n), (n,), (n,), (S, n), (S, n - 1), (S,)."""
    for i in numba.prange(potential.shape[0]):
        out[i] = convex_reference_row(potential[i], x, widths, log_gibbs[i], log_conductance[i])
