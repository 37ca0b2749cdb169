"""Gaussian and mixture starts of the quadratic bandit, against the table and the flow's own identities."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import load
from wpoflow.validation.exact.ornstein_uhlenbeck import OrnsteinUhlenbeck

TABLE = load("ou_bandit")


def bandit(start: str) -> OrnsteinUhlenbeck:
    """The tabulated problem from one of its two starts."""
    problem = TABLE["problem"]
    parts = problem["initial_mixture"] if start == "mixture" else [{"weight": 1.0, **problem["initial_gaussian"]}]
    return OrnsteinUhlenbeck(
        stiffness=problem["kappa"],
        centre=problem["a_star"],
        reference_variance=problem["S_mu"],
        temperature=problem["tau"],
        discount=problem["gamma"],
        weights=tuple(part["weight"] for part in parts),
        means=tuple(part["mean"] for part in parts),
        variances=tuple(part["variance"] for part in parts),
    )


@pytest.mark.parametrize("start", ["gaussian", "mixture"])
def test_flow_follows_the_table(start: str) -> None:
    """Divergence, gap and value to the table's 14 digits."""
    exact = bandit(start)
    for row in TABLE["table"]:
        assert exact.divergence(row["t"]) == pytest.approx(row[start]["KL"], rel=2e-14)
        assert exact.gap(row["t"]) == pytest.approx(row[start]["gap"], rel=2e-14)
        assert exact.value(row["t"]) == pytest.approx(row[start]["V"], rel=2e-14)


def test_moments_and_densities_follow_the_table() -> None:
    for row in TABLE["table"]:
        means, variances = bandit("gaussian").components(row["t"])
        assert means[0] == pytest.approx(row["gaussian"]["mean"], rel=1e-13)
        assert variances[0] == pytest.approx(row["gaussian"]["variance"], rel=1e-13)
        density = bandit("mixture").density(row["t"], TABLE["density_points"])
        np.testing.assert_allclose(density, row["mixture"]["density_at_points"], rtol=1e-13)


def test_optimum_and_rate_agree_with_the_table() -> None:
    exact, best = bandit("gaussian"), TABLE["optimum"]
    assert exact.optimal_mean == pytest.approx(best["mean"], rel=1e-14)
    assert exact.optimal_variance == pytest.approx(best["variance"], rel=1e-14)
    assert exact.optimal_value == pytest.approx(best["V_star"], rel=1e-14)
    assert 2.0 * exact.rate == pytest.approx(TABLE["constants"]["gap_rate_asymptotic"], rel=1e-14)


def test_quadrature_agrees_with_the_closed_form() -> None:
    """A mixture of two equal components is one Gaussian."""
    one = bandit("gaussian")
    two = OrnsteinUhlenbeck(
        **{**one.__dict__, "weights": (0.3, 0.7), "means": one.means * 2, "variances": one.variances * 2}
    )
    for t in (0.0, 0.3, 2.0, 9.0, 20.0):
        assert two.divergence(t) == pytest.approx(one.divergence(t), rel=1e-12)


def test_gap_keeps_its_rate_down_to_underflow() -> None:
    exact = bandit("mixture")
    slope = -np.log(exact.gap(41.0) / exact.gap(40.0))
    assert exact.gap(40.0) < 1e-55
    assert slope == pytest.approx(2.0 * exact.rate, rel=1e-12)
