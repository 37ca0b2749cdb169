"""Rates and the factors of the fully discrete theorem."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wpoflow.validation.constants.proven import ProvenBound
from wpoflow.validation.rates import (
    backward_euler_factor,
    contraction_fraction,
    flow_factor,
    late_rate,
    mixture_rate,
    paper_rate,
    static_rate,
    sup_norm_rate,
)

ALPHA, SHARE, STEP = st.floats(1e-6, 1e6), st.floats(0.0, 1.0), st.floats(0.0, 1e6)
ROUNDING = 4e-16


def proven(alpha: float) -> ProvenBound:
    return ProvenBound(np.asarray(alpha), ("alpha",), "the test")


@given(ALPHA, SHARE, st.lists(STEP, min_size=1, max_size=8))
def test_many_steps_leave_no_more_than_one_of_their_length(alpha: float, share: float, steps: list[float]) -> None:
    product = math.prod(backward_euler_factor(alpha, share, dt) for dt in steps)
    assert product <= backward_euler_factor(alpha, share, math.fsum(steps)) + ROUNDING * len(steps)


@given(ALPHA, SHARE, STEP)
def test_one_step_leaves_more_than_the_flow(alpha: float, share: float, step: float) -> None:
    """The guarantee of the discrete theorem is the weaker one: (1 + r x)/(1 + x) >= exp(-(1 - r) x)."""
    assert backward_euler_factor(alpha, share, step) >= flow_factor(2.0 * alpha * share, step) - ROUNDING


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_small_steps_tend_to_the_flow_with_order_one(share: float) -> None:
    alpha, time = 0.7, 1.3
    target = flow_factor(2.0 * alpha * share, time)
    errors = [backward_euler_factor(alpha, share, time / n) ** n - target for n in (64, 128, 256, 512, 1024)]
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    assert np.all(np.abs(np.log2(ratios) - 1.0) < 0.03)


@given(ALPHA, SHARE)
def test_limits(alpha: float, share: float) -> None:
    assert backward_euler_factor(alpha, share, 0.0) == 1.0
    assert backward_euler_factor(alpha, share, math.inf) == 1.0 - share
    assert backward_euler_factor(alpha, share, 1e300) == pytest.approx(1.0 - share, abs=1e-15)
    assert contraction_fraction(0.0, 1e12) == 0.0
    assert contraction_fraction(1e300, 1e300) == 1.0


def test_contraction_fraction_is_what_one_step_removes() -> None:
    assert contraction_fraction(0.5, 3.0) == pytest.approx(1.0 - 1.0 / (1.0 + 2.0 * 0.5 * 3.0))


def test_guaranteed_rates() -> None:
    assert list(static_rate(proven(0.5), np.array([2.0, np.inf]))) == [0.5, 0.0]
    assert sup_norm_rate(proven(0.5), 0.9) == pytest.approx(0.1)
    assert paper_rate(proven(0.5), 0.9, 4.0) == pytest.approx(0.025)
    assert paper_rate(proven(0.5), 0.9, math.inf) == 0.0


@given(ALPHA, st.floats(0.0, 0.999), st.floats(1.0, 1e6))
def test_the_papers_rate_is_below_the_weighted_one(alpha: float, discount: float, ratio: float) -> None:
    """kappa <= |d*/rho|/(1 - gamma)."""
    weighted = static_rate(proven(alpha), np.array([ratio / (1.0 - discount)]))[0]
    assert paper_rate(proven(alpha), discount, ratio) == pytest.approx(weighted)
    assert paper_rate(proven(alpha), discount, ratio) <= sup_norm_rate(proven(alpha), discount)


def test_the_mixture_is_the_logarithmic_derivative_of_the_sum() -> None:
    weights, gaps = np.array([1.0, 5.0, 0.3]), np.array([0.4, 0.9, 2.0])

    def total(t: float) -> float:
        return float((weights * np.exp(-2.0 * gaps * t)).sum())

    for t in (0.0, 0.7, 3.0):
        slope = (math.log(total(t - 1e-5)) - math.log(total(t + 1e-5))) / 2e-5
        assert mixture_rate(weights, gaps, t) == pytest.approx(slope, rel=1e-9)
    assert mixture_rate(weights, gaps, 1e4) == pytest.approx(0.8)


def test_a_quadratic_minimum_of_lambda_on_a_continuum_gives_half_a_dimension_over_t() -> None:
    """int exp(-2 (a + b s^2) t) ds decays at the local rate 2 a + 1/(2 t)."""
    s = np.linspace(-3.0, 3.0, 20001)
    for t in (5.0, 20.0):
        assert mixture_rate(np.ones_like(s), 0.6 + 0.8 * s**2, t) == pytest.approx(late_rate(0.6, 1, t), rel=1e-6)
