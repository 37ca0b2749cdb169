"""Grids and steps of a refinement study."""

from __future__ import annotations

import math

import pytest

from tests.problems.test_problem_file import changed
from wpoflow.problems.load import read_statement
from wpoflow.problems.problem_file import parse_problem
from wpoflow.studies.refinement.plan import RefinedAxis, coarsest_step, default_directions, plan_direction
from wpoflow.studies.refinement.problem_grids import coarsened, refined_axes, with_cells

X = RefinedAxis("x", "state", 65, clamped=True)
Y = RefinedAxis("y", "state", 48)
U = RefinedAxis("u", "action", 32)
ONE = RefinedAxis("one", "state", 1)
EDGED = RefinedAxis("v", "action", 7, by_edges=True)


def cells(name: str, *axes: RefinedAxis, levels: int = 4, factor: float = 2.0) -> list[dict[str, int]]:
    plan = plan_direction(name, axes, levels, factor, 0.5)
    assert plan is not None
    return [dict(level.cells) for level in plan]


def test_levels_end_at_the_own_grid_and_clamped_points_are_nested() -> None:
    """n -> 2 n - 1 with both ends, n -> 2 n of cells; what is not refined stays at the middle level."""
    assert cells("states", X, Y, U) == [{"x": 1 + 8 * n, "y": 6 * n, "u": 8} for n in (1, 2, 4, 8)]
    assert cells("u", X, Y, U) == [{"x": 17, "y": 12, "u": 4 * n} for n in (1, 2, 4, 8)]
    assert cells("grid", X, U, levels=3) == [{"x": 1 + 16 * n, "u": 8 * n} for n in (1, 2, 4)]
    assert cells("time", X, U, levels=3) == [{"x": 33, "u": 16}] * 3
    assert cells("y", RefinedAxis("y", "state", 9), levels=4)[0] == {"y": 4}
    assert cells("x", RefinedAxis("x", "state", 27, clamped=True), levels=3) == [{"x": n} for n in (7, 13, 25)]


def test_one_point_stays_and_so_do_edges_that_are_not_refined() -> None:
    assert cells("states", ONE, X, EDGED, levels=3) == [{"one": 1, "x": 1 + 16 * n, "v": 7} for n in (1, 2, 4)]
    assert plan_direction("states", [ONE, U], 3, 2.0, None) is None
    assert plan_direction("one", [ONE, U], 3, 2.0, None) is None
    assert default_directions([ONE, U]) == ["actions", "time"]
    assert default_directions([X, U]) == ["states", "actions", "grid", "time"]


def test_what_is_counted_stays_and_counts() -> None:
    """Labels and shocks have nothing between their points; pairs are counted with them."""
    shock, labels = RefinedAxis("z", "state", 5, counted="a shock"), RefinedAxis("move", "action", 4, counted="labels")
    axes = [shock, X, U, labels]
    assert cells("grid", *axes, levels=3) == [{"z": 5, "x": 1 + 16 * n, "u": 8 * n, "move": 4} for n in (1, 2, 4)]
    for axis in (shock, labels):
        with pytest.raises(ValueError, match=f"axis {axis.name} is {axis.counted}, which cannot be refined"):
            plan_direction(axis.name, axes, 3, 2.0, None)


def test_a_problem_is_coarsened_to_the_pairs_asked_for_whatever_its_axes() -> None:
    for place in ({}, {"shock.z": {"method": "rouwenhorst", "persistence": 0.5, "deviation": 0.1, "points": 9}}):
        stated = parse_problem(changed({"state.x.cells": 96, "action.u.cells": 96, **place}))
        axes = refined_axes(stated)
        assert math.prod(axis.points for axis in axes) == 96 * 96 * (9 if place else 1)
        plan = read_statement(with_cells(stated, coarsened(axes, 2500.0))).plan
        points = (plan.states[-1], plan.actions[0])
        assert abs(plan.pairs / 2500.0 - 1.0) <= sum(
            0.5 / (n - 0.5) for n in points
        )  # each is rounded to a whole number


def test_mesh_sizes_and_steps() -> None:
    plan = plan_direction("states", [X, Y, U], 4, 2.0, None)
    assert plan is not None
    assert [level.step for level in plan] == [None] * 4
    assert [level.size for level in plan] == pytest.approx([(64.0 * 48.0) ** -0.5 * n for n in (8, 4, 2, 1)])
    root = plan_direction("u", [U], 5, math.sqrt(2.0), None)
    assert root is not None
    assert [level.cells["u"] for level in root] == [8, 11, 16, 23, 32]
    assert [level.size for level in root] == pytest.approx([1.0 / n for n in (8, 11, 16, 23, 32)])
    for name in ("time", "all"):
        steps = plan_direction(name, [X, U], 3, 2.0, 0.5)
        assert steps is not None
        assert [level.step for level in steps] == [0.5, 0.25, 0.125]
        assert steps[0].size == 4.0 * steps[2].size


def test_what_cannot_be_refined_is_refused() -> None:
    with pytest.raises(ValueError, match="axis v is given by edges"):
        plan_direction("actions", [X, EDGED], 3, 2.0, None)
    with pytest.raises(ValueError, match="choose among x, u, states, actions"):
        plan_direction("z", [X, U], 3, 2.0, None)
    with pytest.raises(ValueError, match="three grids"):
        plan_direction("u", [X, U], 2, 2.0, None)
    with pytest.raises(ValueError, match="needs a step"):
        plan_direction("time", [X, U], 3, 2.0, None)


def test_every_time_is_a_whole_number_of_steps() -> None:
    assert coarsest_step([2.0], None) == 2.0 / 64.0
    step = coarsest_step([0.1, 0.7, 1.0], None)
    assert step <= 1.0 / 64.0
    assert all(abs(t / step - round(t / step)) < 1e-9 for t in (0.1, 0.7, 1.0))
    assert coarsest_step([0.5, 1.0], 0.25) == 0.25
    for times, given, line in (
        ([0.5, 1.0], 0.3, "no multiples"),
        ([1.0], -1.0, "positive"),
        ([0.1], 0.2, "no multiples"),
        ([1.0, math.pi], None, "no step fits"),
    ):
        with pytest.raises(ValueError, match=line):
            coarsest_step(times, given)
