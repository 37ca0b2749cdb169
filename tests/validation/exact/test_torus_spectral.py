"""The spectral solution of the torus: against the published table, closed forms, and other numbers of modes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.oracles import load
from wpoflow.core.arrays import FloatArray
from wpoflow.validation.exact.fourier import interpolation_matrix
from wpoflow.validation.exact.torus_optimum import TorusProblem
from wpoflow.validation.exact.torus_spectral import TorusSolution, solve_torus

TABLE = load("torus_published")
STATES = np.pi * np.array(TABLE["points"]["s_over_pi"])
ACTIONS = np.pi * np.array(TABLE["points"]["a_over_pi"])


def torus(**changes: float) -> TorusProblem:
    """The problem of the table, perhaps with other parameters."""
    c = {**TABLE["problem"], **changes}

    def cost(s: FloatArray, a: FloatArray) -> FloatArray:
        steer = c["al"] * (1.0 - np.cos(a - c["be"] * np.sin(s))) + c["de"] * np.sin(2.0 * a)
        return np.asarray(c["cs"] * (1.0 - np.cos(s)) + steer + c["ep"] * np.sin(s) * np.cos(a))

    return TorusProblem(
        cost=cost,
        dynamics=lambda s, a: s + c["b"] * np.sin(a),
        noise=c["sg"],
        discount=c["gamma"],
        temperature=c["tau"],
        log_policy=lambda s, a: c["kp"] * np.cos(a - s - 1.0),
    )


def density_at(density: FloatArray, states: FloatArray, actions: FloatArray) -> FloatArray:
    """Densities (..., S, A) interpolated at some states and actions."""
    rows, columns = (interpolation_matrix(n, at) for n, at in zip(density.shape[-2:], (states, actions), strict=True))
    return np.asarray(rows @ density @ columns.T)


def check_table(solution: TorusSolution, rows: list[dict[str, Any]]) -> None:
    """Every column, to the digits the table is trusted to: V 1e-11, densities 1e-9, gap 1e-8 of itself."""
    for name, mine, tolerance in (
        ("V_at_s", solution.at_states(solution.value, STATES), 1e-11),
        ("V_rho", solution.value.mean(axis=1), 1e-11),
        ("policy_density_at_s_a", density_at(solution.density, STATES, ACTIONS), 1e-9),
        ("mean_cos_a_at_s", solution.at_states(solution.mean_cos, STATES), 1e-9),
    ):
        np.testing.assert_allclose(mine, [row[name] for row in rows], rtol=0.0, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(solution.gap, [row["gap_rho"] for row in rows], rtol=1e-8)


def test_the_flow_follows_the_table() -> None:
    rows = [row for row in TABLE["table"] if row["t"] <= 0.5]
    check_table(solve_torus(torus(), [row["t"] for row in rows]), rows)


@pytest.mark.slow
def test_the_flow_follows_the_whole_table() -> None:
    rows = TABLE["table"]
    check_table(solve_torus(torus(), [row["t"] for row in rows]), rows)


def test_the_optimum_is_that_of_the_table() -> None:
    """Value, policy and the spectral gap, whose least over 128 states is stated; on 32 states 2 lambda = 0.29798."""
    solution = solve_torus(torus(), [0.0])
    best, table = solution.optimum, TABLE["optimum"]
    np.testing.assert_allclose(
        solution.at_states(best.value[None, :], STATES)[0], table["V_star_at_s"], rtol=0.0, atol=1e-11
    )
    assert best.value.mean() == pytest.approx(table["V_star_rho"], abs=1e-11)
    np.testing.assert_allclose(
        density_at(best.density, STATES, ACTIONS), table["policy_density_at_s_a"], rtol=0.0, atol=1e-10
    )
    gaps = best.spectral_gaps
    rate = 0.3 * TABLE["rates"]["min_over_s_poincare_of_pi_star"]
    assert gaps.min() == pytest.approx(rate, rel=1e-9)
    assert best.states[gaps.argmin()] == pytest.approx(TABLE["rates"]["argmin_s"], abs=1e-12)
    few = solve_torus(torus(), [0.0], 32).optimum
    assert 2.0 * few.spectral_gaps.min() == pytest.approx(0.29798, abs=2e-5)


def test_late_the_gap_falls_at_twice_the_least_spectral_gap() -> None:
    """On 32 states; forty decades below the rounding of the value the gap still has its rate."""
    solution = solve_torus(torus(), [200.0, 399.0, 400.0], 32, 49, tolerance=1e-6)
    best, (late, last) = solution.optimum, -np.diff(np.log(solution.gap)) / [199.0, 1.0]
    least = 2.0 * best.spectral_gaps.min()
    assert 0.0 < solution.gap[2] < 1e-50
    np.testing.assert_allclose(solution.density[2], best.density, rtol=0.0, atol=1e-13)
    assert last == pytest.approx(least, rel=1e-5)
    assert least < last < late


@pytest.mark.parametrize("direction", ["states", "actions"])
def test_convergence_is_exponential_in_the_modes(direction: str) -> None:
    """Equal increments of the number of modes divide the error by equal factors, down to the time error."""
    row = next(row for row in TABLE["table"] if row["t"] == 0.5)
    sizes = [8, 12, 16, 20] if direction == "states" else [9, 15, 21, 27]
    errors = []
    for n in sizes:
        grid = (n, 41) if direction == "states" else (64, n)
        solution = solve_torus(torus(), [0.5], *grid, tolerance=1e-7)
        errors.append(abs(float(solution.value[0, 0]) - row["V_at_s"][0]))
    factors = np.array(errors[:-1]) / np.array(errors[1:])
    assert np.all(factors[:2] > 20.0), errors
    assert errors[-1] < 2e-9


def test_free_diffusion_is_known_in_closed_form() -> None:
    """Cost of the state alone: modes of the action decay at rate tau k^2, and KL(1 + e cos|1) is elementary.

    KL = 1 - r + ln((1 + r)/2) with r = sqrt(1 - e^2).
    """
    tau, gamma, initial = 0.7, 0.8, 0.9
    problem = TorusProblem(
        cost=lambda s, a: np.cos(s),
        dynamics=lambda s, a: 2.0 * s + 1.0,
        noise=0.5,
        discount=gamma,
        temperature=tau,
        log_policy=lambda s, a: np.log1p(initial * np.cos(a - s)),
    )
    times = [0.0, 0.3, 2.0, 9.0]
    solution = solve_torus(problem, times, 40, 33)
    amplitude = initial * np.exp(-tau * np.array(times))
    np.testing.assert_allclose(solution.optimum.spectral_gaps, tau, rtol=1e-12)
    angles = np.array([0.3, 2.0, 5.0])
    expected = (1.0 + amplitude[:, None, None] * np.cos(angles - angles[:, None])) / (2.0 * np.pi)
    np.testing.assert_allclose(density_at(solution.density, angles, angles), expected, rtol=1e-11)
    root = np.sqrt(1.0 - amplitude[:3] ** 2)
    divergence = 1.0 - root + np.log1p(0.5 * (root - 1.0))
    np.testing.assert_allclose(solution.gap[:3], tau / (1.0 - gamma) * divergence, rtol=1e-8)
    assert solution.gap[3] == pytest.approx(tau / (1.0 - gamma) * 0.25 * amplitude[3] ** 2, rel=1e-5)
    assert solution.optimum.value.mean() == pytest.approx(0.0, abs=1e-13)
    np.testing.assert_allclose(
        solution.at_states(solution.optimum.value[None, :], angles)[0],
        sum_of_doublings(angles, gamma),
        rtol=0.0,
        atol=1e-13,
    )


def sum_of_doublings(s: FloatArray, gamma: float) -> FloatArray:
    """V of cost cos s under s -> 2 s + 1 + N(0, 1/4), wrapped: e^{ims} becomes e^{im(2s+1) - m^2/8}, m doubling."""
    total, factor, m, shift = np.cos(s), 1.0, 1, 0.0
    for _ in range(4):
        factor *= gamma * float(np.exp(-(m**2) / 8.0))
        shift += m
        m *= 2
        total = total + factor * np.cos(m * s + shift)
    return total


def test_a_start_at_the_optimum_stays_there() -> None:
    problem = torus()
    best = solve_torus(problem, [0.0], 24, 33).optimum
    still = TorusProblem(
        problem.cost, problem.dynamics, problem.noise, problem.discount, problem.temperature,
        log_policy=lambda s, a: -best.potential,
    )  # fmt: skip
    solution = solve_torus(still, [5.0], 24, 33)
    assert 0.0 <= solution.gap[0] < 1e-28


def test_too_few_modes_are_noticed() -> None:
    with pytest.raises(ArithmeticError, match=r"no step|negative density"):
        solve_torus(torus(kp=8.0), [0.5], 16, 9)
    with pytest.raises(ValueError, match="no correct digits"):
        solve_torus(torus(tau=0.003), [0.5], 16, 129)
    with pytest.raises(ValueError, match="odd number"):
        solve_torus(torus(), [1.0], 8, 8)
