"""Ratios, slopes and curvatures against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from tests.solver.random_mdps import grid_mdps
from wpoflow.grids.axis import edges_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.bellman.evaluation import evaluate, occupancy
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.constants.coefficients import curvatures, density_ratio, slopes


def test_density_ratio_and_its_conventions() -> None:
    assert density_ratio(np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.75, 0.0])) == 2.0
    assert density_ratio(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == np.inf
    assert density_ratio(np.array([0.0, 1.0]), np.array([0.5, 0.5])) == 2.0


@given(grid_mdps(most_axes=1, least_temperature=0.1))
def test_concentrability_is_below_the_papers_bound(mdp: GridMDP) -> None:
    """d >= (1 - gamma) rho, so kappa is at most the density ratio over 1 - gamma."""
    optimum, start = solve_optimum(mdp), evaluate(mdp, mdp.initial_policy)
    kappa = density_ratio(optimum.occupancy, occupancy(mdp, start.system))
    assert kappa <= density_ratio(optimum.occupancy, mdp.rho) / (1.0 - mdp.discount) * (1.0 + 1e-9)
    assert density_ratio(optimum.occupancy, optimum.occupancy) == 1.0


def test_slopes_and_curvatures_of_quadratics_are_exact() -> None:
    """Second quotients of a quadratic are exact on any points, first quotients are slopes half-way."""
    first = edges_axis("x", np.array([0.0, 0.3, 1.0, 1.2, 2.0]))
    second = uniform_axis("y", -1.0, 1.0, 5)
    grid = Grid((first, uniform_axis("z", 0.0, 1.0, 1), second))
    x, y = grid.points[:, 0], grid.points[:, 2]
    values = np.stack([x**2 - 3.0 * y, x + 2.0 * y**2])
    middle = 0.5 * (first.points[1:] + first.points[:-1])
    assert slopes(values, grid) == pytest.approx(np.array([[2.0 * middle[-1], 0, 3.0], [1.0, 0, 2.4]]), rel=1e-12)
    least, most = curvatures(values, grid)
    assert least == pytest.approx(np.array([[2.0, 0, 0], [0, 0, 4.0]]), abs=1e-12)
    assert most == pytest.approx(least, abs=1e-12)


def test_circles_are_closed() -> None:
    axis = uniform_axis("angle", 0.0, 2.0 * np.pi, 400, "periodic")
    values = np.sin(axis.points + 0.1)[None]
    assert slopes(values, Grid((axis,)))[0, 0] == pytest.approx(1.0, abs=1e-4)
    least, most = curvatures(values, Grid((axis,)))
    assert (least[0, 0], most[0, 0]) == pytest.approx((-1.0, 1.0), abs=1e-3)
    jump = np.zeros((1, 400))
    jump[0, 0] = 1.0
    assert slopes(np.roll(jump, -1), Grid((axis,)))[0, 0] == pytest.approx(1.0 / axis.distances[-1])
    assert curvatures(jump, Grid((axis,)))[0][0, 0] == pytest.approx(-2.0 / axis.distances[-1] ** 2)


def test_vanishing_densities() -> None:
    """ln 0 next to ln 0 has no slope, next to anything else an infinite one, and no curvature is defined."""
    grid = Grid((uniform_axis("a", 0.0, 4.0, 4),))
    values = np.array([[-np.inf, -np.inf, -np.inf, -np.inf], [-np.inf, -np.inf, 0.0, 1.0], [0.0, 1.0, 2.0, 1.5]])
    assert np.array_equal(slopes(values, grid)[:, 0], [0.0, np.inf, 1.0])
    with pytest.raises(ValueError, match="finite"):
        curvatures(values, grid)
