"""Halves of grids: points, images, masses, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from wpoflow.grids.axis import Axis, label_axis, sinh_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.halving import folded_masses, halved_grid, images, mirrored_cells, whole_grid
from wpoflow.grids.reflection import Reflection, reflection_of

ACTIONS = Grid((uniform_axis("u", -1.0, 1.0, 5), uniform_axis("w", 0.0, 1.0, 2)))


def _states(first: Axis | None = None) -> Grid:
    first = uniform_axis("x", -1.0, 1.0, 9, "clamp") if first is None else first
    return Grid((uniform_axis("y", 0.0, 1.0, 3, "clamp"), first, uniform_axis("v", -2.0, 2.0, 4, "periodic")))


@pytest.mark.parametrize(
    "first", [uniform_axis("x", -1.0, 1.0, 9, "clamp"), sinh_axis("x", -1.0, 1.0, 9, "clamp", focus=0.0, ratio=5.0)]
)
def test_half_has_the_points_from_zero_on(first: Axis) -> None:
    half = halved_grid(_states(first), ACTIONS, ["x", "v", "u"])
    assert half.shape == (3, 5, 4)
    np.testing.assert_allclose(half.axes[1].points, first.points[4:], rtol=0.0, atol=1e-15)
    assert half.axes[1].points[0] == 0.0
    np.testing.assert_allclose(whole_grid(half).points, _states(first).points, rtol=0.0, atol=1e-15)


def test_circle_has_points_at_zero_and_half_its_period() -> None:
    half = halved_grid(_states(uniform_axis("x", -1.0, 1.0, 9, "periodic")), ACTIONS, ["x", "v", "u"])
    np.testing.assert_allclose(half.axes[1].points, [0.0, 0.25, 0.5, 0.75, 1.0])
    assert half.reflection == Reflection("x", ("x", "v", "u"), 2.0)
    np.testing.assert_allclose(whole_grid(half).axes[1].points, -1.0 + 0.25 * np.arange(8))


@pytest.mark.parametrize("boundary", ["clamp", "periodic"])
def test_every_point_of_the_whole_is_folded_onto_its_image(boundary: str) -> None:
    half = halved_grid(_states(uniform_axis("x", -1.0, 1.0, 9, boundary)), ACTIONS, ["x", "v", "u"])
    whole, (number, mirrored) = whole_grid(half), images(half)
    columns, turned = half.folded(list(whole.points.T))
    np.testing.assert_allclose(np.stack(columns, axis=1), half.points[number], rtol=0.0, atol=1e-15)
    assert np.array_equal(turned, mirrored)
    masses = np.random.default_rng(0).random(whole.size)
    folded = folded_masses(half, masses)
    assert np.isclose(folded.sum(), masses.sum())
    np.testing.assert_allclose(folded[number[0]], masses[number == number[0]].sum())


def test_states_are_folded_once_around_circles() -> None:
    mirror = Reflection("x", ("x", "v"), 2.0)
    (x, v), mirrored = mirror.fold(["x", "v"], [np.array([0.3, -0.3, 1.3, 2.3]), np.array([1.0, 1.0, 1.0, 1.0])])
    np.testing.assert_allclose(x, [0.3, 0.3, 0.7, 0.3])
    assert v.tolist() == [1.0, -1.0, -1.0, 1.0]
    assert mirrored.tolist() == [False, True, True, False]


def test_cells_of_actions_are_turned_along_the_axes_named() -> None:
    cell = mirrored_cells(ACTIONS, ["x", "u"])
    np.testing.assert_allclose(ACTIONS.points[cell], ACTIONS.points * [-1.0, 1.0], atol=1e-15)


def test_reflection_is_read_from_its_text() -> None:
    mirror = Reflection("x", ("x", "v"), 2.0)
    assert reflection_of(mirror.text) == mirror
    for text in ("", "{}", '{"halved": "x", "names": ["v"], "period": 0.0}'):
        with pytest.raises(ValueError, match="reflection"):
            reflection_of(text)


@pytest.mark.parametrize(
    ("states", "names", "said"),
    [
        (_states(), ["u"], "at least one state axis"),
        (_states(), ["x", "q"], "'q' is no axis"),
        (_states(), ["x", "x"], "axis x is named twice"),
        (_states(), "x", "as a list"),
        (_states(), ["y"], "axis y, from 0 to 1, is not symmetric about 0"),
        (_states(), ["x", "w"], "axis w, from 0 to 1, is not symmetric about 0"),
        (_states(uniform_axis("x", -1.0, 1.0, 8, "clamp")), ["x"], "an odd number"),
        (_states(uniform_axis("x", -1.0, 1.0, 1, "clamp")), ["x"], "an odd number"),
        (_states(uniform_axis("x", -1.0, 1.0, 9, "reflect")), ["x"], "must be clamp or periodic"),
        (_states(sinh_axis("x", -1.0, 1.0, 9, "periodic", focus=0.0, ratio=5.0)), ["x"], "must all be alike"),
    ],
)
def test_what_has_no_half_is_refused(states: Grid, names: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        halved_grid(states, ACTIONS, names)


def test_labels_have_no_sign() -> None:
    with pytest.raises(ValueError, match="no sign to change"):
        halved_grid(_states(), Grid((label_axis("u", ["left", "right"]),)), ["x", "u"])


def test_half_is_not_halved_again() -> None:
    half = halved_grid(_states(), ACTIONS, ["x", "v", "u"])
    with pytest.raises(ValueError, match="a half already"):
        halved_grid(half, ACTIONS, ["v"])
