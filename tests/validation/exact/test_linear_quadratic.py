"""The linear-quadratic flow: tables made in 40-digit arithmetic, and identities that hold for every flow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import eigvalsh

from tests.oracles import load
from wpoflow.validation.exact.linear_quadratic import GaussianPolicy, LinearQuadratic, Quadratic

CASES = ("lqr_a", "lqr_a_lebesgue", "lqr_c")
LAWS = ("rho1", "rho2_stationary_under_optimum")


def regulator(problem: dict[str, Any]) -> tuple[LinearQuadratic, GaussianPolicy]:
    """The problem of a table and its start."""
    arrays = {
        name: np.array(problem[key], dtype=np.float64)
        for name, key in (
            ("drift", "A"),
            ("control", "B"),
            ("noise_cov", "W"),
            ("state_cost", "Q"),
            ("cross_cost", "N"),
            ("action_cost", "R"),
            ("state_slope", "qs"),
            ("action_slope", "ra"),
        )
    }
    for slope in ("state_slope", "action_slope"):
        arrays[slope] = arrays[slope].ravel()
    reference = None if problem["Smu"] is None else np.array(problem["Smu"], dtype=np.float64)
    lq = LinearQuadratic(
        **arrays,
        constant=float(problem["c0"]),
        discount=problem["gamma"],
        temperature=problem["tau"],
        reference_cov=reference,
    )
    gain, offset, cov = (np.array(problem[key], dtype=np.float64) for key in ("K0", "k0", "Sigma0"))
    return lq, GaussianPolicy(gain, offset.ravel(), cov)


def two_by_two() -> tuple[LinearQuadratic, GaussianPolicy]:
    """A regulator with two states, two actions, and every coefficient in use."""
    lq = LinearQuadratic(
        drift=np.array([[0.9, 0.3], [-0.1, 0.8]]),
        control=np.array([[0.5, 0.1], [-0.2, 0.4]]),
        noise_cov=np.array([[0.05, 0.01], [0.01, 0.03]]),
        state_cost=np.array([[1.0, 0.2], [0.2, 0.5]]),
        cross_cost=np.array([[0.1, 0.0], [-0.05, 0.1]]),
        action_cost=np.array([[0.4, 0.1], [0.1, 0.6]]),
        state_slope=np.array([0.1, -0.2]),
        action_slope=np.array([0.3, -0.1]),
        constant=0.7,
        discount=0.92,
        temperature=0.15,
        reference_cov=np.array([[1.5, 0.2], [0.2, 2.0]]),
    )
    start = GaussianPolicy(
        np.array([[0.1, -0.3], [0.2, 0.1]]), np.array([0.4, -0.5]), np.array([[0.6, 0.2], [0.2, 0.4]])
    )
    return lq, start


@pytest.mark.parametrize("case", CASES)
def test_flow_follows_the_table(case: str) -> None:
    """K, k, Sigma, V, gap and dissipation at every tabulated time, 15 significant digits, trusted to 14."""
    table = load(case)
    lq, start = regulator(table["problem"])
    flow = lq.flow(start, [row["t"] for row in table["table"]])
    for row, point in zip(table["table"], flow, strict=True):
        np.testing.assert_allclose(point.policy.gain, row["K"], rtol=0, atol=1e-12)
        np.testing.assert_allclose(point.policy.offset, np.ravel(row["k"]), rtol=0, atol=1e-12)
        np.testing.assert_allclose(point.policy.cov, row["Sigma"], rtol=0, atol=1e-12)
        np.testing.assert_allclose(point.value.at(table["points_s"]), row["V_at_points"], rtol=1e-12)
        for name in LAWS:
            law = table["rho"][name]
            mean, cov = np.ravel(law["mean"]), np.array(law["cov"])
            assert point.gap.mean(mean, cov) == pytest.approx(row[name]["gap"], rel=1e-10)
            assert point.value.mean(mean, cov) == pytest.approx(row[name]["V"], rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_optimum_and_rates_agree_with_the_table(case: str) -> None:
    """Soft Riccati solution, V* and the exact late rates."""
    table = load(case)
    lq, _ = regulator(table["problem"])
    best, rates = table["optimum"], table["rates"]
    np.testing.assert_allclose(lq.optimum.gain, best["K"], rtol=1e-13)
    np.testing.assert_allclose(lq.optimum.offset, np.ravel(best["k"]), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(lq.optimum.cov, best["Sigma"], rtol=1e-13)
    np.testing.assert_allclose(lq.optimal_value.at(table["points_s"]), best["V_star_at_points"], rtol=1e-13)
    assert 2.0 * lq.rate == pytest.approx(rates["gap_rate_asymptotic_2_lambda_min_M_star"], rel=1e-12)


def test_optimum_is_stationary_and_best_in_two_dimensions() -> None:
    """The value of any perturbed policy exceeds V* by the gap formula, which the two evaluations make independently."""
    lq, _ = two_by_two()
    rng = np.random.default_rng(1)
    points = rng.standard_normal((5, 2))
    for _ in range(10):
        excess = GaussianPolicy(*(0.1 * rng.standard_normal(shape) for shape in ((2, 2), (2,), (2, 2))))
        excess = GaussianPolicy(excess.gain, excess.offset, 0.1 * (excess.cov + excess.cov.T))
        difference = lq.value(lq.optimum + excess).at(points) - lq.optimal_value.at(points)
        np.testing.assert_allclose(lq.gap(excess).at(points), difference, rtol=1e-11)
        assert np.all(difference > 0)


def test_gap_is_the_occupancy_average_of_the_divergence() -> None:
    """Identity (G), with the occupancy's moments propagated forward instead of a Lyapunov equation."""
    lq, start = two_by_two()
    point = lq.flow(start, [0.0, 0.7])[1]
    mean, cov = np.array([0.5, -0.2]), np.array([[0.8, 0.1], [0.1, 0.3]])
    closed = lq.drift + lq.control @ point.policy.gain
    gain, offset = point.policy.gain - lq.optimum.gain, point.policy.offset - lq.optimum.offset
    ratios = eigvalsh(point.policy.cov, lq.optimum.cov)
    spread = 0.5 * lq.temperature * float(np.sum(ratios - 1.0 - np.log(ratios)))
    total, weight = 0.0, 1.0
    for _ in range(600):
        shift = gain @ mean + offset
        moved = 0.5 * float(shift @ lq.hessian @ shift + np.trace(gain.T @ lq.hessian @ gain @ cov))
        total += weight * (moved + spread)
        mean = closed @ mean + lq.control @ point.policy.offset
        cov = closed @ cov @ closed.T + lq.control @ point.policy.cov @ lq.control.T + lq.noise_cov
        weight *= lq.discount
    assert point.gap.mean([0.5, -0.2], [[0.8, 0.1], [0.1, 0.3]]) == pytest.approx(total, rel=1e-11)


def test_gap_keeps_its_rate_far_below_rounding_of_the_value() -> None:
    """d ln gap/dt tends to -2 lambda_min(M*) exponentially: still true when the gap is 1e-34 of its start."""
    lq, start = two_by_two()
    times = np.array([45.0, 48.0]) / lq.rate
    flow = lq.flow(start, [0.0, *times])
    gaps = [point.gap.mean([0.5, 0.5], np.eye(2)) for point in flow]
    assert gaps[1] < 1e-34 * gaps[0]
    slope = -np.log(gaps[2] / gaps[1]) / (times[1] - times[0])
    assert slope == pytest.approx(2.0 * lq.rate, rel=1e-9)


def test_an_unstable_policy_is_refused() -> None:
    """The discounted cost of a policy with discount * radius^2 >= 1 diverges."""
    lq, start = two_by_two()
    wild = GaussianPolicy(start.gain + 10.0, start.offset, start.cov)
    with pytest.raises(ValueError, match="infinite"):
        lq.value(wild)


def test_quadratic_mean_adds_the_trace() -> None:
    """E s'Xs under N(m, C) is m'Xm + tr(XC)."""
    form = Quadratic(np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([1.0, -1.0]), 3.0)
    assert form.mean([1.0, 2.0], [[0.1, 0.05], [0.05, 0.2]]) == pytest.approx(8.0 - 2.0 + 3.0 + 0.45)
