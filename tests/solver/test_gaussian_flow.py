"""Gaussian policies: cells and their slopes, steepest descent on the grid, exact cases, starts, steps as published."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.special import log_ndtr, ndtr

import wpoflow as wpo
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import sinh_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.bellman.evaluation import evaluate, occupancy
from wpoflow.solver.flows.parametric.gaussian import GaussianFlow
from wpoflow.solver.flows.parametric.moments import members_of
from wpoflow.solver.flows.parametric.natural_gradient import gaussian_divergence
from wpoflow.solver.flows.parametric.normal_cells import interval
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run, Snapshots
from wpoflow.validation.exact_cases.regulators import one_state

WELL: dict[str, Any] = {"cost": lambda a: (a**2 - 1.0) ** 2 / 4.0 + 0.1 * a, "potential": lambda a: a**2 / 3.0}


def double_well(cells: int = 96, mean: float = 1.3, variance: float = 0.1) -> GridMDP:
    axis = uniform_axis("a", -6.0, 6.0, cells, "no-flux")
    return build(
        Statement(Grid((axis,)), discount=0.9, temperature=0.06, policy_mean=mean, policy_covariance=variance, **WELL)
    )


def two_actions(correlation: float = 0.3, temperature: float = 0.3) -> GridMDP:
    """Two states that the two actions drive; graded and uniform cells."""
    x = Grid((uniform_axis("x", -2.0, 2.0, 5, "clamp"),))
    actions = Grid(
        (uniform_axis("u", -3.0, 3.0, 14, "no-flux"), sinh_axis("v", -3.0, 3.0, 11, "no-flux", focus=0.0, ratio=2.0))
    )
    return build(
        Statement(
            actions,
            discount=0.8,
            temperature=temperature,
            states=x,
            cost=lambda x, u, v: x**2 + 0.4 * u**2 + 0.3 * (v - 0.5 * u) ** 2 + 0.2 * np.cos(2.0 * u + v),
            dynamics={"x": lambda x, u, v: 0.7 * x + 0.4 * u - 0.2 * v},
            noise={"x": 0.4},
            potential=lambda u, v: 0.1 * (u**2 + v**2),
            policy_mean={"u": lambda x: 0.2 * x, "v": -0.3},
            policy_covariance={"u,u": 0.5, "v,u": lambda x: correlation * np.cos(x), "v,v": 0.8},
        )
    )


def value_rho(flow: GaussianFlow, parameters: FloatArray) -> float:
    return float(flow.mdp.rho @ evaluate(flow.mdp, flow.projected(parameters)).value)


def stated(flow: GaussianFlow, parameters: FloatArray) -> tuple[float, FloatArray]:
    """Dissipation of V(rho) as the flow states it, and the velocity of its numbers."""
    mdp = flow.mdp
    now = evaluate(mdp, flow.projected(parameters))
    lost = flow.lost(parameters, now.q)
    assert lost is not None
    total = float(occupancy(mdp, now.system) @ lost) / (1.0 - mdp.discount)
    return total, flow.velocity(parameters, now.q, np.empty_like(parameters))


@pytest.mark.parametrize(("lower", "higher"), [(-0.3, 0.2), (1.0, 1.0005), (4.0, 6.0), (-9.0, -8.0), (30.0, 30.5)])
def test_an_interval_has_its_probability_and_slopes(lower: float, higher: float) -> None:
    found = interval(lower, higher)
    near, far = (lower, higher) if lower + higher >= 0.0 else (-higher, -lower)
    exact = log_ndtr(-near) + np.log(-np.expm1(log_ndtr(-far) - log_ndtr(-near)))
    assert found[0] == pytest.approx(exact, rel=1e-11)
    step = 1e-4 * (higher - lower)
    moved = [interval(lower + sign * step, higher + sign * step)[0] for sign in (1.0, -1.0)]
    scaled = [interval(lower * (1 + sign * 1e-5), higher * (1 + sign * 1e-5))[0] for sign in (1.0, -1.0)]
    assert found[1] == pytest.approx((moved[0] - moved[1]) / (2.0 * step), rel=1e-4, abs=1e-6)
    assert found[2] == pytest.approx((scaled[0] - scaled[1]) / 2e-5, rel=1e-4, abs=1e-6)


def test_neighbouring_intervals_make_up_the_whole() -> None:
    edges = np.concatenate([np.linspace(-60.0, -10.0, 40), np.linspace(-9.9, 60.0, 400)])
    logs = np.array([interval(a, b)[0] for a, b in pairwise(edges)])
    assert np.exp(logs).sum() == pytest.approx(1.0, abs=1e-14)


def test_one_axis_has_the_gaussians_own_cells_over_those_of_the_box() -> None:
    mdp = double_well(40, 5.0, 0.7)
    edges = (mdp.actions.axes[0].edges - 5.0) / math.sqrt(0.7)
    exact = np.diff(ndtr(edges)) / (ndtr(edges[-1]) - ndtr(edges[0]))
    np.testing.assert_allclose(mdp.initial_policy[0], exact, rtol=1e-9, atol=1e-15)
    run = wpo.evolve(mdp, flow="gaussian", until={"steps": 1})
    assert run.series["outside_mass"][0] == pytest.approx(1.0 - (ndtr(edges[-1]) - ndtr(edges[0])), rel=1e-12)


def test_without_correlation_the_cells_are_products() -> None:
    mdp = two_actions(0.0)
    u = build(replace_axes(mdp, 0)).initial_policy
    v = build(replace_axes(mdp, 1)).initial_policy
    np.testing.assert_allclose(mdp.initial_policy, (u[:, :, None] * v[:, None, :]).reshape(5, -1), rtol=1e-13)


def replace_axes(mdp: GridMDP, number: int) -> Statement:
    """The first policy of one of two actions alone."""
    mean: list[Any] = [lambda x: 0.2 * x, -0.3]
    return Statement(
        Grid((mdp.actions.axes[number],)),
        discount=0.8,
        temperature=0.3,
        states=mdp.states,
        cost=0.0,
        dynamics={"x": 0.0},
        policy_mean=mean[number],
        policy_covariance=(0.5, 0.8)[number],
    )


def test_moments_of_correlated_cells_converge_at_second_order() -> None:
    covariance = np.array([[0.5, 0.3], [0.3, 0.8]])
    errors = []
    for cells in (12, 24, 48):
        axes = [uniform_axis(name, -5.0, 5.0, cells, "no-flux") for name in "uv"]
        mdp = build(
            Statement(
                Grid(tuple(axes)),
                discount=0.5,
                temperature=1.0,
                cost=0.0,
                policy_mean={"u": 0.13, "v": -0.2},
                policy_covariance={"u,u": 0.5, "u,v": 0.3, "v,v": 0.8},
            )
        )
        p, points = mdp.initial_policy[0], mdp.actions.points
        mean = p @ points
        errors.append(np.abs(np.einsum("k,ki,kj->ij", p, points - mean, points - mean) - covariance).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(np.abs(orders - 2.0) < 0.15), (errors, orders)


@pytest.mark.parametrize("components", [1, 2, 3])
@pytest.mark.parametrize("make", [double_well, two_actions])
def test_v_falls_at_the_rate_that_the_flow_states(make: Any, components: int) -> None:
    """(G1), by central differences of V(rho) along the flow's own velocity."""
    flow = GaussianFlow(make(), components, beta=0.7)
    parameters = flow.begin(flow.mdp.initial_policy)
    parameters += 0.05 * np.sin(np.arange(parameters.size)).reshape(parameters.shape)
    dissipation, velocity = stated(flow, parameters)
    step = 1e-5 / np.abs(velocity).max()
    fall = (value_rho(flow, parameters - step * velocity) - value_rho(flow, parameters + step * velocity)) / (2 * step)
    assert dissipation == pytest.approx(fall, rel=1e-7)


def test_the_velocity_is_the_gradient_in_the_bures_wasserstein_metric() -> None:
    """dF = <dm, grad_m> + tr(G dC), dm/dt = -grad_m and dC/dt = -2 (G C + C G), in any direction."""
    flow = GaussianFlow(two_actions())
    parameters = flow.begin(flow.mdp.initial_policy)
    q = evaluate(flow.mdp, flow.projected(parameters)).q
    velocity = flow.velocity(parameters, q, np.empty_like(parameters))
    direction = np.cos(np.arange(parameters.size)).reshape(parameters.shape)

    def cost(numbers: FloatArray) -> FloatArray:
        p = flow.projected(numbers)
        return np.asarray((p * (q + flow.mdp.temperature * (np.log(p) - flow.mdp.log_mass))).sum(axis=1))

    def along(way: FloatArray, step: float = 1e-6) -> tuple[FloatArray, FloatArray]:
        ends = [members_of(parameters + sign * step * way, 1, 2) for sign in (1.0, -1.0)]
        return tuple((getattr(ends[0], x) - getattr(ends[1], x))[:, 0] / (2 * step) for x in ("mean", "covariance"))

    covariance = members_of(parameters, 1, 2).covariance[:, 0]
    (dm, dc), (wm, wc) = along(velocity), along(direction)
    measured = (cost(parameters + 1e-6 * direction) - cost(parameters - 1e-6 * direction)) / 2e-6
    for i in range(len(measured)):
        system = np.kron(covariance[i], np.eye(2)) + np.kron(np.eye(2), covariance[i])
        gradient = np.linalg.solve(system, -0.5 * dc[i].ravel()).reshape(2, 2)
        assert measured[i] == pytest.approx(-dm[i] @ wm[i] + np.trace(gradient @ wc[i]), rel=1e-6)


@pytest.mark.parametrize("dt", [1e-3, 0.3, 30.0, 1e9])
def test_a_step_of_any_length_is_a_descent_step(dt: float) -> None:
    for mdp in (double_well(), two_actions()):
        flow = GaussianFlow(mdp)
        before = flow.begin(mdp.initial_policy)
        now = evaluate(mdp, flow.projected(before))
        after, p = np.empty_like(before), np.empty_like(mdp.initial_policy)
        flow.advance(before, now.q, dt, after, p, 0)
        np.testing.assert_array_equal(p, flow.projected(after))
        assert np.all(evaluate(mdp, p).value < now.value)


def test_short_descent_steps_follow_the_flow() -> None:
    mdp = double_well()
    exact = snapshots(wpo.evolve(mdp, flow="gaussian", until=1.0, accuracy=1e-9))
    errors = []
    for step in (0.1, 0.05, 0.025, 0.0125):
        run = snapshots(wpo.evolve(mdp, flow="gaussian", scheme="euler", step=step, until=1.0))
        errors.append(abs(run.parameter("policy_mean", -1) - exact.parameter("policy_mean", -1)).max())
    assert errors[-1] < 1e-2
    assert np.log2(errors[-2] / errors[-1]) == pytest.approx(1.0, abs=0.25)


def test_runge_kutta_steps_are_of_order_five() -> None:
    mdp = double_well()
    exact = snapshots(wpo.evolve(mdp, flow="gaussian", until=0.4, accuracy=1e-12)).parameter("policy_mean", -1)
    errors = []
    for step in (0.05, 0.025, 0.0125):
        run = wpo.evolve(mdp, flow="gaussian", scheme="runge-kutta", step=step, until=0.4)
        errors.append(abs(snapshots(run).parameter("policy_mean", -1) - exact).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(orders > 4.5), (errors, orders)
    assert errors[-1] < 1e-7


def test_on_a_regulator_the_gaussian_flow_is_the_exact_one() -> None:
    """Means and variances of the exact flow, at second order of the cells, away from the box's ends."""
    case, errors = one_state(), []
    point = case.exact.flow(case.start, [1.0])[-1]
    for states, actions in ((12, 18), (24, 36), (48, 72)):
        mdp = case.grid(states, actions)
        run = wpo.evolve(mdp, flow="gaussian", until=1.0, accuracy=1e-6)
        mean = snapshots(run).parameter("policy_mean", -1)[:, 0]
        variance = snapshots(run).parameter("policy_covariance", -1)[:, 0, 0]
        x = mdp.states.points[:, 0]
        near = np.abs(x) <= 0.5
        exact = point.policy.gain[0, 0] * x + point.policy.offset[0]
        spread = np.abs(variance / point.policy.cov[0, 0] - 1.0)
        errors.append(max(np.abs(mean - exact)[near].max(), spread[near].max()))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert errors[-1] < 5e-3, errors
    assert np.all(orders > 1.7), (errors, orders)


def snapshots(run: Run) -> Snapshots:
    assert run.snapshots is not None
    return run.snapshots


def limits(run: Run) -> tuple[float, float]:
    mean, covariance = (snapshots(run).parameter(f"policy_{x}", -1) for x in ("mean", "covariance"))
    return float(mean[0, 0]), float(covariance[0, 0, 0])


def test_a_double_well_has_two_limits() -> None:
    """Those of the reference solution: gaps 1.885 from the right, 0.0445 from the left."""
    runs = [wpo.evolve(double_well(192, mean), flow="gaussian", until=25.0, accuracy=1e-5) for mean in (1.3, -1.3)]
    for run, gap, mean in zip(runs, (1.88537, 0.0444538), (0.836577, -0.986667), strict=True):
        assert run.series["gap"][-1] == pytest.approx(gap, rel=1.5e-3)
        assert limits(run)[0] == pytest.approx(mean, abs=1e-3)
        assert "metastable" not in run.stop_reason
        assert run.series["descent_defect"].max() <= 1e-12


@pytest.mark.slow
def test_steps_as_published_have_the_same_fixed_point_and_collapse_without_entropy() -> None:
    mdp = double_well(96, -1.3)
    flow = wpo.evolve(mdp, flow="gaussian", until=20.0, accuracy=1e-5)
    published = wpo.evolve(mdp, flow=GaussianFlow(mdp, trust_region=0.01), step=0.2, until=20.0)
    assert limits(published) == pytest.approx(limits(flow), abs=1e-8)
    assert np.isnan(published.series["dissipation"]).all()
    bare = wpo.evolve(mdp, flow=GaussianFlow(mdp, trust_region=0.01, entropy=False), step=0.05, until=6.0)
    mean, variance = limits(bare)
    (bottom,) = [root.real for root in np.roots([1.0, 0.0, -1.0, 0.1]) if root.real < -0.5]
    assert abs(mean - bottom) < 0.5 * mdp.actions.axes[0].widths[0]  # within a cell nothing moves what is narrower
    assert variance < 0.05 * limits(flow)[1]


def test_a_step_stays_in_its_trust_region() -> None:
    mdp = two_actions()
    flow = GaussianFlow(mdp, trust_region=1e-3)
    before = flow.begin(mdp.initial_policy)
    q = evaluate(mdp, flow.projected(before)).q
    after, out = np.empty_like(before), np.empty_like(mdp.initial_policy)
    flow.advance(before, q, 1.0, after, out, 0)
    assert gaussian_divergence(before, after, 2).max() == pytest.approx(1e-3, rel=1e-9)
    p, p_after = flow.projected(before), out
    assert (p * np.log(p / p_after)).sum(axis=1).max() == pytest.approx(1e-3, rel=0.1)


def test_a_mixture_begins_with_the_moments_that_are_stated() -> None:
    mdp = two_actions()
    for components in (2, 3):
        flow = GaussianFlow(mdp, components)
        mean, covariance = members_of(flow.begin(mdp.initial_policy), components, 2).moments()
        assert mdp.initial_gaussians is not None
        np.testing.assert_allclose(mean, mdp.initial_gaussians[0], atol=1e-14)
        np.testing.assert_allclose(covariance, mdp.initial_gaussians[1], atol=1e-14)


def test_members_that_are_alike_move_as_one() -> None:
    mdp = double_well()
    one, two = GaussianFlow(mdp), GaussianFlow(mdp, 2)
    single = one.begin(mdp.initial_policy)
    double = np.concatenate([single, single, np.log([[0.3, 0.7]])], axis=1)
    np.testing.assert_allclose(one.projected(single), two.projected(double), rtol=1e-13)
    q = evaluate(mdp, mdp.initial_policy).q
    velocity = two.velocity(double, q, np.empty_like(double))
    np.testing.assert_allclose(velocity[:, :2], one.velocity(single, q, np.empty_like(single)), rtol=1e-12)
    np.testing.assert_allclose(velocity[:, :2], velocity[:, 2:4], rtol=1e-12)
    np.testing.assert_allclose(velocity[:, 4:], 0.0, atol=1e-12)


def test_a_quadratic_bandit_has_the_exact_moments() -> None:
    """m* + (m0 - m*) e^{-kt}, S* + (S0 - S*) e^{-2kt}, the cells' error apart."""
    axis = uniform_axis("a", -6.0, 6.0, 240, "no-flux")
    mdp = build(
        Statement(
            Grid((axis,)),
            discount=0.5,
            temperature=0.3,
            cost=lambda a: 0.5 * 1.5 * (a - 0.4) ** 2,
            potential=lambda a: a**2 / 2.4,
            policy_mean=-0.8,
            policy_covariance=0.5,
        )
    )
    run = wpo.evolve(mdp, flow="gaussian", until=1.0, accuracy=1e-8, snapshots=[0.2, 0.5, 1.0])
    rate, kept = 1.5 + 0.3 / 1.2, run.snapshots
    assert kept is not None
    m, s, t = 1.5 * 0.4 / rate, 0.3 / rate, kept.time
    mean, variance = kept.parameter("policy_mean")[:, 0, 0], kept.parameter("policy_covariance")[:, 0, 0, 0]
    np.testing.assert_allclose(mean, m + (-0.8 - m) * np.exp(-rate * t), atol=3e-4)
    np.testing.assert_allclose(variance, s + (0.5 - s) * np.exp(-2.0 * rate * t), rtol=2e-3)


def test_other_flows_begin_with_the_projected_gaussians() -> None:
    mdp = two_actions()
    run = wpo.evolve(mdp, until={"steps": 1}, accuracy=1e-3)
    assert run.snapshots is not None
    np.testing.assert_array_equal(run.snapshots.policy_at(0), mdp.initial_policy)
    assert run.snapshots.parameters == ()
    with pytest.raises(ValueError, match="they are not made of parameters"):
        run.snapshots.parameter("policy_mean")


def test_without_stated_gaussians_the_flow_begins_with_the_moments_of_the_cells() -> None:
    mdp = wpo.load_problem("lqr", cells={"x": 8, "u": 16})
    flow = GaussianFlow(mdp)
    mean, covariance = members_of(flow.begin(mdp.initial_policy), 1, 1)[1:]
    u = mdp.actions.points[:, 0]
    np.testing.assert_allclose(mean[:, 0, 0], mdp.initial_policy @ u, atol=1e-14)
    np.testing.assert_allclose(covariance[:, 0, 0, 0], mdp.initial_policy @ u**2 - (mdp.initial_policy @ u) ** 2)
    one_cell = np.zeros_like(mdp.initial_policy)
    one_cell[:, 3] = 1.0
    with pytest.raises(ValueError, match=r"state 0 \(x = .*not positive definite"):
        wpo.evolve(mdp, flow="gaussian", initial=one_cell, until=1.0)


@pytest.mark.parametrize("components", [1, 2])
def test_annealed_gaussians_lose_what_they_state_and_what_the_temperature_takes(components: int) -> None:
    """-dV_tau(t)/dt = dissipation - tau'(t)/(1 - gamma) sum_i d_i KL(p_i|m), by differences of the rows."""
    mdp = wpo.load_problem("lqr", cells={"x": 8, "u": 16})
    flow, step = GaussianFlow(mdp, components), 0.01
    how: dict[str, Any] = {"accuracy": 1e-9, "series": {"every": step}, "snapshots": 2}
    anneal = {"schedule": "harmonic", "rate": 0.5}
    run = wpo.evolve(mdp, flow=flow, until=0.6, anneal=anneal, **how)
    series = run.series
    fallen = 0.5 * mdp.temperature / (1.0 + 0.5 * series["time"]) ** 2  # -tau'
    lost = series["dissipation"] + fallen * series["entropy"] / (1.0 - mdp.discount)
    value, inner = series["value_rho"], slice(4, -4)
    weights = (4.0 / 5.0, -1.0 / 5.0, 4.0 / 105.0, -1.0 / 280.0)
    ends = [np.roll(value, -k) - np.roll(value, k) for k in (1, 2, 3, 4)]
    slope = np.sum([w * d for w, d in zip(weights, ends, strict=True)], axis=0) / step
    np.testing.assert_allclose(-slope[inner], lost[inner], rtol=1e-6)
    assert np.all(lost > 1.001 * series["dissipation"])  # what the temperature takes is seen
