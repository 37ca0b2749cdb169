"""Limited cubic interpolation: exact on cubics, of fourth order, and linear where values have kinks or oscillate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, edges_axis, sinh_axis, uniform_axis
from wpoflow.grids.coarsening import AxisPoints, coarsening_of
from wpoflow.grids.cubic.map import CubicMap
from wpoflow.grids.cubic.noise import cubic_noise_matrix
from wpoflow.grids.grid import Grid
from wpoflow.grids.smoothing import axis_nodes
from wpoflow.grids.transitions import (
    cell_integrated_transition,
    gauss_hermite_transition,
    interpolated_transition,
    tabulated_transition,
)
from wpoflow.grids.transitions.cubic import cubic_expectation

X = uniform_axis("x", -1.0, 1.0, 11, "clamp")
Y = sinh_axis("y", -2.0, 3.0, 12, "clamp", focus=0.5, ratio=3.0)
ROUND = uniform_axis("a", 0.0, 2.0 * np.pi, 16, "periodic")
MIRROR = uniform_axis("m", 0.0, np.pi, 16, "reflect")


def at(grid: Grid, values: FloatArray, places: FloatArray) -> FloatArray:
    return CubicMap.at(grid, places).expect(values, np.empty((len(places), 1)))[:, 0]


def draws(grid: Grid, n: int = 400, seed: int = 0) -> FloatArray:
    random = np.random.default_rng(seed)
    return np.stack([axis.lower + random.random(n) * axis.length for axis in grid.axes], axis=1)


def convex(x: FloatArray, y: FloatArray) -> FloatArray:
    """Cubic on either axis, its second derivatives of one sign and of one size, and a product of linear functions."""
    return 40.0 * x**2 + x**3 + 50.0 * y**2 - y**3 + 3.0 * x * y + x - 2.0 * y


def test_cubics_are_reproduced_on_graded_axes_up_to_the_ends() -> None:
    grid = Grid((X, Y))
    places = np.vstack((draws(grid), [[-1.0, -2.0], [1.0, 3.0], [-1.0, 3.0]]))
    np.testing.assert_allclose(at(grid, convex(*grid.points.T), places), convex(*places.T), rtol=0.0, atol=1e-11)


@pytest.mark.parametrize(
    ("axis", "function", "order"),
    [
        (X, lambda x: np.exp(2.0 * x), 4.0),
        (Y, lambda y: np.exp(0.5 * y), 4.0),
        (ROUND, lambda a: np.exp(np.sin(a)), 3.0),  # bends change their sign: an order less there
        (MIRROR, np.cos, 3.0),
    ],
    ids=["clamp", "graded", "periodic", "reflect"],
)
def test_smooth_functions_are_met_with_the_order_that_is_stated(
    axis: Axis, function: Callable[[FloatArray], FloatArray], order: float
) -> None:
    errors = []
    for n in (32, 64, 128, 256):
        if axis is Y:
            finer = sinh_axis("y", -2.0, 3.0, n + 1, "clamp", focus=0.5, ratio=3.0)
        else:
            finer = uniform_axis("x", axis.lower, axis.upper, n + (axis is X), axis.boundary)
        grid = Grid((finer,))
        places = draws(grid, 4000)
        errors.append(np.abs(at(grid, function(finer.points), places) - function(places[:, 0])).max())
    measured = np.log2(errors[0] / errors[-1]) / 3.0  # from one grid to the next it depends on where limits begin
    assert measured > order - 0.25, errors
    assert errors[-1] < 2e-5


def test_a_kink_at_a_point_stays_linear_and_oscillations_are_joined_by_lines() -> None:
    axis = uniform_axis("x", -1.0, 1.0, 21, "clamp")
    grid, places = Grid((axis,)), draws(Grid((axis,)))
    np.testing.assert_allclose(at(grid, np.abs(axis.points), places), np.abs(places[:, 0]), atol=1e-14)
    zigzag = np.asarray((-1.0) ** np.arange(21), dtype=np.float64)
    lines = np.interp(places[:, 0], axis.points, zigzag)
    assert np.abs(at(grid, zigzag, places) - lines).max() < 1e-13
    step = (axis.points > 0.0).astype(float)
    found = at(grid, step, places)
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def test_limits_that_are_kept_make_it_linear_in_the_values() -> None:
    grid, random = Grid((X, ROUND)), np.random.default_rng(1)
    places = draws(grid)
    first, second = random.standard_normal((2, grid.size))
    map_ = CubicMap.at(grid, places)
    kept = map_.limits(first)

    def of(values: FloatArray, limits: FloatArray | None) -> FloatArray:
        return map_.expect(values, np.empty((len(places), 1)), limits)

    assert np.array_equal(of(first, kept), of(first, None))
    np.testing.assert_allclose(of(first + 2.0 * second, kept), of(first, kept) + 2.0 * of(second, kept), atol=1e-13)
    bent = first + 2.0 * second
    assert np.abs(of(bent, None) - of(first, None) - 2.0 * of(second, None)).max() > 1e-3


@pytest.mark.parametrize("axis", [X, Y, ROUND, MIRROR], ids=lambda axis: axis.name)
def test_rules_for_noise_keep_constants_and_have_the_moments_of_the_noise(axis: Axis) -> None:
    for sigma in (0.02, 0.3, 3.0, 40.0):
        nodes = axis_nodes(axis, sigma, (axis.lower, axis.upper))
        rows = cubic_noise_matrix(axis, nodes, sigma).sparse().toarray()
        np.testing.assert_allclose(rows.sum(axis=1), 1.0, rtol=0.0, atol=1e-13)
    if axis.boundary == "clamp":  # far from the ends the square is met exactly
        sigma = 0.04 * axis.length
        nodes = axis_nodes(axis, sigma, (axis.lower, axis.upper))
        middle = np.abs(nodes - 0.5 * (axis.lower + axis.upper)) < 0.1 * axis.length
        rows = cubic_noise_matrix(axis, nodes, sigma).sparse().toarray()
        np.testing.assert_allclose((rows @ axis.points**2)[middle], nodes[middle] ** 2 + sigma**2, rtol=1e-13)
    else:
        nodes = axis_nodes(axis, 0.3, (axis.lower, axis.upper))
        rows = cubic_noise_matrix(axis, nodes, 0.3).sparse().toarray()
        exact = np.exp(-0.5 * 0.3**2) * np.cos(nodes)
        assert np.abs(rows @ np.cos(axis.points) - exact).max() < 1e-3 if axis is ROUND else 1e-4


def test_next_states_with_noise_are_met_where_they_are() -> None:
    """Of three weights on a graded axis the place is recovered, so that cubics have their mean over the noise."""
    grid = Grid((Y, uniform_axis("z", -3.0, 3.0, 21, "clamp")))
    f = np.random.default_rng(2).uniform(-0.4, 0.9, (grid.size, 3, 2))
    sigma = np.array([0.1, 0.2])
    rule = cubic_expectation(interpolated_transition(grid, f, sigma))
    y, z = grid.points.T
    found = rule.expect(40.0 * y**2 + y**3 + 30.0 * z**2 + 5.0 * y * z, np.empty(f.shape[:2]))
    y, z = f[..., 0], f[..., 1]
    exact = 40.0 * (y**2 + 0.01) + y**3 + 3.0 * y * 0.01 + 30.0 * (z**2 + 0.04) + 5.0 * y * z
    np.testing.assert_allclose(found, exact, rtol=0.0, atol=1e-9)


def test_on_every_second_point_it_is_that_of_the_grid_built_there() -> None:
    grid = Grid((X, ROUND))
    f = draws(grid, grid.size * 2, 3).reshape(grid.size, 2, 2)
    fine = interpolated_transition(grid, f)
    coarsening = coarsening_of([AxisPoints.of(axis) for axis in grid.axes])
    assert coarsening is not None
    coarse_grid = Grid((uniform_axis("x", -1.0, 1.0, 6, "clamp"), edges_axis("a", ROUND.edges[::2], "periodic")))
    shift = coarse_grid.axes[1].points[0] - coarsening.coarser[1].points[0]  # points of the coarse circle are turned
    moved = f[coarsening.states] + np.array([0.0, shift])
    built = interpolated_transition(coarse_grid, moved)
    values = np.random.default_rng(4).standard_normal(coarse_grid.size)
    coarse = fine.coarser(coarsening)
    assert coarse is not None
    found, expected = (
        cubic_expectation(one).expect(values, np.empty((coarse_grid.size, 2))) for one in (coarse, built)
    )
    assert np.abs(found - expected).max() < 1e-12


def test_mixtures_and_tables_have_one_and_what_cannot_is_told() -> None:
    grid, random = Grid((ROUND,)), np.random.default_rng(5)
    f, s = random.uniform(0.0, 6.0, (16, 2, 1)), random.uniform(0.01, 0.1, (16, 2, 1))
    values = np.sin(ROUND.points)
    found = cubic_expectation(gauss_hermite_transition(grid, f, s)).expect(values, np.empty((16, 2)))
    assert np.abs(found - np.sin(f[..., 0]) * np.exp(-0.5 * s[..., 0] ** 2)).max() < 2e-3
    table = random.dirichlet(np.ones(16), (16, 2))
    known = tabulated_transition(table)
    assert np.array_equal(cubic_expectation(known).expect(values, np.empty((16, 2))), known.expect(values))
    with pytest.raises(ValueError, match="next states that are interpolated"):
        cubic_expectation(cell_integrated_transition(ROUND, f[..., 0], s[..., 0]))
    ending = interpolated_transition(Grid((X,)), np.zeros((11, 2, 1)), np.array([0.2]), lambda x: x > 0.9)
    with pytest.raises(ValueError, match="constant noise that ends no process"):
        cubic_expectation(ending)
