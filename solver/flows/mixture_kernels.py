"""Mixtures of a policy and the Gibbs policy in their logarithms: what Fisher–Rao flow and mirror descent do in a step.

    ln p'_k = x ln p_k + (1 - x) (ln m_k - Q_k/tau) - ln Z,      0 < x < 1

Z makes the mass one.  p' is positive where p is, a zero stays a zero (ln 0 is minus infinity here), and nothing else is
lost however small p is.  As x goes to zero p' becomes the Gibbs policy on the support of p.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.elementary import exp, log
from wpoflow.solver.arithmetic.sums import plus, row_largest, row_least


@kernel()
def _mixed(
    log_p: FloatArray, q: FloatArray, log_mass: FloatArray, inverse: float, kept: float, share: float, out: FloatArray
) -> None:
    """x ln p + (1 - x) (ln m - (Q - least Q)/tau)."""
    least = row_least(q)
    for k in range(np.uintp(out.size)):
        out[k] = kept * log_p[k] + share * (log_mass[k] - (q[k] - least) * inverse)


@kernel()
def _exponentials(x: FloatArray, largest: float, out: FloatArray) -> float:
    """Fill out with e^(x - largest); their sum."""
    total = 0.0
    for k in range(np.uintp(out.size)):
        weight = exp(x[k] - largest)
        out[k] = weight
        total = plus(total, weight)
    return total


@kernel()
def _normalise(log_p: FloatArray, p: FloatArray, shift: float, factor: float) -> None:
    """Take ln Z off the logarithms, and divide by Z."""
    for k in range(np.uintp(p.size)):
        log_p[k] -= shift
        p[k] *= factor


@kernel()
def _scale(p: FloatArray, factor: float) -> None:
    """Multiply all entries."""
    for k in range(np.uintp(p.size)):
        p[k] *= factor


@kernel()
def _logarithms(p: FloatArray, out: FloatArray) -> None:
    """Logarithms of all entries."""
    for k in range(np.uintp(p.size)):
        out[k] = log(p[k])


@kernel(parallel=True, largest=0)
def logarithms(p: FloatArray, out: FloatArray) -> None:
    """out = ln p, minus infinity where p is zero.  Arrays (S, A)."""
    for i in numba.prange(p.shape[0]):
        _logarithms(p[i], out[i])


@kernel(parallel=True, largest=0)
def mix_logarithms(
    log_p: FloatArray,
    q: FloatArray,
    log_mass: FloatArray,
    temperature: float,
    kept: float,
    share: float,
    log_out: FloatArray,
    out: FloatArray,
) -> None:
    """The mixture, of logarithms.

    Parameters
    ----------
    log_p, q : arrays (S, A)
    log_mass : array (A,)
    temperature : float
    kept, share : float
        x > 0 and 1 - x, each to full relative precision.
    log_out, out : arrays (S, A)
        Receive ln p' and p'.  ``log_out`` may be ``log_p``.
    """
    for i in numba.prange(q.shape[0]):
        _mixed(log_p[i], q[i], log_mass, 1.0 / temperature, kept, share, log_out[i])
        largest = row_largest(log_out[i])
        total = _exponentials(log_out[i], largest, out[i])
        _normalise(log_out[i], out[i], largest + math.log(total), 1.0 / total)


@kernel(parallel=True, largest=0)
def mix_policies(
    p: FloatArray, q: FloatArray, log_mass: FloatArray, temperature: float, kept: float, share: float, out: FloatArray
) -> None:
    """The mixture, of probabilities: as `mix_logarithms`, but from p (S, A), and p' alone; ``out`` may be ``p``."""
    for i in numba.prange(q.shape[0]):
        _logarithms(p[i], out[i])
        _mixed(out[i], q[i], log_mass, 1.0 / temperature, kept, share, out[i])
        _scale(out[i], 1.0 / _exponentials(out[i], row_largest(out[i]), out[i]))


@kernel()
def _moments(
    p: FloatArray, q: FloatArray, log_mass: FloatArray, temperature: float, centre: float
) -> tuple[float, float]:
    """First and second moment under p of Q + tau ln(p/m) less a number."""
    first, second = 0.0, 0.0
    for k in range(np.uintp(p.size)):
        away = q[k] + temperature * (log(p[k]) - log_mass[k]) - centre
        first = plus(first, 0.0 if p[k] == 0.0 else p[k] * away)
        second = plus(second, 0.0 if p[k] == 0.0 else p[k] * away * away)
    return first, second


@kernel(parallel=True, largest=0)
def advantage_variance(p: FloatArray, q: FloatArray, log_mass: FloatArray, temperature: float, out: FloatArray) -> None:
    """out[i] = variance under p_i of Q_i + tau ln(p_i/m): arrays p, q (S, A), log_mass (A,), out (S,).

    In two passes, the second about the mean, so that small variances keep their digits.
    """
    for i in numba.prange(p.shape[0]):
        mean = row_least(q[i])
        mean += _moments(p[i], q[i], log_mass, temperature, mean)[0]
        first, second = _moments(p[i], q[i], log_mass, temperature, mean)
        out[i] = max(second - first * first, 0.0)


@kernel()
def _progress_row(before: FloatArray, after: FloatArray) -> float:
    """Sum of (p' - p)^2/(p + p')."""
    total = 0.0
    for k in range(np.uintp(after.size)):
        change = after[k] - before[k]
        total = plus(total, 0.0 if change == 0.0 else change * (change / (before[k] + after[k])))
    return total


@kernel(parallel=True, largest=0)
def squared_progress(before: FloatArray, after: FloatArray, out: FloatArray) -> None:
    """out[i] = sum_k (p' - p)^2/(p + p'), half the chi-square near p' = p.  Arrays (S, A), out (S,)."""
    for i in numba.prange(after.shape[0]):
        out[i] = _progress_row(before[i], after[i])


@kernel(parallel=True, largest=0)
def oscillation_of_rows(x: FloatArray, out: FloatArray) -> None:
    """out[i] = max - min over the actions; NaN where the row's first entry is.  Array (S, A), out (S,)."""
    for i in numba.prange(x.shape[0]):
        out[i] = row_largest(x[i]) - row_least(x[i])
