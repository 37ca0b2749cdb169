"""Gibbs policies, relative entropies and entropy-regularised costs, safe in logarithms.

    Gibbs policy       g_k = m_k e^{-Q_k/tau} / Z,             Z = sum_k m_k e^{-Q_k/tau}
    soft minimum       -tau ln Z                               (the soft Bellman operator T at V)
    relative entropy   KL(p|g) = sum_k g_k phi(p_k/g_k - 1),   phi(u) = (1 + u) ln(1 + u) - u

phi has a series for small u, and ln(p/g) is a difference of logarithms, so KL is of full relative
accuracy from p = g + 1e-15 up to laws of disjoint support, and no temperature overflows.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from grids.arrays import FloatArray
from grids.compile import kernel


@kernel()
def phi(u: float) -> float:
    """(1 + u) ln(1 + u) - u for u > -1, without cancellation near zero."""
    if abs(u) < 0.02:
        # u^2/2 - u^3/6 + u^4/12 - ...; the first term left out is below 1e-15 of the sum
        tail = 1.0 / 42.0 - u * (1.0 / 56.0 - u * (1.0 / 72.0 - u / 90.0))
        return u * u * (0.5 - u * (1.0 / 6.0 - u * (1.0 / 12.0 - u * (1.0 / 20.0 - u * (1.0 / 30.0 - u * tail)))))
    return (1.0 + u) * math.log1p(u) - u


@kernel()
def log_gibbs_row(q: FloatArray, log_mass: FloatArray, temperature: float, out: FloatArray) -> float:
    """Fill out[k] = ln g_k for one state and return ln Z = ln sum_k m_k e^{-Q_k/tau}."""
    least = q[0]
    for k in range(1, q.size):
        least = min(least, q[k])
    total = 0.0
    for k in range(q.size):
        out[k] = log_mass[k] - (q[k] - least) / temperature
        total += math.exp(out[k])
    log_total = math.log(total)
    for k in range(q.size):
        out[k] -= log_total
    return float(log_total - least / temperature)


@kernel(parallel=True)
def gibbs_policy(q: FloatArray, log_mass: FloatArray, temperature: float, out: FloatArray) -> None:
    """out[i, k] = m_k e^{-Q_ik/tau} / Z_i.  Arrays q, out (S, A); log_mass (A,)."""
    for i in numba.prange(q.shape[0]):
        log_gibbs_row(q[i], log_mass, temperature, out[i])
        total = 0.0
        for k in range(q.shape[1]):
            out[i, k] = math.exp(out[i, k])
            total += out[i, k]
        for k in range(q.shape[1]):
            out[i, k] /= total


@kernel(parallel=True)
def soft_minimum(q: FloatArray, log_mass: FloatArray, temperature: float, out: FloatArray) -> None:
    """out[i] = -tau ln sum_k m_k e^{-Q_ik/tau}.  Arrays q (S, A), log_mass (A,), out (S,)."""
    for i in numba.prange(q.shape[0]):
        out[i] = -temperature * log_gibbs_row(q[i], log_mass, temperature, np.empty(q.shape[1]))


@kernel()
def relative_entropy_row(p: FloatArray, log_g: FloatArray) -> float:
    """KL(p|g) of two laws on the same cells, g given by its logarithms; 0 ln 0 = 0."""
    total = 0.0
    for k in range(p.size):
        if p[k] == 0.0:
            total += math.exp(log_g[k])
            continue
        log_ratio = math.log(p[k]) - log_g[k]
        if abs(log_ratio) < 1.0:
            total += math.exp(log_g[k]) * phi(math.expm1(log_ratio))
        else:
            total += p[k] * log_ratio - p[k] + math.exp(log_g[k])
    return total


@kernel(parallel=True)
def relative_entropy_to_gibbs(
    p: FloatArray, q: FloatArray, log_mass: FloatArray, temperature: float, out: FloatArray
) -> None:
    """out[i] = KL(p_i | Gibbs policy of Q_i).  Arrays p, q (S, A); log_mass (A,); out (S,)."""
    for i in numba.prange(q.shape[0]):
        log_g = np.empty(q.shape[1])
        log_gibbs_row(q[i], log_mass, temperature, log_g)
        out[i] = relative_entropy_row(p[i], log_g)


@kernel(parallel=True)
def relative_entropy_to_reference(p: FloatArray, log_mass: FloatArray, out: FloatArray) -> None:
    """out[i] = KL(p_i | m) = sum_k p_ik ln(p_ik/m_k).  Arrays p (S, A), log_mass (A,), out (S,)."""
    for i in numba.prange(p.shape[0]):
        out[i] = relative_entropy_row(p[i], log_mass)


@kernel(parallel=True)
def regularised_cost(
    p: FloatArray, cost: FloatArray, log_mass: FloatArray, temperature: float, out: FloatArray
) -> None:
    """out[i] = sum_k p_ik (c_ik + tau ln(p_ik/m_k)), with 0 ln 0 = 0.  Arrays p, cost (S, A); out (S,)."""
    for i in numba.prange(p.shape[0]):
        total = 0.0
        for k in range(p.shape[1]):
            if p[i, k] != 0.0:  # NaN and negative entries go on, to be found in the sum
                total += p[i, k] * (cost[i, k] + temperature * (math.log(p[i, k]) - log_mass[k]))
        out[i] = total


@kernel(parallel=True)
def distance_squared(a: FloatArray, b: FloatArray, p: FloatArray, g: FloatArray, out: FloatArray) -> None:
    """out[i] = sum_k d^2 / (p + g + a + |d|), d = a - b: chi-square near p = g = a, and never above sum_k |d|.

    The weight holds the masses a step starts from (p), leads to (a) and tends to (g).  Where none of the three carries
    mass, as in the tails of small temperatures, which underflow, the difference counts by its own mass |d|; without
    that term a tail of 1e-200 would weigh infinitely much.  Arrays (S, A), a not negative.
    """
    for i in numba.prange(a.shape[0]):
        total = 0.0
        for k in range(a.shape[1]):
            difference = a[i, k] - b[i, k]
            if difference != 0.0:
                total += difference * (difference / (p[i, k] + g[i, k] + a[i, k] + abs(difference)))
        out[i] = total
