"""Means under later occupancies: never above their bound, by hand where states are left at once, and their use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.validation.certificate.random_runs import outcome, random_mdp
from tests.validation.certificate.test_certificates import descending, near_optimum
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.problems.load import load_problem
from wpoflow.solver.bellman.evaluation import evaluate, suboptimality
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.certificate.reach import later_means
from wpoflow.validation.evidence import Evidence

ROUNDING = 1.0 + 1e-9


@given(st.integers(0, 2**31))
@settings(max_examples=40)
def test_means_under_later_occupancies_stay_below_their_bound(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mdp = random_mdp(generator)
    optimum = solve_optimum(mdp)
    for first in (mdp.initial_policy, near_optimum(mdp, optimum, generator)):
        policies = descending(replace(mdp, initial_policy=first), generator)
        known = [evaluate(mdp, policy) for policy in policies]
        gaps = suboptimality(mdp, first, optimum.q, known[0].system)
        for f in (*np.eye(mdp.states.size), generator.random(mdp.states.size)):
            bound = later_means(f, gaps, optimum.policy, mdp)
            for later in known:
                mean, _ = later.system.solve((1.0 - mdp.discount) * f)
                assert np.all(mean <= bound * ROUNDING)
            assert np.all(bound <= f.max() * ROUNDING + 1e-12)


def test_that_policies_are_apart_from_the_optimal_one_enters() -> None:
    """With p* itself for all later policies the bound would be wrong."""
    exceeded = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        mdp = random_mdp(generator)
        optimum = solve_optimum(mdp)
        policy = near_optimum(mdp, optimum, generator)
        f = generator.random(mdp.states.size)
        mean, _ = evaluate(mdp, policy).system.solve((1.0 - mdp.discount) * f)
        exceeded += bool(np.any(mean > later_means(f, np.zeros_like(f), optimum.policy, mdp) * (1.0 + 1e-6)))
    assert exceeded > 0


def test_a_state_that_is_left_at_once_weighs_one_visit() -> None:
    """1 - gamma in that state, zero in the other, whatever the policy does."""
    generator = np.random.default_rng(4)
    mdp = random_mdp(generator)
    while mdp.states.size != 2:
        mdp = random_mdp(generator)
    rows = np.zeros((2, mdp.actions.size, 2))
    rows[:, :, 1] = 1.0
    mdp = replace(mdp, transition=tabulated_transition(rows), discount=0.9)
    bound = later_means(np.array([1.0, 0.0]), np.array([1e3, 1e3]), solve_optimum(mdp).policy, mdp)
    np.testing.assert_allclose(bound, [0.1, 0.0], atol=0.9**30 + 1e-9)


@pytest.mark.slow
def test_a_corner_that_is_hardly_visited_costs_little() -> None:
    """On the regulator the largest Q - Q* is in a corner, and what is certified at a gap of 1e-3 is half the rate."""
    mdp = load_problem("lqr", cells={"x": 24, "u": 24})
    times = [0.5 * 1.05**k for k in range(50)]
    run = evolve(mdp, until={"gap": 1e-4}, accuracy=1e-4, snapshots=times, series={"times": times})
    known = Evidence("lqr", run, mdp)
    rows = known.run.series["gap"] <= 1e-3
    assert np.count_nonzero(rows) > 5
    assert np.all(known.certified.rate[rows] > 0.5 * known.sharp_rate)
    alone = Evidence("lqr", run).certified.rate[rows]  # there every state may be as far away as the corner
    assert np.all(alone <= known.certified.rate[rows])
    assert np.max(known.certified.rate[rows] / alone) > 1.1


def test_a_state_at_its_target_up_to_rounding_guarantees_nothing() -> None:
    """It did, beside one that stands still in front of a barrier: rounding of KL(p|g) times a rate of order one."""
    found = outcome(1572, "euler", briefly=True)
    assert not found.violated, [finding.reason for finding in found.findings]
