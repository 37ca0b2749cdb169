"""Pairs that share their law of the next state: found bit by bit, and the same operators as without sharing."""

from __future__ import annotations

import numpy as np
import pytest

import wpoflow.grids.transitions.shared_rows as module
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import TabulatedTransition, interpolated_transition, tabulated_transition
from wpoflow.grids.transitions.policy_rows import PolicyRows
from wpoflow.grids.transitions.shared_rows import RowMap

STATES, ACTIONS = 12, 9


def lattice(seed: int, entries: int) -> tuple[FloatArray, FloatArray]:
    """Rows (R, S) with so many entries, and the tensor in which pair (i, k) has row i // 2 + k, pairs apart by two."""
    generator = np.random.default_rng(seed)
    rows = np.zeros((STATES // 2 + ACTIONS, STATES))
    for row in rows:
        row[generator.permutation(STATES)[:entries]] = generator.dirichlet(np.ones(entries))
    index = np.arange(STATES)[:, None] // 2 + np.arange(ACTIONS)
    index[:, -1] = index[:, 0]  # two actions of a state with one law
    return rows, rows[index]


def laws(transition: TabulatedTransition) -> int | None:
    """Number of distinct rows held, None where rows are not shared."""
    shared = transition.under(np.full((STATES, ACTIONS), 1.0 / ACTIONS)).smoothing
    return shared.size if isinstance(shared, RowMap) else None


@pytest.mark.parametrize("entries", [2, STATES])
def test_shared_rows_give_the_operators_of_the_tensor(entries: int) -> None:
    _, tensor = lattice(1, entries)
    shared = tabulated_transition(tensor)
    assert laws(shared) == np.unique(tensor.reshape(-1, STATES), axis=0).shape[0] < STATES * ACTIONS / 2
    generator = np.random.default_rng(3)
    value, policy = generator.normal(size=STATES), generator.dirichlet(np.ones(ACTIONS), STATES)
    np.testing.assert_allclose(shared.expect(value), tensor @ value, rtol=1e-13, atol=1e-15)
    matrix = np.einsum("ik,ikj->ij", policy, tensor)
    operator = shared.under(policy)
    np.testing.assert_allclose(operator.matvec(value), matrix @ value, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(operator.rmatvec(value), value @ matrix, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(operator.dense(), matrix, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(operator.sparse().toarray(), matrix, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(shared.rows.toarray(), tensor.reshape(-1, STATES))


def test_rows_that_differ_by_one_rounding_are_not_the_same() -> None:
    _, tensor = lattice(2, STATES)
    before = len(np.unique(tensor.reshape(-1, STATES), axis=0))
    assert laws(tabulated_transition(tensor)) == before
    tensor[3, 4, 0] = np.nextafter(tensor[3, 4, 0], 0.0)
    assert laws(tabulated_transition(tensor)) == before + 1


def test_nothing_is_shared_where_it_does_not_pay_or_hashes_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = np.random.default_rng(4).dirichlet(np.ones(STATES), (STATES, ACTIONS))
    assert laws(tabulated_transition(tensor)) is None
    _, shared = lattice(5, STATES)
    monkeypatch.setattr(module, "rows_hash", lambda indptr, indices, bits, out: out.fill(7))
    collided = tabulated_transition(shared)
    assert laws(collided) is None
    np.testing.assert_allclose(collided.expect(np.arange(12.0)), shared @ np.arange(12.0), rtol=1e-13)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_nodes_beyond_a_periodic_seam_are_folded_onto_the_states(axes: int) -> None:
    grid = Grid(tuple(uniform_axis(name, 0.0, 1.0, 5, "periodic") for name in "xyz"[:axes]))
    generator = np.random.default_rng(6)
    transition = interpolated_transition(grid, generator.uniform(-1.0, 2.0, (grid.size, 7, axes)))
    policy = generator.dirichlet(np.ones(7), grid.size)
    operator = transition.under(policy)
    unit = np.stack([(policy * transition.expect(e)).sum(axis=1) for e in np.eye(grid.size)], axis=1)
    np.testing.assert_allclose(operator.dense(), unit, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(operator.sparse().toarray(), unit, rtol=1e-12, atol=1e-16)
    assert operator.sparse().indices.max() < grid.size
    assert isinstance(operator, PolicyRows)
    assert operator.smoothing.identity
