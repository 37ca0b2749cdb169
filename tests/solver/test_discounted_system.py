"""The three ways to solve a discounted system: rounding-level residuals, agreement, bit-identity."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from grids.arrays import FloatArray
from grids.axis import uniform_axis
from grids.grid import Grid
from grids.transitions import interpolated_transition
from solver.discounted_system import EPS, SOLVERS, BellmanError, DiscountedSystem, blas, choose_solver, one_blas_thread
from solver.krylov import bicgstab


def system(solver: str, discount: float, cells: int = 300, noise: float = 0.05) -> DiscountedSystem:
    """A drifting chain pressed against a clamped end, under a random policy."""
    generator = np.random.default_rng(5)
    states = Grid((uniform_axis("x", -1.0, 1.0, cells, "clamp"),))
    u = np.linspace(-0.2, 0.3, 9)
    points = (0.95 * states.points[:, :1] + u)[..., None]
    transition = interpolated_transition(states, points, np.array([noise]))
    return DiscountedSystem(transition.under(generator.dirichlet(np.ones(9), cells)), discount, solver)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("discount", [0.5, 0.9, 0.999])
def test_residual_is_at_rounding_and_bounds_the_error(solver: str, discount: float, noise: float) -> None:
    case = system(solver, discount, noise=noise)
    exact = np.sin(np.arange(case.transition.n_states)) + 3.0
    rhs = case.apply(exact)
    x, residual = case.solve(rhs)
    assert residual <= 8.0 * EPS * np.abs(x).max()
    assert np.abs(x - exact).max() <= (residual + 8.0 * EPS * np.abs(exact).max()) / (1.0 - discount)
    warm, _ = case.solve(rhs, exact + 1e-3)
    assert np.abs(warm - exact).max() <= 32.0 * EPS * np.abs(exact).max() / (1.0 - discount)


@pytest.mark.parametrize("solver", SOLVERS)
def test_occupancies_sum_to_one(solver: str) -> None:
    case = system(solver, 0.99)
    n = case.transition.n_states
    rho = np.full(n, 1.0 / n)
    d, _ = case.solve_transposed((1.0 - 0.99) * rho)
    assert abs(d.sum() - 1.0) <= 1e-12
    np.testing.assert_allclose(d - 0.99 * case.transition.rmatvec(d), 0.01 * rho, atol=1e-16)


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in blas().info() if library["user_api"] == "blas"}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("cells", [200, 1200])
def test_every_operation_of_a_solve_has_one_blas_thread(
    solver: str, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[int]] = []
    correction = DiscountedSystem._correction

    def watched(self: DiscountedSystem, residual: FloatArray, transposed: bool, reduction: float) -> FloatArray:
        seen.append(blas_threads())
        return correction(self, residual, transposed, reduction)

    monkeypatch.setattr(DiscountedSystem, "_correction", watched)
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        case = system(solver, 0.97, cells=cells)
        case.solve(np.cos(np.arange(float(cells))))
        case.solve_transposed(np.full(cells, 1.0 / cells))
        with one_blas_thread(), pytest.raises(BellmanError):
            case.solve(np.full(cells, np.nan))
        assert blas_threads() == before
    assert len(seen) >= 2
    assert all(threads == {1} for threads in seen)


def test_bicgstab_returns_its_best_iterate_at_the_cap() -> None:
    matrix = np.diag(np.arange(1.0, 9.0)) + np.triu(np.ones((8, 8)), 1)
    x, iterations = bicgstab(lambda v: matrix @ v, np.ones(8), 1e-12, 50)
    assert iterations <= 50
    np.testing.assert_allclose(matrix @ x, np.ones(8), atol=1e-11)
    rough, _ = bicgstab(lambda v: matrix @ v, np.ones(8), 1e-12, 1)
    assert np.abs(np.ones(8) - matrix @ rough).max() <= 1.0


def test_a_system_that_cannot_be_solved_says_so() -> None:
    case = system("dense", 0.9)
    with pytest.raises(BellmanError, match="not solved"):
        case.solve(np.full(case.transition.n_states, np.nan))


def test_the_choice_depends_on_sizes_alone() -> None:
    assert choose_solver(1, 1, 0.9, 0) == "dense"
    assert choose_solver(128, 20_000, 0.9, 1) == "dense"
    assert choose_solver(100_000, 500_000, 0.99, 2) == "krylov"
    with pytest.raises(ValueError, match="dense, sparse, krylov"):
        DiscountedSystem(system("dense", 0.9).transition, 0.9, "gauss")
