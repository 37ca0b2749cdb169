"""A transition made coarser is R P I: pairs of the states kept, functions carried over from the coarse grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sparse

from wpoflow.grids.axis import label_axis, shock_axis, sinh_axis, uniform_axis
from wpoflow.grids.coarsening import AxisPoints, Coarsening, coarsening_of
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import (
    MixtureTransition,
    PartlyNoisyTransition,
    StateSet,
    Transition,
    cell_integrated_transition,
    interpolated_transition,
    mixture_transition,
    tabulated_transition,
)
from wpoflow.grids.transitions.tensor_stencil import TensorStencil

ACTIONS = 5
CLAMP = sinh_axis("x", -1.0, 1.0, 11, "clamp", focus=0.3, ratio=4.0)
EVEN = uniform_axis("w", -1.0, 1.0, 12, "clamp")
ROUND, ODD = uniform_axis("y", -1.0, 1.0, 10, "periodic"), uniform_axis("y", -1.0, 1.0, 9, "periodic")
MIRROR = uniform_axis("z", -1.0, 1.0, 8, "reflect")
SHOCK = shock_axis("k", [0.0, 1.0], [[0.8, 0.2], [0.3, 0.7]])


def grid_coarsening(states: Grid) -> Coarsening:
    """That of all axes of a grid."""
    found = coarsening_of([AxisPoints.of(axis) for axis in states.axes])
    assert found is not None
    return found


def moved(states: Grid, seed: int = 0) -> np.ndarray:
    """Mean next states, some far outside the box; shocks stay."""
    points = states.points[:, None, :] + 0.6 * np.random.default_rng(seed).normal(
        size=(states.size, ACTIONS, states.dim)
    )
    for j, axis in enumerate(states.axes):
        if axis.table is not None:
            points[:, :, j] = states.points[:, [j]]
    return points


def interpolated(*axes: object, sigma: list[float] | None = None, terminal: StateSet | None = None) -> tuple[Grid, Any]:
    states = Grid(axes)  # type: ignore[arg-type]
    return states, interpolated_transition(states, moved(states), sigma, terminal)


def tensor() -> tuple[Grid, Transition]:
    """Two noisy axes, each of which looks at other actions."""
    states = Grid((EVEN, ODD))
    first = np.repeat(moved(states)[:, :2, 0], 2, axis=1)
    second = np.tile(moved(states)[:, 2:4, 1], 2)
    transition: Any = interpolated_transition(states, np.stack((first, second), axis=2), [0.2, 0.3])
    assert isinstance(transition.stencil, TensorStencil)
    return states, transition


def mixture() -> tuple[Grid, Transition]:
    states = Grid((CLAMP, ROUND))
    shape = (states.size, ACTIONS)
    one, two = (
        interpolated_transition(states, moved(states)),
        interpolated_transition(states, moved(states, 1), [0.3, 0.0]),
    )
    found = mixture_transition([(np.full(shape, 0.4), one), (np.full(shape, 0.6), two)])
    assert isinstance(found, MixtureTransition)
    return states, found


def partly() -> tuple[Grid, Transition]:
    states, found = interpolated(CLAMP, EVEN, sigma=[0.3, 0.0], terminal=lambda x, w: x + w > 1.2)
    assert isinstance(found, PartlyNoisyTransition)
    return states, found


def table() -> tuple[Grid, Transition]:
    states = Grid((CLAMP, ROUND))
    rows = np.random.default_rng(0).dirichlet(np.ones(states.size), states.size * ACTIONS)
    return states, tabulated_transition(sparse.csr_array(rows))


def shared() -> tuple[Grid, Transition]:
    states = Grid((EVEN,))
    laws = np.random.default_rng(0).dirichlet(np.ones(12), 6)
    number = (np.arange(12)[:, None] + np.arange(ACTIONS)) % 6
    return states, tabulated_transition(laws[number])


def integrated() -> tuple[Grid, Transition]:
    states = Grid((EVEN,))
    return states, cell_integrated_transition(EVEN, moved(states)[..., 0], np.full((12, ACTIONS), 0.2))


CASES: dict[str, Callable[[], tuple[Grid, Transition]]] = {
    "clamped": lambda: interpolated(CLAMP),
    "even": lambda: interpolated(EVEN),
    "circle": lambda: interpolated(ROUND),
    "odd circle": lambda: interpolated(ODD),
    "reflected": lambda: interpolated(MIRROR),
    "four axes": lambda: interpolated(CLAMP, ODD, MIRROR, EVEN),
    "shock": lambda: interpolated(CLAMP, SHOCK, ROUND),
    "noise": lambda: interpolated(EVEN, ODD, MIRROR, sigma=[0.0, 0.3, 0.2]),
    "noise on a circle": lambda: interpolated(ROUND, sigma=[0.1]),
    "ending": lambda: interpolated(CLAMP, ROUND, terminal=lambda x, y: x > 0.6),
    "ending in noise": lambda: interpolated(CLAMP, ROUND, sigma=[0.3, 0.0], terminal=lambda x, y: x > 0.6),
    "partly noisy": partly,
    "tensor": tensor,
    "outcomes": mixture,
    "table": table,
    "shared rows": shared,
    "cell-integrated": integrated,
}


@pytest.mark.parametrize("name", CASES)
def test_a_coarser_transition_is_the_fine_one_between_restriction_and_interpolation(name: str) -> None:
    """Twice: the coarse transition is made coarser as the fine one is."""
    states, transition = CASES[name]()
    rng = np.random.default_rng(4)
    axes = tuple(AxisPoints.of(axis) for axis in states.axes)
    at, matrix = transition, None
    for _ in range(2):
        coarsening = coarsening_of(axes)
        if coarsening is None:
            assert matrix is not None  # small axes are made coarser once
            break
        coarse = at.coarser(coarsening)
        assert coarse is not None
        value = rng.normal(size=coarsening.states.size)
        carried = coarsening.interpolation.apply(value)
        expected = at.expect(carried)[coarsening.states]
        np.testing.assert_allclose(coarse.expect(value), expected, rtol=0.0, atol=1e-13)
        policy = rng.dirichlet(np.ones(expected.shape[1]), value.size)
        operator = coarse.under(policy)
        np.testing.assert_allclose(operator.matvec(value), (policy * expected).sum(axis=1), rtol=0.0, atol=1e-13)
        matrix = operator.dense()
        assert matrix.min() >= 0.0
        sums = (policy * at.expect(np.ones(carried.size))[coarsening.states]).sum(axis=1)
        np.testing.assert_allclose(matrix.sum(axis=1), sums, rtol=0.0, atol=1e-14)
        np.testing.assert_allclose(operator.rmatvec(value), matrix.T @ value, rtol=0.0, atol=1e-12)
        at, axes = coarse, coarsening.coarser  # type: ignore[assignment]


def test_interpolation_is_exact_for_functions_that_are_linear_along_every_axis() -> None:
    states = Grid((CLAMP, EVEN, MIRROR))
    coarsening = grid_coarsening(states)
    x, y, z = states.points.T
    function = 1.0 + x - 2.0 * y + 0.5 * x * y + 0.3 * z
    np.testing.assert_allclose(coarsening.interpolation.apply(function[coarsening.states]), function, atol=1e-14)
    around = grid_coarsening(Grid((ODD,)))
    hat = np.abs(ODD.points)  # linear between the middle and the seam, on which no point lies
    carried = around.interpolation.apply(hat[around.states])
    assert np.abs(carried - hat).max() <= 2.0 / 9.0
    np.testing.assert_array_equal(around.interpolation.apply(np.ones(5)), np.ones(9))


def test_what_is_kept() -> None:
    assert AxisPoints.of(CLAMP).kept.tolist() == [0, 2, 4, 6, 8, 10]
    assert AxisPoints.of(EVEN).kept.tolist() == [0, 2, 4, 6, 8, 10, 11]
    assert AxisPoints.of(ROUND).kept.tolist() == [0, 2, 4, 6, 8]
    assert AxisPoints.of(ODD).kept.tolist() == [0, 2, 4, 6, 8]
    assert AxisPoints.of(SHOCK).kept.tolist() == [0, 1]
    assert AxisPoints.of(label_axis("a", [f"l{n}" for n in range(20)])).kept.size == 20
    assert coarsening_of([AxisPoints.of(uniform_axis("x", 0.0, 1.0, 6, "clamp"))]) is None
