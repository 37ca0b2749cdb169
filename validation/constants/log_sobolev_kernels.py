r"""Minimisation of dissipation over entropy for reversible chains: kernels.

For x = e^f on the cells, M = sum_k g_k x_k, and faces (a, b) with conductance c:

    D(x) = sum c (x_b - x_a)(f_b - f_a),     Ent(x) = M sum g phi(x/M - 1),     phi(u) = (1 + u) ln(1 + u) - u,

R = D/(2 Ent).  With x = 1 + u and u spread over hundreds of orders of magnitude, nothing may be taken from sums of
numbers near one: f is kept at zero in the cell of largest g, ln M = log1p(sum g expm1 f), phi(expm1 f) has a series for
small f, and x_b - x_a = x_a expm1(f_b - f_a), the largest of the two x in front.

Descent is by conjugate gradients (Polak-Ribiere, restarted) preconditioned with the Laplacian of the weights c (x_a +
x_b), the mixed second derivatives of D, eliminated as in `validation.constants.elimination_kernels`.  For small f one
step is inverse iteration for the spectral gap, so the number of steps does not grow with the number of cells.
Gradients are kept per unit of p = g x, which may underflow; every accepted step lowers R.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.validation.constants.elimination_kernels import eliminate, solve_grounded
from wpoflow.validation.constants.vector_kernels import add_multiple, copy_vector

FLAT = 1e-3  # range of f below which a start ends: its limit is the spectral gap
SETTLED = 1e-11  # predicted relative decrease at which a start ends
LARGEST_EXPONENT = 300.0
MOVE = 8.0  # largest change of a difference of ln x between neighbours in one trial step
TRIALS = 12


@kernel()
def phi_of_exponent(f: float) -> float:
    """phi(expm1 f) = f e^f - e^f + 1 without cancellation."""
    if abs(f) < 0.1:
        # sum over k >= 2 of f^k (k - 1)/k!; the first term left out is below 1e-16 of the sum
        tail = 7.0 / 40320.0 + f * (8.0 / 362880.0 + f * (9.0 / 3628800.0 + f * (10.0 / 39916800.0)))
        tail = 1.0 / 30.0 + f * (5.0 / 720.0 + f * (6.0 / 5040.0 + f * tail))
        return f * f * (0.5 + f * (1.0 / 3.0 + f * (1.0 / 8.0 + f * tail)))
    return f * math.exp(f) - math.expm1(f)


@kernel()
def log_mean(f: FloatArray, log_gibbs: FloatArray) -> float:
    """ln sum g e^f for f that is zero in the cell of largest g."""
    total = 0.0
    for k in range(f.size):
        if f[k] > 1.0:
            total += math.exp(log_gibbs[k] + f[k]) - math.exp(log_gibbs[k])
        else:
            total += math.exp(log_gibbs[k]) * math.expm1(f[k])
    return math.log1p(total)


@kernel()
def ratio(
    f: FloatArray, log_gibbs: FloatArray, log_conductance: FloatArray, first: IntArray, second: IntArray
) -> tuple[float, float, float]:
    """R, D/M and ln M for f = ln x, zero in the cell of largest g; R is infinite where x is constant or overflows."""
    log_m = log_mean(f, log_gibbs)
    entropy, dissipation = 0.0, 0.0
    for k in range(f.size):
        shifted = f[k] - log_m
        if shifted > 1.0:
            p = math.exp(log_gibbs[k] + shifted)
            entropy += p * (shifted - 1.0) + math.exp(log_gibbs[k])
        else:
            entropy += math.exp(log_gibbs[k]) * phi_of_exponent(shifted)
    for e in range(first.size):
        d = abs(f[second[e]] - f[first[e]])
        top = max(f[second[e]], f[first[e]]) - log_m
        dissipation -= math.exp(log_conductance[e] + top) * math.expm1(-d) * d
    value = dissipation / (2.0 * entropy)
    if not (0.0 < entropy < math.inf and dissipation > 0.0 and value < math.inf):
        return math.inf, math.inf, log_m
    return value, dissipation, log_m


@kernel()
def gradient(
    f: FloatArray,
    log_m: float,
    value: float,
    right: FloatArray,
    left: FloatArray,
    first: IntArray,
    second: IntArray,
    out: FloatArray,
    forward: FloatArray,
    backward: FloatArray,
) -> None:
    """(dD/df - 2 R dEnt/df)/p in every cell, and the preconditioner's rates over the faces."""
    for k in range(f.size):
        out[k] = -2.0 * value * (f[k] - log_m)
    for e in range(first.size):
        a, b = first[e], second[e]
        d = f[b] - f[a]
        growth = min(max(d, -LARGEST_EXPONENT), LARGEST_EXPONENT)
        out[a] -= right[e] * (d + math.expm1(growth))
        out[b] += left[e] * (d - math.expm1(-growth))
        forward[e] = right[e] * (1.0 + math.exp(growth))
        backward[e] = left[e] * (1.0 + math.exp(-growth))


@kernel()
def ground_at(f: FloatArray, ground: int) -> None:
    """Subtract from f its value in one cell."""
    value = f[ground]
    for k in range(f.size):
        f[k] -= value


@kernel()
def spread(f: FloatArray) -> float:
    """Largest entry minus the smallest."""
    low, high = f[0], f[0]
    for k in range(f.size):
        low, high = min(low, f[k]), max(high, f[k])
    return float(high - low)


@kernel()
def descend(
    f: FloatArray,
    log_gibbs: FloatArray,
    right: FloatArray,
    left: FloatArray,
    log_conductance: FloatArray,
    first: IntArray,
    second: IntArray,
    band: int,
    steps: int,
) -> float:
    """Lower R from f, in place, by at most that many steps; the smallest R."""
    n = f.size
    ground = int(np.argmax(log_gibbs))
    up, down, pivot = np.empty((n, band)), np.empty((n, band)), np.empty(n)
    forward, backward = np.empty(first.size), np.empty(first.size)
    slope, old_slope = np.empty(n), np.zeros(n)
    direction, preconditioned, trial = np.zeros(n), np.empty(n), np.empty(n)
    ground_at(f, ground)
    value, dissipation, log_m = ratio(f, log_gibbs, log_conductance, first, second)
    old_product = 0.0
    length = 1.0
    for _ in range(steps):
        if not value < math.inf or spread(f) < FLAT:
            break
        gradient(f, log_m, value, right, left, first, second, slope, forward, backward)
        if not eliminate(forward, backward, first, second, ground, up, down, pivot):
            break
        copy_vector(slope, preconditioned)
        solve_grounded(up, down, pivot, ground, preconditioned)
        product, mixed = 0.0, 0.0
        for k in range(n):
            p = math.exp(log_gibbs[k] + f[k] - log_m)
            product += p * slope[k] * preconditioned[k]
            mixed += p * old_slope[k] * preconditioned[k]
        beta = max(0.0, (product - mixed) / old_product) if old_product > 0.0 else 0.0
        if not product > SETTLED * dissipation:
            break
        descent = 0.0
        for k in range(n):
            direction[k] = beta * direction[k] - preconditioned[k]
            descent += math.exp(log_gibbs[k] + f[k] - log_m) * slope[k] * direction[k]
        if not descent < 0.0:
            for k in range(n):
                direction[k] = -preconditioned[k]
            descent = -product
        steepest = 0.0
        for e in range(first.size):
            steepest = max(steepest, abs(direction[second[e]] - direction[first[e]]))
        if not 0.0 < steepest < math.inf:
            break
        predicted = descent / dissipation * value
        t = min(length, MOVE / steepest)
        better = False
        best, best_t = value, 0.0
        for _trial in range(TRIALS):
            for k in range(n):
                trial[k] = f[k] + t * direction[k]
            found = ratio(trial, log_gibbs, log_conductance, first, second)[0]
            if found < best:
                gained = best_t > 0.0 and found > best - 0.1 * (value - best)
                best, best_t, better = found, t, True
                curvature = (found - value - t * predicted) / (t * t)
                wanted = -predicted / (2.0 * curvature) if curvature > 0.0 else 4.0 * t
                wanted = min(wanted, 4.0 * t, MOVE / steepest)
                if gained or abs(wanted - t) < 0.25 * t:
                    break
                t = wanted
            else:
                if better:
                    break
                curvature = (found - value - t * predicted) / (t * t) if found < math.inf else 0.0
                t = max(0.1 * t, min(0.5 * t, -predicted / (2.0 * curvature))) if curvature > 0.0 else 0.1 * t
        if not better:
            if beta == 0.0:
                break
            old_product = 0.0
            direction[:] = 0.0
            continue
        add_multiple(f, best_t, direction)
        ground_at(f, ground)
        length = best_t
        old_product = product
        copy_vector(slope, old_slope)
        value, dissipation, log_m = ratio(f, log_gibbs, log_conductance, first, second)
    return value


@kernel(parallel=True)
def descend_all(
    starts: FloatArray,
    log_gibbs: FloatArray,
    right: FloatArray,
    left: FloatArray,
    log_conductance: FloatArray,
    first: IntArray,
    second: IntArray,
    band: int,
    steps: int,
    values: FloatArray,
) -> None:
    """`descend` from every start in every state.

    Parameters
    ----------
    starts : array (S, K, n)
        Values of ln x, overwritten by those at the smallest R found.
    log_gibbs : array (S, n)
    right, left, log_conductance : arrays (S, F)
    values : array (S, K)
        Filled: the smallest R; infinite if it is not finite at the start.
    """
    for i in numba.prange(starts.shape[0]):
        for j in range(starts.shape[1]):
            values[i, j] = descend(
                starts[i, j], log_gibbs[i], right[i], left[i], log_conductance[i], first, second, band, steps
            )
