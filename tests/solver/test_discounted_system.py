"""The three ways to solve a discounted system: rounding-level residuals, agreement, bit-identity."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.linalg.lapack as lapack
import scipy.sparse.linalg as sparse_linalg
from threadpoolctl import threadpool_limits

from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import interpolated_transition
from wpoflow.problems.load import load_problem
from wpoflow.solver.arithmetic.blas import blas, one_blas_thread
from wpoflow.solver.bellman.gmres import Krylov, gmres
from wpoflow.solver.bellman.gmres_kernels import MOST_VECTORS
from wpoflow.solver.bellman.ilu import SMALL, IncompleteLU
from wpoflow.solver.bellman.linear_solver import LINEAR_SOLVERS, choose_linear_solver
from wpoflow.solver.bellman.system import EPS, BellmanError, DiscountedSystem
from wpoflow.solver.runs.evolve import evolve


def system(linear_solver: str, discount: float, cells: int = 300, noise: float = 0.05) -> DiscountedSystem:
    """A drifting chain pressed against a clamped end, under a random policy."""
    generator = np.random.default_rng(5)
    states = Grid((uniform_axis("x", -1.0, 1.0, cells, "clamp"),))
    u = np.linspace(-0.2, 0.3, 9)
    points = (0.95 * states.points[:, :1] + u)[..., None]
    transition = interpolated_transition(states, points, np.array([noise]))
    return DiscountedSystem(transition.under(generator.dirichlet(np.ones(9), cells)), discount, linear_solver)


@pytest.mark.parametrize("linear_solver", LINEAR_SOLVERS)
@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("discount", [0.5, 0.9, 0.999])
def test_residual_is_at_rounding_and_bounds_the_error(linear_solver: str, discount: float, noise: float) -> None:
    case = system(linear_solver, discount, noise=noise)
    exact = np.sin(np.arange(case.transition.n_states)) + 3.0
    rhs = exact - discount * case.transition.matvec(exact)
    x, residual = case.solve(rhs)
    assert residual <= 8.0 * EPS * np.abs(x).max()
    assert np.abs(x - exact).max() <= (residual + 8.0 * EPS * np.abs(exact).max()) / (1.0 - discount)
    warm, _ = case.solve(rhs, exact + 1e-3)
    assert np.abs(warm - exact).max() <= 32.0 * EPS * np.abs(exact).max() / (1.0 - discount)


@pytest.mark.parametrize("linear_solver", LINEAR_SOLVERS)
def test_occupancies_sum_to_one(linear_solver: str) -> None:
    case = system(linear_solver, 0.99)
    n = case.transition.n_states
    rho = np.full(n, 1.0 / n)
    d, _ = case.solve_transposed((1.0 - 0.99) * rho)
    assert abs(d.sum() - 1.0) <= 1e-12
    np.testing.assert_allclose(d - 0.99 * case.transition.rmatvec(d), 0.01 * rho, atol=1e-16)


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in blas().info() if library["user_api"] == "blas"}


@pytest.mark.parametrize("linear_solver", LINEAR_SOLVERS)
@pytest.mark.parametrize("cells", [200, 1200])
def test_every_call_of_blas_is_made_with_one_thread(
    linear_solver: str, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[int]] = []

    def watched(call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        seen.append(blas_threads())
        return call(*given, **named)

    for module, name in ((lapack, "dgetrf"), (lapack, "dgetrs"), (sparse_linalg, "splu")):
        monkeypatch.setattr(module, name, partial(watched, getattr(module, name)))
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        case = system(linear_solver, 0.97, cells=cells)
        case.solve(np.cos(np.arange(float(cells))))
        case.solve_transposed(np.full(cells, 1.0 / cells))
        assert bool(seen) == (linear_solver != "krylov")
        with one_blas_thread(), pytest.raises(BellmanError):
            case.solve(np.full(cells, np.nan))
        assert blas_threads() == before
    assert all(threads == {1} for threads in seen)


def test_a_run_holds_blas_to_one_thread_and_lets_it_go() -> None:
    seen: list[set[int]] = []
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        mdp = load_problem("lqr", cells={"x": 6, "u": 5})
        evolve(mdp, until={"steps": 2}, progress=lambda _: seen.append(blas_threads()))
        assert blas_threads() == before
    assert seen
    assert all(threads == {1} for threads in seen)


def _solve_dense() -> None:
    system("dense", 0.97).solve(np.ones(system("dense", 0.97).transition.n_states))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_process_forked_while_another_thread_solves_can_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fork falls into the moment in which the lock is shut."""
    library = next(one for one in blas().lib_controllers if one.user_api == "blas")
    shut, forked, parent = threading.Event(), threading.Event(), os.getpid()

    def slow(_: int) -> None:
        if os.getpid() == parent:
            shut.set()
            forked.wait(60)

    with threadpool_limits(2, user_api="blas"):
        monkeypatch.setattr(library, "set_num_threads", slow)
        other = threading.Thread(target=_solve_dense)
        other.start()
        assert shut.wait(60)
        child = multiprocessing.get_context("fork").Process(target=_solve_dense)
        child.start()
        monkeypatch.undo()
        forked.set()
        child.join(30)
        other.join(60)
        alive = child.is_alive()
        child.kill()
    assert (alive, child.exitcode) == (False, 0)


@pytest.mark.parametrize("transposed", [False, True])
def test_transport_over_many_cells_with_little_noise_is_solved_to_rounding(transposed: bool) -> None:
    """GMRES with two dozen vectors falls by a factor of a few: no stagnation, and no end within a dozen rounds."""
    axes = (uniform_axis("theta", -np.pi, np.pi, 72, "periodic"), uniform_axis("omega", -6.0, 6.0, 60, "clamp"))
    states, torque = Grid(axes), np.linspace(-3.0, 3.0, 5)
    theta, omega = states.points[:, :1], states.points[:, 1:]
    after = np.stack(np.broadcast_arrays(theta + 0.05 * omega, omega + 0.05 * (9.81 * np.sin(theta) + 3.0 * torque)), 2)
    transition = interpolated_transition(states, after, np.array([0.02, 0.05]))
    case = DiscountedSystem(transition.under(np.full((states.size, 5), 0.2)), 0.97, "krylov")
    x = 3.0 + np.sin(np.arange(float(states.size)))
    product = case.transition.rmatvec if transposed else case.transition.matvec
    solve = case.solve_transposed if transposed else case.solve
    found, residual = solve(x - 0.97 * product(x))
    assert residual <= 8.0 * EPS * np.abs(x).max()
    np.testing.assert_allclose(found, x, rtol=1e-11 if transposed else 1e-13)


def test_gmres_leaves_the_least_residual_of_its_space() -> None:
    generator = np.random.default_rng(2)
    matrix = np.eye(40) - 0.9 * generator.dirichlet(np.ones(40) / 8.0, 40)
    rhs = generator.normal(size=40)
    for reduction in (0.3, 1e-2, 1e-5):
        x, products, reached = gmres(lambda v: matrix @ v, None, rhs, reduction)
        krylov = np.stack([np.linalg.matrix_power(matrix, k) @ rhs for k in range(products)], axis=1)
        best, *_ = np.linalg.lstsq(matrix @ krylov, rhs)
        least = np.linalg.norm(rhs - matrix @ krylov @ best)
        assert np.linalg.norm(rhs - matrix @ x) == pytest.approx(least, rel=1e-6)
        assert least <= reduction * np.linalg.norm(rhs)
        assert reached == pytest.approx(least / np.linalg.norm(rhs), rel=1e-6)
    _, products, _ = gmres(lambda v: np.roll(v, 1), None, np.eye(60)[0], 1e-3)
    assert products == MOST_VECTORS


def test_gmres_ends_where_the_space_does() -> None:
    x, products, reached = gmres(lambda v: 2.0 * v, None, np.arange(5.0), 1e-15)
    assert products == 1
    assert reached <= 1e-15
    np.testing.assert_allclose(x, np.arange(5.0) / 2.0, rtol=4.0 * EPS)
    assert gmres(lambda v: v, None, np.zeros(5), 1e-3)[1] == 0


def test_tiny_right_hand_sides_are_solved_for() -> None:
    x, _, reached = gmres(lambda v: 0.5 * v, None, np.full(5, 1e-200), 1e-13)
    np.testing.assert_allclose(x, 2e-200, rtol=1e-13)
    assert reached <= 1e-13
    for linear_solver in LINEAR_SOLVERS:
        case = system(linear_solver, 0.97)
        rhs = 1e-200 * np.random.default_rng(5).random(case.transition.n_states)
        scaled, _ = case.solve(1e200 * rhs)
        np.testing.assert_allclose(case.solve(rhs)[0], 1e-200 * scaled, rtol=1e-11)


def test_incomplete_factors_agree_with_the_matrix_on_its_places() -> None:
    case = system("krylov", 0.97, cells=120, noise=0.0)
    factors = IncompleteLU()
    factors.factor(case.transition, 0.97)
    inverse = np.stack([factors.solve(unit, False) for unit in np.eye(120)], axis=1)
    transposed = np.stack([factors.solve(unit, True) for unit in np.eye(120)], axis=1)
    np.testing.assert_allclose(transposed, inverse.T, rtol=1e-12, atol=1e-14)
    matrix = case.transition.dense()
    kept = np.where(matrix >= SMALL * (1.0 - 0.97), matrix, 0.0)
    assert 0 < np.count_nonzero(kept) < np.count_nonzero(matrix)
    kept *= (matrix.sum(axis=1) / kept.sum(axis=1))[:, None]
    places = (kept != 0.0) | np.eye(120, dtype=bool)
    error = np.linalg.inv(inverse) - (np.eye(120) - 0.97 * kept)
    assert np.abs(error[places]).max() <= 1e-12
    assert np.abs(error[~places]).max() > 1e-3  # incomplete: with no fill these entries cannot vanish


@pytest.mark.parametrize("transposed", [False, True])
def test_incomplete_factors_bring_a_correction_where_plain_gmres_does_not_come(transposed: bool) -> None:
    transition, rhs = system("krylov", 0.99, cells=1500, noise=0.0).transition, np.sin(np.arange(1500.0))
    product = transition.rmatvec if transposed else transition.matvec
    x, reached = Krylov(transition, 0.99, None).correction(rhs, 1e-10, transposed)
    assert reached <= 1e-10
    assert np.linalg.norm(rhs - x + 0.99 * product(x)) <= 1e-10 * np.linalg.norm(rhs)
    assert gmres(lambda v: v - 0.99 * product(v), None, rhs, 1e-10)[2] > 1e-5


@pytest.mark.parametrize("transposed", [False, True])
def test_a_tolerance_spares_iterations_and_is_kept(transposed: bool) -> None:
    case = system("krylov", 0.97)
    solve = case.solve_transposed if transposed else case.solve
    rhs = np.sin(np.arange(300.0)) + 2.0
    exact, rounding = solve(rhs)
    x, residual = solve(rhs, None, 1e-4)
    assert 1e3 * rounding < residual <= 1e-4  # it stopped long before rounding
    if not transposed:
        assert np.abs(x - exact).max() <= 1e-4 / (1.0 - 0.97)


def test_what_was_solved_before_changes_no_bit() -> None:
    """Incomplete factors keep arrays between systems, never numbers."""
    shared = IncompleteLU()
    others = [system("krylov", gamma, 1500, 0.0) for gamma in (0.9, 0.99)]
    rhs = np.sin(np.arange(1500.0))
    alone = [DiscountedSystem(c.transition, c.discount, "krylov").solve(rhs)[0] for c in others]
    for case, expected in [*zip(others, alone, strict=True), *zip(others, alone, strict=True)]:
        x, _ = DiscountedSystem(case.transition, case.discount, "krylov", shared).solve(rhs)
        np.testing.assert_array_equal(x, expected)


def test_a_system_that_cannot_be_solved_says_so() -> None:
    case = system("dense", 0.9)
    with pytest.raises(BellmanError, match="not solved"):
        case.solve(np.full(case.transition.n_states, np.nan))


def test_the_choice_depends_on_sizes_alone() -> None:
    assert choose_linear_solver(1, 1, 0.9) == "dense"
    assert choose_linear_solver(40, 1_600, 0.9) == "dense"
    assert choose_linear_solver(400, 160_000, 0.9) == "krylov"
    assert choose_linear_solver(100_000, 500_000, 0.99) == "krylov"
    with pytest.raises(ValueError, match="dense, sparse, krylov"):
        DiscountedSystem(system("dense", 0.9).transition, 0.9, "gauss")
