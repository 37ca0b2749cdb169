"""Hardy-type constants of one path, entirely in logarithms: see `bound_barthe_roberto` for formulas and proofs.

A *side* of a centre is the list of cells and faces going outwards from it: cell j = 0, 1, .. of a side lies behind
face j, and face 0 touches the centre.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel

_SHARPENINGS = 10
_SQUARE = math.e**2


@kernel()
def log_add(a: float, b: float) -> float:
    """ln(e^a + e^b)."""
    if a < b:
        a, b = b, a
    if b == -math.inf:
        return a
    return a + math.log1p(math.exp(b - a))


@kernel()
def _tail_weights(log_gibbs: FloatArray, weight: FloatArray) -> None:
    """weight[k] = ln( T_k ln(1 + e^2/T_k) ), T_k the mass of cells k, k+1, ..; the order of cells is the caller's."""
    tail = -math.inf
    for k in range(log_gibbs.size - 1, -1, -1):
        tail = log_add(tail, log_gibbs[k])
        weight[k] = tail + math.log(log_add(0.0, 2.0 - tail))


@kernel()
def _plain_side(weight: FloatArray, log_conductance: FloatArray, centre: int) -> float:
    """ln max_{k > centre} T_k ln(1 + e^2/T_k) sum_{j=centre}^{k-1} 1/c_j; -inf without cells."""
    resistance, largest = -math.inf, -math.inf
    for k in range(centre + 1, weight.size):
        resistance = log_add(resistance, -log_conductance[k - 1])
        largest = max(largest, weight[k] + resistance)
    return largest


@kernel()
def sharpened_side(log_gibbs: FloatArray, log_conductance: FloatArray) -> float:
    """ln min over iterates phi of max_i N_i/(c_i (phi_i - phi_{i-1})) of one side; -inf without cells.

    N_i depends only on the cell J from which t phi_j > 1.  As i goes inwards t falls, so cells once left out stay
    out: one pointer finds all J in linear time.
    """
    n = log_gibbs.size
    if n == 0:
        return -math.inf
    increment, log_phi = np.empty(n), np.empty(n)
    mass, moment, mean = np.empty(n), np.empty(n), np.empty(n)
    resistance = -math.inf
    tail = -math.inf
    for j in range(n):
        inner = 0.5 * resistance
        resistance = log_add(resistance, -log_conductance[j])
        increment[j] = -log_conductance[j] - log_add(inner, 0.5 * resistance)  # of the square root, no cancellation
    for j in range(n - 1, -1, -1):
        tail = log_add(tail, log_gibbs[j])
        mass[j] = math.log(_SQUARE + math.exp(tail))
    best = math.inf
    for _ in range(_SHARPENINGS):
        total = -math.inf
        for j in range(n):
            total = log_add(total, increment[j])
            log_phi[j] = total
        total, average = -math.inf, 0.0
        for j in range(n - 1, -1, -1):
            part = log_gibbs[j] + log_phi[j]
            total = log_add(total, part)
            average += math.exp(part - total) * (log_phi[j] - average)
            moment[j], mean[j] = total, average
        worst = -math.inf
        start = n - 1
        for i in range(n - 1, -1, -1):
            if start == i + 1:  # nothing was left out so far
                start = i
            while start < n - 1 and mass[start] - moment[start] + log_phi[start] <= 0.0:
                start += 1
            bulk = moment[start] + math.log(mass[start] - moment[start] + mean[start])
            worst = max(worst, bulk - log_conductance[i] - increment[i])
            increment[i] = bulk - log_conductance[i]
        best = min(best, worst)
    return best


@kernel()
def barthe_roberto_row(log_gibbs: FloatArray, log_conductance: FloatArray, sharpen: bool) -> float:
    """Logarithm of the plain or the sharpened bound of one path.

    Parameters
    ----------
    log_gibbs : array (n,)
    log_conductance : array (n - 1,)
    """
    n = log_gibbs.size
    forward, backward = np.empty(n), np.empty(n)
    mirrored_gibbs, mirrored_conductance = log_gibbs[::-1].copy(), log_conductance[::-1].copy()
    _tail_weights(log_gibbs, forward)
    _tail_weights(mirrored_gibbs, backward)
    # the right constant falls and the left one grows with the centre: the best centre is where they cross
    low, high = 0, n - 1
    while low < high:
        middle = (low + high) // 2
        right = _plain_side(forward, log_conductance, middle)
        if right <= _plain_side(backward, mirrored_conductance, n - 1 - middle):
            high = middle
        else:
            low = middle + 1
    plain = math.inf
    centre = low
    for m in range(max(low - 1, 0), low + 1):
        right = _plain_side(forward, log_conductance, m)
        left = _plain_side(backward, mirrored_conductance, n - 1 - m)
        if max(left, right) < plain:
            plain, centre = max(left, right), m
    if not sharpen:
        return -math.log(2.0) - plain
    sharpened = math.inf
    for m in range(max(centre - 1, 0), min(centre + 2, n)):
        right = sharpened_side(log_gibbs[m + 1 :], log_conductance[m:])
        left = sharpened_side(mirrored_gibbs[n - m :], mirrored_conductance[n - 1 - m :])
        sharpened = min(sharpened, max(left, right))
    return math.log(2.0) - sharpened


@kernel(parallel=True)
def barthe_roberto_paths(log_gibbs: FloatArray, log_conductance: FloatArray, sharpen: bool, out: FloatArray) -> None:
    """out[i] = logarithm of the bound in every state.  Arrays (S, n), (S, n - 1), (S,)."""
    for i in numba.prange(log_gibbs.shape[0]):
        out[i] = barthe_roberto_row(log_gibbs[i], log_conductance[i], sharpen)
