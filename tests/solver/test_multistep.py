"""The multistep scheme: errors in proportion to the accuracy, late rates, failures, starts far from balance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest

from tests.solver.small_problems import small_problem
from tests.solver.test_error_control import Faulty
from tests.validation.constants.frozen_flows import dense
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.observables import Observer
from wpoflow.solver.schemes.choice import make_scheme
from wpoflow.solver.schemes.integrator import FlowState, flow
from wpoflow.solver.schemes.multistep import DESCENT_ATTEMPTS, KEPT, MultistepScheme
from wpoflow.solver.schemes.scheme import MASS_ROUNDING, Step, known
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.exact_cases.regulators import one_state


def reached(mdp: GridMDP, time: float, scheme: str, accuracy: float) -> FlowState:
    """The state at one time, which is landed on."""
    return next(s for s in flow(mdp, scheme=scheme, accuracy=accuracy, landings=[time]) if s.time >= time)


def total_variation(a: FloatArray, b: FloatArray) -> float:
    """Worst over the states."""
    return 0.5 * float(np.abs(a - b).sum(axis=1).max())


@pytest.mark.parametrize("temperature", [0.3, 0.03])
@pytest.mark.parametrize("time", [0.05, 0.5, 4.0])
def test_errors_are_proportional_to_the_accuracy(temperature: float, time: float) -> None:
    """Over six decades, against the extrapolated scheme: of policies, of values and of ln gap."""
    mdp = small_problem(temperature=temperature)
    observer = Observer(mdp, solve_optimum(mdp))
    best = reached(mdp, time, "extrapolated", 1e-10)
    policy, value, gap = best.policy.copy(), best.value.copy(), observer.gap(best.policy, best.evaluation)
    accuracies = 10.0 ** -np.arange(2.0, 9.0)
    errors = []
    for accuracy in accuracies:
        found = reached(mdp, time, "multistep", float(accuracy))
        ln_gap = abs(np.log(observer.gap(found.policy, found.evaluation) / gap))
        errors.append((total_variation(found.policy, policy), np.abs(found.value - value).max(), ln_gap))
    for policy_error, value_error, gap_error in errors / accuracies[:, None]:
        assert policy_error <= 0.2
        assert gap_error <= 0.5
        assert value_error <= 1.0
    slope = np.polyfit(np.log(accuracies), np.log([error for error, _, _ in errors]), 1)[0]
    assert 0.7 <= slope <= 1.3


def test_late_rates_are_twice_the_slowest_rate_over_many_decades() -> None:
    """Two states that mirror each other, so that there is no mixture of rates; the start excites every other mode."""
    mdp = small_problem(states=2)
    best = solve_optimum(mdp)
    observer = Observer(mdp, best)
    rates = np.linalg.eigvalsh(dense(Generators.of(mdp, best.q), 0))
    first, marks, seen = None, [1e-8, 1e-12, 1e-16, 1e-20], 0
    for state in flow(mdp, scheme="multistep", accuracy=1e-6, weights=best.occupancy + mdp.rho):
        gap = observer.gap(state.policy, state.evaluation)
        first = gap if first is None else first
        if gap < marks[seen] * first:
            seen += 1
            local = observer.row(state.policy, state.evaluation)["rate_observed"]
            assert local == pytest.approx(2.0 * rates[2], rel=1e-4 if seen > 1 else 2e-3)
            if seen == len(marks):
                break
    assert state.steps < 1500


def test_a_start_far_from_balance_at_a_low_temperature() -> None:
    """Temperature 1e-3, drifts a hundred times diffusion in every cell: no error estimate sees a spike too late."""
    mdp = small_problem(temperature=1e-3)
    start = np.full_like(mdp.initial_policy, 1e-300)
    start[:, 5] = 1.0
    mdp = replace(mdp, initial_policy=start / start.sum(axis=1, keepdims=True))
    best = reached(mdp, 0.7, "extrapolated", 1e-9)
    policy = best.policy.copy()
    for accuracy in (1e-2, 1e-4, 1e-6):
        found = reached(mdp, 0.7, "multistep", accuracy)
        assert total_variation(found.policy, policy) <= 2.0 * accuracy
        assert found.policy.min() >= 0.0
        assert found.steps < 600


def test_errors_of_mass_and_negative_entries_stay_out_of_long_runs() -> None:
    mdp = one_state().grid(24, 24)
    states = flow(mdp, scheme="multistep", accuracy=1e-8)
    for state in islice(states, 400):
        assert np.abs(state.policy.sum(axis=1) - 1.0).max() <= 1e-14 + 1e-15 * state.steps
        assert state.policy.min() >= 0.0
        assert state.mass_drift <= MASS_ROUNDING


def steps_of(scheme: MultistepScheme, mdp: GridMDP, count: int) -> Iterator[tuple[FloatArray, Step]]:
    """Steps, each with a copy of the policy it started from."""
    policy, evaluate_it = mdp.initial_policy, known(evaluate(mdp, mdp.initial_policy))
    for _ in range(count):
        before = policy.copy()
        step = scheme.advance(policy, evaluate_it, np.inf)
        yield before, step
        policy, evaluate_it = step.policy, step.evaluate


def scheme_for(mdp: GridMDP, accuracy: float) -> MultistepScheme:
    scheme = make_scheme(mdp, "multistep", None, accuracy, "wasserstein", linear_solver_of(mdp), None)
    assert isinstance(scheme, MultistepScheme)
    return scheme


def test_a_step_that_is_taken_again_takes_the_place_of_the_first() -> None:
    """Called again with the same policy, shorter: the run goes on as if the longer step had never been."""
    mdp = small_problem()
    straight, detour = scheme_for(mdp, 1e-6), scheme_for(mdp, 1e-6)
    policies = []
    for scheme, twice in ((straight, False), (detour, True)):
        policy, evaluation = mdp.initial_policy, known(evaluate(mdp, mdp.initial_policy))
        for count in range(25):
            taken = scheme.advance(policy, evaluation, np.inf)
            if count == 20:
                start, size = policy.copy(), 0.5 * taken.size
                if twice:
                    again = scheme.advance(policy, evaluation, np.inf)
                    assert again.size <= taken.size * 2.0
                    np.testing.assert_array_equal(policy, start)
                taken = scheme.advance(policy, evaluation, size)
                assert taken.size == size
            policy, evaluation = taken.policy, taken.evaluate
            policies.append(policy.copy())
    np.testing.assert_allclose(policies[45], policies[20], rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(policies[49].sum(axis=1), 1.0, atol=1e-14)


def test_the_policies_between_two_ends() -> None:
    """At the ends they are the ends; within, positive, of mass one, and on the flow."""
    mdp = small_problem()
    scheme = scheme_for(mdp, 1e-7)
    elapsed = 0.0
    for count, (before, step) in enumerate(steps_of(scheme, mdp, 30)):
        np.testing.assert_allclose(scheme.between(0.0), before, atol=1e-14)
        np.testing.assert_allclose(scheme.between(step.size), step.policy, atol=1e-14)
        for share in (0.1, 0.5, 0.9):
            inside = scheme.between(share * step.size)
            assert inside.min() >= 0.0
            np.testing.assert_allclose(inside.sum(axis=1), 1.0, atol=1e-14)
            if count == 29:
                exact = reached(mdp, elapsed + share * step.size, "extrapolated", 1e-10)
                assert total_variation(inside, exact.policy) <= 1e-6
        elapsed += step.size


def test_a_step_that_would_raise_a_value_is_repeated_and_at_last_backward_euler() -> None:
    """One state's policy is pushed away from its Gibbs policy by every long step from the tenth on."""
    mdp = small_problem()

    def fault(calls: int, dt: float, out: FloatArray) -> None:
        if 40 <= calls < 40 + DESCENT_ATTEMPTS:
            gibbs = np.empty_like(out)
            q = evaluate(mdp, out).q
            gibbs_policy(-q, mdp.log_mass, mdp.temperature, gibbs)
            out[:] = gibbs

    states = list(islice(flow(mdp, scheme="multistep", accuracy=1e-1, flow=Faulty(mdp, fault)), 60))
    rises = [(b.value - a.value).max() for a, b in pairwise(states)]
    assert max(rises) <= 1e-12 * np.abs(states[0].value).max()
    assert states[-1].rejected_steps >= 1


def test_the_history_is_as_long_as_the_highest_order_needs() -> None:
    mdp = small_problem()
    scheme = scheme_for(mdp, 1e-9)
    orders = [scheme._order for _ in steps_of(scheme, mdp, 120)]
    assert max(orders) == 5
    assert scheme._times.size == KEPT
    assert len(set(scheme._slots.tolist())) == KEPT
