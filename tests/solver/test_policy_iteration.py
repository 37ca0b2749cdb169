"""Soft policy iteration as a flow: against NumPy, contraction by gamma, what it is the limit of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.solver.random_mdps import grid_mdps
from tests.solver.small_problems import small_problem
from wpoflow.core.arrays import FloatArray
from wpoflow.problems.load import load_problem
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.mirror import MirrorDescent
from wpoflow.solver.flows.policy_iteration import PolicyIteration
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.studies.refinement.problem_study import refine


def iterated(mdp: GridMDP, policy: FloatArray, count: int) -> FloatArray:
    """By dense linear algebra."""
    states = mdp.states.size
    rows = np.array([mdp.transition.expect(unit) for unit in np.eye(states)])
    for _ in range(count):
        moves = np.einsum("ik,jik->ij", policy, rows)
        away = np.where(policy > 0.0, np.log(np.where(policy > 0.0, policy, 1.0)) - mdp.log_mass, 0.0)
        reward = (policy * (mdp.cost + mdp.temperature * away)).sum(axis=1)
        value = np.linalg.solve(np.eye(states) - mdp.discount * moves, reward)
        logs = mdp.log_mass - (mdp.cost + mdp.discount * np.einsum("jik,j->ik", rows, value)) / mdp.temperature
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        policy = weights / weights.sum(axis=1, keepdims=True)
    return policy


def test_a_run_is_the_iteration_and_its_time_the_count() -> None:
    mdp = small_problem(8, 12)
    run = evolve(mdp, until=5.0, flow="policy-iteration", snapshots={"times": [0.0, 1.0, 2.0, 3.0, 4.0]})
    assert run.snapshots is not None
    for count, time in enumerate(run.snapshots.time):
        assert time == count
        found = run.snapshots.policy_at(count)
        np.testing.assert_allclose(found, iterated(mdp, mdp.initial_policy, count), rtol=1e-11, atol=1e-14)
    assert run.attributes["step"] == 1.0
    assert run.attributes["steps"] == 5
    assert np.isnan(run.series["dissipation"]).all()
    np.testing.assert_allclose(run.policy, solve_optimum(mdp).policy, rtol=1e-9)


@given(grid_mdps())
@settings(max_examples=40)
def test_an_iteration_leaves_at_most_gamma_of_the_largest_suboptimality(mdp: GridMDP) -> None:
    best = solve_optimum(mdp)
    run = evolve(mdp, until=4.0, flow="policy-iteration", optimum=best, snapshots=0)
    largest = run.series["gap_sup"]
    allowed = mdp.discount * largest[:-1] * (1.0 + 1e-9)
    assert np.all(largest[1:] <= allowed + 1e2 * best.gap_floor + 1e-10 * np.sqrt(best.gap_floor * largest[0]))
    assert run.series["descent_defect"].max() <= 1e-10 * np.abs(best.q).max() / (1.0 - mdp.discount)


def test_it_is_mirror_descent_with_an_infinite_step_and_gives_mass_back() -> None:
    mdp = small_problem(6, 9)
    q = evaluate(mdp, mdp.initial_policy).q
    one, other = np.empty_like(q), np.empty_like(q)
    PolicyIteration(mdp).step(mdp.initial_policy, q, 1.0, one)
    MirrorDescent(mdp).step(mdp.initial_policy, q, 1e300, other)
    np.testing.assert_allclose(one, other, rtol=1e-12)
    without = mdp.initial_policy.copy()
    without[:, 0] = 0.0
    without /= without.sum(axis=1, keepdims=True)
    PolicyIteration(mdp).step(without, q, 1.0, without)
    np.testing.assert_array_equal(without, one)


def test_its_step_is_one_iteration_and_is_not_refined() -> None:
    mdp = small_problem(6, 9)
    with pytest.raises(ValueError, match="step: is 1 for policy-iteration, whose flow time counts its steps"):
        evolve(mdp, until=2.0, flow="policy-iteration", step=0.5)
    with pytest.raises(ValueError, match="accuracy: is not a key of policy-iteration"):
        evolve(mdp, until=2.0, flow="policy-iteration", accuracy=1e-3)
    with pytest.raises(ValueError, match="direction time: the step of policy-iteration is 1, and cannot be refined"):
        refine("lqr", directions=["time"], times=[2.0], set={"flow.kind": '"policy-iteration"'})
    study = refine("lqr", 3, times=[2.0], set={"flow.kind": '"policy-iteration"'}, cells={"x": 24, "u": 24})
    assert {entry.name for entry in study.directions} == {"states", "actions", "grid"}
    assert load_problem("lqr", cells={"x": 8, "u": 8}).temperature == 0.2
