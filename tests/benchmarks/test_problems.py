"""The benchmarks' problems are what they say, and both sides of a comparison solve the same one."""

import numpy as np
import pytest
from scipy.sparse.linalg import expm_multiply
from scipy.special import ndtr

from benchmarks import problem_f
from benchmarks.numpy_flux import ColumnPattern, bands, divergence, face_rates
from benchmarks.peers_c import DenseField, OurField
from benchmarks.problem_c import as_mdp, coupled_flow
from benchmarks.problem_f import as_bandit, exponential, frozen_wells
from benchmarks.problem_m import DISCOUNT, TEMPERATURE, pendulum
from benchmarks.soft_value_iteration import soft_value_iteration
from tests.solver.lines import rates_of_line
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.wasserstein import WassersteinFlow


def test_numpy_rates_are_those_of_our_kernel() -> None:
    q = np.random.default_rng(1).normal(size=(3, 17)) * 40.0
    up, down = face_rates(q, 0.3, 0.2)
    for i in range(3):
        right, left = rates_of_line(q[i], np.zeros(17), np.full(17, 0.2), np.full(16, 0.2), 1.0, 0.3)
        # tails of the Bernoulli function are known to the rounding of their argument, which reaches 10^2 and more
        np.testing.assert_allclose(up[i], right, rtol=1e-12)
        np.testing.assert_allclose(down[i], left, rtol=1e-12)


def test_rates_of_a_flat_potential_are_those_of_diffusion() -> None:
    up, down = face_rates(np.zeros((1, 3)), 0.5, 0.1)
    np.testing.assert_allclose(up, 50.0, rtol=1e-15)
    np.testing.assert_allclose(down, 50.0, rtol=1e-15)


def test_all_forms_of_the_generator_agree() -> None:
    rng = np.random.default_rng(2)
    p, (up, down) = rng.random((4, 9)), face_rates(rng.normal(size=(4, 9)), 0.5, 0.1)
    matrix = ColumnPattern(4, 9).matrix(up, down)
    rate = divergence(p, up, down)
    np.testing.assert_allclose(matrix @ p.ravel(), rate.ravel(), atol=1e-12)
    dense, banded = matrix.toarray(), bands(up, down)
    for offset in (-1, 0, 1):
        columns = np.arange(max(0, offset), 36 + min(0, offset))
        np.testing.assert_array_equal(np.diagonal(dense, offset), banded[1 - offset, columns])
    np.testing.assert_allclose(rate.sum(axis=1), 0.0, atol=1e-12)


def test_exponential_against_a_krylov_free_series() -> None:
    wells = frozen_wells(3, 64)
    up, down = wells.rates
    for i in range(3):
        block = slice(64 * i, 64 * (i + 1))
        expected = expm_multiply(wells.generator[block, block], wells.start[i])
        assert np.abs(exponential(up[i], down[i], 1.0) @ wells.start[i] - expected).sum() < 1e-13


def test_exponential_of_two_cells_in_closed_form() -> None:
    up, down = np.array([3.0]), np.array([1.0])
    gone = 0.75 * (1.0 - np.exp(-4.0 * 0.7))
    assert exponential(up, down, 0.7)[1, 0] == pytest.approx(gone, rel=1e-14)


@pytest.mark.slow
def test_one_backward_euler_step_of_the_bandit_is_that_of_the_generator() -> None:
    wells = frozen_wells(4, 32)
    mdp = as_bandit(wells)
    start = evaluate(mdp, mdp.initial_policy)
    stepped = WassersteinFlow(mdp).step(mdp.initial_policy, start.q, 0.1, np.empty_like(wells.start))
    matrix = np.eye(wells.start.size) - 0.1 * wells.generator.toarray()
    np.testing.assert_allclose(stepped.ravel(), np.linalg.solve(matrix, wells.start.ravel()), rtol=1e-11)


def test_frozen_wells_are_as_stated() -> None:
    wells = frozen_wells()
    assert wells.start.shape == (256, 256)
    s, a = 2.0 * np.pi * 64 / 256, -2.0 + (10 + 0.5) / 64
    assert wells.potential[64, 10] == pytest.approx((a**2 - 1) ** 2 + 0.5 * np.sin(s) * a + 0.1 * a**2, rel=1e-14)
    np.testing.assert_allclose(wells.start.sum(axis=1), 1.0, rtol=1e-14)
    fall = np.exp(2.0 * ((65 / 128) ** 2 - (1 / 128) ** 2))
    assert wells.start[0, 128] / wells.start[0, 160] == pytest.approx(fall, rel=1e-3)
    assert problem_f.DIFFUSION == as_bandit(frozen_wells(2, 8)).temperature == 0.1


def test_rows_of_the_coupled_flow_are_normal_masses_and_equal_on_the_lattice() -> None:
    problem = coupled_flow()
    tensor, edges = problem.tensor, np.linspace(-2.0, 2.0, 129)
    np.testing.assert_allclose(tensor.sum(axis=2), 1.0, rtol=1e-14)
    for i, k in ((0, 0), (40, 77), (127, 127)):
        mean = 0.9 * (-2.0 + (i + 0.5) / 32) + 0.3 * (-3.0 + 6.0 * (k + 0.5) / 128)
        cumulative = ndtr((edges - mean) / 0.25)
        cumulative[0], cumulative[-1] = 0.0, 1.0
        np.testing.assert_allclose(tensor[i, k], np.diff(cumulative), atol=1e-14)
    np.testing.assert_array_equal(tensor[:-1, 2:], tensor[1:, :-2])


@pytest.mark.slow
def test_both_right_hand_sides_of_the_coupled_flow_agree() -> None:
    problem = coupled_flow(24)
    p = np.random.default_rng(3).random((24, 24))
    p /= p.sum(axis=1, keepdims=True)
    dense, ours = DenseField(problem), OurField(problem, as_mdp(problem))
    np.testing.assert_allclose(dense(0.0, p.ravel()), ours(0.0, p.ravel()), rtol=1e-9, atol=1e-10)
    assert dense.values(p[None])[0] == pytest.approx(ours.values(p[None])[0], rel=1e-12)


def test_rows_of_the_pendulum_are_those_of_its_transition() -> None:
    problem = pendulum(11, 5)
    value = np.random.default_rng(4).random(121)
    expected = problem.mdp(tabulated=False).transition.expect(value)
    np.testing.assert_allclose((problem.rows @ value).reshape(121, 5), expected, rtol=1e-12)
    np.testing.assert_allclose(problem.mdp(tabulated=True).transition.expect(value), expected, rtol=1e-12)


def test_soft_value_iteration_finds_our_optimum() -> None:
    problem = pendulum(9, 7)
    value, _ = soft_value_iteration(problem.cost, problem.columns, problem.weights, DISCOUNT, TEMPERATURE, 1e-10)
    np.testing.assert_allclose(value, solve_optimum(problem.mdp(tabulated=False)).value, atol=1e-10 / (1.0 - DISCOUNT))
