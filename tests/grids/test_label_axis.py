"""Axes of labels: counted, in no order, never interpolated, and the same on both sides of a transfer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import wpoflow as wpo
from wpoflow.grids.axis import Axis
from wpoflow.grids.transfer import transferred_policy
from wpoflow.solver.mdp import check_boundaries

MOVES = ("up", "down", "wait, and see", "höher")


def test_points_are_numbers_and_cells_are_counted() -> None:
    axis = wpo.label_axis("move", MOVES)
    assert axis.points.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert axis.widths.tolist() == [1.0] * 4
    assert axis.distances.size == 0
    assert (axis.size, axis.labels, axis.connected) == (4, MOVES, False)
    assert repr(axis) == "Axis('move', 4 labels)"
    assert replace(axis, label="which way").labels == MOVES
    grid = wpo.Grid((wpo.uniform_axis("force", 0.0, 1.0, 2), axis))
    assert grid.describe(6) == "force = 0.75, move = wait, and see"
    assert grid.describe(-1) == grid.describe(7)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([], "labels are none; at least one is needed"),
        (["up", "up"], "labels hold 'up' twice; all must be different"),
        (["up", ""], "labels hold ''; each must be one line of 1 to 100 printable characters"),
        (["up", "a\nb"], "each must be one line"),
        (["up", " down"], "blanks only between words"),
        (["a  b"], "blanks only between words"),
        (["x" * 101], "1 to 100 printable characters"),
        (["up", 1], "labels hold 1; each must be"),
        ("up", "labels must be a list of texts, not 'up'"),
        ([str(k) for k in range(10_001)], "labels are 10001"),
    ],
)
def test_labels_that_cannot_be_are_refused(labels: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=f"axis move: .*{words}"):
        wpo.label_axis("move", labels)


def test_labels_belong_to_their_boundary_and_to_actions() -> None:
    edges = np.array([-0.5, 0.5, 1.5])
    with pytest.raises(ValueError, match="labels are given of labels axes, and of no others"):
        Axis("move", edges, labels=("a", "b"))
    with pytest.raises(ValueError, match="labels are given of labels axes"):
        Axis("move", edges, "labels")
    with pytest.raises(ValueError, match="its 2 labels are the points 0, 1"):
        Axis("move", edges + 1.0, "labels", labels=("a", "b"))
    with pytest.raises(ValueError, match="its 3 labels are the points 0, 1"):
        Axis("move", edges, "labels", labels=("a", "b", "c"))
    with pytest.raises(ValueError, match="state axis move: boundary 'labels'; choose one of clamp"):
        check_boundaries(wpo.Grid((wpo.label_axis("move", MOVES),)), wpo.Grid())


def test_masses_are_weights_of_labels() -> None:
    """Functions see the number of the label and nothing between two, whatever the order of the quadrature."""
    weights = np.array([0.5, 2.0, 1.0, 0.1])
    grid = wpo.Grid((wpo.label_axis("move", MOVES),))

    def chosen(move: np.ndarray) -> np.ndarray:
        return np.asarray(weights[move.astype(int)] * (move == np.floor(move)))

    np.testing.assert_allclose(wpo.density_masses(grid, chosen), weights / weights.sum(), rtol=1e-15)
    masses = wpo.potential_masses(grid, lambda move: -np.log(chosen(move)))
    np.testing.assert_allclose(masses, weights / weights.sum(), rtol=1e-14)
    both = wpo.Grid((wpo.label_axis("move", MOVES), wpo.uniform_axis("u", 0.0, 1.0, 3)))
    states = wpo.Grid((wpo.uniform_axis("x", 0.0, 1.0, 2),))
    found = wpo.policy_masses(states, both, lambda x, move, u: (1.0 + x) * chosen(move) * 2.0 * u)
    expected = np.outer(weights / weights.sum(), [1.0 / 9.0, 3.0 / 9.0, 5.0 / 9.0]).ravel()
    np.testing.assert_allclose(found, [expected, expected], rtol=1e-13)


def test_a_policy_is_carried_over_label_by_label_or_not_at_all() -> None:
    old = wpo.Grid((wpo.label_axis("move", MOVES), wpo.uniform_axis("u", 0.0, 1.0, 2)))
    finer = wpo.Grid((wpo.label_axis("move", MOVES), wpo.uniform_axis("u", 0.0, 1.0, 4)))
    p = np.random.default_rng(0).dirichlet(np.ones(8), 1)
    carried = transferred_policy(p, wpo.Grid(), old, wpo.Grid(), finer).reshape(4, 4)
    np.testing.assert_allclose(carried.reshape(4, 2, 2).sum(axis=2), p.reshape(4, 2), rtol=1e-15)
    other = wpo.Grid((wpo.label_axis("move", MOVES[::-1]), wpo.uniform_axis("u", 0.0, 1.0, 2)))
    with pytest.raises(ValueError, match="action axis move has the labels up, down, wait, and see, höher; that of"):
        transferred_policy(p, wpo.Grid(), old, wpo.Grid(), other)
