r"""Time integration of y' = -lambda y + N(y) with lambda >= 0 diagonal, however stiff, and N smooth.

The linear part is solved exactly; with z = -lambda h and phi_1(z) = (e^z - 1)/z, phi_{j+1}(z) = (phi_j(z) - 1/j!)/z,
one step of Krogstad's exponential Runge-Kutta method of order four is

    U_2 = e^{z/2} y + h/2 phi_1(z/2) N_1
    U_3 = e^{z/2} y + h/2 phi_1(z/2) N_1 + h phi_2(z/2) (N_2 - N_1)
    U_4 = e^z y + h phi_1(z) N_1 + 2 h phi_2(z) (N_3 - N_1)
    y'  = e^z y + h [ (phi_1 - 3 phi_2 + 4 phi_3) N_1 + (2 phi_2 - 4 phi_3)(N_2 + N_3) + (4 phi_3 - phi_2) N_4 ].

Two half steps and a whole one give, by extrapolation, order five and the error of order four, which is controlled.
Where N vanishes every step is exact, so the steps grow as N dies out.

The error is measured relative to the solution, max_i |error_i| / max_i |y_i| over the rows i (Euclidean in each): a
solution that decays keeps its relative precision.

Sources: Cox and Matthews, J. Comput. Phys. 176 (2002) 430, doi:10.1006/jcph.2002.6995; Krogstad, J. Comput. Phys. 203
(2005) 72, doi:10.1016/j.jcp.2004.08.006; Hochbruck and Ostermann, Acta Numerica 19 (2010) 209,
doi:10.1017/S0962492910000048 (its section 2.3: on stiff problems the order may fall below four).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from wpoflow.core.arrays import FloatArray

Field = Callable[[FloatArray], FloatArray]

_SERIES_TERMS = 20
_GROWTH, _SHRINKING, _SAFETY = 2.0, 0.2, 0.85
_RATIO = 2.0**0.25  # step sizes are powers of it times the first, so that coefficients are seldom renewed
_KEPT = 8  # step sizes whose coefficients are kept
_TINY = float(np.finfo(np.float64).tiny)


def phi_functions(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """phi_1, phi_2 and phi_3 for z <= 0, to near full relative precision.

    Below -1 by the recursion, which loses at most a digit there; nearer to zero phi_3 by its series and the others by
    the recursion upwards, phi_j = z phi_{j+1} + 1/j!, which subtracts less than half.
    """
    near = z > -1.0
    far = np.where(near, -1.0, z)
    first = np.expm1(far) / far
    second = (first - 1.0) / far
    third = (second - 0.5) / far
    small = np.where(near, z, 0.0)
    series = np.zeros_like(z)
    for k in range(_SERIES_TERMS, -1, -1):
        series = series * small + 1.0 / math.factorial(k + 3)
    third = np.where(near, series, third)
    second = np.where(near, 0.5 + small * series, second)
    return np.where(near, 1.0 + small * (0.5 + small * series), first), second, third


class _Step:
    """Coefficients of one step of a given length."""

    def __init__(self, rates: FloatArray, size: float) -> None:
        self.half_decay, self.decay = np.exp(-0.5 * size * rates), np.exp(-size * rates)
        half_first, half_second, _ = phi_functions(-0.5 * size * rates)
        first, second, third = phi_functions(-size * rates)
        self.half_first, self.half_second = 0.5 * size * half_first, size * half_second
        self.first, self.second = size * first, 2.0 * size * second
        self.weights = (
            size * (first - 3.0 * second + 4.0 * third),
            size * (2.0 * second - 4.0 * third),
            size * (4.0 * third - second),
        )

    def __call__(self, field: Field, y: FloatArray, n1: FloatArray) -> FloatArray:
        middle = self.half_decay * y + self.half_first * n1
        n2 = field(middle)
        n3 = field(middle + self.half_second * (n2 - n1))
        n4 = field(self.decay * y + self.first * n1 + self.second * (n3 - n1))
        outer, inner, last = self.weights
        return np.asarray(self.decay * y + outer * n1 + inner * (n2 + n3) + last * n4)


def _length(y: FloatArray) -> float:
    return float(np.sqrt(np.max(np.sum(y * y, axis=-1))))


def integrate(
    rates: FloatArray, field: Field, start: FloatArray, times: Sequence[float], tolerance: float, first: float
) -> Iterator[FloatArray]:
    """Solution at increasing times >= 0, the start being at time 0.

    Parameters
    ----------
    rates : array (rows, n)
        lambda >= 0.
    field : callable
        N, from (rows, n) to (rows, n).
    start : array (rows, n)
    times : sequence of float
        Not negative, increasing; each is met exactly.
    tolerance : float
        At least 1e-13.  Error of order four per unit of time, or per step if that is longer, relative to the largest
        row; the solution carried on is of order five, so its error is smaller.
    first : float
        First step to try.

    Raises
    ------
    ArithmeticError
        The step fell below 1e-12 of the time to be reached.  An ArithmeticError of N during an attempt rejects it.
    """
    y, time, wanted = start, 0.0, first
    steps: dict[float, _Step] = {}
    for target in times:
        while time < target:
            n1 = field(y)
            size = _landing(_quantised(wanted, first), target - time)
            for length in (size, 0.5 * size):
                if length not in steps:
                    steps[length] = _Step(rates, length)
            try:
                fine, difference = _attempt(field, y, n1, steps[size], steps[0.5 * size])
                ratio = _length(difference) / (tolerance * min(size, 1.0) * max(_length(fine), _TINY))
            except ArithmeticError:
                ratio = math.inf
            factor = _SHRINKING if not math.isfinite(ratio) else min(_GROWTH, _SAFETY * max(ratio, 1e-12) ** -0.25)
            factor = max(_SHRINKING, factor)
            if ratio <= 1.0:
                y = fine + difference
                time = target if size == target - time else time + size
                wanted = max(wanted, factor * size) if factor >= 1.0 else factor * size
            else:
                wanted = factor * size
                if wanted < 1e-12 * target:
                    raise ArithmeticError(f"no step is short enough at t = {time:g}")
            for length in list(steps)[:-_KEPT]:
                del steps[length]
        yield y


def _quantised(size: float, unit: float) -> float:
    return unit * _RATIO ** math.floor(math.log(size / unit, _RATIO) + 1e-9)


def _landing(size: float, remaining: float) -> float:
    """At most ``size``, and in at most two steps where the end is near, so that no sliver is left."""
    if size >= remaining:
        return remaining
    return min(size, 0.5 * remaining)


def _attempt(field: Field, y: FloatArray, n1: FloatArray, whole: _Step, half: _Step) -> tuple[FloatArray, FloatArray]:
    """Result of two half steps, and what extrapolation would add to it."""
    coarse = whole(field, y, n1)
    middle = half(field, y, n1)
    fine = half(field, middle, field(middle))
    return fine, (fine - coarse) / 15.0
