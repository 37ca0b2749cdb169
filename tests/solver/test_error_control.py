"""Error control: empty tails, late times, values by differences, the least step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.solver.random_mdps import random_policy
from tests.solver.small_problems import small_problem
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.arithmetic.combination import combination_squared
from wpoflow.solver.bellman.differences import ValueDifferences
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.ilu import IncompleteLU
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.entropy import distance_squared
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.runs.observables import Observer
from wpoflow.solver.schemes.error_control import LEAST_STEP, ErrorControl
from wpoflow.solver.schemes.trajectory import flow
from wpoflow.validation.exact_cases.bandits import double_well
from wpoflow.validation.exact_cases.regulators import one_state

SCHEMES = ("euler", "extrapolated", "multistep")


def test_the_norm_is_bounded_by_the_difference_where_nothing_carries_mass() -> None:
    tiny = np.array([[1.0 - 1e-200, 1e-200, 0.0, 0.0]])
    start, gibbs, out = np.array([[1.0, 0.0, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0, 0.0]]), np.empty(1)
    distance_squared(start, tiny, start, gibbs, out)
    assert out[0] <= 1e-200
    parts = np.array([tiny, start])
    combination_squared(np.array([1.0, -1.0]), np.arange(2), parts, start, gibbs, out)
    assert out[0] <= 1e-200
    # and what is small beside the masses is measured by chi-square
    p, g = np.full((1, 4), 0.25), np.array([[0.2, 0.3, 0.3, 0.2]])
    new = p + 1e-6 * np.array([[1.0, -1.0, 2.0, -2.0]])
    distance_squared(new, p, p, g, out)
    np.testing.assert_allclose(out[0], ((new - p) ** 2 / (p + g + new)).sum(), rtol=1e-5)


def test_empty_tails_reject_no_steps() -> None:
    """A narrow start at temperature 5e-4: its tails and those of the Gibbs policy underflow, and cost nothing."""
    runs = []
    for least in (0.0, 1e-250):

        def density(a: FloatArray, least: float = least) -> FloatArray:
            return np.asarray(np.exp(-1250.0 * (a - 2.2) ** 2) + least)

        mdp = replace(double_well(5e-4), density=density).grid(512)
        runs.append(evolve(mdp, until={"time": 1.0, "steps": 300}, accuracy=1e-3, series={"times": []}))
    for run in runs:
        assert run.attributes["reached_goal"] == 1
        assert int(run.attributes["rejected_steps"]) <= 10
    counts = [int(run.attributes["steps"]) for run in runs]
    assert abs(counts[0] - counts[1]) <= 0.1 * counts[1]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_late_times_cost_no_more_steps_than_early_ones_and_decay_at_the_right_rate(scheme: str) -> None:
    """Values of size 700 at discount 0.999 are known to 1e-13 only, and the Gibbs policy to 1e-12."""
    accuracy = 3e-2 if scheme == "euler" else 1e-6
    mdp = replace(one_state().grid(24, 24), discount=0.999)
    best = solve_optimum(mdp)
    observer = Observer(mdp, best, WassersteinFlow(mdp))
    marks = [1e-6, 1e-12, 1e-17]
    seen: list[tuple[float, float, int, int]] = []
    first = None
    for state in flow(mdp, accuracy=accuracy, scheme=scheme, weights=best.occupancy + mdp.rho):
        gap = observer.gap(state.policy, state.evaluation)
        first = gap if first is None else first
        assert state.steps < 1500
        if gap < marks[len(seen)] * first:
            row = observer.row(state.policy, state.evaluation)
            seen.append((state.time, np.log(gap), state.steps, state.rejected_steps))
            local = row["rate_observed"]
            if len(seen) == len(marks):
                break
    (_, _, steps, rejected), (_, _, later_steps, later_rejected) = seen[1:]
    assert later_rejected - rejected <= 0.3 * (later_steps - steps)
    assert later_steps - steps <= 2 * (steps - seen[0][2]) + 10
    mean = -(seen[2][1] - seen[1][1]) / (seen[2][0] - seen[1][0])
    assert mean == pytest.approx(local, rel=0.05 if scheme == "euler" else 0.01)


def test_increments_are_the_difference_of_two_evaluations() -> None:
    mdp = small_problem()
    other = random_policy(np.random.default_rng(1), mdp.initial_policy.shape, 0.5)
    base, far = evaluate(mdp, mdp.initial_policy), evaluate(mdp, other)
    increments = ValueDifferences(mdp, "dense", IncompleteLU())
    increments.set_base(mdp.initial_policy, base)
    q, change = increments.q(other, np.zeros_like(base.value), 0.0)
    np.testing.assert_allclose(change, far.value - base.value, atol=1e-13 * np.abs(base.value).max() / 0.1)
    np.testing.assert_allclose(q, far.q, atol=1e-13 * np.abs(base.q).max() / 0.1)


def test_increments_keep_their_accuracy_where_values_agree_to_rounding() -> None:
    """Near the optimum the change of V is quadratic in that of p, far below what a difference of two V resolves."""
    mdp = small_problem()
    best = solve_optimum(mdp)
    now = evaluate(mdp, best.policy)
    increments = ValueDifferences(mdp, "dense", IncompleteLU())
    increments.set_base(best.policy, now)
    direction = np.random.default_rng(3).standard_normal(best.policy.shape) * best.policy
    direction -= best.policy * direction.sum(axis=1, keepdims=True)
    changes = []
    for size in (1e-8, 1e-9, 1e-10):
        _, change = increments.q(best.policy + size * direction, np.zeros_like(now.value), 0.0)
        assert change.min() > 0.0
        changes.append(change.max() / size**2)
    assert max(changes) < 1.1 * min(changes)
    assert changes[0] * 1e-16 < np.finfo(float).eps * np.abs(now.value).max()


def test_the_least_step_lies_far_below_any_time_scale() -> None:
    mdp = small_problem()
    evaluation = evaluate(mdp, mdp.initial_policy)
    least = ErrorControl(mdp, 1e-6).least_step(evaluation.q)
    width = float(mdp.actions.axes[0].widths[0])
    assert least < LEAST_STEP * width**2 / mdp.temperature
    assert least > 1e-3 * LEAST_STEP * width**2 / mdp.temperature
