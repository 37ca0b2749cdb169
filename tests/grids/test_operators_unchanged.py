"""A map handed out as a matrix is the map's own no more: neither SciPy nor the caller can alter the operator by it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import wpoflow as wpo
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import boundary_map
from wpoflow.grids.smoothing import Banded
from wpoflow.grids.transitions import (
    TabulatedTransition,
    Transition,
    cell_integrated_transition,
    interpolated_transition,
    mixture_transition,
    tabulated_transition,
)

RULES = ("clamp", "reflect", "periodic")
ACTIONS = 3

NARROW_ON_A_CIRCLE = """
[problem]
discount = 0.9
temperature = 0.2
[state.angle]
bounds = [-3.0, 3.0]
cells = 32
boundary = "periodic"
[action.u]
bounds = [-1.0, 1.0]
cells = 8
[dynamics]
angle = "angle + 0.3*u"
[noise]
angle = 0.05
[cost]
running = "1 - cos(angle*pi/3) + 0.1*u**2"
[flow]
until = { time = 1.0 }
"""


def dense_rows(transition: Transition) -> FloatArray:
    """P(j | i, k), (S, A, S), by the expectations of unit vectors."""
    return np.stack([transition.expect(unit) for unit in np.eye(transition.n_states)], axis=-1)


def in_place(matrix: sp.csr_array) -> None:
    """What SciPy's own routines and callers do to a matrix they were given."""
    matrix.eliminate_zeros()
    matrix.sum_duplicates()
    matrix.sort_indices()
    matrix.data *= -3.0
    matrix.indices[:] = 0
    matrix.indptr[:] = 0


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from(RULES), st.floats(0.0, 1.0)), min_size=1, max_size=2),
    st.integers(3, 40),
    st.integers(0, 2**31),
)
def test_the_operator_is_the_same_before_and_after_it_is_a_matrix(
    kinds: list[tuple[str, float]], cells: int, seed: int
) -> None:
    """Over all boundaries, and noise from a tenth of a cell to the whole axis."""
    sizes = [cells, 5][: len(kinds)]
    axes = [
        uniform_axis(f"x{j}", -1.0, 2.0, n, rule) for j, (n, (rule, _)) in enumerate(zip(sizes, kinds, strict=True))
    ]
    noise = [
        0.1 * axis.widths[1] * (axis.length / (0.1 * axis.widths[1])) ** w
        for axis, (_, w) in zip(axes, kinds, strict=True)
    ]
    states, rng = Grid(tuple(axes)), np.random.default_rng(seed)
    transition = interpolated_transition(states, rng.uniform(-2.0, 3.0, (states.size, ACTIONS, states.dim)), noise)
    rows = dense_rows(transition)
    assert np.abs(rows.sum(axis=2) - 1.0).max() <= 1e-14 * states.size
    policy, x = rng.dirichlet(np.ones(ACTIONS), states.size), rng.normal(size=states.size)
    operator = transition.under(policy)
    expected = np.einsum("ik,ikj->ij", policy, rows)
    before = operator.matvec(x), operator.rmatvec(x), operator.dense()
    first = operator.sparse()
    assert first.toarray() == pytest.approx(expected, abs=1e-14)
    in_place(first)
    for old, new in zip(before, (operator.matvec(x), operator.rmatvec(x), operator.dense()), strict=True):
        assert np.array_equal(old, new)
    assert before[0] == pytest.approx(expected @ x, abs=1e-13)
    assert operator.sparse().toarray() == pytest.approx(expected, abs=1e-14)
    assert np.array_equal(dense_rows(transition), rows)


def table(n: int, shared: bool) -> Transition:
    rng = np.random.default_rng(n)
    rows = rng.dirichlet(np.ones(n), (n, ACTIONS)) * (rng.random((n, ACTIONS, n)) < 0.4)
    rows[..., 0] += 1.0 - rows.sum(axis=2)
    return tabulated_transition(np.tile(rows[:2], (n // 2, 1, 1)) if shared else rows)


def deterministic(n: int) -> Transition:
    states = Grid((uniform_axis("x", -1.0, 1.0, n, "periodic"),))
    return interpolated_transition(states, np.random.default_rng(1).uniform(-3.0, 3.0, (n, ACTIONS, 1)))


def varying(n: int) -> Transition:
    axis = uniform_axis("x", -1.0, 1.0, n, "clamp")
    mean = np.random.default_rng(2).uniform(-1.0, 1.0, (n, ACTIONS))
    return cell_integrated_transition(axis, mean, 0.05 + mean**2)


def one_outcome(n: int) -> Transition:
    return mixture_transition([(np.ones((n, ACTIONS)), table(n, False))])


@pytest.mark.parametrize(
    "made",
    [
        lambda: table(8, False),
        lambda: table(8, True),
        lambda: deterministic(9),
        lambda: varying(9),
        lambda: one_outcome(8),
    ],
    ids=["table", "shared rows", "no noise", "varying noise", "mixture of one"],
)
def test_no_kind_of_operator_lends_its_arrays(made: Callable[[], Transition]) -> None:
    transition = made()
    n = transition.n_states
    rows, x = dense_rows(transition), np.random.default_rng(3).normal(size=n)
    operator = transition.under(np.random.default_rng(4).dirichlet(np.ones(ACTIONS), n))
    before = operator.matvec(x)
    in_place(operator.sparse())
    assert np.array_equal(operator.matvec(x), before)
    assert np.array_equal(dense_rows(transition), rows)


@pytest.mark.parametrize("shared", [False, True])
def test_rows_of_a_table_cannot_be_written_on(shared: bool) -> None:
    """They are as large as the problem, so they are shown and not copied."""
    transition = table(8, shared)
    assert isinstance(transition, TabulatedTransition)
    rows, before = transition.rows, dense_rows(transition)
    with contextlib.suppress(ValueError):
        in_place(rows)
    assert np.array_equal(dense_rows(transition), before)
    assert np.array_equal(transition.rows.toarray(), before.reshape(-1, 8))


def test_a_table_is_not_the_callers_array() -> None:
    given_rows = sp.csr_array(dense_rows(table(8, False)).reshape(-1, 8))
    kept = given_rows.copy()
    transition = tabulated_transition(given_rows)
    assert np.array_equal(given_rows.data, kept.data)
    in_place(given_rows)
    assert dense_rows(transition).reshape(-1, 8) == pytest.approx(kept.toarray(), abs=0)


def test_bands_with_zeros_inside_stay_as_they_are() -> None:
    dense = np.array([[1.0, 0.0, 0.0, 2.0], [0.0, 3.0, 0.0, 4.0]])
    banded = Banded.from_dense(dense)
    data, indptr = banded.data.copy(), banded.indptr.copy()
    for _ in range(2):
        assert np.array_equal(banded.sparse().toarray(), dense)
    assert np.array_equal(banded.data, data)
    assert np.array_equal(banded.indptr, indptr)


def test_a_circle_with_noise_below_a_cell_is_solved_and_validated(tmp_path: Path) -> None:
    path = tmp_path / "circle.toml"
    path.write_text(NARROW_ON_A_CIRCLE, encoding="utf-8")
    mdp = wpo.load_problem(path)
    best = wpo.solve_optimum(mdp)
    run = wpo.evolve(mdp, until=1.0, optimum=best)
    assert run.attributes["status"] == "complete"
    angles = mdp.states.axes[0].points
    assert boundary_map(mdp.states.axes[0], angles) == pytest.approx(angles, abs=0)
    # the problem is its own mirror image
    assert best.value == pytest.approx(best.value[::-1], abs=1e-11)
    assert np.diff(run.series["value_rho"]).max() <= 1e-12
