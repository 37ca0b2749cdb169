"""Axes and grids: cells tile the box, points lie in their cells, ends and images are where they should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wpoflow.grids.axis import BOUNDARIES, SHOCK, Axis, edges_axis, sinh_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.labels import LABELS

boundaries = st.sampled_from([rule for rule in BOUNDARIES if rule not in (SHOCK, LABELS)])  # whose points are given
sizes = st.integers(1, 40)
ends = st.tuples(st.floats(-50, 50), st.floats(0.01, 100)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    boundary, cells, (lower, upper) = draw(boundaries), draw(sizes), draw(ends)
    if draw(st.booleans()):
        return uniform_axis("x", lower, upper, cells, boundary)
    focus = lower + draw(st.floats(0, 1)) * (upper - lower)
    return sinh_axis("x", lower, upper, cells, boundary, focus=min(focus, upper), ratio=draw(st.floats(1, 200)))


@given(axes())
def test_cells_tile_the_box_and_hold_their_points(axis: Axis) -> None:
    assert np.all(axis.widths > 0)
    assert axis.widths.sum() == pytest.approx(axis.length, rel=1e-13)
    assert np.all(axis.points >= axis.edges[:-1])
    assert np.all(axis.points <= axis.edges[1:])
    assert np.all(axis.distances > 0)


@given(axes())
def test_points_are_centres_except_at_clamped_ends(axis: Axis) -> None:
    centres = 0.5 * (axis.edges[:-1] + axis.edges[1:])
    inner = slice(1, -1) if axis.boundary == "clamp" and axis.size > 1 else slice(None)
    assert axis.points[inner] == pytest.approx(centres[inner], rel=1e-12, abs=1e-12)
    if axis.boundary == "clamp" and axis.size > 1:
        assert (axis.points[0], axis.points[-1]) == (axis.lower, axis.upper)


@given(axes().filter(lambda axis: axis.boundary == "periodic"))
def test_distances_go_once_around_a_circle(axis: Axis) -> None:
    assert axis.distances.size == axis.size
    assert axis.distances.sum() == pytest.approx(axis.length, rel=1e-12)


@given(ends, st.integers(3, 60), st.sampled_from(["clamp", "reflect"]))
def test_uniform_points_are_evenly_spaced(box: tuple[float, float], cells: int, boundary: str) -> None:
    axis = uniform_axis("x", *box, cells, boundary)
    assert axis.distances == pytest.approx(np.full(cells - 1, axis.distances.mean()), rel=1e-10)


def test_mirrored_focus_mirrors_the_axis() -> None:
    left = sinh_axis("x", -1.0, 1.0, 24, focus=-0.3, ratio=15.0)
    right = sinh_axis("x", -1.0, 1.0, 24, focus=0.3, ratio=15.0)
    assert left.edges == pytest.approx(-right.edges[::-1], abs=1e-15)


@pytest.mark.parametrize("ratio", [2.0, 20.0])
def test_sinh_spacing_has_the_stated_ratio(ratio: float) -> None:
    axis = sinh_axis("x", -1.0, 3.0, 20001, "clamp", focus=0.0, ratio=ratio)
    assert axis.widths[-2] / axis.widths[1:-1].min() == pytest.approx(ratio, rel=1e-3)
    assert abs(axis.points[1:-1][axis.widths[1:-1].argmin()]) < 1e-3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: uniform_axis("v", 0.0, 1.0, 0), "axis v: cells = 0"),
        (lambda: uniform_axis("v", 1.0, 1.0, 4), "axis v: bounds"),
        (lambda: uniform_axis("v", 0.0, np.inf, 4), "axis v: bounds"),
        (lambda: uniform_axis("v", 0.0, 1.0, 4, "wall"), "axis v: boundary 'wall'; choose one of clamp, reflect"),
        (lambda: edges_axis("v", [0.0, 2.0, 1.0]), "axis v: edges"),
        (lambda: edges_axis("v", [0.0]), "axis v: edges"),
        (
            lambda: edges_axis("v", [0.0, 1e-300, 1.0]),
            "axis v: the cell from 0 to 1e-300 is 1e-300 of the box; at least 1e-16",
        ),
        (lambda: edges_axis("v", [-1.0, 0.0, 5e-324, 1.0], "clamp"), "axis v: the cell from 0 to 4.94066e-324"),
        (lambda: uniform_axis("v", 0.0, 1e-160, 4), "axis v: .* is 1e-160 long; a box is from 1e-100 to 1e.100 long"),
        (lambda: uniform_axis("v", -1e200, 1e200, 4), "axis v: .* is 2e.200 long"),
        (lambda: Grid(tuple(uniform_axis(n, 0.0, 1e-90, 1) for n in "abcd")), "axes a, b, c, d: .* volume of 0"),
        (lambda: sinh_axis("v", 0.0, 1.0, 4, focus=2.0, ratio=3.0), "axis v: focus"),
        (lambda: sinh_axis("v", 0.0, 1.0, 4, focus=0.5, ratio=0.5), "axis v: ratio"),
        (lambda: sinh_axis("v", 0.0, 1.0, 4, focus=0.5, ratio=1e200), "axis v: edges .* strictly increasing"),
        (lambda: Grid((uniform_axis("v", 0, 1, 2), uniform_axis("v", 0, 1, 2))), "axis v is given twice"),
    ],
)
def test_errors_name_the_axis(make: object, words: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=words):
        make()


def test_grid_numbers_points_in_c_order() -> None:
    grid = Grid((uniform_axis("x", 0, 3, 3), uniform_axis("y", 0, 1, 2), uniform_axis("z", 0, 2, 4)))
    i, j, k = 2, 1, 3
    flat = int(np.ravel_multi_index((i, j, k), grid.shape))
    assert grid.points[flat].tolist() == [2.5, 0.75, 1.75]
    assert grid.volumes.sum() == pytest.approx(6.0)
    assert grid.describe(flat) == "x = 2.5, y = 0.75, z = 1.75"


def test_grid_without_axes_is_one_point() -> None:
    grid = Grid(())
    assert (grid.size, grid.dim, grid.points.shape, grid.volumes.tolist()) == (1, 0, (1, 0), [1.0])


def test_axes_cannot_be_changed() -> None:
    axis = uniform_axis("x", 0, 1, 4)
    with pytest.raises(ValueError, match="read-only"):
        axis.edges[0] = -1.0
