"""The discrete Bakry–Émery constant of birth–death chains: see `bound_bakry_emery` for the formula and its proof."""

from __future__ import annotations

import math

import numba

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel

_NEGLIGIBLE = 1e-280
_NEWTON_STEPS = 12


@kernel()
def curvature_of_pair(a: float, b: float) -> float:
    """kappa = a + b + inf_z [a (e^z - 1) + b (1 - e^{-z})]/z for a, b >= 0, from below.

    With a = c e^{-d}, b = c e^d and z = 2 y the quotient is 2 c cosh(y - d) (sinh y)/y, whose logarithm is convex with
    its minimum in [0, d], where f(y) = coth y - 1/y + tanh(y - d) vanishes.  Newton's iterate y is not trusted: by
    convexity the minimum is at least the value at y times exp(-|f(y)| d).
    """
    if b < a:
        a, b = b, a
    if a <= _NEGLIGIBLE * b:  # kappa increases in a, and is b for a = 0
        return b
    d = 0.5 * math.log(b / a)
    centre = math.sqrt(a) * math.sqrt(b)
    lower, upper = 0.0, d
    y = 0.75 * d if d < 2.0 else max(0.5 * d, d - 0.5 * math.log(2.0 * d))
    slope = 0.0
    for _ in range(_NEWTON_STEPS):
        slope, bend = _log_slope(y, d)
        if slope > 0.0:
            upper = y
        else:
            lower = y
        if abs(slope) * d < 1e-13:
            break
        after = y - slope / bend
        y = after if lower < after < upper else 0.5 * (lower + upper)
    slope, _ = _log_slope(y, d)
    log_sinhc = 0.0 if y < 1e-8 else y + math.log(-math.expm1(-2.0 * y) / (2.0 * y))
    gap = abs(d - y)
    log_cosh = gap + math.log1p(math.expm1(-2.0 * gap) / 2.0)
    return a + b + 2.0 * centre * math.exp(log_sinhc + log_cosh - (abs(slope) + 1e-15) * d)


@kernel()
def _log_slope(y: float, d: float) -> tuple[float, float]:
    """f(y) and f'(y); the series of coth y - 1/y where it would cancel."""
    t = math.tanh(y - d)
    if y < 0.02:
        square = y * y
        langevin = y * (1.0 / 3.0 - square * (1.0 / 45.0 - square * (2.0 / 945.0)))
        langevin_slope = 1.0 / 3.0 - square * (1.0 / 15.0 - square * (2.0 / 189.0))
    else:
        coth = 1.0 / math.tanh(y)
        langevin = coth - 1.0 / y
        langevin_slope = 1.0 / (y * y) - (coth - 1.0) * (coth + 1.0)
    return langevin + t, langevin_slope + (1.0 - t) * (1.0 + t)


@kernel()
def bakry_emery_row(right: FloatArray, left: FloatArray, slack: FloatArray, sharp: bool) -> float:
    """Half the least kappa_k of one path; zero where the hypothesis fails.

    Parameters
    ----------
    right, left, slack : arrays (n - 1,)
        Rates k -> k+1 and k+1 -> k, and the relative error allowed for in both.
    sharp : bool
        Whether to minimise over z, or to use (sqrt(A) + sqrt(B))^2 <= kappa.
    """
    n_faces = right.size
    least = math.inf
    for k in range(n_faces):
        a = right[k] * (1.0 - slack[k])
        b = left[k] * (1.0 - slack[k])
        if k + 1 < n_faces:
            a -= right[k + 1] * (1.0 + slack[k + 1])
        if k > 0:
            b -= left[k - 1] * (1.0 + slack[k - 1])
        if a < 0.0 or b < 0.0:
            return 0.0
        kappa = curvature_of_pair(a, b) if sharp else (math.sqrt(a) + math.sqrt(b)) ** 2
        least = min(least, kappa)
    return 0.5 * least


@kernel(parallel=True)
def bakry_emery_paths(right: FloatArray, left: FloatArray, slack: FloatArray, out: FloatArray) -> None:
    """out[i] = discrete Bakry–Émery bound of every state.  Arrays (S, n - 1), out (S,)."""
    for i in numba.prange(right.shape[0]):
        out[i] = bakry_emery_row(right[i], left[i], slack[i], True)
