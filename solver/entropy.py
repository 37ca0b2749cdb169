"""Gibbs policies, relative entropies and entropy-regularised costs, safe in logarithms.

    Gibbs policy       g_k = m_k e^{-Q_k/tau} / Z,             Z = sum_k m_k e^{-Q_k/tau}
    soft minimum       -tau ln Z                               (the soft Bellman operator T at V)
    relative entropy   KL(p|g) = sum_k g_k phi(p_k/g_k - 1),   phi(u) = (1 + u) ln(1 + u) - u

With L = ln(p/g), a difference of logarithms, g phi(p/g - 1) = g (L e^L - e^L + 1) has a series for small L and is
p L - p + g elsewhere, so KL is of full relative accuracy from p = g + 1e-15 up to laws of disjoint support, and no
temperature overflows.  Exponentials and logarithms are those of `solver.arithmetic.elementary`.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.elementary import exp, log
from wpoflow.solver.arithmetic.lines import PARTS
from wpoflow.solver.arithmetic.sums import plus, row_least

(_S2, _S3, _S4, _S5, _S6, _S7, _S8, _S9, _S10, _S11, _S12, _S13, _S14, _S15) = (
    (j - 1) / math.factorial(j) for j in range(2, 16)
)


@kernel()
def _bregman(log_ratio: float) -> float:
    """L e^L - e^L + 1 = sum_j (j - 1)/j! L^j, the relative entropy per unit of g where p = g e^L, for |L| <= 1/2."""
    x = log_ratio
    x2 = x * x
    x4 = x2 * x2
    first = (_S2 + _S3 * x) + (_S4 + _S5 * x) * x2
    second = (_S6 + _S7 * x) + (_S8 + _S9 * x) * x2
    third = (_S10 + _S11 * x) + (_S12 + _S13 * x) * x2
    return x2 * (first + x4 * (second + x4 * (third + x4 * (_S14 + _S15 * x))))


@kernel()
def _relative_entropy(p: FloatArray, log_g: FloatArray, g: FloatArray) -> float:
    """sum_k p ln(p/g) - p + g; 0 ln 0 = 0."""
    total = 0.0
    for k in range(np.uintp(p.size)):
        log_ratio = log(p[k]) - log_g[k]
        far = p[k] * log_ratio - p[k] + g[k]
        term = g[k] * _bregman(log_ratio) if abs(log_ratio) < 0.5 else far
        total = plus(total, g[k] if p[k] == 0.0 else term)
    return total


@kernel()
def _weights(q: FloatArray, log_mass: FloatArray, inverse_temperature: float, least: float, out: FloatArray) -> float:
    """Fill out with m_k e^{-(Q_k - least)/tau}; their sum."""
    total = 0.0
    for k in range(np.uintp(out.size)):
        weight = exp(log_mass[k] - (q[k] - least) * inverse_temperature)
        out[k] = weight
        total = plus(total, weight)
    return total


@kernel()
def _log_weights(
    q: FloatArray, log_mass: FloatArray, inverse_temperature: float, least: float, shift: float, out: FloatArray
) -> None:
    """ln m_k - (Q_k - least)/tau - shift."""
    for k in range(out.size):
        out[k] = log_mass[k] - (q[k] - least) * inverse_temperature - shift


@kernel()
def _scale(x: FloatArray, by: float) -> None:
    """Multiply all entries."""
    for k in range(np.uintp(x.size)):
        x[k] *= by


@kernel()
def _gibbs_row(q: FloatArray, log_mass: FloatArray, temperature: float, log_g: FloatArray, g: FloatArray) -> None:
    """Fill g and ln g of one state."""
    least = row_least(q)
    total = _weights(q, log_mass, 1.0 / temperature, least, g)
    _scale(g, 1.0 / total)
    _log_weights(q, log_mass, 1.0 / temperature, least, math.log(total), log_g)


@kernel()
def log_gibbs_row(q: FloatArray, log_mass: FloatArray, temperature: float, out: FloatArray) -> float:
    """Fill out[k] = ln g_k for one state and return ln Z = ln sum_k m_k e^{-Q_k/tau}."""
    least = row_least(q)
    log_total = math.log(_weights(q, log_mass, 1.0 / temperature, least, out))
    _log_weights(q, log_mass, 1.0 / temperature, least, log_total, out)
    return float(log_total - least / temperature)


@kernel(parallel=True, largest=0)
def gibbs_policy(q: FloatArray, log_mass: FloatArray, temperature: float, out: FloatArray) -> None:
    """out[i, k] = m_k e^{-Q_ik/tau} / Z_i.  Arrays q, out (S, A); log_mass (A,)."""
    for i in numba.prange(q.shape[0]):
        _scale(out[i], 1.0 / _weights(q[i], log_mass, 1.0 / temperature, row_least(q[i]), out[i]))


@kernel(parallel=True)
def soft_minimum(q: FloatArray, log_mass: FloatArray, temperature: float, out: FloatArray) -> None:
    """out[i] = -tau ln sum_k m_k e^{-Q_ik/tau}.  Arrays q (S, A), log_mass (A,), out (S,)."""
    states = q.shape[0]
    parts = min(PARTS, states)
    for part in numba.prange(parts):
        work = np.empty(q.shape[1])
        for i in range(part * states // parts, (part + 1) * states // parts):
            least = row_least(q[i])
            total = _weights(q[i], log_mass, 1.0 / temperature, least, work)
            out[i] = -temperature * (math.log(total) - least / temperature)


@kernel()
def _exponentials(x: FloatArray, out: FloatArray) -> None:
    """Exponentials of all entries."""
    for k in range(out.size):
        out[k] = exp(x[k])


@kernel(parallel=True, largest=0)
def relative_entropy_to_gibbs(
    p: FloatArray, q: FloatArray, log_mass: FloatArray, temperature: float, out: FloatArray
) -> None:
    """out[i] = KL(p_i | Gibbs policy of Q_i).  Arrays p, q (S, A); log_mass (A,); out (S,)."""
    states = q.shape[0]
    parts = min(PARTS, states)
    for part in numba.prange(parts):
        log_g, g = np.empty(q.shape[1]), np.empty(q.shape[1])
        for i in range(part * states // parts, (part + 1) * states // parts):
            _gibbs_row(q[i], log_mass, temperature, log_g, g)
            out[i] = _relative_entropy(p[i], log_g, g)


@kernel(parallel=True, largest=0)
def relative_entropies_to_gibbs(
    before: FloatArray,
    after: FloatArray,
    q: FloatArray,
    log_mass: FloatArray,
    temperature: float,
    out_before: FloatArray,
    out_after: FloatArray,
) -> None:
    """`relative_entropy_to_gibbs` of two policies with the same Q, in one pass.  Arrays (S, A), (A,) and (S,)."""
    states = q.shape[0]
    parts = min(PARTS, states)
    for part in numba.prange(parts):
        log_g, g = np.empty(q.shape[1]), np.empty(q.shape[1])
        for i in range(part * states // parts, (part + 1) * states // parts):
            _gibbs_row(q[i], log_mass, temperature, log_g, g)
            out_before[i] = _relative_entropy(before[i], log_g, g)
            out_after[i] = _relative_entropy(after[i], log_g, g)


@kernel(parallel=True)
def relative_entropy_to_reference(p: FloatArray, log_mass: FloatArray, out: FloatArray) -> None:
    """out[i] = KL(p_i | m) = sum_k p_ik ln(p_ik/m_k).  Arrays p (S, A), log_mass (A,), out (S,)."""
    mass = np.empty(log_mass.size)
    _exponentials(log_mass, mass)
    for i in numba.prange(p.shape[0]):
        out[i] = _relative_entropy(p[i], log_mass, mass)


@kernel()
def _cost_row(p: FloatArray, cost: FloatArray, log_mass: FloatArray, temperature: float) -> float:
    """sum_k p (c + tau ln(p/m)), 0 ln 0 = 0; NaN and negative entries go on, to be found in the sum."""
    total = 0.0
    for k in range(np.uintp(p.size)):
        term = p[k] * (cost[k] + temperature * (log(p[k]) - log_mass[k]))
        total = plus(total, 0.0 if p[k] == 0.0 else term)
    return total


@kernel(parallel=True, largest=0)
def regularised_cost(
    p: FloatArray, cost: FloatArray, log_mass: FloatArray, temperature: float, out: FloatArray
) -> None:
    """out[i] = sum_k p_ik (c_ik + tau ln(p_ik/m_k)), with 0 ln 0 = 0.  Arrays p, cost (S, A); out (S,)."""
    for i in numba.prange(p.shape[0]):
        out[i] = _cost_row(p[i], cost[i], log_mass, temperature)


@kernel()
def _distance_row(a: FloatArray, b: FloatArray, p: FloatArray, g: FloatArray) -> float:
    """`distance_squared` of one state."""
    total = 0.0
    for k in range(np.uintp(a.size)):
        difference = a[k] - b[k]
        term = difference * (difference / (p[k] + g[k] + a[k] + abs(difference)))
        total = plus(total, 0.0 if difference == 0.0 else term)
    return total


@kernel(parallel=True)
def distance_squared(a: FloatArray, b: FloatArray, p: FloatArray, g: FloatArray, out: FloatArray) -> None:
    """out[i] = sum_k d^2 / (p + g + a + |d|), d = a - b: chi-square near p = g = a, and never above sum_k |d|.

    The weight holds the masses a step starts from (p), leads to (a) and tends to (g).  Where none of the three carries
    mass, as in the tails of small temperatures, which underflow, the difference counts by its own mass |d|; without
    that term a tail of 1e-200 would weigh infinitely much.  Arrays (S, A), a not negative.
    """
    for i in numba.prange(a.shape[0]):
        out[i] = _distance_row(a[i], b[i], p[i], g[i])
