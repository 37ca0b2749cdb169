"""Every way to solve a Bellman system on four axes, forced where sizes would not choose it, finds the same numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg

import wpoflow.grids.transitions.interpolated as interpolated
from benchmarks.problem_cartpole import cartpole
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import interpolated_transition, mixture_transition
from wpoflow.grids.transitions.base import PolicyTransition
from wpoflow.grids.transitions.policy_pairs import PolicyPairs
from wpoflow.grids.transitions.policy_rows import PolicyRows, PolicySum
from wpoflow.grids.transitions.tabulated import tabulated_transition
from wpoflow.solver.bellman import direct
from wpoflow.solver.bellman.direct import estimated_fill
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.gmres import Restarts
from wpoflow.solver.bellman.linear_solver import solver_in_words
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.bellman.system import EPS, BellmanError, DiscountedSystem
from wpoflow.solver.mdp import GridMDP

SIZES = (7, 13, 11, 13)  # 13,013 states


def over_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold nothing in rows from here on."""
    monkeypatch.setattr(interpolated, "MOST_ENTRIES", 0)
    monkeypatch.setattr(interpolated, "ENTRIES_PER_PAIR", 0)


def refuse_complete_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every complete factorisation fail the test."""

    def refused(*given: Any, **named: Any) -> None:
        raise AssertionError("complete factors were made")

    monkeypatch.setattr(sparse_linalg, "splu", refused)


def again(mdp: GridMDP) -> GridMDP:
    """The same problem, of whose transition nothing is known yet."""
    return replace(mdp, transition=replace(mdp.transition))  # type: ignore[type-var]


@pytest.fixture(scope="module")
def swing() -> GridMDP:
    """Cart-pole swing-up of one step a decision, the hardest to evaluate: nothing moves far."""
    return cartpole(SIZES, 5, hold=1, discount=0.995)


def test_pairs_and_rows_come_to_the_same_optimum_without_complete_factors(
    swing: GridMDP, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_complete_factors(monkeypatch)
    rows = solve_optimum(again(swing))
    assert isinstance(swing.transition.under(rows.policy), PolicyRows)
    over_pairs(monkeypatch)
    pairs_mdp = again(swing)
    pairs = solve_optimum(pairs_mdp)
    assert isinstance(pairs_mdp.transition.under(pairs.policy), PolicyPairs)
    rounding = EPS * np.abs(rows.q).max() / (1.0 - swing.discount)
    assert max(rows.bellman_residual, pairs.bellman_residual) <= 8.0 * rounding
    assert np.abs(rows.value - pairs.value).max() <= 16.0 * rounding / (1.0 - swing.discount)
    np.testing.assert_allclose(pairs.occupancy.sum(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(pairs.occupancy, rows.occupancy, atol=1e-12)


def test_a_system_on_which_plain_gmres_stagnates_is_solved_by_restarts(
    swing: GridMDP, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows without factors stagnate; so do pairs, if theirs were of no use."""
    policy = np.random.default_rng(1).dirichlet(np.full(5, 0.02), swing.states.size)
    wanted = evaluate(swing, policy).value
    refuse_complete_factors(monkeypatch)
    monkeypatch.setattr("wpoflow.solver.bellman.gmres.pays", lambda transition: False)
    monkeypatch.setattr("wpoflow.solver.bellman.system.pays", lambda transition: False)
    restarted: list[float] = []
    correction = Restarts.correction

    def counted(self: Restarts, *given: Any) -> Any:
        restarted.append(1.0)
        return correction(self, *given)

    monkeypatch.setattr(Restarts, "correction", counted)
    for number, transform in enumerate((lambda m: None, over_pairs)):
        transform(monkeypatch)
        found = evaluate(again(swing), policy)
        assert len(restarted) > number
        assert found.residual <= 64.0 * EPS * np.abs(wanted).max()
        assert np.abs(found.value - wanted).max() <= 128.0 * EPS * np.abs(wanted).max() / (1.0 - swing.discount)


@pytest.mark.parametrize("over", [False, True])
def test_all_linear_solvers_agree_on_a_small_grid(over: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 1,155 states, which dense matrices and complete factors can be made of."""
    mdp = cartpole((5, 7, 3, 11), 5, hold=2)
    policy = np.random.default_rng(0).dirichlet(np.full(5, 0.1), mdp.states.size)
    if over:
        over_pairs(monkeypatch)
        mdp = again(mdp)
    found = {name: evaluate(mdp, policy, linear_solver=name).value for name in ("dense", "sparse", "krylov")}
    rounding = 64.0 * EPS * np.abs(found["dense"]).max() / (1.0 - mdp.discount)
    for name, value in found.items():
        assert np.abs(value - found["dense"]).max() <= rounding, name


AXES = (("x", "clamp"), ("y", "periodic"), ("z", "reflect"), ("w", "clamp"))


def operator(kind: str, monkeypatch: pytest.MonkeyPatch, actions: int = 40) -> PolicyTransition:
    """P^p of a random policy on four axes, of every kind of operator."""
    rng = np.random.default_rng(3)
    states = Grid(tuple(uniform_axis(name, -1.0, 1.0, 5, rule) for name, rule in AXES))
    policy = rng.dirichlet(np.ones(actions), states.size)
    points = states.points[:, None, :] + 0.5 * rng.normal(size=(states.size, actions, 4))
    sigma = [0.0, 0.3, 0.0, 0.2] if "noise" in kind else None
    ended = (lambda x, *_: x > 0.7) if "ending" in kind else None
    if "pairs" in kind:
        over_pairs(monkeypatch)
    whole = interpolated_transition(states, points, sigma, ended)
    if "outcomes" in kind:
        other = interpolated_transition(states, -points, sigma, ended)
        outcomes = [(np.full(policy.shape, 0.4), whole), (np.full(policy.shape, 0.6), other)]
        return mixture_transition(outcomes).under(policy)
    if "table" in kind:
        rows = sparse.csr_array(rng.dirichlet(np.ones(90), 90 * actions))
        return tabulated_transition(rows).under(policy[:90])
    return whole.under(policy)


KINDS = ("rows", "pairs", "pairs, noise", "rows, noise", "pairs, ending", "rows, noise, ending", "pairs, outcomes")


@pytest.mark.parametrize("kind", [*KINDS, "table"])
def test_thinned_rows_are_short_not_negative_and_keep_the_row_sums(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = operator(kind, monkeypatch)
    thin = whole.thinned()
    assert isinstance(thin, PolicyRows)
    dense, ones = thin.dense(), np.ones(whole.n_states)
    assert dense.min() >= 0.0
    assert (dense > 0.0).sum(axis=1).max() <= 64
    np.testing.assert_allclose(dense.sum(axis=1), whole.matvec(ones), rtol=0.0, atol=64 * EPS)
    assert (whole.dense() > 0.0).sum(axis=1).max() > 64  # what it is thinned from


def test_a_deterministic_policy_is_not_changed_by_thinning(monkeypatch: pytest.MonkeyPatch) -> None:
    over_pairs(monkeypatch)
    mdp = cartpole((5, 7, 3, 5), 5)
    chosen = np.random.default_rng(2).integers(5, size=mdp.states.size)
    whole = mdp.transition.under(np.eye(5)[chosen])
    thin = whole.thinned()
    assert thin is not None
    np.testing.assert_array_equal(thin.dense(), whole.dense())


@pytest.mark.parametrize("shape", [(60,), (20, 30), (9, 8, 7), (5, 4, 6, 5)])
def test_fill_is_not_underestimated(shape: tuple[int, ...]) -> None:
    """Against SuperLU on the matrices of grids, each state next to its neighbours on all axes."""
    states = Grid(tuple(uniform_axis(f"x{j}", 0.0, 1.0, n, "periodic") for j, n in enumerate(shape)))
    rng = np.random.default_rng(0)
    points = states.points + rng.uniform(-1.0, 1.0, states.points.shape) / np.array(shape)
    rows = interpolated_transition(states, points[:, None, :]).under(np.ones((states.size, 1))).sparse()
    matrix = sparse.csc_array(sparse.eye_array(states.size) - 0.9 * rows)
    factors = sparse_linalg.splu(matrix, permc_spec="COLAMD", diag_pivot_thresh=0.0)
    entries = factors.L.nnz + factors.U.nnz - states.size
    assert entries <= estimated_fill(sparse.csr_array(matrix)) <= 8 * entries


def test_complete_factors_that_memory_cannot_hold_are_refused(swing: GridMDP, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_complete_factors(monkeypatch)
    monkeypatch.setattr(direct, "machine_bytes", lambda: 10**9)
    with pytest.raises(
        BellmanError, match=rf"{swing.states.size} states: complete factors .* entries and take .* GB.*krylov"
    ):
        evaluate(swing, swing.initial_policy, linear_solver="sparse")


def test_state_axes_are_known_where_rows_are_a_grids(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {kind: operator(kind, monkeypatch).state_axes for kind in (*KINDS, "table")}
    assert known == {**dict.fromkeys(KINDS, 4), "table": 0}
    assert isinstance(operator("pairs, outcomes", monkeypatch), PolicySum)
    assert DiscountedSystem(operator("rows", monkeypatch), 0.9, "krylov").transition.n_states == 625


def test_the_choice_is_said(swing: GridMDP, monkeypatch: pytest.MonkeyPatch) -> None:
    assert solver_in_words(swing) == "krylov"
    over_pairs(monkeypatch)
    assert solver_in_words(again(swing)) == "krylov, over the pairs, with incomplete factors of thinned rows"
