"""Proximal descent: its W2, its minimum, and what holds exactly on the grid, on random problems and closed forms."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.orders import check_order
from tests.solver.random_mdps import grid_mdps, random_policy
from tests.solver.theorems import EPS, divergence, gibbs, rounding
from wpoflow.cli import main
from wpoflow.core.arrays import FloatArray, read_only
from wpoflow.grids.axis import edges_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.problems.load import load_problem
from wpoflow.problems.resume import resume
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.flows.flow import UnsolvedStepError
from wpoflow.solver.flows.proximal import ProximalFlow
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.flux.transport import squared_distances
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.schemes.trajectory import flow
from wpoflow.validation.exact_cases.bandits import double_well
from wpoflow.validation.exact_cases.regulators import one_state

STEPS = st.floats(np.log(1e-6), np.log(1e12)).map(lambda x: float(np.exp(x)))


@st.composite
def lines(draw: st.DrawFn) -> GridMDP:
    """A random problem whose only action axis has two ends."""
    mdp = draw(grid_mdps(most_axes=1))
    return replace(mdp, actions=Grid((edges_axis("a", mdp.actions.axes[0].edges, "no-flux"),)))


@st.composite
def double_wells(draw: st.DrawFn) -> GridMDP:
    """Double wells of any depth, also deeper than rounding, on equal and unequal cells, started anywhere."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([2, 5, 16, 40, 64]))
    inner = np.sort(generator.uniform(-2.5, 2.5, n - 1)) if draw(st.booleans()) else np.linspace(-2.5, 2.5, n + 1)[1:-1]
    edges = np.concatenate(([-2.5], inner, [2.5]))
    assume(np.diff(edges).min() > 1e-6)
    axis = edges_axis("a", edges, "no-flux")
    a, mass = axis.points, axis.widths / 5.0
    centre, width = generator.uniform(-2.0, 2.0), 10.0 ** generator.uniform(-0.7, 0.5)
    policy = mass * np.exp(-((a - centre) ** 2) / (2.0 * width**2))
    depth = 10.0 ** generator.uniform(-1.0, 1.5)
    return bandit(
        Grid((axis,)), depth * (a**2 - 1.0) ** 2 + 0.1 * a, 10.0 ** generator.uniform(-2.0, 0.0), mass, policy
    )


def bandit(actions: Grid, cost: FloatArray, temperature: float, mass: FloatArray, policy: FloatArray) -> GridMDP:
    """One state; masses and policy are normalised."""
    one = Grid((edges_axis("s", np.arange(2.0), "reflect"),))
    transition = tabulated_transition(np.ones((1, cost.size, 1)))
    policy = policy / policy.sum()
    mass = mass / mass.sum()
    return GridMDP(one, actions, 0.5, temperature, cost[None], transition, mass, np.ones(1), policy[None])


def gaussian_bandit(n: int, kappa: float, temperature: float, mean: float, variance: float, box: float) -> GridMDP:
    """Cost kappa a^2/2, the Gaussian of this mean and variance to begin with, cells by differences of densities."""
    axis = uniform_axis("a", -box, box, n, "no-flux")
    policy = np.exp(-((axis.points - mean) ** 2) / (2.0 * variance))
    return bandit(Grid((axis,)), kappa * axis.points**2 / 2.0, temperature, axis.widths, policy)


def stepped(mdp: GridMDP, p: FloatArray, q: FloatArray, eta: float) -> FloatArray:
    return ProximalFlow(mdp).step(p, q, eta, np.empty_like(p))


def quantile_distance(p: FloatArray, other: FloatArray, edges: FloatArray) -> float:
    """int_0^1 (F^{-1} - G^{-1})^2 du by Simpson's rule between the values of F and G at the edges: exact."""
    left, right = (np.concatenate(([0.0], np.cumsum(x) / np.sum(x))) for x in (p, other))
    u = np.unique(np.concatenate((left, right)))

    def difference(at: FloatArray) -> FloatArray:
        return np.asarray(np.interp(at, left, edges) - np.interp(at, right, edges))

    # quantile functions jump where cells are empty: from within
    inside = 1e-9 * np.diff(u)
    squares = difference(u[:-1] + inside) ** 2 + 4.0 * difference((u[:-1] + u[1:]) / 2.0) ** 2
    squares += difference(u[1:] - inside) ** 2
    return float(np.sum(np.diff(u) * squares) / 6.0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.sampled_from([0.1, 1.0, 3.0]))
def test_w2_is_that_of_quantile_functions(seed: int, n: int, spread: float) -> None:
    generator = np.random.default_rng(seed)
    edges = np.concatenate(([0.0], np.cumsum(np.exp(generator.uniform(-1.0, 1.0, n)))))
    p, other = random_policy(generator, (2, n), spread)
    if generator.random() < 0.3:  # cells without mass are jumped over
        p = p * (generator.random(n) < 0.5)
        p = p / p.sum() if p.any() else other
    mdp = bandit(Grid((edges_axis("a", edges, "no-flux"),)), np.zeros(n), 1.0, np.ones(n), other)
    found = ProximalFlow(mdp).squared_distance(p[None], other[None])[0]
    assert abs(found - quantile_distance(p, other, edges)) <= 1e-7 * edges[-1] ** 2
    assert abs(found - ProximalFlow(mdp).squared_distance(other[None], p[None])[0]) <= 1e-12 * edges[-1] ** 2
    assert ProximalFlow(mdp).squared_distance(p[None], p[None])[0] == 0.0


def test_w2_of_a_shift_by_less_than_a_cell_is_the_shift() -> None:
    # mass moves from the last of some equal cells to the one before the first: the uniform law, shifted
    n, part = 12, 1e-7
    axis = uniform_axis("a", 0.0, float(n), n, "no-flux")
    p, shifted = np.zeros((1, n)), np.zeros((1, n))
    p[0, 2:10] = 1.0 / 8.0
    shifted[0, 2:10] = 1.0 / 8.0
    shifted[0, 9] = (1.0 - part) / 8.0
    shifted[0, 1] = part / 8.0
    mdp = bandit(Grid((axis,)), np.zeros(n), 1.0, np.ones(n), p[0])
    found = float(ProximalFlow(mdp).squared_distance(p, shifted)[0])
    # but for the ends of the two uniform cells of little density, where mass goes up to a cell
    assert part**2 <= found <= part**2 + part


def assert_objective_falls(mdp: GridMDP, eta: float) -> None:
    """tau KL(p'|g) + W2^2/(2 eta) <= tau KL(p|g), mass and positivity."""
    tau, p = mdp.temperature, mdp.initial_policy
    q = evaluate(mdp, p).q
    new = stepped(mdp, p, q, eta)
    assert np.abs(new.sum(axis=1) - 1.0).max() <= 2e-15 * max(mdp.actions.size, 8)
    assert new.min() >= 0.0
    squares = ProximalFlow(mdp).squared_distance(p, new)
    before, after = tau * divergence(mdp, p, q), tau * divergence(mdp, new, q)
    allowed = 16.0 * EPS * (np.abs(q).max() + tau * (1.0 + np.abs(mdp.log_mass).max()) + before.max())
    assert np.all(after + squares / (2.0 * eta) <= before + allowed)


@given(lines(), STEPS)
@settings(max_examples=20)
def test_the_objective_falls_on_random_problems(mdp: GridMDP, eta: float) -> None:
    assert_objective_falls(mdp, eta)


@given(double_wells(), STEPS)
def test_the_objective_falls_in_double_wells(mdp: GridMDP, eta: float) -> None:
    assert_objective_falls(mdp, eta)


@given(lines(), STEPS)
def test_every_step_lowers_the_value_at_every_state(mdp: GridMDP, eta: float) -> None:
    before = evaluate(mdp, mdp.initial_policy)
    after = evaluate(mdp, stepped(mdp, mdp.initial_policy, before.q, eta))
    assert (after.value - before.value).max() <= rounding(mdp, before) + 64.0 * EPS * mdp.temperature


@given(lines(), STEPS)
def test_the_gibbs_policy_is_stationary(mdp: GridMDP, eta: float) -> None:
    q = evaluate(mdp, mdp.initial_policy).q
    g = gibbs(mdp, q)
    new = stepped(mdp, g, q, eta)
    seen = g > 1e-270
    # exponents of size (Q - least Q)/tau are known to eps of themselves; differences are summed from cell to cell
    size = 1e-13 + (4.0 + g.shape[1]) * 4.0 * EPS * (np.ptp(q) / mdp.temperature + np.abs(mdp.log_mass).max())
    assert np.abs(new[seen] / g[seen] - 1.0).max() <= size


@given(st.integers(0, 2**32 - 1), st.floats(-2.0, 2.0), st.floats(-1.0, 1.0))
@settings(max_examples=40)
def test_nothing_beside_the_minimum_is_lower(seed: int, log_eta: float, log_tau: float) -> None:
    """Directional derivatives of the objective, W2 by quantile functions, vanish at p'."""
    generator = np.random.default_rng(seed)
    n, eta, tau = int(generator.integers(2, 9)), 10.0**log_eta, 10.0**log_tau
    edges = np.concatenate(([0.0], np.cumsum(np.exp(generator.uniform(-1.0, 1.0, n)))))
    p, mass = random_policy(generator, (2, n), 1.0)
    cost = generator.standard_normal(n)
    mdp = bandit(Grid((edges_axis("a", edges, "no-flux"),)), cost, tau, mass, p)
    new = stepped(mdp, p[None], mdp.cost, eta)[0]

    def objective(x: FloatArray) -> float:
        return float(x @ (cost + tau * np.log(x / mass)) + quantile_distance(p, x, edges) / (2.0 * eta))

    for _ in range(3):
        along = new * generator.standard_normal(n)
        along -= new * along.sum()
        low, here, high = (objective(new + length * along) for length in (-1e-4, 0.0, 1e-4))
        scale = tau + edges[-1] ** 2 / eta
        assert abs(high - low) <= 1e-8 * scale
        assert here <= min(low, high) + 1e-12 * scale


def test_no_step_is_too_short_to_move_mass() -> None:
    """|p' - p|_1/eta is that of the flow on every grid: steps do not lock."""
    for n in (32, 64, 128, 256):
        mdp = double_well(0.1).grid(n)
        a = mdp.actions.points[:, 0]
        policy = gibbs(mdp, mdp.cost) * np.exp(3.0 * np.sin(np.pi * a / 5.0))
        p = policy / policy.sum()
        speeds = [float(np.abs(stepped(mdp, p, mdp.cost, eta) - p).sum() / eta) for eta in (1e-4, 1e-5, 1e-6)]
        short = WassersteinFlow(mdp).step(p, mdp.cost, 1e-7, np.empty_like(p))
        assert np.ptp(speeds) <= 0.01 * speeds[0], n
        assert abs(speeds[0] - np.abs(short - p).sum() / 1e-7) <= 0.1 * (32.0 / n) ** 2 * speeds[0], n


def closed_form(mean: float, variance: float, kappa: float, tau: float, eta: float) -> tuple[float, float]:
    """One step of a Gaussian towards N(0, tau/kappa)."""
    stretch, deviation = 1.0 + eta * kappa, np.sqrt(variance)
    new = (deviation + np.sqrt(variance + 4.0 * tau * eta * stretch)) / (2.0 * stretch)
    return mean / stretch, float(new**2)


@pytest.mark.parametrize("eta", [0.01, 0.1, 1.0, 30.0])
def test_steps_of_gaussians_are_of_second_order_in_the_cells(eta: float) -> None:
    sizes, errors = (32, 64, 128, 256), []
    for n in sizes:
        mdp = gaussian_bandit(n, 1.5, 0.3, -1.0, 0.5, 5.0)
        a, exact = mdp.actions.points[:, 0], (-1.0, 0.5)
        p = mdp.initial_policy
        for _ in range(3):
            p, exact = stepped(mdp, p, mdp.cost, eta), closed_form(*exact, 1.5, 0.3, eta)
        mean = float(p[0] @ a)
        within = (10.0 / n) ** 2 / 12.0  # a uniform cell's own variance
        errors.append(abs(mean - exact[0]) + abs(float(p[0] @ (a - mean) ** 2) + within - exact[1]))
    assert errors[-1] <= 2e-3
    assert errors[-1] <= errors[0] / 16.0


def test_a_barrier_is_crossed_to_second_order_in_the_cells() -> None:
    """Where cells are shorter than sqrt(tau eta), about what a step spreads mass by."""
    sizes, time = (32, 64, 128, 256, 512, 1024), 3.0
    found = [evolve(double_well(0.1).grid(n), flow="proximal", step=1.0, until=time).series["gap"][-1] for n in sizes]
    limit = found[-1] + (found[-1] - found[-2]) / 3.0
    check_order(1.0 / np.array(sizes[:4]), np.abs(np.log(np.array(found[:4]) / limit)), 2.0, cap=1e-3)


def test_short_displacements_are_known_to_their_own_precision() -> None:
    """A tiny cell far from the first edge: what is moved within it is a part of its width, not of its position."""
    generator = np.random.default_rng(3)
    widths = np.array([1.0, 3.7, 1e-9, 2e-9, 5e-9, 1e-9, 2.3, 1.9])
    p, other = (x[None] for x in random_policy(generator, (2, widths.size), 0.5))
    other[0, :2], other[0, 6:] = p[0, :2], p[0, 6:]
    other[0, 2:6] *= p[0, 2:6].sum() / other[0, 2:6].sum()
    out, alone = np.empty(1), np.empty(1)
    squared_distances(p, other, read_only(widths), out)
    here, there = (np.ascontiguousarray(law[:, 2:6]) for law in (p, other))
    squared_distances(here, there, read_only(widths[2:6]), alone)
    assert 0.0 < alone[0] < 1e-16
    assert abs(out[0] / alone[0] - 1.0) <= 1e-12


def test_late_gaps_fall_by_the_implicit_euler_factor() -> None:
    eta, ratios = 0.2, []
    for n in (64, 128):
        mdp = gaussian_bandit(n, 1.5, 0.3, -1.0, 0.5, 4.0)
        gaps = evolve(mdp, flow="proximal", step=eta, until=40 * eta, series={"every": eta}).series["gap"]
        ratios.append(float(gaps[-1] / gaps[-2]))
    exact = (1.0 + eta * 1.5) ** -2
    assert abs(ratios[1] - exact) <= 2e-3
    assert abs(ratios[1] - exact) <= 0.35 * abs(ratios[0] - exact)


def test_the_steps_follow_the_wasserstein_flow_to_first_order() -> None:
    mdp, time, etas = gaussian_bandit(64, 1.5, 0.3, -1.0, 0.5, 4.0), 0.8, [0.8 / 2**j for j in range(3, 9)]
    values = [evolve(mdp, flow="proximal", step=eta, until=time).series["gap"][-1] for eta in etas]
    limit = 2.0 * values[-1] - values[-2]
    check_order(etas[:-2], np.abs(np.array(values[:-2]) - limit), 1.0, cap=0.1)
    flowed = [
        abs(
            evolve(grid, flow="proximal", step=2.5e-3, until=time).series["gap"][-1] * 2.0
            - evolve(grid, flow="proximal", step=5e-3, until=time).series["gap"][-1]
            - evolve(grid, until=time, accuracy=1e-8).series["gap"][-1]
        )
        for grid in (gaussian_bandit(n, 1.5, 0.3, -1.0, 0.5, 4.0) for n in (32, 64))
    ]
    assert flowed[1] <= 0.3 * flowed[0]


@pytest.mark.parametrize(
    ("n", "kappa", "tau", "eta"), [(32, 16.0, 0.2, 0.2), (64, 16.0, 0.02, 0.03), (48, 16.0, 0.02, 1.0)]
)
def test_tails_that_fall_by_hundreds_of_orders_in_one_step(n: int, kappa: float, tau: float, eta: float) -> None:
    mdp = gaussian_bandit(n, kappa, tau, 4.0, 0.6, 7.0)
    a, p = mdp.actions.points[:, 0], mdp.initial_policy
    new = stepped(mdp, p, mdp.cost, eta)[0]
    mean, variance = closed_form(4.0, 0.6, kappa, tau, eta)
    logs, far = np.log(np.maximum(new, 1e-300)), new > 1e-250
    exact = -((a - mean) ** 2) / (2.0 * variance)
    assert logs[far].min() < -200.0
    # beyond the box there is no mass to come from: tails are lighter than the Gaussian's at most by a few cells
    falls = np.diff(logs[far])
    assert np.all(falls[: max(1, int(np.argmax(new[far])) - 1)] > 0.0)
    assert np.all(falls[int(np.argmax(new[far])) + 1 :] < 0.0)
    middle = np.abs(a - mean) <= 3.0 * np.sqrt(variance) + 14.0 / n
    # of a policy narrower than a cell, the mean is known to half a cell
    assert abs(float(new @ a) - mean) <= (0.1 if variance > (14.0 / n) ** 2 / 4.0 else 0.5) * 14.0 / n
    assert np.ptp((logs - exact)[middle]) <= 1.0 + 4.0 * (14.0 / n) ** 2 / variance


def test_regulator_steps_are_those_of_its_quadratic_q() -> None:
    """A long step of a regulator against the closed form, with Q's curvature and minimum by least squares."""
    mdp, eta = one_state().grid(32, 96), 0.2
    q, p = evaluate(mdp, mdp.initial_policy).q, mdp.initial_policy
    new, a = stepped(mdp, p, q, eta), mdp.actions.points[:, 0]
    width = float(mdp.actions.axes[0].widths[0])
    near = np.abs(a) <= 2.0
    for state in np.flatnonzero(np.abs(mdp.states.points[:, 0]) <= 1.0):
        total = q[state] - mdp.temperature * mdp.log_reference_density
        curvature, slope, _ = np.polyfit(a[near], total[near], 2)
        kappa, centre = 2.0 * curvature, -slope / (2.0 * curvature)
        mean = float(p[state] @ a)
        variance = float(p[state] @ (a - mean) ** 2) + width**2 / 12.0
        exact = closed_form(mean - centre, variance, kappa, mdp.temperature, eta)
        found = float(new[state] @ a)
        assert abs(found - centre - exact[0]) <= 5e-3
        assert abs(float(new[state] @ (a - found) ** 2) + width**2 / 12.0 - exact[1]) <= 5e-3 * exact[1]


def test_infinite_steps_are_soft_policy_iteration() -> None:
    mdp = load_problem("lqr", cells={"x": 12, "u": 24})
    p = mdp.initial_policy
    for state in islice(flow(mdp, flow="proximal", step=1e14), 1, 6):
        p = gibbs(mdp, evaluate(mdp, p).q)
        assert np.abs(state.policy - p).max() <= 1e-11


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path: Path) -> None:
    mdp = gaussian_bandit(32, 1.5, 0.3, -1.0, 0.5, 4.0)
    whole = evolve(mdp, flow="proximal", step=0.1, until={"steps": 12, "time": 9.0}, output=tmp_path / "whole.h5")
    part = evolve(mdp, flow="proximal", step=0.1, until={"steps": 5, "time": 9.0}, output=tmp_path / "part.h5")
    assert part.attributes["steps"] == 5
    resumed = resume(tmp_path / "part.h5", mdp=mdp, until={"steps": 12, "time": 9.0})
    assert np.array_equal(whole.policy, resumed.policy)
    assert whole.attributes["steps"] == resumed.attributes["steps"] == 12


def test_a_step_that_cannot_be_solved_names_its_state() -> None:
    mdp = load_problem("lqr", cells={"x": 6, "u": 8})
    q = np.array(mdp.cost)
    q[3] = np.nan
    with np.errstate(all="ignore"), pytest.raises(UnsolvedStepError, match=r"state 3 \(x = .*probability"):
        stepped(mdp, mdp.initial_policy, q, 0.1)


CIRCLE = Grid((uniform_axis("u", -1.0, 1.0, 8, "periodic"),))
PLANE = Grid((uniform_axis("u", -1.0, 1.0, 4, "no-flux"), uniform_axis("v", -1.0, 1.0, 3, "no-flux")))
THIN = Grid((uniform_axis("u", -1.0, 1.0, 8, "no-flux"), uniform_axis("v", -1.0, 1.0, 1, "periodic")))


def uniform(actions: Grid) -> GridMDP:
    return bandit(actions, np.zeros(actions.size), 1.0, actions.volumes, actions.volumes)


PROXIMAL, ENDS = "flow 'proximal' needs", "with boundary 'no-flux' or 'clamp'"


@pytest.mark.parametrize(
    ("actions", "control", "words"),
    [
        (CIRCLE, {"step": 0.1}, f"{PROXIMAL} an action axis {ENDS}; u is 'periodic'"),
        (PLANE, {"step": 0.1}, f"{PROXIMAL} one action axis {ENDS}; here there are 2, u, v"),
        (THIN, {}, "step"),
        (THIN, {"accuracy": 1e-4}, "accuracy"),
        (THIN, {"step": 0.1, "scheme": "extrapolated"}, "scheme"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(actions: Grid, control: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as found:
        next(flow(uniform(actions), flow="proximal", **control))
    assert "\n" not in str(found.value)


def test_axes_of_one_cell_are_no_further_axes() -> None:
    assert next(islice(flow(uniform(THIN), flow="proximal", step=0.1), 1, None)).steps == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "flow.step: must be given"),
        (["--step", "0.1", "--accuracy", "1e-4"], "--step and --accuracy: give one of them"),
        (["--step", "0.1", "--scheme", "euler"], "scheme"),
        (["--step", "-1"], "--step"),
    ],
)
def test_the_command_refuses_what_belongs_to_no_step(
    options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["run", "lqr", "--flow", "proximal", "-o", str(tmp_path / "run.h5"), *options])
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert says in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "run.h5").exists()
