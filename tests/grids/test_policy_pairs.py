"""P^p over the stencils of the pairs is the same operator as P^p in rows."""

from __future__ import annotations

import numpy as np
import pytest

import wpoflow.grids.transitions.interpolated as interpolated
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions.interpolated import interpolated_transition
from wpoflow.grids.transitions.policy_pairs import PolicyPairs
from wpoflow.grids.transitions.policy_rows import PolicyRows

AXES = {
    1: [("x", "clamp")],
    2: [("x", "periodic"), ("y", "clamp")],
    3: [("x", "clamp"), ("y", "reflect"), ("z", "periodic")],
    4: [("x", "clamp"), ("y", "periodic"), ("z", "clamp"), ("w", "reflect")],
}


@pytest.mark.parametrize("dim", sorted(AXES))
@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("ending", [False, True])
def test_products_over_pairs_are_those_of_rows(
    dim: int, noise: float, ending: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(dim)
    states = Grid(tuple(uniform_axis(name, -1.0, 1.0, 4 + j, rule) for j, (name, rule) in enumerate(AXES[dim])))
    points = rng.normal(size=(states.size, 5, dim))
    sigma = [noise] + [0.0] * (dim - 1)
    terminal = (lambda x, *_: x > 0.6) if ending else None
    rows_of, pairs_of = (interpolated_transition(states, points, sigma, terminal) for _ in range(2))
    policy = rng.dirichlet(np.ones(5), states.size)
    rows = rows_of.under(policy)
    monkeypatch.setattr(interpolated, "MOST_ENTRIES", 0)
    monkeypatch.setattr(interpolated, "ENTRIES_PER_PAIR", 0)
    given = policy.copy()
    pairs = pairs_of.under(given)
    given[:] = np.nan  # the operator keeps its own policy
    assert isinstance(rows, PolicyRows)
    assert isinstance(pairs, PolicyPairs)
    x = rng.normal(size=states.size)
    np.testing.assert_allclose(pairs.matvec(x), rows.dense() @ x, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(pairs.rmatvec(x), rows.dense().T @ x, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(pairs.dense(), rows.dense())
    np.testing.assert_array_equal(pairs.sparse().toarray(), rows.sparse().toarray())
    expected = (policy * rows_of.expect(x)).sum(axis=1)
    np.testing.assert_allclose(pairs.matvec(x), expected, rtol=1e-12, atol=1e-14)


def test_rows_are_held_where_they_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    states = Grid((uniform_axis("x", -1.0, 1.0, 50, "clamp"), uniform_axis("y", -1.0, 1.0, 50, "clamp")))
    policy = np.full((2500, 2), 0.5)

    def kind(points: np.ndarray) -> type:
        return type(interpolated_transition(states, points).under(policy))

    near, far = np.zeros((2500, 2, 2)), np.random.default_rng(0).uniform(-1.0, 1.0, (2500, 2, 2))
    assert kind(near) is kind(far) is PolicyRows
    monkeypatch.setattr(interpolated, "MOST_ENTRIES", 0)
    assert kind(near) is PolicyRows  # four entries for two pairs
    assert kind(far) is PolicyPairs  # eight
