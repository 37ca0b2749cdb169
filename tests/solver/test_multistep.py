"""The multistep scheme: errors in proportion to the accuracy, late rates, failures, starts far from balance."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from tests.solver.small_problems import small_problem
from tests.validation.constants.chains import dense
from tests.variants import slow
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.observables import Observer
from wpoflow.solver.schemes.choice import make_scheme
from wpoflow.solver.schemes.integrator import MASS_ROUNDING, Integrator
from wpoflow.solver.schemes.multistep import KEPT, MultistepState
from wpoflow.solver.schemes.scheme import State
from wpoflow.solver.schemes.trajectory import FlowState, flow
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.exact_cases.regulators import one_state


def reached(mdp: GridMDP, time: float, scheme: str, accuracy: float) -> FlowState:
    """The state at one time, which is landed on."""
    return next(s for s in flow(mdp, scheme=scheme, accuracy=accuracy, landings=[time]) if s.time >= time)


def total_variation(a: FloatArray, b: FloatArray) -> float:
    """Worst over the states."""
    return 0.5 * float(np.abs(a - b).sum(axis=1).max())


@pytest.mark.parametrize("temperature", [0.3, 0.03])
@pytest.mark.parametrize("time", [0.05, slow(0.5), 4.0])
def test_errors_are_proportional_to_the_accuracy(temperature: float, time: float) -> None:
    """Over six decades, against the extrapolated scheme: of policies, of values and of ln gap."""
    mdp = small_problem(temperature=temperature)
    observer = Observer(mdp, solve_optimum(mdp), WassersteinFlow(mdp))
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
    observer = Observer(mdp, best, WassersteinFlow(mdp))
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


def integrator_for(mdp: GridMDP, accuracy: float, kind: Flow | None = None) -> tuple[Integrator, State]:
    """An integrator of the scheme, and the state it begins with."""
    solver = linear_solver_of(mdp)
    made = make_scheme(mdp, "multistep", None, accuracy, WassersteinFlow(mdp) if kind is None else kind, solver)
    return Integrator(made.problem, made, lambda: None), made.init(
        mdp.initial_policy, evaluate(mdp, mdp.initial_policy, None, solver)
    )


def test_a_step_that_is_taken_again_takes_the_place_of_the_first() -> None:
    """Taken again from where it began, shorter: the run goes on as if the longer step had never been."""
    mdp = small_problem()
    policies = []
    for twice in (False, True):
        integrator, state = integrator_for(mdp, 1e-6)
        for count in range(25):
            taken = integrator.step(state, np.inf)
            if count == 20:
                start, dt = state.policy.copy(), 0.5 * taken.dt
                if twice:
                    again = integrator.step(taken.retry, np.inf)
                    assert again.dt == taken.dt
                    np.testing.assert_array_equal(again.state.policy, taken.state.policy)
                    np.testing.assert_array_equal(state.policy, start)
                taken = integrator.step(taken.retry, dt)
                assert taken.dt == dt
            state = taken.state
            policies.append(state.policy.copy())
    np.testing.assert_array_equal(policies[25:], policies[:25])
    np.testing.assert_allclose(policies[49].sum(axis=1), 1.0, atol=1e-14)


def test_the_policies_between_two_ends() -> None:
    """At the ends they are the ends; within, positive, of mass one, and on the flow."""
    mdp = small_problem()
    integrator, state = integrator_for(mdp, 1e-7)
    elapsed, interpolate = 0.0, integrator.scheme.interpolate
    for count in range(30):
        before, step = state.policy.copy(), integrator.step(state, np.inf)
        state = step.state
        np.testing.assert_allclose(interpolate(state, 0.0), before, atol=1e-14)
        np.testing.assert_allclose(interpolate(state, step.dt), state.policy, atol=1e-14)
        for share in (0.1, 0.5, 0.9):
            inside = interpolate(state, share * step.dt)
            assert inside.min() >= 0.0
            np.testing.assert_allclose(inside.sum(axis=1), 1.0, atol=1e-14)
            if count == 29:
                exact = reached(mdp, elapsed + share * step.dt, "extrapolated", 1e-10)
                assert total_variation(inside, exact.policy) <= 1e-6
        elapsed += step.dt


def test_the_history_is_as_long_as_the_highest_order_needs() -> None:
    integrator, state = integrator_for(small_problem(), 1e-9)
    orders = []
    for _ in range(120):
        state = integrator.step(state, np.inf).state
        assert isinstance(state, MultistepState)
        orders.append(state.order)
        kept = (state.policy, *state.policies)
    assert max(orders) == 5
    assert len(kept) == len({id(policy) for policy in kept}) == KEPT
