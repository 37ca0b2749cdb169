"""Past policies combined linearly, and a new one measured against what they foretold.

All combinations have weights that sum to one and are written around the newest policy p of the history,

    sum_j w_j h_j = p + sum_{j >= 1} w_j (h_j - p),

so that near equilibrium, where the policies hardly differ, rounding is that of the differences and not of p.
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.sums import plus
from wpoflow.solver.schemes.backward_differentiation import prediction_weights

PAST = 6  # policies that a prediction may use
TINY = 1e-300  # makes the weight of a cell that holds nothing at all finite


@kernel()
def six_slots(slots: IntArray) -> tuple[int, int, int, int, int, int]:
    """The slots, six at most; the newest stands for those there are not, as its difference to itself is zero."""
    newest = slots[0]
    second = slots[1] if slots.size > 1 else newest
    third = slots[2] if slots.size > 2 else newest
    fourth = slots[3] if slots.size > 3 else newest
    fifth = slots[4] if slots.size > 4 else newest
    sixth = slots[5] if slots.size > 5 else newest
    return newest, second, third, fourth, fifth, sixth


@kernel()
def _combine_row(
    base: FloatArray,
    second: FloatArray,
    third: FloatArray,
    fourth: FloatArray,
    fifth: FloatArray,
    sixth: FloatArray,
    weights: FloatArray,
    out: FloatArray,
) -> None:
    """Combine the rows of one state."""
    w1, w2, w3, w4, w5 = weights[1], weights[2], weights[3], weights[4], weights[5]
    for k in range(np.uintp(out.size)):
        p = base[k]
        near = w1 * (second[k] - p) + w2 * (third[k] - p)
        far = w3 * (fourth[k] - p) + w4 * (fifth[k] - p) + w5 * (sixth[k] - p)
        out[k] = p + (near + far)


@kernel(parallel=True, largest=0)
def combine_history(history: FloatArray, slots: IntArray, weights: FloatArray, out: FloatArray) -> None:
    """out = sum_j weights[j] history[slots[j]], weights summing to one.

    Parameters
    ----------
    history : array (number of slots, S, A)
    slots : array (m,)
        Newest first, six at most.
    weights : array (m,)
    out : array (S, A)
        Not one of the slots in use.
    """
    padded = np.zeros(PAST)
    for j in range(weights.size):
        padded[j] = weights[j]
    s0, s1, s2, s3, s4, s5 = six_slots(slots)
    for i in numba.prange(out.shape[0]):
        _combine_row(
            history[s0, i],
            history[s1, i],
            history[s2, i],
            history[s3, i],
            history[s4, i],
            history[s5, i],
            padded,
            out[i],
        )


@kernel()
def _take_off_drift(new: FloatArray, base: FloatArray) -> float:
    """Give ``new`` the mass of ``base``, in proportion to itself; what was taken off."""
    drift = 0.0
    for k in range(np.uintp(new.size)):
        drift = plus(drift, new[k] - base[k])
    if drift != 0.0 and drift == drift:
        for k in range(np.uintp(new.size)):
            new[k] -= drift * new[k]
    return drift


@kernel()
def _count_negative(row: FloatArray) -> int:
    """Number of negative entries."""
    count = 0
    for k in range(np.uintp(row.size)):
        count += 1 if row[k] < 0.0 else 0
    return count


@kernel()
def _errors_squared(
    new: FloatArray,
    gibbs: FloatArray,
    base: FloatArray,
    second: FloatArray,
    third: FloatArray,
    fourth: FloatArray,
    fifth: FloatArray,
    sixth: FloatArray,
    low: FloatArray,
    middle: FloatArray,
    high: FloatArray,
) -> tuple[float, float, float, float, float]:
    """Sums of `measure_step` over one state; six policies of the past and their weights in three predictions."""
    low_sum, middle_sum, high_sum, change_sum, left_sum = 0.0, 0.0, 0.0, 0.0, 0.0
    a1, a2, a3, a4, a5 = low[1], low[2], low[3], low[4], low[5]
    b1, b2, b3, b4, b5 = middle[1], middle[2], middle[3], middle[4], middle[5]
    c1, c2, c3, c4, c5 = high[1], high[2], high[3], high[4], high[5]
    for k in range(np.uintp(new.size)):
        p, entry, g = base[k], new[k], gibbs[k]
        d1, d2, d3, d4, d5 = second[k] - p, third[k] - p, fourth[k] - p, fifth[k] - p, sixth[k] - p
        change, left = entry - p, entry - g
        e0 = change - ((a1 * d1 + a2 * d2) + (a3 * d3 + a4 * d4) + a5 * d5)
        e1 = change - ((b1 * d1 + b2 * d2) + (b3 * d3 + b4 * d4) + b5 * d5)
        e2 = change - ((c1 * d1 + c2 * d2) + (c3 * d3 + c4 * d4) + c5 * d5)
        inverse = 1.0 / (abs(p) + abs(entry) + g + (abs(e0) + abs(e1) + abs(e2)) + TINY)
        low_sum = plus(low_sum, e0 * (e0 * inverse))
        middle_sum = plus(middle_sum, e1 * (e1 * inverse))
        high_sum = plus(high_sum, e2 * (e2 * inverse))
        change_sum = plus(change_sum, change * (change * inverse))
        left_sum = plus(left_sum, left * (left * inverse))
    return low_sum, middle_sum, high_sum, change_sum, left_sum


@kernel(parallel=True, largest=0)
def measure_step(
    history: FloatArray,
    slots: IntArray,
    predictions: FloatArray,
    gibbs: FloatArray,
    new: FloatArray,
    squares: FloatArray,
    drift: FloatArray,
    negative: IntArray,
) -> None:
    """Take the rounding of its mass off a new policy p', and measure it, state by state.

    With d_m = p' - (prediction m) and w = |p| + |p'| + g + |d_0| + |d_1| + |d_2|, p the newest of the history, the sums
    are those of d_m^2/w (three), of (p' - p)^2/w and of (p' - g)^2/w: chi-squares near p = p' = g, and no cell counts
    by more than its own mass where all three carry none.

    Parameters
    ----------
    history : array (number of slots, S, A)
    slots : array (m,)
        Newest first, six at most.
    predictions : array (m, 3)
        Weights of three predictions, each column summing to one.
    gibbs : array (S, A)
        g.
    new : array (S, A)
        p'; its mass becomes that of p.
    squares : array (5, S)
        Filled.
    drift : array (S,)
        Filled with the mass that was taken off, which is rounding.
    negative : array (S,)
        Filled with the number of negative entries.
    """
    low, middle, high = np.zeros(PAST), np.zeros(PAST), np.zeros(PAST)
    for j in range(slots.size):
        low[j], middle[j], high[j] = predictions[j, 0], predictions[j, 1], predictions[j, 2]
    s0, s1, s2, s3, s4, s5 = six_slots(slots)
    for i in numba.prange(new.shape[0]):
        drift[i] = _take_off_drift(new[i], history[s0, i])
        found = _errors_squared(
            new[i],
            gibbs[i],
            history[s0, i],
            history[s1, i],
            history[s2, i],
            history[s3, i],
            history[s4, i],
            history[s5, i],
            low,
            middle,
            high,
        )
        for m in range(5):
            squares[m, i] = found[m]
        negative[i] = _count_negative(new[i])


@kernel()
def _change_squared(
    new: FloatArray, base: FloatArray, gibbs: FloatArray, difference: FloatArray
) -> tuple[float, float]:
    """Sums of `measure_change` over one state."""
    difference_sum, left_sum = 0.0, 0.0
    for k in range(np.uintp(new.size)):
        left = new[k] - gibbs[k]
        inverse = 1.0 / (abs(base[k]) + abs(new[k]) + gibbs[k] + abs(difference[k]) + TINY)
        difference_sum = plus(difference_sum, difference[k] * (difference[k] * inverse))
        left_sum = plus(left_sum, left * (left * inverse))
    return difference_sum, left_sum


@kernel(parallel=True, largest=0)
def measure_change(
    before: FloatArray,
    gibbs: FloatArray,
    difference: FloatArray,
    new: FloatArray,
    squares: FloatArray,
    drift: FloatArray,
    negative: IntArray,
) -> None:
    """Take the rounding of its mass off a new policy p' made of p in one step, and measure it, state by state.

    Parameters
    ----------
    before, gibbs, difference : arrays (S, A)
        p, g, and what a less accurate p' differs by.
    new : array (S, A)
        p'; its mass becomes that of p.
    squares : array (2, S)
        Filled with the sums of difference^2/w and of (p' - g)^2/w, w = |p| + |p'| + g + |difference|.
    drift : array (S,)
        Filled with the mass that was taken off.
    negative : array (S,)
        Filled with the number of negative entries.
    """
    for i in numba.prange(new.shape[0]):
        drift[i] = _take_off_drift(new[i], before[i])
        squares[0, i], squares[1, i] = _change_squared(new[i], before[i], gibbs[i], difference[i])
        negative[i] = _count_negative(new[i])


@kernel()
def extrapolate_values(history: FloatArray, slots: IntArray, times: FloatArray, time: float, out: FloatArray) -> None:
    """out[d] = the polynomial of degree d through the d + 1 newest values, at ``time``.

    Parameters
    ----------
    history : array (number of slots, S)
    slots, times : arrays (m,)
        Newest first.
    out : array (m, S)
    """
    base = history[slots[0]]
    for degree in range(out.shape[0]):
        row = out[degree]
        for i in range(row.size):
            row[i] = base[i]
        weights = prediction_weights(times[: degree + 1], time)
        for j in range(1, degree + 1):
            earlier, weight = history[slots[j]], weights[j]
            for i in range(row.size):
                row[i] += weight * (earlier[i] - base[i])
