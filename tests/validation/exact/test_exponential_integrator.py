"""The time integration of the spectral torus: its functions, its order, and equations solved in closed form."""

from __future__ import annotations

from decimal import Decimal, localcontext
from math import factorial

import numpy as np
import pytest

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.exact.exponential_integrator import integrate, phi_functions


def exact_phi(order: int, z: float) -> float:
    """sum_k z^k/(k + order)! in eighty-digit arithmetic."""
    with localcontext(prec=80):
        x, power, total = Decimal(z), Decimal(1), Decimal(0)
        for k in range(200):
            total += power / factorial(k + order)
            power *= x
        return float(total)


def test_phi_functions_are_exact() -> None:
    z = np.array([0.0, -1e-300, -1e-9, -0.3, -0.999, -1.0, -1.001, -3.0, -17.0, -30.0])
    for order, found in enumerate(phi_functions(z), start=1):
        np.testing.assert_allclose(found, [exact_phi(order, float(x)) for x in z], rtol=4e-15)
    first, second, third = phi_functions(np.array([-1e8]))
    np.testing.assert_allclose([first[0], second[0], third[0]], [1e-8, 1e-8 - 1e-16, 0.5e-8 - 1e-16], rtol=1e-12)


def test_a_linear_equation_is_exact_at_any_step() -> None:
    """N = 0 and N constant: rates over twelve decades, one step."""
    rates = np.array([[0.0, 1e-3, 1.0, 1e3, 1e9]])
    start, source = np.ones((1, 5)), np.array([[1.0, 2.0, 3.0, 4.0, 5.0]])
    (end,) = integrate(rates, lambda y: source, start, [2.0], 1e-9, 10.0)
    decay = np.exp(-2.0 * rates)
    expected = decay + source * np.where(rates > 0.0, -np.expm1(-2.0 * rates) / np.where(rates > 0.0, rates, 1.0), 2.0)
    np.testing.assert_allclose(end, expected, rtol=1e-13)


def logistic(y: FloatArray) -> FloatArray:
    return np.asarray(5.0 * y - y * y)


def test_a_nonlinear_equation_keeps_its_relative_precision() -> None:
    """y' = -3 y + 5 y - y^2 in closed form; and y' = -7 y + 5 y - y^2, which decays by fourteen decades."""
    times = [0.0, 0.1, 4.0, 16.0]
    for rate in (3.0, 7.0):
        growth, start = 5.0 - rate, 0.3
        found = [y[0, 0] for y in integrate(np.array([[rate]]), logistic, np.array([[start]]), times, 1e-10, 0.01)]
        folds = np.exp(growth * np.array(times))
        expected = start * folds / (1.0 + start * (folds - 1.0) / growth)
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_error_falls_with_the_tolerance() -> None:
    """Error of order four is controlled and order five kept: a decade of tolerance is more than a decade of error."""
    exact = 2.0 / (1.0 + (2.0 / 0.3 - 1.0) * np.exp(-2.0 * 1.5))
    errors = []
    for tolerance in (1e-4, 1e-6, 1e-8):
        (y,) = integrate(np.array([[3.0]]), logistic, np.array([[0.3]]), [1.5], tolerance, 0.5)
        errors.append(abs(y[0, 0] / exact - 1.0))
        assert errors[-1] < tolerance
    assert errors[0] > 100.0 * errors[1] > 1e4 * errors[2]


def test_zero_stays_zero() -> None:
    (y,) = integrate(np.array([[1.0, 2.0]]), lambda y: 0.0 * y, np.zeros((1, 2)), [3.0], 1e-9, 0.1)
    assert np.all(y == 0.0)


def test_an_equation_that_ends_is_told() -> None:
    """y' = y^2 from 1 blows up at t = 1."""
    with pytest.raises(ArithmeticError, match="no step is short enough at t = 1"):
        list(integrate(np.zeros((1, 1)), lambda y: y * y, np.ones((1, 1)), [2.0], 1e-6, 0.1))
