"""Temperatures that fall: schedules, exact steps, descent, orders, rows, and going on with annealed runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from tests.orders import check_order
from tests.same_run import differences
from tests.solver.random_mdps import grid_mdps
from tests.solver.small_problems import small_problem
from tests.solver.test_resume import copied, numbers
from tests.variants import slow_but
from wpoflow.core.arrays import FloatArray
from wpoflow.problems.load import load_problem
from wpoflow.problems.resume import resume
from wpoflow.solver.arithmetic.annealing import KINDS, Annealing
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.flow import as_flow, flow_class
from wpoflow.solver.mdp import GridMDP, TooColdError
from wpoflow.solver.registry import FLOWS, SCHEDULES, SCHEMES, annealed_flows
from wpoflow.solver.runs.evolve import Progress, evolve
from wpoflow.solver.schemes.scheme import Arrays
from wpoflow.solver.schemes.trajectory import FlowState, flow
from wpoflow.solver.storage.writer import open_run
from wpoflow.validation.exact_cases.bandits import double_well

EPS = float(np.finfo(float).eps)
LANDINGS = [0.01, 0.1, 0.2, 0.5, 1.0]
FOLLOWED: list[tuple[str, str, dict[str, Any]]] = [
    ("wasserstein", "multistep", {"accuracy": 1e-5}),
    ("wasserstein", "extrapolated", {"accuracy": 1e-4}),
    ("wasserstein", "euler", {"step": 0.05}),
    ("fisher-rao", "adams", {"accuracy": 1e-5}),
    ("fisher-rao", "adams", {"step": 0.05}),
    ("fisher-rao", "euler", {"accuracy": 1e-2}),
    ("wasserstein-fisher-rao", "extrapolated", {"step": 0.05}),
    ("wasserstein-fisher-rao", "euler", {"accuracy": 1e-2}),
    ("gaussian", "runge-kutta", {"accuracy": 1e-4}),
    ("gaussian", "euler", {"step": 0.05}),
]
STEPS = st.floats(np.log(1e-6), np.log(1e12)).map(lambda x: float(np.exp(x)))
ANNEAL = {"schedule": "harmonic", "rate": 0.5}


def followed(mdp: GridMDP, kind: str, annealing: Annealing, time: float, **control: Any) -> FlowState:
    """The state at the time."""
    states = flow(mdp, flow=kind, anneal=annealing, landings=[time], **control)
    return next(state for state in states if state.time >= time * (1.0 - 1e-12))


def exponentials(annealing: Annealing, time: float, tolerance: float = 1e-13) -> tuple[float, float]:
    """e^{-A} and B at a time, by an independent quadrature."""

    def until(start: float) -> float:
        return float(quad(annealing.temperature, start, time, epsabs=0.0, epsrel=tolerance)[0])

    weight = quad(lambda r: math.exp(-until(r)), 0.0, time, epsabs=0.0, epsrel=tolerance)
    return math.exp(-until(0.0)), float(weight[0])


def test_the_schedules_that_may_be_asked_for_are_those_there_are() -> None:
    assert KINDS == SCHEDULES
    with pytest.raises(ValueError, match="schedule 'linear'; choose one of harmonic, exponential, logarithmic"):
        Annealing("linear", 1.0, 0.5)
    with pytest.raises(ValueError, match=r"rate = -1\.0 must be positive"):
        Annealing("harmonic", -1.0, 0.5)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("rate", [1e-3, 0.7, 20.0])
def test_integrals_of_the_schedules(schedule: str, rate: float) -> None:
    annealing = Annealing(schedule, rate, 0.5)
    for start, length in ((0.0, 0.3), (2.0, 5.0), (0.1, 30.0)):
        wanted, _ = quad(annealing.temperature, start, start + length, epsabs=0.0, epsrel=1e-13, limit=200)
        assert float(annealing.integral(start, length)) == pytest.approx(wanted, rel=1e-13)
    kept, grown = exponentials(annealing, 3.0)
    temperature, length = annealing.decaying(0.0, 3.0)
    assert math.exp(-temperature * length) == pytest.approx(kept, rel=1e-12)
    assert -math.expm1(-temperature * length) / temperature == pytest.approx(grown, rel=1e-12)
    moments = annealing.moments(0.0, 3.0, 3)
    first = quad(lambda r: r / 3.0 * math.exp(-quad(annealing.temperature, r, 3.0)[0]), 0.0, 3.0, epsrel=1e-12)[0]
    assert moments[0] == pytest.approx(1.0, rel=1e-15)
    assert moments[1] == pytest.approx(first / grown, rel=1e-11)


@given(st.sampled_from(SCHEDULES), st.floats(-6.0, 3.0), st.floats(-9.0, 9.0), STEPS)
@settings(max_examples=60)
def test_steps_of_any_length_compose(schedule: str, log_rate: float, log_start: float, dt: float) -> None:
    """e^{-A} and B of a step are those of its parts in turn, and its temperature is one of those it passes."""
    annealing = Annealing(schedule, 10.0**log_rate, 0.5)
    start = 10.0**log_start
    if annealing.temperature(start + dt) < 1e-290:
        return

    def parts(begin: float, length: float) -> tuple[float, float]:
        temperature, lasting = annealing.decaying(begin, length)
        low, high = annealing.temperature(begin + length), annealing.temperature(begin)
        assert low * (1.0 - 1e-12) <= temperature <= high * (1.0 + 1e-12)
        return math.exp(-temperature * lasting), -math.expm1(-temperature * lasting) / temperature

    (kept, grown), (first, before), (second, after) = (
        parts(start, dt),
        parts(start, dt / 3.0),
        parts(start + dt / 3.0, dt * 2.0 / 3.0),
    )
    assert grown == pytest.approx(second * before + after, rel=1e-11 + 4.0 * EPS * start / dt)
    assert abs(math.log(max(kept, 1e-300)) - math.log(max(first, 1e-300)) - math.log(max(second, 1e-300))) <= 1e-9 or (
        kept < 1e-290
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("scheme", "control"), [("euler", {"step": 7.0}), ("adams", {"step": 7.0}), ("adams", {"accuracy": 1e-3})]
)
def test_one_state_is_solved_exactly_whatever_the_step(schedule: str, scheme: str, control: dict[str, Any]) -> None:
    """p ∝ (dp0/dmu)^{e^{-A}} e^{-Bc} mu."""
    mdp = double_well(0.5).grid(24)
    annealing = Annealing(schedule, 0.3, mdp.temperature)
    state = followed(mdp, "fisher-rao", annealing, 14.0, scheme=scheme, **control)
    kept, grown = exponentials(annealing, 14.0)
    logs = kept * (np.log(mdp.initial_policy) - mdp.log_mass) - grown * mdp.cost + mdp.log_mass
    wanted = np.exp(logs - logs.max())
    np.testing.assert_allclose(state.policy, wanted / wanted.sum(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("kind", annealed_flows())
@given(grid_mdps(), st.sampled_from(SCHEDULES), st.floats(-3.0, 2.0), STEPS)
@settings(max_examples=20)
def test_the_value_falls_pointwise_whatever_the_step(
    kind: str, mdp: GridMDP, schedule: str, log_rate: float, dt: float
) -> None:
    """V of the policy at the temperature of the moment, across a step in which that falls."""
    if flow_class(kind).obstacle(mdp.actions):
        return
    annealing = Annealing(schedule, 10.0**log_rate, mdp.temperature)
    if annealing.temperature(2.0 * dt) < 1e-3 * mdp.temperature:
        return
    states = flow(mdp, flow=kind, scheme="euler", step=dt, anneal=annealing)
    before = next(states)
    for after in islice(states, 2):
        assert after.evaluation.mdp.temperature == annealing.temperature(after.time)
        scale = max(np.abs(before.value).max(), np.abs(before.q).max(), mdp.temperature)
        assert (after.value - before.value).max() <= 100.0 * EPS * scale / (1.0 - mdp.discount)
        before = after


def reference_policy(mdp: GridMDP, annealing: Annealing, time: float) -> FloatArray:
    """Annealed Fisher–Rao by an independent integrator of ln p, and dense linear algebra."""
    shape, matrix = mdp.cost.shape, mdp.transition.expect
    rows = np.array([matrix(unit) for unit in np.eye(shape[0])])  # P(j|i,k) as [j, i, k]

    def speed(now: float, logs: FloatArray) -> FloatArray:
        log_p, temperature = logs.reshape(shape), annealing.temperature(now)
        p = np.exp(log_p)
        away = temperature * (log_p - mdp.log_mass)
        moves = np.einsum("ik,jik->ij", p, rows)
        value = np.linalg.solve(np.eye(shape[0]) - mdp.discount * moves, (p * (mdp.cost + away)).sum(axis=1))
        delta = mdp.cost + mdp.discount * np.einsum("jik,j->ik", rows, value) + away
        change: FloatArray = (p * delta).sum(axis=1, keepdims=True) / p.sum(axis=1, keepdims=True) - delta
        return change.ravel()

    found = solve_ivp(speed, (0.0, time), np.log(mdp.initial_policy).ravel(), "DOP853", rtol=1e-12, atol=1e-12)
    return np.asarray(np.exp(found.y[:, -1]).reshape(shape))


def test_orders_of_the_schemes_where_the_states_are_coupled() -> None:
    mdp = small_problem(6, 8, temperature=0.8)
    annealing = Annealing("harmonic", 0.7, mdp.temperature)
    exact = reference_policy(mdp, annealing, 4.0)

    def errors(kind: str, scheme: str, parts: list[int], wanted: FloatArray) -> list[float]:
        return [
            float(np.abs(followed(mdp, kind, annealing, 4.0, scheme=scheme, step=4.0 / n).policy - wanted).max())
            for n in parts
        ]

    parts = np.array([64, 128, 256, 512])
    check_order(4.0 / parts, errors("fisher-rao", "euler", list(parts), exact), 1.0, cap=0.01)
    check_order(4.0 / parts, errors("fisher-rao", "adams", list(parts), exact), 4.0, cap=1e-9)
    controlled = followed(mdp, "fisher-rao", annealing, 4.0, scheme="adams", accuracy=1e-8).policy
    assert np.abs(controlled - exact).max() < 1e-7


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wasserstein", "wasserstein-fisher-rao"])
def test_schemes_of_order_four_and_higher_agree_on_the_flows_that_transport(kind: str) -> None:
    mdp = small_problem(6, 8, temperature=0.8)
    annealing = Annealing("exponential", 0.4, mdp.temperature)
    fine = followed(mdp, kind, annealing, 0.5, scheme="extrapolated", step=0.5 / 512).policy
    parts = np.array([16, 32, 64, 128])  # finer ones are rounding
    for scheme, order, cap in (("extrapolated", 4.0, 1e-10), ("euler", 1.0, 0.01)):
        states = [followed(mdp, kind, annealing, 0.5, scheme=scheme, step=0.5 / n) for n in parts]
        check_order(0.5 / parts, [np.abs(state.policy - fine).max() for state in states], order, cap=cap, below=0.25)
    if kind == "wasserstein":
        other = followed(mdp, kind, annealing, 0.5, scheme="multistep", accuracy=1e-7).policy
        assert np.abs(other - fine).max() < 1e-6


@pytest.mark.parametrize(("kind", "scheme", "control"), FOLLOWED)
def test_a_flow_goes_on_as_if_it_had_not_been_left(kind: str, scheme: str, control: dict[str, Any]) -> None:
    mdp = load_problem("lqr", cells={"x": 6, "u": 8}) if kind == "gaussian" else small_problem()
    annealing = Annealing("harmonic", 2.0, mdp.temperature)

    def states(kept: Arrays | None = None) -> Iterator[FlowState]:
        return flow(mdp, scheme=scheme, flow=kind, landings=LANDINGS, anneal=annealing, resume=kept, **control)

    left_alone: list[tuple[Any, ...]] = []
    kept: dict[int, Arrays] = {}
    for k, state in enumerate(islice(states(), 24)):
        left_alone.append(numbers(state))
        if not state.interpolated and k in (0, 1, 2, 5, 6, 13):
            kept[k] = copied(state.arrays())
    assert len(kept) > 3
    for k, arrays in kept.items():
        assert [numbers(state) for state in islice(states(arrays), 24 - k)] == left_alone[k:], f"after state {k}"


@pytest.mark.parametrize("kind", slow_but(annealed_flows(), "fisher-rao", "gaussian"))
def test_a_run_that_is_extended_is_the_run_that_was_to_be_longer(kind: str, tmp_path: Path) -> None:
    how: dict[str, Any] = {"anneal": ANNEAL, "flow": kind, "series": {"every": 0.25}, "snapshots": 0}
    control: dict[str, Any] = {"step": 0.0625} if kind == "wasserstein-fisher-rao" else {"accuracy": 1e-4}
    mdp = load_problem("lqr", cells={"x": 10, "u": 12})
    evolve(mdp, until=2.0, output=tmp_path / "whole.h5", **how, **control)
    evolve(mdp, until=1.0, output=tmp_path / "part.h5", **how, **control)
    resume(tmp_path / "part.h5", until=2.0)
    found = [name for name in differences(tmp_path / "whole.h5", tmp_path / "part.h5") if "snapshot" not in name]
    assert found == []


def test_rows_are_of_the_temperature_of_the_moment(tmp_path: Path) -> None:
    mdp = load_problem("lqr", cells={"x": 10, "u": 12})
    path = tmp_path / "a.h5"
    run = evolve(mdp, until=3.0, anneal=ANNEAL, flow="fisher-rao", snapshots={"times": [1.0]}, output=path)
    assert run.snapshots is not None
    for index, time in enumerate(run.snapshots.time):
        row = int(np.argmin(np.abs(run.series["time"] - time)))
        temperature, policy = mdp.temperature / (1.0 + 0.5 * time), run.snapshots.policy_at(index)
        assert run.series["temperature"][row] == pytest.approx(temperature, rel=1e-15)
        now = mdp.at_temperature(temperature)
        value = evaluate(now, policy).value
        np.testing.assert_allclose(run.snapshots.value_at(index), value, rtol=1e-12)
        gap = float(mdp.rho @ (value - solve_optimum(now).value))
        assert run.series["gap"][row] == pytest.approx(gap, rel=1e-9)
        moves = np.array([np.einsum("ik,ik->i", policy, mdp.transition.expect(unit)) for unit in np.eye(10)]).T
        cost = np.linalg.solve(np.eye(10) - mdp.discount * moves, (policy * mdp.cost).sum(axis=1))
        assert run.series["cost_rho"][row] == pytest.approx(float(mdp.rho @ cost), rel=1e-12)
        least = float(mdp.rho @ solve_optimum(mdp, temperature=0.0).value)
        assert run.series["cost_gap"][row] == pytest.approx(float(mdp.rho @ cost) - least, rel=1e-9)
    assert run.attributes["flow_parameters"] == '{"anneal": {"schedule": "harmonic", "rate": 0.5}}'
    again = open_run(path)
    for name, series in run.series.items():
        np.testing.assert_array_equal(again.series[name], series)


def test_cost_and_temperature_of_a_run_whose_temperature_is_constant() -> None:
    mdp = load_problem("lqr", cells={"x": 10, "u": 12})
    run = evolve(mdp, until=1.0)
    assert np.all(run.series["temperature"] == mdp.temperature)
    entropy = mdp.temperature / (1.0 - mdp.discount) * run.series["entropy"]
    np.testing.assert_allclose(run.series["value_rho"], run.series["cost_rho"] + entropy, rtol=1e-12)
    assert "cost_gap" not in run.series


def test_the_value_falls_by_what_is_dissipated_and_by_what_the_temperature_gives_back() -> None:
    """-dV(rho)/dt = dissipation - tau' sum_i d_i KL(p_i|m)/(1 - gamma)."""
    circle, box = small_problem(8, 10), load_problem("lqr", cells={"x": 8, "u": 12})
    times = [0.5 - 1e-3, 0.5, 0.5 + 1e-3]
    for kind in annealed_flows():
        mdp = box if flow_class(kind).obstacle(circle.actions) else circle
        run = evolve(
            mdp, until=times[-1], anneal=ANNEAL, flow=kind, accuracy=1e-9, series={"times": times}, snapshots=0
        )
        value = run.series["value_rho"]
        fallen = (value[-3] - value[-1]) / 2e-3
        slope = -0.5 * mdp.temperature / (1.0 + 0.5 * 0.5) ** 2
        given = run.series["dissipation"][-2] - slope * run.series["entropy"][-2] / (1.0 - mdp.discount)
        assert fallen == pytest.approx(given, rel=1e-5)


def test_a_gap_to_stop_at_is_that_of_the_moment_and_changes_no_row(tmp_path: Path) -> None:
    mdp = load_problem("lqr", cells={"x": 10, "u": 12})
    how: dict[str, Any] = {"anneal": ANNEAL, "flow": "fisher-rao", "accuracy": 1e-4}
    whole = evolve(mdp, until=20.0, **how)
    level = float(whole.series["gap"][-30])
    stopped = evolve(mdp, until={"gap": level, "time": 20.0}, **how)
    assert stopped.attributes["stop_kind"] == "gap"
    assert stopped.series["gap"][-1] <= level < stopped.series["gap"][-2]
    rows = stopped.series["time"].size - 1
    for name, series in stopped.series.items():
        if name != "bellman_residual":  # which is rounding at times
            np.testing.assert_allclose(series[:rows], whole.series[name][:rows], rtol=1e-11, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("kind", FLOWS)
def test_what_cannot_follow_a_falling_temperature_says_so(kind: str) -> None:
    mdp = double_well(0.5).grid(8)
    control: dict[str, Any] = {"step": FLOWS[kind].step or 0.1} if FLOWS[kind].own_step else {}
    if not FLOWS[kind].annealed:
        with pytest.raises(ValueError, match=f"anneal: is not a key of {kind}") as caught:
            evolve(mdp, until=1.0, flow=as_flow(mdp, kind, FLOWS[kind].required), anneal=ANNEAL, **control)
        assert "\n" not in str(caught.value)
        made = as_flow(mdp, kind, FLOWS[kind].required)
        with pytest.raises(ValueError, match="has a constant temperature; choose wasserstein, fisher-rao"):
            flow(mdp, flow=made, anneal=Annealing("harmonic", 1.0, 0.5), **control)


def test_schemes_and_flows_of_constant_temperature_are_refused() -> None:
    mdp = double_well(0.5).grid(8)
    with pytest.raises(ValueError, match="scheme 'exponential' is for a constant temperature; choose multistep"):
        evolve(mdp, until=1.0, scheme="exponential", anneal=ANNEAL)
    with pytest.raises(ValueError, match=r"anneal: flow '.*' has a constant temperature"):
        evolve(mdp, until=1.0, flow=lambda p, q, dt, out: p, anneal=ANNEAL)
    assert "exponential" in SCHEMES


@pytest.mark.parametrize(
    ("anneal", "words"),
    [
        ({"schedule": "linear", "rate": 1.0}, "anneal.schedule: 'linear' is not a choice; choose 'harmonic', "),
        ({"schedule": "harmonic", "rate": 0.0}, "anneal.rate: must be greater than 0"),
        ({"schedule": "harmonic", "rate": math.inf}, "anneal.rate: must be a finite number"),
        ({"schedule": "harmonic"}, "anneal.rate: "),
        ({"schedule": "harmonic", "rate": 1.0, "end": 2.0}, "anneal.end: "),
        ({"schedule": "exponential", "rate": 500.0}, "anneal: at flow time 1 the temperature 3.56e-218: quotients"),
    ],
)
def test_what_cannot_be_asked_for_is_said_in_one_line(anneal: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace(".", r"\.")) as caught:
        evolve(double_well(0.5).grid(8), until=1.0, anneal=anneal)
    assert "\n" not in str(caught.value)


def test_a_temperature_that_vanishes_ends_the_run_and_says_why() -> None:
    mdp = double_well(0.5).grid(8)
    run = evolve(
        mdp, until={"steps": 50}, anneal={"schedule": "exponential", "rate": 30.0}, flow="fisher-rao", step=1.0
    )
    assert run.status == "failed"
    assert "temperature" in run.stop_reason
    assert run.series["cost_gap"][-1] >= 0.0
    with pytest.raises(TooColdError):
        mdp.at_temperature(0.0)


@pytest.mark.parametrize(("kind", "scheme"), [("fisher-rao", "adams"), ("fisher-rao", "euler")])
def test_steps_of_controlled_error_end_where_the_temperature_vanishes(kind: str, scheme: str) -> None:
    """They get shorter in front of that time, and do not stand there for ever, each as long as nothing."""
    anneal = {"schedule": "exponential", "rate": 30.0}
    run = evolve(
        double_well(0.5).grid(8), until={"steps": 3000}, anneal=anneal, flow=kind, scheme=scheme, accuracy=1e-2
    )
    assert run.status == "failed"
    assert "quotients by it are no floating-point numbers" in run.stop_reason
    vanishes = math.log(0.5 / 1e-150) / 30.0
    assert run.series["time"][-1] == pytest.approx(vanishes, rel=1e-9)
    assert np.all(np.diff(run.series["time"]) > 0.0)


@pytest.mark.parametrize("cut", [False, True])
def test_no_run_is_extended_into_a_vanishing_temperature(tmp_path: Path, cut: bool) -> None:
    """One line names the time and the temperature then, before anything is computed, and all files stay as they are."""
    output = tmp_path / "run.h5"
    anneal = {"schedule": "exponential", "rate": 30.0}

    def stop(progress: Progress) -> None:
        if cut and progress.steps == 3:
            raise KeyboardInterrupt

    mdp = double_well(0.5).grid(8)
    evolve(mdp, until=1.0, anneal=anneal, flow="fisher-rao", step=0.125, output=output, progress=stop, checkpoint=0.0)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=r"^until: anneal: at flow time 50 the temperature 0: quotients"):
        resume(output, mdp=mdp, until=50.0)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before
    assert resume(output, mdp=mdp, until=2.0).series["time"][-1] == 2.0
