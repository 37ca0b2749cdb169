"""Fisher–Rao flow, mirror descent and Wasserstein–Fisher–Rao: what holds exactly on the grid, on random problems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.solver.random_mdps import grid_mdps
from tests.solver.small_problems import small_problem
from tests.solver.theorems import EPS, divergence, gibbs, rounding
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.bellman.evaluation import Evaluation, evaluate, occupancy
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.fisher_rao import FisherRaoFlow
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.mirror import MirrorDescent
from wpoflow.solver.flows.policy_iteration import PolicyIteration
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.flows.wasserstein_fisher_rao import WassersteinFisherRaoFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.schemes.trajectory import flow

STEPS = st.floats(np.log(1e-6), np.log(1e12)).map(lambda x: float(np.exp(x)))
KINDS: list[Callable[[GridMDP], Flow]] = [
    FisherRaoFlow,
    MirrorDescent,
    WassersteinFisherRaoFlow,
    lambda mdp: WassersteinFisherRaoFlow(mdp, beta=7.0),
]
MIXTURES = [FisherRaoFlow, MirrorDescent]
ANY = grid_mdps()
NAMED = grid_mdps(labels=True)
CASES = [(kind, ANY) for kind in (*KINDS, PolicyIteration)] + [(kind, NAMED) for kind in (*MIXTURES, PolicyIteration)]
"""Flows and the problems they are for: the last ones have actions that are labels."""


def stepped(made: Flow, p: FloatArray, q: FloatArray, dt: float) -> FloatArray:
    return made.step(p, q, dt, np.empty_like(p))


def logs(made: Flow, p: FloatArray, q: FloatArray, dt: float) -> tuple[FloatArray, FloatArray]:
    """ln p' and p' of a step in logarithms."""
    log_out, out = np.empty_like(p), np.empty_like(p)
    with np.errstate(divide="ignore"):
        made.log_step(np.log(p), q, dt, log_out, out)
    return log_out, out


def kl(a: FloatArray, b: FloatArray, log_a: FloatArray, log_b: FloatArray) -> FloatArray:
    """KL(a|b) per state."""
    return np.asarray((a * (log_a - log_b) - a + b).sum(axis=1))


@pytest.mark.parametrize(("kind", "problems"), CASES)
@given(st.data(), STEPS)
@settings(max_examples=30)
def test_steps_keep_mass_and_positivity(
    kind: Callable[[GridMDP], Flow], problems: st.SearchStrategy[GridMDP], data: st.DataObject, dt: float
) -> None:
    mdp = data.draw(problems)
    q = evaluate(mdp, mdp.initial_policy).q
    policy = stepped(kind(mdp), mdp.initial_policy, q, dt)
    assert np.abs(policy.sum(axis=1) - 1.0).max() <= 2e-15 * mdp.actions.size
    assert policy.min() >= 0.0


@pytest.mark.parametrize(("kind", "problems"), CASES)
@given(st.data(), STEPS)
@settings(max_examples=30)
def test_the_gibbs_policy_is_stationary_for_any_step(
    kind: Callable[[GridMDP], Flow], problems: st.SearchStrategy[GridMDP], data: st.DataObject, dt: float
) -> None:
    mdp = data.draw(problems)
    q = evaluate(mdp, mdp.initial_policy).q
    g = gibbs(mdp, q)
    policy = stepped(kind(mdp), g, q, dt)
    seen = g > 1e-290
    # exponents of size (Q - least Q)/tau are known to eps of themselves
    size = 1e-13 + 4.0 * EPS * (np.ptp(q) / mdp.temperature + np.abs(mdp.log_mass).max())
    assert np.abs(policy[seen] / g[seen] - 1.0).max() <= size


@pytest.mark.parametrize(("kind", "problems"), CASES)
@given(st.data(), STEPS)
@settings(max_examples=30)
def test_every_step_lowers_kl_and_the_value_at_every_state(
    kind: Callable[[GridMDP], Flow], problems: st.SearchStrategy[GridMDP], data: st.DataObject, dt: float
) -> None:
    mdp = data.draw(problems)
    before = evaluate(mdp, mdp.initial_policy)
    policy = stepped(kind(mdp), mdp.initial_policy, before.q, dt)
    first, last = divergence(mdp, mdp.initial_policy, before.q), divergence(mdp, policy, before.q)
    assert np.all(last <= first * (1.0 + 1e-11) + 1e-24 + EPS * np.ptp(before.q) / mdp.temperature * np.sqrt(first))
    after = evaluate(mdp, policy)
    scale = np.abs(before.value).max()
    assert (after.value - before.value).max() <= 1e-12 * scale + 16.0 * EPS * scale / (1.0 - mdp.discount)


@pytest.mark.parametrize("kind", MIXTURES)
@given(grid_mdps(), STEPS)
@settings(max_examples=30)
def test_a_step_is_the_mixture_of_its_weight(kind: type[Flow], mdp: GridMDP, dt: float) -> None:
    """Against plain NumPy: ln p' = x ln p + (1 - x) ln g - ln Z, by logarithms and by probabilities."""
    p, tau = mdp.initial_policy, mdp.temperature
    q = evaluate(mdp, p).q
    x = np.exp(-tau * dt) if kind is FisherRaoFlow else 1.0 / (1.0 + tau * dt)
    share = -np.expm1(-tau * dt) if kind is FisherRaoFlow else tau * dt / (1.0 + tau * dt)
    exact = x * np.log(p) + share * (mdp.log_mass - (q - q.min(axis=1, keepdims=True)) / tau)
    exact -= exact.max(axis=1, keepdims=True)
    exact -= np.log(np.exp(exact).sum(axis=1, keepdims=True))
    log_out, out = logs(kind(mdp), p, q, dt)
    size = 1e-13 + 8.0 * EPS * (np.ptp(q) / tau + np.abs(np.log(p)).max() + np.abs(mdp.log_mass).max())
    assert np.abs(log_out - exact).max() <= size
    np.testing.assert_allclose(out, np.exp(log_out), rtol=size, atol=1e-300)
    np.testing.assert_allclose(stepped(kind(mdp), p, q, dt), out, rtol=2.0 * size, atol=1e-300)


@pytest.mark.parametrize("kind", MIXTURES)
def test_a_zero_stays_a_zero_and_nothing_else_becomes_one(kind: type[Flow]) -> None:
    mdp = small_problem(temperature=1e-3)
    p = mdp.initial_policy.copy()
    p[:, :4] = 0.0
    p /= p.sum(axis=1, keepdims=True)
    q = evaluate(mdp, p).q
    for dt in (1e-6, 1.0, 1e4, 1e12):
        log_out, out = logs(kind(mdp), p, q, dt)
        assert np.all(log_out[:, :4] == -np.inf)
        assert np.all(out[:, :4] == 0.0)
        assert np.all(np.isfinite(log_out[:, 4:]))
        assert np.abs(out.sum(axis=1) - 1.0).max() < 1e-14
        assert np.all(stepped(kind(mdp), p, q, dt)[:, :4] == 0.0)


@given(grid_mdps(), STEPS)
@settings(max_examples=40)
def test_a_fisher_rao_step_is_the_mirror_step_of_its_length(mdp: GridMDP, dt: float) -> None:
    tau = mdp.temperature
    if tau * dt > 500.0:
        return
    q = evaluate(mdp, mdp.initial_policy).q
    one, _ = logs(FisherRaoFlow(mdp), mdp.initial_policy, q, dt)
    other, _ = logs(MirrorDescent(mdp), mdp.initial_policy, q, np.expm1(tau * dt) / tau)
    assert np.abs(one - other).max() <= 1e-12 + 16.0 * EPS * (np.ptp(q) / tau + np.abs(one).max())


def test_the_longest_mirror_step_is_soft_policy_iteration() -> None:
    mdp = small_problem()
    q = evaluate(mdp, mdp.initial_policy).q
    policy = stepped(MirrorDescent(mdp), mdp.initial_policy, q, 1e300)
    np.testing.assert_allclose(policy, gibbs(mdp, q), rtol=4e-15)


def test_natural_policy_gradient_is_mirror_descent_in_other_units() -> None:
    mdp = small_problem()
    p, tau, rate = mdp.initial_policy, mdp.temperature, 0.7
    q = evaluate(mdp, p).q
    natural = p ** (1.0 - tau * rate) * (mdp.reference_mass * np.exp(-q / tau)) ** (tau * rate)
    natural /= natural.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(stepped(MirrorDescent(mdp), p, q, rate / (1.0 - tau * rate)), natural, rtol=1e-13)


def derivative(made: Flow, p: FloatArray, q: FloatArray) -> tuple[FloatArray, float]:
    """dp/dt of the flow with Q frozen, by a step far shorter than any time there is, and its length."""
    mdp = made.mdp
    widths = [float(axis.widths.min()) for axis in mdp.actions.axes if axis.size > 1]
    slopes = np.ptp(q + mdp.temperature * (np.log(p) - mdp.log_mass)) + mdp.temperature
    dt = 1e-8 / (8.0 * slopes * (1.0 + 1.0 / min(widths, default=1.0) ** 2))
    return (stepped(made, p, q, dt) - p) / dt, dt


@pytest.mark.parametrize("kind", [FisherRaoFlow, *KINDS[2:]])
@given(grid_mdps(least_temperature=1e-2))
@settings(max_examples=30)
def test_the_dissipation_is_what_the_flow_loses(kind: Callable[[GridMDP], Flow], mdp: GridMDP) -> None:
    """(A): -sum_k (Q + tau ln(p/m)) dp/dt in every state, dp/dt from the steps themselves."""
    made, p = kind(mdp), mdp.initial_policy
    q = evaluate(mdp, p).q
    delta = q + mdp.temperature * (np.log(p) - mdp.log_mass)
    delta -= (p * delta).sum(axis=1, keepdims=True)
    speed, dt = derivative(made, p, q)
    stated = made.dissipation(p, q)
    assert stated is not None
    size, lost = np.abs(delta * speed).sum(axis=1), EPS / dt * np.abs(delta * p).sum(axis=1)
    assert np.all(np.abs(stated + (delta * speed).sum(axis=1)) <= 1e-5 * size + 16.0 * lost)
    assert np.all(stated >= 0.0)


def of_optimum(mdp: GridMDP, now: Evaluation) -> tuple[FloatArray, FloatArray, float]:
    """Occupancy and policy of the optimum, and the gap of another policy: identities that hold of any comparator."""
    best = solve_optimum(mdp).policy
    there = evaluate(mdp, best)
    return occupancy(mdp, there.system), best, float(mdp.rho @ (now.value - there.value))


@given(grid_mdps(least_temperature=1e-2))
@settings(max_examples=30)
def test_fisher_rao_identity(mdp: GridMDP) -> None:
    """(B): with y = sum d* KL(p*|p), dy/dt = -tau y - (1 - gamma) h, dy/dt from a short step."""
    made, p, tau = FisherRaoFlow(mdp), mdp.initial_policy, mdp.temperature
    now = evaluate(mdp, p)
    visits, best, gap = of_optimum(mdp, now)
    log_best = np.log(np.maximum(best, 1e-300))
    dt = 1e-6 / (tau + np.ptp(now.q) + tau * np.abs(np.log(p)).max())
    log_out, _ = logs(made, p, now.q, dt)
    terms = visits[:, None] * best * (log_out - np.log(p)) / dt
    y = float(visits @ kl(best, p, log_best, np.log(p)))
    expected = -tau * y - (1.0 - mdp.discount) * gap
    allowed = 1e-5 * (np.abs(terms).sum() + abs(expected)) + 64.0 * EPS * (1.0 + np.abs(np.log(p)).max()) / dt
    assert abs(-terms.sum() - expected) <= allowed + rounding(mdp, now)


@given(grid_mdps(), STEPS)
@settings(max_examples=30)
def test_mirror_descent_identity(mdp: GridMDP, eta: float) -> None:
    """(C), per step and for any step: divided by 1 + tau eta."""
    p, tau = mdp.initial_policy, mdp.temperature
    now = evaluate(mdp, p)
    visits, best, gap = of_optimum(mdp, now)
    log_best, log_p = np.log(np.maximum(best, 1e-300)), np.log(p)
    log_next, following = logs(MirrorDescent(mdp), p, now.q, eta)
    weight = 1.0 + tau * eta
    fall = tau * (divergence(mdp, p, now.q) - divergence(mdp, following, now.q))
    left = float(visits @ kl(best, following, log_best, log_next))
    parts = np.array(
        [
            float(visits @ kl(best, p, log_best, log_p)) / weight,
            -eta / weight * (1.0 - mdp.discount) * gap,
            eta / weight * float(visits @ fall),
            -float(visits @ kl(following, p, log_next, log_p)) / weight,
        ]
    )
    size = np.abs(parts).sum() + abs(left)
    lost = EPS * (np.ptp(now.q) / tau + np.abs(log_p).max() + np.abs(log_next).max()) + rounding(mdp, now) / tau
    assert abs(left - parts.sum()) <= 1e-11 * size + 64.0 * lost
    assert np.all(fall >= -1e-11 * size - 64.0 * tau * lost)


@given(grid_mdps(most_axes=1), STEPS)
@settings(max_examples=40)
def test_growth_only_helps_transport(mdp: GridMDP, dt: float) -> None:
    """KL after a Wasserstein–Fisher–Rao step is at most that after the Wasserstein step, of which theorems speak."""
    q = evaluate(mdp, mdp.initial_policy).q
    alone = divergence(mdp, stepped(WassersteinFlow(mdp), mdp.initial_policy, q, dt), q)
    both = divergence(mdp, stepped(WassersteinFisherRaoFlow(mdp), mdp.initial_policy, q, dt), q)
    noise = EPS * (np.ptp(q) / mdp.temperature + 40.0)
    assert np.all(both <= alone * (1.0 + 1e-11) + 16.0 * noise * np.sqrt(alone) + noise**2)


def test_the_bound_of_fisher_rao_holds_along_a_run() -> None:
    """h(t) <= tau y(0)/((1 - gamma)(e^{tau t} - 1)), and the late rate is twice the temperature."""
    mdp = small_problem(temperature=0.5)
    best = solve_optimum(mdp)
    p = mdp.initial_policy
    run = evolve(mdp, until={"gap": 1e-20}, flow="fisher-rao")
    y = float(best.occupancy @ kl(best.policy, p, np.log(best.policy), np.log(p)))
    time, gap = run.series["time"][1:], run.series["gap"][1:]
    bound = mdp.temperature * y / ((1.0 - mdp.discount) * np.expm1(mdp.temperature * time))
    assert np.all(gap <= bound * (1.0 + 1e-6))
    late = gap < 1e-8
    np.testing.assert_allclose(run.series["rate_observed"][1:][late], 2.0 * mdp.temperature, rtol=1e-3)
    fall = -np.diff(np.log(gap[late])) / np.diff(time[late])
    np.testing.assert_allclose(fall, 2.0 * mdp.temperature, rtol=1e-3)


def test_mirror_descent_takes_whole_steps_whatever_is_to_be_recorded() -> None:
    """The n-th step ends at n times its length, rows are at the first step at or after their time."""
    mdp, eta = small_problem(), 0.3
    run = evolve(mdp, until=2.0, flow="mirror", step=eta, series={"times": [0.6, 0.7, 1.5]}, snapshots=[1.0])
    np.testing.assert_array_equal(run.series["time"], [0.0, 0.6, 3 * eta, 1.5, 7 * eta])
    assert run.attributes["steps"] == 7
    assert run.attributes["scheme"] == "euler"
    assert "accuracy" not in run.attributes
    assert np.isnan(run.series["dissipation"]).all()
    policy = mdp.initial_policy
    for _ in range(7):
        policy = stepped(MirrorDescent(mdp), policy, evaluate(mdp, policy).q, eta)
    np.testing.assert_allclose(run.policy, policy, rtol=1e-12)
    late = evolve(mdp, until={"gap": 1e-18}, flow="mirror", step=5.0, series={"every": 5.0}).series["gap"]
    np.testing.assert_allclose((late[1:] / late[:-1])[-4:], (1.0 + mdp.temperature * 5.0) ** -2.0, rtol=1e-3)


def test_wfr_is_faster_than_either_part_by_the_rate_of_the_other() -> None:
    """Late rates of the gap on one state: 2 (lambda + beta tau), against 2 lambda and 2 tau."""
    mdp = small_problem(states=1)
    rates = {}
    for name, made in (("w", WassersteinFlow(mdp)), ("both", WassersteinFisherRaoFlow(mdp, beta=3.0))):
        run = evolve(mdp, until={"gap": 1e-14}, flow=made, accuracy=1e-7)
        rates[name] = run.series["rate_observed"][-1]
    np.testing.assert_allclose(rates["both"], rates["w"] + 6.0 * mdp.temperature, rtol=1e-4)


@pytest.mark.parametrize("beta", [0.0, -1.0, np.inf, np.nan])
def test_a_weight_that_is_not_positive_and_finite_is_refused(beta: float) -> None:
    with pytest.raises(ValueError, match=r"beta = .* must be positive and finite"):
        WassersteinFisherRaoFlow(small_problem(), beta=beta)


CONTROLS = st.one_of(
    st.sampled_from([{"accuracy": 1e-1}, {"accuracy": 1e-3}, {"accuracy": 1e-6}]),
    st.floats(np.log(1e-4), np.log(1e4)).map(lambda x: {"step": float(np.exp(x))}),
)


@given(grid_mdps(), CONTROLS, st.sampled_from(["adams", "euler"]))
@settings(max_examples=80)
def test_steps_of_logarithms_keep_mass_positivity_and_descent(
    mdp: GridMDP, control: dict[str, float], scheme: str
) -> None:
    before: FloatArray | None = None
    for state in islice(flow(mdp, scheme=scheme, flow="fisher-rao", **control), 13):  # type: ignore[arg-type]
        assert np.abs(state.policy.sum(axis=1) - 1.0).max() <= 2e-15 * mdp.actions.size
        assert state.policy.min() >= 0.0
        if before is not None:
            scale = max(float(np.abs(before).max()), float(np.abs(state.value).max()))
            assert (state.value - before).max() <= 1e-12 * scale + 16.0 * EPS * scale / (1.0 - mdp.discount)
        before = state.value.copy()


@given(grid_mdps(), st.floats(np.log(1e-4), np.log(1e6)).map(lambda x: float(np.exp(x))))
@settings(max_examples=40)
def test_one_state_equals_the_closed_form_at_any_step(mdp: GridMDP, step: float) -> None:
    """As many states side by side, from which nothing is learned: steps of any length are exact."""
    n = mdp.states.size
    alone = np.repeat(np.eye(n)[:, None, :], mdp.actions.size, axis=1)
    mdp = replace(mdp, transition=tabulated_transition(alone))
    tau, p = mdp.temperature, mdp.initial_policy
    log_g = mdp.log_mass - (mdp.cost - mdp.cost.min(axis=1, keepdims=True)) / tau
    for scheme in ("adams", "euler"):
        for state in islice(flow(mdp, flow="fisher-rao", scheme=scheme, step=step), 4):
            kept = np.exp(-tau * state.time)
            exact = kept * np.log(p) - np.expm1(-tau * state.time) * log_g
            exact -= exact.max(axis=1, keepdims=True)
            exact -= np.log(np.exp(exact).sum(axis=1, keepdims=True))
            # Q is known to the rounding of V, up to 1/(1 - gamma) times the costs
            size = 1e-12 + 64.0 * EPS * (np.abs(exact).max() + np.abs(state.q).max() / tau)
            found = state.arrays()["scheme.log_policy"]
            assert np.abs(found - exact).max() <= size
