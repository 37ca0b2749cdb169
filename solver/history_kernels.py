"""Past policies combined linearly, and a new one measured against what they foretold.

All combinations have weights that sum to one and are written around the newest policy p of the history,

    sum_j w_j h_j = p + sum_{j >= 1} w_j (h_j - p),

so that near equilibrium, where the policies hardly differ, rounding is that of the differences and not of p.
"""

from __future__ import annotations

import numba
import numpy as np

from grids.arrays import BoolArray, FloatArray, IntArray
from grids.compile import kernel
from solver.backward_differentiation import prediction_weights
from solver.row_sums import row_least, row_sum

CHUNK = 256  # cells measured at once: pieces of the workspace a constant distance apart let the loops vectorise
ONE, TWO, THREE, FOUR = (np.uintp(m * CHUNK) for m in range(1, 5))  # unsigned: a place from the end would not vectorise
TINY = 1e-300  # makes the weight of a cell that holds nothing at all finite


@kernel()
def _add_difference(weight: float, h: FloatArray, base: FloatArray, out: FloatArray) -> None:
    """Add weight (h - base)."""
    for k in range(out.size):
        out[k] += weight * (h[k] - base[k])


@kernel(parallel=True)
def combine_history(history: FloatArray, slots: IntArray, weights: FloatArray, out: FloatArray) -> None:
    """out = sum_j weights[j] history[slots[j]], weights summing to one.

    Parameters
    ----------
    history : array (number of slots, S, A)
    slots : array (m,)
        Newest first.
    weights : array (m,)
    out : array (S, A)
        Not one of the slots in use.
    """
    for i in numba.prange(out.shape[0]):
        base, row = history[slots[0], i], out[i]
        for k in range(row.size):
            row[k] = base[k]
        for j in range(1, weights.size):
            _add_difference(weights[j], history[slots[j], i], base, row)


@kernel()
def _take_off_drift(new: FloatArray, base: FloatArray, change: FloatArray) -> float:
    """Give ``new`` the mass of ``base``, in proportion to itself; what was taken off."""
    for k in range(new.size):
        change[k] = new[k] - base[k]
    drift = row_sum(change)
    if drift != 0.0 and drift == drift:
        for k in range(new.size):
            new[k] -= drift * new[k]
    return float(drift)


@kernel()
def _start_errors(new: FloatArray, base: FloatArray, work: FloatArray) -> None:
    """Put p' - p into three pieces of the workspace."""
    for k in range(np.uintp(new.size)):
        change = new[k] - base[k]
        work[k], work[ONE + k], work[TWO + k] = change, change, change


@kernel()
def _subtract_differences(
    low: float, middle: float, high: float, h: FloatArray, base: FloatArray, work: FloatArray
) -> None:
    """Subtract the multiples low, middle and high of h - p from the three pieces."""
    for k in range(np.uintp(base.size)):
        difference = h[k] - base[k]
        work[k] -= low * difference
        work[ONE + k] -= middle * difference
        work[TWO + k] -= high * difference


@kernel()
def _weigh(new: FloatArray, base: FloatArray, gibbs: FloatArray, work: FloatArray) -> None:
    """Turn the errors d_m in three pieces into d_m^2/w, and add pieces with (p' - p)^2/w and (p' - g)^2/w."""
    for k in range(np.uintp(new.size)):
        first, second, third = work[k], work[ONE + k], work[TWO + k]
        change, left = new[k] - base[k], new[k] - gibbs[k]
        wrong = abs(first) + abs(second) + abs(third)
        inverse = 1.0 / (abs(base[k]) + abs(new[k]) + gibbs[k] + wrong + TINY)
        work[k] = first * (first * inverse)
        work[ONE + k] = second * (second * inverse)
        work[TWO + k] = third * (third * inverse)
        work[THREE + k] = change * (change * inverse)
        work[FOUR + k] = left * (left * inverse)


@kernel()
def _count_negative(row: FloatArray) -> int:
    """Number of negative entries."""
    count = 0
    if not row_least(row) >= 0.0:
        for k in range(row.size):
            if row[k] < 0.0:
                count += 1
    return count


@kernel(parallel=True)
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
        Newest first.
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
    n_states, n_actions = new.shape
    parts = min(64, n_states)
    for part in numba.prange(parts):
        change, work = np.empty(n_actions), np.empty(5 * CHUNK)
        for i in range(part * n_states // parts, (part + 1) * n_states // parts):
            row = new[i]
            drift[i] = _take_off_drift(row, history[slots[0], i], change)
            for m in range(5):
                squares[m, i] = 0.0
            for start in range(0, n_actions, CHUNK):
                stop = min(start + CHUNK, n_actions)
                piece, base = row[start:stop], history[slots[0], i, start:stop]
                _start_errors(piece, base, work)
                for j in range(1, slots.size):
                    earlier = history[slots[j], i, start:stop]
                    _subtract_differences(
                        predictions[j, 0], predictions[j, 1], predictions[j, 2], earlier, base, work
                    )
                _weigh(piece, base, gibbs[i, start:stop], work)
                for m in range(5):
                    squares[m, i] += row_sum(work[m * CHUNK : m * CHUNK + stop - start])
            negative[i] = _count_negative(row)


@kernel()
def _weigh_difference(
    new: FloatArray, base: FloatArray, gibbs: FloatArray, difference: FloatArray, work: FloatArray
) -> None:
    """Put difference^2/w and (p' - g)^2/w into two pieces, w = |p| + |p'| + g + |difference|."""
    for k in range(np.uintp(new.size)):
        left = new[k] - gibbs[k]
        inverse = 1.0 / (abs(base[k]) + abs(new[k]) + gibbs[k] + abs(difference[k]) + TINY)
        work[k] = difference[k] * (difference[k] * inverse)
        work[ONE + k] = left * (left * inverse)


@kernel(parallel=True)
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
    n_states, n_actions = new.shape
    parts = min(64, n_states)
    for part in numba.prange(parts):
        change, work = np.empty(n_actions), np.empty(2 * CHUNK)
        for i in range(part * n_states // parts, (part + 1) * n_states // parts):
            row = new[i]
            drift[i] = _take_off_drift(row, before[i], change)
            squares[:, i] = 0.0
            for start in range(0, n_actions, CHUNK):
                stop = min(start + CHUNK, n_actions)
                piece, base = row[start:stop], before[i, start:stop]
                _weigh_difference(piece, base, gibbs[i, start:stop], difference[i, start:stop], work)
                for m in range(2):
                    squares[m, i] += row_sum(work[m * CHUNK : m * CHUNK + stop - start])
            negative[i] = _count_negative(row)


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
        row[:] = base
        weights = prediction_weights(times[: degree + 1], time)
        for j in range(1, degree + 1):
            _add_difference(weights[j], history[slots[j]], base, row)


@kernel()
def oscillations(value: FloatArray, others: FloatArray, counted: BoolArray, out: FloatArray) -> None:
    """out[d] = max - min of value - others[d] over the states that are counted.  Arrays (S,), (m, S), (S,), (m,)."""
    for degree in range(others.shape[0]):
        low, high = np.inf, -np.inf
        for i in range(value.size):
            if counted[i]:
                difference = value[i] - others[degree, i]
                low = difference if difference < low else low
                high = difference if difference > high else high
                if difference != difference:
                    low, high = -np.inf, np.inf
        out[degree] = high - low


@kernel()
def mean_and_maximum(squares: FloatArray, weights: FloatArray, counted: BoolArray, out: FloatArray) -> None:
    """out[m] = weighted mean and maximum over the counted states of squares[m], as square roots.

    Parameters
    ----------
    squares : array (m, S)
    weights : array (S,)
        Of the mean; they sum to one.
    counted : array (S,) of bool
    out : array (m, 2)
        NaN where an entry is.
    """
    for m in range(squares.shape[0]):
        total, largest = 0.0, 0.0
        for i in range(weights.size):
            if counted[i]:
                total += weights[i] * squares[m, i]
                largest = squares[m, i] if squares[m, i] > largest else largest
        out[m, 0] = np.sqrt(total)
        out[m, 1] = np.sqrt(largest) if total == total else np.nan
