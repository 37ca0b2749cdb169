"""Averages of a polynomial over a step, with a weight that decays backwards: the weights of exponential Adams formulas.

    <f> = int_0^1 f(theta) z e^{-z (1 - theta)} dtheta / (1 - e^{-z}),      z = decay * dt

is what a linear equation u' = -decay u + decay f leaves of its right-hand side, u(dt) = e^{-z} u(0) + (1 - e^{-z}) <f>.
Moments <theta^m> follow for large z from the recurrence of integration by parts, which is stable there, and for
small z from Gauss–Legendre quadrature, exact to rounding as the weight is then smooth.

f is the polynomial through values at past times, in Newton's form with divided differences, so that one table gives the
averages of all degrees, their predictions at the end, and what each leaves out.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray

FAR = 8.0  # z from which on the recurrence is stable: it multiplies errors by at most HIGHEST_DEGREE!/z^HIGHEST_DEGREE
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
NODES, WEIGHTS = 0.5 * (1.0 + NODES), 0.5 * WEIGHTS


def moments(z: float, count: int) -> FloatArray:
    """<theta^m> for m = 0, ..., count - 1; z > 0."""
    powers = np.arange(count)
    if z < FAR:
        weight = WEIGHTS * np.exp(-z * (1.0 - NODES))
        return np.asarray(weight @ NODES[:, None] ** powers / weight.sum())
    total = -math.expm1(-z)
    found, last = np.ones(count), total
    for m in range(1, count):
        last = 1.0 - m / z * last
        found[m] = last / total
    return found


def newton_basis(nodes: FloatArray) -> list[FloatArray]:
    """Coefficients, lowest first, of prod_{j<d} (theta - nodes[j]) for d = 0, ..., nodes.size."""
    basis = [np.ones(1)]
    for node in nodes:
        basis.append(np.convolve(basis[-1], (-node, 1.0)))
    return basis


def divided_differences(nodes: FloatArray, values: FloatArray) -> FloatArray:
    """[v_0], [v_0, v_1], ... of values (m, S) at nodes (m,), as an array (m, S)."""
    table, found = values.copy(), [values[0]]
    for d in range(1, nodes.size):
        table = (table[1:] - table[:-1]) / (nodes[d:] - nodes[:-d])[:, None]
        found.append(table[0])
    return np.array(found)


class DecayingAverage:
    """Averages and predictions over one step of length ``dt``.

    Parameters
    ----------
    times : array (m,)
        Of the past, newest first, relative to the start of the step.
    dt : float
    weights : array (m + 1,)
        <theta^j> for j = 0, ..., m, as `moments` of decay * dt.

    Attributes
    ----------
    average, ahead : arrays (m + 1,)
        <omega_d>, and omega_d(1), of the Newton basis over the step: of degree d.
    """

    def __init__(self, times: FloatArray, dt: float, weights: FloatArray) -> None:
        self._nodes = times / dt
        basis = newton_basis(self._nodes)
        self.average = np.array([row @ weights[: row.size] for row in basis])
        self.ahead = np.array([row.sum() for row in basis])

    def of(self, values: FloatArray, degree: int) -> FloatArray:
        """<f> of the polynomial of a degree through the newest values (m, S), as (S,)."""
        differences = divided_differences(self._nodes[: degree + 1], values[: degree + 1])
        return np.asarray(self.average[: degree + 1] @ differences)

    def predictions(self, values: FloatArray) -> FloatArray:
        """f(1) of the polynomials of all degrees, (m, S)."""
        differences = divided_differences(self._nodes, values)
        return np.asarray(np.cumsum(self.ahead[:-1, None] * differences, axis=0))

    def share(self, degree: int) -> float:
        """What the average of a degree leaves out, for each unit of what its prediction leaves out."""
        return float(self.average[degree + 1] / self.ahead[degree + 1])
