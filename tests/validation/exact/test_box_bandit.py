"""The spectral solution of the double well, against a table made in 330-bit arithmetic and against closed forms.

Double precision carries the bump start to 1e-11; the table's uniform start is 1e15 in the symmetric variable at the
ends of the box, so it is refused.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.oracles import load
from wpoflow.core.arrays import FloatArray
from wpoflow.validation.exact.box_bandit import BoxBandit

TABLE = load("double_well_tau0.1")


@cache
def double_well(temperature: float, modes: int = 120) -> BoxBandit:
    return BoxBandit(
        cost=lambda a: (a**2 - 1.0) ** 2 / 4.0 + a / 10.0,
        slope=lambda a: a * (a**2 - 1.0) + 0.1,
        lower=-2.5,
        upper=2.5,
        temperature=temperature,
        discount=0.9,
        modes=modes,
    )


def bump(a: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-((a - 1.0) ** 2) / (2.0 * 0.2**2)))


def test_flow_follows_the_table() -> None:
    """Divergence, gap, value and densities from t = 0.05 on."""
    flow = double_well(TABLE["problem"]["tau"]).expansion(bump)
    for row in TABLE["table"][1:]:
        exact = row["bump"]
        assert flow.divergence(row["t"]) == pytest.approx(exact["KL"], rel=1e-11)
        assert flow.gap(row["t"]) == pytest.approx(exact["gap"], rel=1e-11)
        assert flow.value(row["t"]) == pytest.approx(exact["V"], rel=1e-11)
        density = flow.density(row["t"], TABLE["density_points"])
        np.testing.assert_allclose(density, exact["density_at_points"], rtol=0, atol=1e-11)


def test_spectrum_and_optimum_agree_with_the_table() -> None:
    bandit = double_well(TABLE["problem"]["tau"])
    spectrum = TABLE["constants"]["spectrum_of_generator_first_six"]
    np.testing.assert_allclose(bandit.rates[:5], spectrum[1:], rtol=1e-12)
    assert bandit.optimal_value == pytest.approx(TABLE["optimum"]["V_star"], rel=1e-13)
    assert 1.0 / bandit.optimal_density(0.0) == pytest.approx(
        TABLE["optimum"]["Z"] * np.exp(0.25 / TABLE["problem"]["tau"]), rel=1e-12
    )


def test_free_diffusion_has_the_rates_of_the_interval() -> None:
    """Constant cost on an interval of length L: rates tau (j pi/L)^2 and a cosine that decays."""
    free = BoxBandit(np.zeros_like, np.zeros_like, -1.0, 2.0, temperature=0.3, discount=0.5, modes=60)
    j = np.arange(1, 8)
    np.testing.assert_allclose(free.rates[:7], 0.3 * (j * np.pi / 3.0) ** 2, rtol=1e-12)
    flow = free.expansion(lambda a: 1.0 + 0.8 * np.cos(np.pi * (a + 1.0) / 3.0))
    decay = 0.8 * np.exp(-free.rates[0] * 1.5)
    a = np.linspace(-1.0, 2.0, 7)
    exact = (1.0 + decay * np.cos(np.pi * (a + 1.0) / 3.0)) / 3.0
    np.testing.assert_allclose(flow.density(1.5, a), exact, rtol=1e-12)


def test_gap_keeps_its_rate_down_to_underflow() -> None:
    bandit = double_well(1.0)
    flow = bandit.expansion(bump)
    slope = -np.log(flow.gap(61.0) / flow.gap(60.0))
    assert flow.gap(60.0) < 1e-40
    assert slope == pytest.approx(2.0 * bandit.rates[0], rel=1e-12)


def test_what_double_precision_cannot_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="no correct digits"):
        double_well(0.1).expansion(np.ones_like)
    with pytest.raises(ArithmeticError, match="more modes"):
        double_well(0.1, modes=20).expansion(bump).divergence(1e-3)
