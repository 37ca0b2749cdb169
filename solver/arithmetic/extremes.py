"""Values of the states, (S,), compared, and the norms of what was measured state by state.

One call each: on a few hundred states calls cost more than arithmetic.  A NaN in an argument makes the result one.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.core.compile import kernel


@kernel()
def largest_entry(x: FloatArray) -> float:
    """Maximum of |x|; zero of an empty array."""
    largest = 0.0
    for i in range(x.size):
        size = abs(x[i])
        largest = size if size > largest or size != size else largest
        if largest != largest:
            break
    return float(largest)


@kernel()
def largest_rise(before: FloatArray, after: FloatArray, counted: BoolArray) -> float:
    """Maximum of after - before over the states that are counted; minus infinity if there are none."""
    largest = -np.inf
    for i in range(before.size):
        if counted[i]:
            rise = after[i] - before[i]
            largest = rise if rise > largest else largest
            if rise != rise:
                return np.nan
    return float(largest)


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


@kernel()
def error_ratios(
    norms: FloatArray, constants: FloatArray, accuracy: float, share: float, floor: float, out: FloatArray
) -> bool:
    """Errors of three orders over what is allowed of them, the larger of mean and maximum; whether all is finite.

    Parameters
    ----------
    norms : array (5, 2)
        Mean and maximum of ||p' - prediction|| for three predictions, of ||p' - p|| and of ||p' - g||.
    constants : array (3,)
        Of the errors; infinite where there is no such order.
    accuracy, share, floor : float
        Allowed is accuracy (||p' - p|| + share ||p' - g||) + floor.
    out : array (3,)
        Filled; infinite where there is no such order.
    """
    finite = True
    for m in range(5):
        finite = finite and math.isfinite(norms[m, 0]) and math.isfinite(norms[m, 1])
    for order in range(3):
        out[order] = np.inf
        if constants[order] < np.inf:
            mean = norms[order, 0] / (accuracy * (norms[3, 0] + share * norms[4, 0]) + floor)
            largest = norms[order, 1] / (accuracy * (norms[3, 1] + share * norms[4, 1]) + floor)
            out[order] = constants[order] * max(mean, largest)
    return finite
