"""The two functions that vanish to second order: against their series and their closed forms."""

import numpy as np
import pytest

from wpoflow.validation.exact.divergence import entropy_excess, log_deficit


@pytest.mark.parametrize("x", [1e-300, 1e-12, -1e-9, 1e-5, -3e-4])
def test_small_arguments_follow_the_series(x: float) -> None:
    """x^2/2 - x^3/3 + x^4/4 - x^5/5 and u^2/2 - u^3/6 + u^4/12 - u^5/20, relative to the leading term."""
    half = x * x
    assert log_deficit(x)[0] == pytest.approx(half * (0.5 - x / 3 + x**2 / 4 - x**3 / 5), rel=1e-14)
    assert entropy_excess(x)[0] == pytest.approx(half * (0.5 - x / 6 + x**2 / 12 - x**3 / 20), rel=1e-14)


@pytest.mark.parametrize("x", [-0.999, -0.51, -0.5, -0.2, 0.3, 0.4999, 0.5001, 7.0, 1e12])
def test_large_arguments_follow_the_closed_form(x: float) -> None:
    """Also across the switch at one half."""
    assert log_deficit(x)[0] == pytest.approx(x - np.log1p(x), rel=2e-14)
    assert entropy_excess(x)[0] == pytest.approx((1 + x) * np.log1p(x) - x, rel=5e-14)


def test_vanishing_mass_costs_one() -> None:
    """A cell without mass contributes its whole reference mass."""
    assert entropy_excess(-1.0)[0] == 1.0
