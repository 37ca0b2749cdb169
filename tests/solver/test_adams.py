"""Exponential Adams formulas: orders, accuracy against an independent integrator, exactness, what is kept of tails."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from tests.orders import check_order
from tests.solver.small_problems import small_problem
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.arithmetic.decaying_average import DecayingAverage, moments
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.fisher_rao import FisherRaoFlow
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.flows.wasserstein_fisher_rao import WassersteinFisherRaoFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.observables import Observer
from wpoflow.solver.schemes.trajectory import FlowState, flow
from wpoflow.validation.exact_cases.bandits import double_well

END = 1.5


def reference(mdp: GridMDP, time: float) -> FloatArray:
    """ln p of the Fisher–Rao flow by an explicit Runge–Kutta method of order eight, in ln p without its constant."""
    shape = mdp.initial_policy.shape

    def speed(_: float, flat: FloatArray) -> FloatArray:
        log_p = flat.reshape(shape)
        log_p = log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True))
        return np.asarray(-(evaluate(mdp, np.exp(log_p)).q + mdp.temperature * (log_p - mdp.log_mass))).ravel()

    start = np.log(mdp.initial_policy).ravel()
    found = solve_ivp(speed, (0.0, time), start, method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1].reshape(shape)
    return np.asarray(found - np.log(np.exp(found).sum(axis=1, keepdims=True)))


def state_at(mdp: GridMDP, time: float, **how: object) -> FlowState:
    return next(s for s in flow(mdp, landings=[time], **how) if s.time >= time)  # type: ignore[arg-type]


def error(policy: FloatArray, exact: FloatArray) -> float:
    """Worst error of ln p."""
    return float(np.abs(np.log(policy) - exact).max())


@pytest.fixture(scope="module")
def coupled() -> tuple[GridMDP, FloatArray]:
    mdp = small_problem(states=8, actions=10)
    return mdp, reference(mdp, END)


@pytest.mark.parametrize(
    ("scheme", "order", "counts", "cap"),
    [("adams", 4, [24, 34, 48, 68, 96], 1e-5), ("euler", 1, [64, 128, 256, 512], 1e-2)],
)
def test_orders_of_fisher_rao_where_values_move(
    coupled: tuple[GridMDP, FloatArray], scheme: str, order: int, counts: list[int], cap: float
) -> None:
    mdp, exact = coupled
    steps = END / np.array(counts)
    found = [
        error(state_at(mdp, END, flow="fisher-rao", scheme=scheme, step=float(step)).policy, exact) for step in steps
    ]
    check_order(steps, found, order, cap=cap, above=0.3)


@pytest.mark.parametrize(
    ("scheme", "order", "counts"), [("extrapolated", 4, [40, 56, 80, 112]), ("euler", 1, [64, 128, 256, 512])]
)
def test_orders_of_wasserstein_fisher_rao(scheme: str, order: int, counts: list[int]) -> None:
    mdp = small_problem(states=6, actions=6)
    made = WassersteinFisherRaoFlow(mdp, beta=2.0)
    best = state_at(mdp, END, flow=made, scheme="extrapolated", accuracy=1e-13).policy.copy()
    steps = END / np.array(counts)
    found = [
        float(np.abs(state_at(mdp, END, flow=made, scheme=scheme, step=float(step)).policy - best).max())
        for step in steps
    ]
    check_order(steps, found, order, cap=1e-2, above=0.3)


def test_wfr_is_the_sum_of_its_parts() -> None:
    """Its derivative at the first policy is that of the Wasserstein flow and beta times Fisher–Rao's."""
    mdp = small_problem()
    p, dt = mdp.initial_policy, 1e-7
    q = evaluate(mdp, p).q

    def speed(made: Flow) -> FloatArray:
        return (made.step(p, q, dt, np.empty_like(p)) - p) / dt

    whole = speed(WassersteinFisherRaoFlow(mdp, beta=2.5))
    np.testing.assert_allclose(whole, speed(WassersteinFlow(mdp)) + 2.5 * speed(FisherRaoFlow(mdp)), atol=1e-6)


def test_errors_are_proportional_to_the_accuracy(coupled: tuple[GridMDP, FloatArray]) -> None:
    """Over six decades, against an independent integrator, and with few evaluations."""
    mdp, exact = coupled
    accuracies = 10.0 ** -np.arange(2.0, 9.0)
    found = []
    for accuracy in accuracies:
        state = state_at(mdp, END, flow="fisher-rao", accuracy=float(accuracy))
        found.append(error(state.policy, exact))
        assert found[-1] <= 2.0 * accuracy + 1e-12
        assert state.bellman_evaluations <= 40 + 25 * -np.log10(accuracy) + (accuracy / 1e-4) ** -0.2 * 40
    assert 0.7 <= np.polyfit(np.log(accuracies), np.log(found), 1)[0] <= 1.3


def test_late_steps_grow_and_late_rates_stay_right() -> None:
    """Near the optimum V is stationary: nothing is left to limit the step but the times that are asked for."""
    mdp = small_problem(temperature=0.5)
    best = solve_optimum(mdp)
    observer = Observer(mdp, best, FisherRaoFlow(mdp))
    first, longest = None, 0.0
    for state in islice(flow(mdp, flow="fisher-rao", accuracy=1e-6, weights=best.occupancy + mdp.rho), 400):
        gap = observer.gap(state.policy, state.evaluation)
        if first is None and gap < 1e-10:
            first = state.time, gap
        if gap < 1e-24:  # the next steps end where rounding is all that is left
            break
        if first is not None and gap < 1e-14:
            rate = np.log(first[1] / gap) / (state.time - first[0])
            np.testing.assert_allclose(rate, 2.0 * mdp.temperature, rtol=1e-4)
            longest = max(longest, state.step_size)
    assert longest > 2.0


def test_steps_between_ends_are_on_the_flow(coupled: tuple[GridMDP, FloatArray]) -> None:
    mdp, exact = coupled
    ends = [s.time for s in islice(flow(mdp, flow="fisher-rao", accuracy=1e-9), 400) if s.time < 3.0]
    assert END not in ends
    found = islice(flow(mdp, flow="fisher-rao", accuracy=1e-9, landings=[END]), len(ends))
    states = [state for state in found if state.interpolated]
    assert len(states) == 1
    assert states[0].time == END
    assert error(states[0].policy, exact) < 1e-8


def bandit(temperature: float) -> GridMDP:
    mdp = small_problem(states=3, temperature=temperature)
    own = np.repeat(np.eye(3)[:, None, :], mdp.actions.size, axis=1)
    return replace(mdp, transition=tabulated_transition(own))


def closed_form(mdp: GridMDP, time: float) -> FloatArray:
    tau = mdp.temperature
    log_p = np.exp(-tau * time) * np.log(mdp.initial_policy)
    log_p -= np.expm1(-tau * time) * (mdp.log_mass - mdp.cost / tau)
    log_p -= log_p.max(axis=1, keepdims=True)
    return np.asarray(log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True)))


@pytest.mark.parametrize("temperature", [1.0, 1e-3])
def test_nothing_is_lost_of_tails_below_the_smallest_number(temperature: float) -> None:
    """Of states side by side p is known at all times; at the low temperature much of it is below 1e-308."""
    mdp = bandit(temperature)
    for how in ({"accuracy": 1e-3}, {"step": 700.0}, {"step": 700.0, "scheme": "euler"}):
        for state in islice(flow(mdp, flow="fisher-rao", **how), 30):
            exact = closed_form(mdp, state.time)
            np.testing.assert_allclose(state.arrays()["scheme.log_policy"], exact, rtol=1e-12, atol=1e-12)
    assert (state.policy == 0.0).any() == (temperature < 0.1)


def test_few_steps_are_needed_where_values_do_not_move() -> None:
    mdp = bandit(1.0)
    state = state_at(mdp, 30.0, flow="fisher-rao", accuracy=1e-10)
    assert state.steps < 40
    assert state.rejected_steps == 0


def test_a_start_far_from_balance() -> None:
    """Tails of e^-400 are where the policy is to move to."""
    mdp = double_well(0.05).grid(64)
    a = mdp.actions.axes[0].points
    log_p = -0.5 * ((a - 1.0) / 0.12) ** 2
    start = np.exp(log_p) / np.exp(log_p).sum()
    mdp = replace(mdp, initial_policy=start[None])
    for time in (1.0, 20.0, 200.0):
        state = state_at(mdp, time, flow="fisher-rao", accuracy=1e-6)
        np.testing.assert_allclose(state.policy, np.exp(closed_form(mdp, time)), rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("z", [1e-12, 1e-3, 1.0, 7.99, 8.01, 40.0])
def test_moments_of_the_decaying_weight(z: float) -> None:
    norm = quad(lambda x: np.exp(-z * (1.0 - x)), 0.0, 1.0, epsabs=0.0)[0]
    for m, found in enumerate(moments(z, 7)):
        exact = quad(lambda x: x**m * np.exp(-z * (1.0 - x)), 0.0, 1.0, epsabs=0.0)[0] / norm  # noqa: B023
        np.testing.assert_allclose(found, exact, rtol=1e-13)


def test_averages_are_exact_for_polynomials_of_the_degree_and_tell_what_they_leave_out() -> None:
    times, dt, decay = np.array([0.0, -0.3, -0.5, -1.1]), 0.4, 1.7
    formula = DecayingAverage(times, dt, moments(decay * dt, times.size + 1))

    def average(f: np.polynomial.Polynomial) -> float:
        top, whole = (quad(lambda s, g=g: np.exp(-decay * (dt - s)) * g(s), 0.0, dt)[0] for g in (f, lambda s: 1.0))
        return float(top / whole)

    cubic = np.polynomial.Polynomial([2.0, -1.0, 3.0, -0.7])
    values = cubic(times)[:, None]
    np.testing.assert_allclose(formula.of(values, 3), average(cubic), rtol=1e-13)
    np.testing.assert_allclose(formula.predictions(values)[3], cubic(dt), rtol=1e-13)
    quadratic_error = cubic(dt) - formula.predictions(values)[2]
    np.testing.assert_allclose(formula.share(2) * quadratic_error, average(cubic) - formula.of(values, 2), rtol=1e-11)
