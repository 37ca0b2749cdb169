"""Backward differentiation on any past times, in the fixed-leading-coefficient form.

Let P be the polynomial of degree k through the policies at the last k + 1 times, and p', t' the new policy and time.
The formula demands of the polynomial that leaves P by (p' - P(t')) and agrees with it at k *equally spaced* earlier
times that its slope at t' be that of the flow:

    L p' = P'(t') + (alpha/h) (p' - P(t')),      alpha = (1 - kappa_k) (1 + 1/2 + ... + 1/k),

that is, one linear solve (I - c L) p' = P(t') - c P'(t') with c = h/alpha.  With equal steps and kappa = 0 it is the
BDF of order k, with Klopfenstein's kappa the NDF, of smaller error and nearly the same stability (Shampine & Reichelt
1997, doi:10.1137/S1064827594276424); with unequal ones it stays stable where the formula that interpolates p' at the
past times does not (Jackson & Sacks-Davis 1980, doi:10.1145/355900.355903; DASSL).

The error of the step of order j is about C_j (p' - P_j(t')), P_j the prediction of degree j.  The defect of the formula
is that with C_j = |h/(t' - t_0) + ... + h/(t' - t_j) - alpha|, t_0 the newest time; with equal steps that is
1/(j + 1) + kappa_j (1 + ... + 1/j).  As it vanishes between growing and shrinking steps, the share of the error of
interpolation, h/(t' - t_j), that it has with equal steps is its lower bound.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel

HIGHEST_ORDER = 5
HARMONIC = (0.0, 1.0, 1.5, 11.0 / 6.0, 25.0 / 12.0, 137.0 / 60.0, 147.0 / 60.0)
KAPPA = (0.0, -0.1850, -1.0 / 9.0, -0.0823, -0.0415, 0.0, 0.0)


@kernel()
def prediction_weights(times: FloatArray, time: float) -> FloatArray:
    """Weights (m,) with which values at ``times`` (m,) give their polynomial's value at ``time``; they sum to one."""
    weights = np.ones(times.size)
    for j in range(times.size):
        for other in range(times.size):
            if other != j:
                weights[j] *= (time - times[other]) / (times[j] - times[other])
    return weights


@kernel()
def slope_weights(times: FloatArray, time: float) -> FloatArray:
    """Weights (m,) with which values at ``times`` (m,) give their polynomial's slope at ``time``; they sum to zero."""
    weights = np.zeros(times.size)
    for j in range(times.size):
        for left_out in range(times.size):
            if left_out == j:
                continue
            term = 1.0 / (times[j] - times[left_out])
            for other in range(times.size):
                if other not in (j, left_out):
                    term *= (time - times[other]) / (times[j] - times[other])
            weights[j] += term
    return weights


@kernel()
def formula(times: FloatArray, time: float, order: int) -> tuple[float, FloatArray]:
    """c and the weights of the right-hand side P(t') - c P'(t'), one for each of the order + 1 newest times.

    Parameters
    ----------
    times : array (m,)
        Past times, newest first.
    time : float
        t'.
    order : int
        With one past time only it is one, and the step is backward Euler.
    """
    h = time - times[0]
    if times.size == 1:
        return h, np.ones(1)
    past = times[: order + 1]
    c = h / ((1.0 - KAPPA[order]) * HARMONIC[order])
    return c, prediction_weights(past, time) - c * slope_weights(past, time)


@kernel()
def error_constant(times: FloatArray, time: float, order: int) -> float:
    """C_j of the order j, which needs j + 1 past times."""
    h = time - times[0]
    spread = 0.0
    for j in range(order + 1):
        spread += h / (time - times[j])
    leading = (1.0 - KAPPA[order]) * HARMONIC[order]
    # the defect changes its sign between growing and shrinking steps; the error of interpolation does not
    interpolation = (1.0 + (order + 1) * KAPPA[order] * HARMONIC[order]) * h / (time - times[order])
    return float(max(abs(spread - leading), interpolation))


@kernel()
def predictions_around(times: FloatArray, time: float, order: int) -> tuple[FloatArray, FloatArray]:
    """Weights (m, 3) of the predictions of degrees order - 1, order and order + 1, and their error constants (3,).

    A column is zero, and its constant infinite, where there is no such order or the past is too short for it.
    """
    weights, constants = np.zeros((min(times.size, order + 2), 3)), np.full(3, np.inf)
    for column in range(3):
        degree = order - 1 + column
        if 1 <= degree <= HIGHEST_ORDER and degree < times.size:
            found = prediction_weights(times[: degree + 1], time)
            for j in range(degree + 1):
                weights[j, column] = found[j]
            constants[column] = error_constant(times, time, degree)
    return weights, constants
