"""Noise keeps the mean and the variance of every step on the grid, wherever the grid allows it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import wpoflow as wpo
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, sinh_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import Stencil
from wpoflow.grids.transitions import (
    InterpolatedTransition,
    Transition,
    cell_integrated_transition,
    gauss_hermite_transition,
    interpolated_transition,
    mixture_transition,
)
from wpoflow.grids.transitions.base import in_words
from wpoflow.grids.transitions.policy_pairs import PolicyPairs

KINDS = ("clamp", "reflect", "periodic")


def rows_of(axis: Axis, means: FloatArray, sigma: float) -> FloatArray:
    """P(j | f) for mean next states f, (means, points)."""
    transition = interpolated_transition(Grid((axis,)), np.tile(means[:, None], (axis.size, 1, 1)), [sigma])
    return np.stack([transition.expect(unit)[0] for unit in np.eye(axis.size)], axis=1)


def moments(axis: Axis, rows: FloatArray, means: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and mean square of the displacement from f."""
    away = axis.points - means[:, None]
    return (rows * away).sum(axis=1), (rows * away**2).sum(axis=1)


@settings(deadline=None, max_examples=80)
@example("reflect", 0.0625, [1.0])
@given(st.sampled_from(KINDS), st.floats(0.02, 4.0), st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=8))
def test_mean_and_variance_are_exact_at_every_point(kind: str, in_spacings: float, places: list[float]) -> None:
    """Far from the ends; where noise is too small for the spacing, the variance is the least there is."""
    axis = uniform_axis("x", -50.0, 50.0, 101, kind)
    middle = 0.5 * (axis.points[50] + axis.points[51])  # where interpolation adds most
    sigma, means = in_spacings * axis.distances[0], np.array([axis.points[50], middle, *places])
    rows = rows_of(axis, means, sigma)
    assert rows.min() >= 0.0
    assert np.abs(rows.sum(axis=1) - 1.0).max() <= 1e-14
    mean, square = moments(axis, rows, means)
    left = np.searchsorted(axis.points, means, side="right") - 1
    h = axis.points[left + 1] - axis.points[left]
    w = (means - axis.points[left]) / h
    assert mean == pytest.approx(np.zeros(means.size), abs=1e-12)
    assert square == pytest.approx(np.maximum(sigma**2, h**2 * w * (1.0 - w)), rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sigma", [0.3, 0.6, 2.0])
def test_so_they_are_on_graded_axes(kind: str, sigma: float) -> None:
    axis = sinh_axis("x", -50.0, 50.0, 101, kind, focus=0.0, ratio=4.0)
    h = np.diff(axis.points)
    means = np.linspace(-3.0, 3.0, 41)
    left = np.searchsorted(axis.points, means, side="right") - 1
    w = (means - axis.points[left]) / h[left]
    mean, square = moments(axis, rows_of(axis, means, sigma), means)
    wide = sigma >= h[left]  # so that no law of a node is sure, and means of nodes are in line
    assert np.abs(mean).max() <= 1e-12
    assert square[wide] == pytest.approx(np.full(wide.sum(), sigma**2), rel=1e-10)
    assert square == pytest.approx(np.maximum(sigma**2, h[left] ** 2 * w * (1.0 - w)), rel=0.02)


def test_images_of_a_reflecting_wall_are_interpolated_between_like_points() -> None:
    """Mirror two boxes into one: what a wall does is what the mirrored problem does on a circle of twice the length."""
    wall, circle = uniform_axis("x", 0.0, 1.0, 8, "reflect"), uniform_axis("x", 0.0, 2.0, 16, "periodic")
    means = np.linspace(0.0, 1.0, 33)
    for sigma in (0.03, 0.1, 0.5):
        folded = rows_of(circle, means, sigma)
        folded = folded[:, :8] + folded[:, :7:-1]
        assert rows_of(wall, means, sigma) == pytest.approx(folded, abs=1e-13)


@pytest.mark.parametrize("kinds", [("clamp", "reflect"), ("periodic", "clamp"), ("reflect", "periodic")])
def test_noise_on_two_axes_is_that_of_each(kinds: tuple[str, str]) -> None:
    """Rows on a plane are products of rows on lines: expectations, policies as rows, and policies over pairs."""
    lines = [uniform_axis("x", -1.0, 2.0, 7, kinds[0]), sinh_axis("y", 0.0, 1.0, 6, kinds[1], focus=0.5, ratio=2.0)]
    plane, random = Grid(tuple(lines)), np.random.default_rng(5)
    means = random.uniform((-1.5, -0.4), (2.5, 1.3), (plane.size, 4, 2))
    transition = interpolated_transition(plane, means, [0.4, 0.15])
    one, other = (
        rows_of(axis, means[..., j].ravel(), s) for j, (axis, s) in enumerate(zip(lines, (0.4, 0.15), strict=True))
    )
    rows = np.einsum("ra,rb->rab", one, other).reshape(plane.size, 4, plane.size)
    value, policy = random.standard_normal(plane.size), random.dirichlet(np.ones(4), plane.size)
    law = np.einsum("sk,skt->st", policy, rows)
    assert transition.expect(value) == pytest.approx(rows @ value, abs=1e-13)
    assert transition.under(policy).dense() == pytest.approx(law, abs=1e-14)
    assert isinstance(transition, InterpolatedTransition)
    assert isinstance(transition.stencil, Stencil)
    pairs = PolicyPairs(transition.stencil, policy, transition.smoothing, transition._rows)
    assert pairs.matvec(value) == pytest.approx(law @ value, abs=1e-13)
    assert pairs.rmatvec(value) == pytest.approx(law.T @ value, abs=1e-13)


def test_spacings_of_any_kind_give_laws() -> None:
    """Where cells change by factors of ten no weights give the variance wanted; rows remain laws with their mean."""
    for kind in KINDS:
        axis = Axis("x", np.array([-9.0, -6.0, -5.9, -5.8, -1.0, 0.0, 0.01, 0.02, 0.03, 3.0, 3.5, 9.0]), kind)
        for sigma in (1e-9, 0.05, 0.6, 3.0):
            rows = rows_of(axis, np.linspace(-9.0, 9.0, 91), sigma)
            assert rows.min() >= 0.0
            assert np.abs(rows.sum(axis=1) - 1.0).max() <= 1e-14


@pytest.mark.parametrize("cells", [21, 41, 81, 161])
@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_a_persistent_process_has_its_variance_on_any_grid(cells: int, noise: float) -> None:
    """x' = 0.99 x + noise: V = E sum gamma^n x^2 is a parabola, known exactly; spacings from 0.5 to 4.3 deviations."""
    discount, keep, reach = 0.95, 0.99, 6.0 * noise / np.sqrt(1.0 - 0.99**2)
    axis = uniform_axis("x", -reach, reach, cells, "clamp")
    transition = interpolated_transition(Grid((axis,)), keep * axis.points[:, None, None], [noise])
    law = transition.under(np.ones((cells, 1))).dense()
    value = np.linalg.solve(np.eye(cells) - discount * law, axis.points**2)
    curvature = 1.0 / (1.0 - discount * keep**2)
    assert value[cells // 2] == pytest.approx(discount * curvature * noise**2 / (1.0 - discount), rel=2e-5)


def test_how_the_noise_is_resolved_is_said_for_every_kind() -> None:
    axis = uniform_axis("x", 0.0, 1.0, 11, "clamp")
    line, plane = Grid((axis,)), Grid((axis, uniform_axis("y", 0.0, 1.0, 5, "clamp")))
    mean = np.full((11, 1), 0.5)
    half = np.full((11, 1), 0.5)

    def constant(sigma: float) -> Transition:
        return interpolated_transition(line, mean[..., None], [sigma])

    assert "spacing/sigma of x 0.5" in in_words(constant(0.2))
    assert "above" not in in_words(constant(0.06))
    assert "spacing/sigma of x 2.5, above 2" in in_words(constant(0.04))
    assert "spacing/sigma" not in in_words(interpolated_transition(line, mean[..., None]))
    hats = cell_integrated_transition(axis, mean, np.linspace(0.0, 0.1, 11)[:, None])
    assert "spacing/sigma of x 10, above 1/2" in in_words(hats)
    mixture = mixture_transition([(half, constant(0.2)), (half, constant(0.01))])
    assert in_words(mixture).count("spacing/sigma") == 1
    assert "spacing/sigma of x 10, above 2" in in_words(mixture)
    two = np.full((55, 1, 2), 0.5)
    hermite = gauss_hermite_transition(plane, two, np.stack([0.5 * two[..., 0], 0.0 * two[..., 1]], axis=-1))
    assert "spacing/sigma of x 0.4" in in_words(hermite)
    assert "of y" not in in_words(hermite)
    mixed = interpolated_transition(plane, two, [0.01, 0.0], lambda x, y: x + y > 1.5)
    assert "spacing/sigma of x 10, above 2" in in_words(mixed)


def test_runs_say_it() -> None:
    run = wpo.evolve(wpo.load_problem("lqr", cells={"x": 9, "u": 8}), until=0.1)
    assert "spacing/sigma of x 4, above 2" in str(run.attributes["transition"])
