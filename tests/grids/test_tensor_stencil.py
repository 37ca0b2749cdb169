"""Where each of two noisy coordinates looks at its own action axes, stencils factorise and the operator is the same."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import wpoflow.grids.transitions.interpolated as interpolated
from wpoflow.core.slabs import Slab
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions.interpolated import InterpolatedTransition, interpolated_transition
from wpoflow.grids.transitions.policy_pairs import PolicyPairs
from wpoflow.grids.transitions.tensor_stencil import TensorStencil, expanded, inner_actions

RULES = ("clamp", "reflect", "periodic")
SIZES = [(1, 5), (4, 3), (3, 1)]


def plane(first: str, second: str) -> Grid:
    return Grid((uniform_axis("x", -1.0, 1.0, 6, first), uniform_axis("y", 0.0, 3.0, 5, second)))


def means(states: Grid, outer: int, inner: int) -> np.ndarray:
    """Random means, the first of outer actions alone and the second of inner ones, (S, K_1 K_2, 2)."""
    rng = np.random.default_rng(outer)
    rows, columns = rng.uniform(-1.5, 1.5, (states.size, outer)), rng.uniform(-0.8, 3.7, (states.size, inner))
    return np.stack((np.repeat(rows, inner, axis=1), np.tile(columns, (1, outer))), axis=-1)


def built(states: Grid, points: np.ndarray, sigma: tuple[float, float], **options: object) -> InterpolatedTransition:
    transition = interpolated_transition(states, points, sigma, **options)  # type: ignore[arg-type]
    assert isinstance(transition, InterpolatedTransition)
    return transition


def between(rows: np.ndarray, columns: np.ndarray, start: int, stop: int) -> list[np.ndarray]:
    return [rows[start:stop], columns[start:stop]]


@pytest.mark.parametrize("first", RULES)
@pytest.mark.parametrize("second", RULES)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("sigma", [(0.05, 0.1), (0.4, 0.3)])
def test_the_factorised_operator_is_that_of_the_pairs(
    first: str, second: str, sizes: tuple[int, int], sigma: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    outer, inner = sizes
    states = plane(first, second)
    transition = built(states, means(states, outer, inner), sigma)
    if inner == 1:
        assert not isinstance(transition.stencil, TensorStencil)  # nothing would be gained
        return
    assert isinstance(transition.stencil, TensorStencil)
    reference = replace(transition, stencil=expanded(transition.stencil))
    rng = np.random.default_rng(1)
    value, policy = rng.standard_normal(states.size), rng.dirichlet(np.ones(outer * inner), states.size)
    np.testing.assert_allclose(transition.expect(value), reference.expect(value), rtol=0.0, atol=4e-15)
    rows, law = transition.under(policy).dense(), reference.under(policy).dense()
    np.testing.assert_allclose(rows, law, rtol=0.0, atol=4e-16 * outer * inner)
    assert rows.min() >= 0.0
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, rtol=0.0, atol=1e-14)
    np.testing.assert_allclose((policy * transition.expect(value)).sum(axis=1), rows @ value, rtol=0.0, atol=1e-14)
    monkeypatch.setattr(interpolated, "MOST_ENTRIES", 0)
    monkeypatch.setattr(interpolated, "ENTRIES_PER_PAIR", 0)
    pairs = replace(transition).under(policy)
    assert isinstance(pairs, PolicyPairs)
    np.testing.assert_allclose(pairs.matvec(value), rows @ value, rtol=0.0, atol=1e-14)


def test_three_action_axes_are_split_between_the_coordinates() -> None:
    """Action axes (a, b, c): the first coordinate of a and b, the second of c."""
    states, shape = plane("reflect", "periodic"), (2, 3, 4)
    a, b, c = (axis.reshape(-1) for axis in np.meshgrid(*(np.linspace(-0.5, 0.5, n) for n in shape), indexing="ij"))
    x, y = states.points.T[:, :, None]
    transition = built(states, np.stack((x + a * b, y + c), axis=-1), (0.3, 0.3))
    assert isinstance(transition.stencil, TensorStencil)
    assert transition.stencil.rows.shape == (states.size, 6)
    assert transition.stencil.columns.shape == (states.size, 4)


def test_a_single_pair_that_differs_is_seen() -> None:
    """Also by the last bit, also in the last state."""
    states = plane("reflect", "reflect")
    for place in ((-1, 5, 0), (-1, 5, 1), (0, 0, 0), (0, 7, 1)):
        points = means(states, 4, 3)
        points[place] = np.nextafter(points[place], 9.0)
        transition = built(states, points, (0.3, 0.3))
        assert not isinstance(transition.stencil, TensorStencil)
        rows, columns = points[..., 0], points[..., 1]
        assert inner_actions(partial(between, rows, columns), 12, Slab(states.size)) == 0


def test_pairs_that_end_are_kept_one_by_one() -> None:
    states = plane("clamp", "clamp")
    points, ended = means(states, 4, 3), np.zeros((states.size, 12), dtype=bool)
    ended[3, 5] = True
    transition = built(states, points, (0.3, 0.3), ended=ended)
    assert transition.termination is not None
    np.testing.assert_array_equal(transition.termination > 0.0, ended)


def test_a_terminal_set_is_judged_alike() -> None:
    """Of noisy coordinates it is judged by their cells, which the factorised stencil only interpolates."""
    states = plane("clamp", "reflect")
    transition = built(states, means(states, 4, 3), (0.3, 0.3), terminal=lambda x, y: x + y > 1.5)
    assert isinstance(transition.stencil, TensorStencil)
    reference = replace(transition, stencil=expanded(transition.stencil))
    ending, expected = transition.termination, reference.termination
    assert ending is not None
    assert expected is not None
    np.testing.assert_allclose(ending, expected, rtol=0.0, atol=1e-15)
    ends = transition.terminal_expectation(lambda x, y: 1.0 + x * y)
    np.testing.assert_allclose(ends, reference.terminal_expectation(lambda x, y: 1.0 + x * y), rtol=0.0, atol=1e-14)
