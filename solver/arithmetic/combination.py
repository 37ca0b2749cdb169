"""Linear combinations of policies that were advanced with different substeps."""

from __future__ import annotations

import numba

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel


@kernel(parallel=True)
def combine(weights: FloatArray, slots: IntArray, parts: FloatArray, out: FloatArray, drift: FloatArray) -> None:
    """out = sum_j weights[j] parts[slots[j]] with weights summing to one, of the mass of the first part.

    Every substep keeps mass to about 1e-16, but m substeps do so m times, and weights of either sign
    would enlarge that up to twentyfold.  The combination is therefore written around the first part,
    p + sum_j w_j (parts[slots[j]] - p), and the mass of the sum, which is rounding, is taken off in
    proportion to p (it is found by Neumaier's compensated summation).  What was taken off is handed
    back, to be checked and recorded: over 1e4 steps it would add up to a gap above its own floor.

    Parameters
    ----------
    weights, slots : arrays (m,)
    parts : array (number of slots, S, A)
    out : array (S, A)
        May be any of the parts but the first.
    drift : array (S,)
        Filled with the mass that was taken off.
    """
    first = slots[0]
    for i in numba.prange(out.shape[0]):
        mass, lost = 0.0, 0.0
        for k in range(out.shape[1]):
            base = parts[first, i, k]
            change = 0.0
            for j in range(1, weights.size):
                change += weights[j] * (parts[slots[j], i, k] - base)
            out[i, k] = change
            total = mass + change
            if abs(mass) >= abs(change):
                lost += (mass - total) + change
            else:
                lost += (change - total) + mass
            mass = total
        mass += lost
        drift[i] = mass
        for k in range(out.shape[1]):
            base = parts[first, i, k]
            out[i, k] = base + (out[i, k] - mass * base)


@kernel(parallel=True)
def combination_squared(
    weights: FloatArray, slots: IntArray, parts: FloatArray, p: FloatArray, g: FloatArray, out: FloatArray
) -> None:
    """out[i] = sum_k d^2 / (p + g + a + |d|), d = sum_j weights[j] parts[slots[j]] of weights summing to zero.

    The norm of `solver.entropy.distance_squared`; a is the last of the parts in use.
    """
    last = weights.size - 1
    newest = slots[last]
    for i in numba.prange(p.shape[0]):
        total = 0.0
        for k in range(p.shape[1]):
            base = parts[newest, i, k]
            value = 0.0
            for j in range(last):
                value += weights[j] * (parts[slots[j], i, k] - base)
            if value != 0.0:
                total += value * (value / (p[i, k] + g[i, k] + base + abs(value)))
        out[i] = total
