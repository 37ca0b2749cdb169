"""The rational functions near e^x: error on the negative half-line, r(0) = 1, decay, few poles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from wpoflow.core.arrays import ComplexArray, FloatArray
from wpoflow.solver.flux.rational_exponential import RATIONAL_EXPONENTIALS, RationalExponential

SAMPLES = -np.concatenate((np.linspace(0.0, 60.0, 60001), np.logspace(-18, 18, 36001)))


def value(function: RationalExponential, x: FloatArray, companion: bool = False) -> FloatArray:
    """r(x), or its companion's value, summed from the smallest residue on."""
    total = np.zeros(x.shape)
    residues = function.companion if companion else function.residues
    for pole, residue in sorted(zip(function.poles, residues, strict=True), key=lambda pair: abs(pair[1])):
        total += 2.0 * np.real(residue / (pole - x))
    return total


@pytest.mark.parametrize("function", RATIONAL_EXPONENTIALS, ids=lambda function: str(len(function.poles)))
def test_the_error_is_bounded_and_the_bound_is_sharp(function: RationalExponential) -> None:
    rounding = 4.0 * np.finfo(np.float64).eps * sum(abs(c / z) for z, c in zip(*_pairs(function), strict=True))
    worst = np.abs(value(function, SAMPLES) - np.exp(SAMPLES)).max()
    assert worst <= function.error + rounding
    assert worst >= 0.8 * function.error - rounding
    apart = np.abs(value(function, SAMPLES, companion=True) - np.exp(SAMPLES)).max()
    assert apart == pytest.approx(function.companion_error, rel=2e-3)
    assert function.companion_error > 50.0 * function.error


@pytest.mark.parametrize("function", RATIONAL_EXPONENTIALS, ids=lambda function: str(len(function.poles)))
def test_what_the_generator_does_not_move_stays_and_the_rest_goes(function: RationalExponential) -> None:
    poles, residues = _pairs(function)
    rounding = 4.0 * np.finfo(np.float64).eps * np.abs(residues / poles).sum()
    assert abs(value(function, np.zeros(1))[0] - 1.0) <= min(1e-14 + rounding, 1e-13)
    assert abs(value(function, np.array([-1e18]))[0]) <= 1e-14
    assert abs(value(function, np.zeros(1), companion=True)[0] - 1.0) <= 1e-13
    # no pole on the half-line, and each in the upper half-plane: its mirror image is the other term of 2 Re
    assert np.all(poles.imag > 1.0)


def test_each_pole_more_is_worth_a_decade() -> None:
    for fewer, more in pairwise(RATIONAL_EXPONENTIALS):
        assert len(more.poles) == len(fewer.poles) + 1
        assert more.error < 0.1 * fewer.error


@pytest.mark.parametrize("function", RATIONAL_EXPONENTIALS, ids=lambda function: str(len(function.poles)))
def test_the_error_is_within_ten_times_the_best(function: RationalExponential) -> None:
    """The best uniform error of degree 2n is about 9.28903^{-2n}."""
    assert function.error <= 10.0 * 9.28903 ** (-2.0 * len(function.poles)) + 4e-14


def _pairs(function: RationalExponential) -> tuple[ComplexArray, ComplexArray]:
    return np.array(function.poles), np.array(function.residues)
