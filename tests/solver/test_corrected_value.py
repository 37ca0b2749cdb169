"""Corrected values: exact solutions are met with order three or more, kinks do not throw them, bands hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import wpoflow as wpo
from tests.solver.exact_values import manufactured, regulator, soft_constant
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.transitions.cubic import cubic_expectation
from wpoflow.solver.bellman.system import BellmanError
from wpoflow.solver.corrected.band import at_points, coarse_of, markov_band
from wpoflow.solver.corrected.value import beyond_costs, corrected_value
from wpoflow.solver.entropy import soft_minimum
from wpoflow.solver.mdp import GridMDP

Pendulum = tuple[Callable[[int], GridMDP], FloatArray]


@pytest.mark.parametrize(("dim", "sizes"), [(1, (32, 64, 128, 256)), (2, (24, 48, 96, 144))])
@pytest.mark.parametrize("what", ["optimum", "policy"])
def test_a_known_value_is_met_with_order_three_or_more_where_the_grid_has_order_two_at_most(
    dim: int, sizes: tuple[int, ...], what: str
) -> None:
    corrected, markov = [], []
    for n in sizes:
        mdp, value, policy = manufactured(n, dim)
        found = corrected_value(mdp, policy if what == "policy" else None)
        corrected.append(np.abs(found.value - value).max())
        markov.append(np.abs(found.markov - value).max())
    steps = np.log(np.array(sizes[1:]) / sizes[:-1])
    orders = np.log(np.array(corrected[:-1]) / corrected[1:]) / steps
    assert np.log(corrected[0] / corrected[-1]) / steps.sum() > 3.3
    assert orders.min() > 2.5, orders
    assert np.log(markov[0] / markov[-1]) / steps.sum() < 2.1
    assert corrected[-1] < 2e-5 < 1e-3 < markov[-1]


@pytest.mark.parametrize("dim", [1, 2])
def test_quadratic_values_are_exact_inside_the_box_on_any_grid(dim: int) -> None:
    """The discounted regulator: x'Px and a constant for its entropy, from Riccati's equation."""
    mdp, quadratic, curvature = regulator(dim, 31)
    exact = quadratic(mdp.states.points) + soft_constant(mdp, curvature)
    found = corrected_value(mdp)
    inner = (np.abs(mdp.states.points) < 0.4).all(axis=1)
    off, markov = (np.abs(value - exact)[inner].max() for value in (found.value, found.markov))
    assert off < 2e-3 * exact[inner].max()
    assert markov > 30.0 * off
    plain = wpo.solve_optimum(mdp)
    assert np.array_equal(found.markov, plain.value)  # the certified value is another number, and stays


def test_the_residual_is_the_one_stated_and_the_policy_that_of_its_q() -> None:
    mdp, _, _ = manufactured(40, 2)
    found = corrected_value(mdp, residual=1e-11)
    q = mdp.cost + mdp.discount * cubic_expectation(mdp.transition).expect(found.value, np.empty_like(mdp.cost))
    improved = np.empty(mdp.states.size)
    soft_minimum(q, mdp.log_mass, mdp.temperature, improved)
    assert not found.limits_kept
    assert found.residual <= 1e-11
    np.testing.assert_allclose(np.abs(improved - found.value).max(), found.residual, atol=1e-13)
    np.testing.assert_allclose(found.q, q, rtol=0.0, atol=1e-12)
    gibbs = mdp.reference_mass * np.exp(-(q - q.min(axis=1, keepdims=True)) / mdp.temperature)
    np.testing.assert_allclose(found.policy, gibbs / gibbs.sum(axis=1, keepdims=True), atol=1e-11)


@pytest.mark.slow
def test_noise_and_mixtures_are_corrected_too() -> None:
    """The mean of sin over Gaussian noise is known; of noise below the spacing the kernel cannot keep the variance."""
    for how in ("constant", "varying"):
        errors: dict[int, list[float]] = {16: [], 32: []}
        for n in errors:
            mdp, value, _ = manufactured(n, 2, noise=how)
            found = corrected_value(mdp)
            errors[n] = [float(np.abs(v - value).max()) for v in (found.value, found.markov)]
        assert np.log2(errors[16][0] / errors[32][0]) > 3.0, (how, errors)
        assert errors[32][0] < 0.1 * errors[32][1], (how, errors)


@pytest.fixture(scope="module")
def pendulum() -> Pendulum:
    def on(n: int) -> GridMDP:
        return wpo.load_problem("pendulum", cells={"theta": n, "speed": n, "torque": 9})

    fine = corrected_value(on(201))
    assert fine.residual < 1e-4
    return on, fine.value


def test_kinks_are_limited_and_a_coarse_grid_comes_nearer_to_a_fine_one(pendulum: Pendulum) -> None:
    """Swing-up has ridges where it pays alike to swing either way."""
    on, fine = pendulum
    mdp = on(41)
    found = corrected_value(mdp)
    exact = at_points(on(201).states, fine, mdp.states.points)
    off, markov = np.abs(found.value - exact), np.abs(found.markov - exact)
    assert off.mean() < 0.4 * markov.mean()
    assert off.max() < markov.max()
    coarse = coarse_of(on(27), mdp)
    difference = at_points(mdp.states, found.value, coarse.points) - coarse.found.value
    band = coarse.band(difference).at(mdp.states.points)
    assert (off <= band).mean() > 0.95


def test_limits_that_circle_are_kept_and_the_rest_is_solved() -> None:
    """On hardly any points limits change all the time: without an end to that nothing would converge."""
    kept = []
    for n in (4, 5, 6):
        cells = dict.fromkeys(("q1", "q2", "v1", "v2"), n) | {"u": 5}
        found = corrected_value(wpo.load_problem("docs/problems/lqr_2_1.toml", cells=cells))
        assert found.residual < 1e-6 * np.ptp(found.value)
        kept.append(found.limits_kept)
    assert any(kept)


def test_the_band_of_the_markov_value_covers_what_is_known() -> None:
    mdp, value, _ = manufactured(48, 2)
    plain = wpo.solve_optimum(mdp).value
    band = markov_band(mdp, plain)
    off = np.abs(plain - value)
    assert band is not None
    assert (off <= band).mean() > 0.95
    assert band.max() < 10.0 * off.max()  # and is of its size


def test_what_cannot_be_is_said_in_one_line() -> None:
    mdp, _, policy = manufactured(24, 1)
    with pytest.raises(ValueError, match="policy has shape"):
        corrected_value(mdp, policy[:, :2])
    for markov in (np.zeros(3), np.full(mdp.states.size, np.nan)):
        with pytest.raises(ValueError, match=r"markov has shape .*; it must be \(24,\), and finite"):
            corrected_value(mdp, markov=markov)
    with pytest.raises(ValueError, match="residual = nan must be finite"):
        corrected_value(mdp, residual=np.nan)
    with pytest.raises(BellmanError, match="its residual stays at"):
        corrected_value(mdp, residual=0.0)
    ending = wpo.load_problem("docs/problems/reservoir.toml", set={"cost.terminal_set": '"level > 9.5"'})
    with pytest.raises(ValueError, match="this transition is: interpolated map"):
        corrected_value(ending)


def test_values_that_costs_do_not_allow_are_told() -> None:
    """A pendulum of few cells, whose costs are not negative, has some below zero; of more cells none."""
    coarse, finer = (
        wpo.load_problem("pendulum", cells={"theta": n, "speed": n, "torque": 9}, set={"problem.temperature": 1e-3})
        for n in (31, 101)
    )
    found = corrected_value(coarse)
    beyond = beyond_costs(coarse, found)
    assert 0.0 < beyond.mean() < 0.2
    np.testing.assert_array_equal(beyond, found.value < -found.residual / (1.0 - coarse.discount))
    assert not beyond_costs(coarse, replace(found, value=found.markov)).any()
    assert beyond_costs(coarse, replace(found, value=np.full(beyond.size, 1e9))).all()
    assert beyond_costs(finer, corrected_value(finer)).mean() < 0.5 * beyond.mean()  # of 201 none has
