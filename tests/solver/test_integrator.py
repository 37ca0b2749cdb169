"""Trials are accepted and rejected alike for all schemes: descent, failures, steps that vanish, masses."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
from numba.core import event

from tests.solver.faults import Climbing, Faulty, Stagnating
from tests.solver.small_problems import small_problem
from tests.solver.test_evolve import side_by_side
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.transitions.sparse_kernels import scalar_product
from wpoflow.solver.arithmetic.combination import combine
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.schemes.error_control import ErrorControl
from wpoflow.solver.schemes.integrator import (
    DESCENT_TRIALS,
    MASS_ROUNDING,
    MOST_FAILURES,
    MassError,
    mass_drift,
)
from wpoflow.solver.schemes.trajectory import FlowState, flow

SCHEMES = ("euler", "extrapolated", "multistep")
CHECKED: list[tuple[str, dict[str, Any]]] = [
    ("multistep", {"accuracy": 1e-2}),
    ("extrapolated", {"accuracy": 1e-2}),
    ("extrapolated", {"step": 0.05}),
]
"""Schemes whose steps may raise V, so that descent is checked."""


def first_states(mdp: GridMDP, count: int, **settings: Any) -> list[FlowState]:
    """The first states of a flow; only numbers and values of them hold."""
    found = []
    for state in islice(flow(mdp, **settings), count):
        assert state.value is not None
        found.append(state)
    return found


@pytest.mark.parametrize(("scheme", "control"), CHECKED)
def test_a_step_that_would_raise_a_value_is_tried_shorter_and_then_replaced(
    scheme: str, control: dict[str, Any]
) -> None:
    """A flow that climbs: its own step is taken at last, as that of a flow descends by its theorem."""
    mdp = small_problem()
    descending = first_states(mdp, 8, scheme=scheme, **control)
    assert descending[-1].fallback_steps == 0
    climbing = first_states(mdp, 8, scheme=scheme, flow=Climbing(mdp), **control)
    assert [state.fallback_steps for state in climbing] == list(range(8))
    each = DESCENT_TRIALS - 1 if "accuracy" in control else 0
    for before, after in pairwise(climbing):
        assert after.rejected_steps - before.rejected_steps >= each
    if not each:
        assert climbing[-1].rejected_steps == 0


@pytest.mark.parametrize(("scheme", "control"), CHECKED)
def test_the_step_in_its_place_is_the_flow_s_own(scheme: str, control: dict[str, Any]) -> None:
    mdp = small_problem()
    states = flow(mdp, scheme=scheme, flow=Climbing(mdp), **control)
    start, q = mdp.initial_policy.copy(), next(states).q
    after = next(states)
    own = Climbing(mdp).step(start, q, after.step_size, np.empty_like(start))
    np.testing.assert_allclose(after.policy, own, rtol=0.0, atol=1e-15)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_trial_that_fails_is_repeated_shorter_and_counted(scheme: str) -> None:
    """NaN wherever the step is longer than a limit: the run goes round it."""
    mdp = small_problem()

    def fault(_: int, dt: float, out: FloatArray) -> None:
        if dt > 0.02:
            out[4, 7] = np.nan

    settings: dict[str, Any] = {"until": 0.5, "accuracy": 1e-2, "scheme": scheme, "snapshots": 2}
    settings["series"] = {"times": []}
    run, alone = evolve(mdp, flow=Faulty(mdp, fault), **settings), evolve(mdp, **settings)
    assert run.status == "complete"
    assert int(run.attributes["rejected_steps"]) > int(alone.attributes["rejected_steps"])
    assert run.series["step_size"].max() <= 0.02 * (1 if scheme == "euler" else 6)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_trials_that_fail_five_times_in_succession_end_the_run(scheme: str) -> None:
    mdp = small_problem()

    def fault(calls: int, _: float, out: FloatArray) -> None:
        if calls > 15:
            out[4, 7] = np.nan

    run = evolve(mdp, until=5.0, accuracy=1e-2, scheme=scheme, flow=Faulty(mdp, fault))
    assert run.status == "failed"
    assert run.attributes["stop_kind"] == "not finite"
    assert "state 4" in run.stop_reason
    assert "cell 7" in run.stop_reason
    assert run.series["time"][-1] > 0.0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_linear_systems_that_stagnate_five_times_in_succession_end_the_run(scheme: str) -> None:
    mdp = small_problem()
    best = solve_optimum(mdp)
    stagnating = Stagnating(mdp.transition, 4)
    settings: dict[str, Any] = {"series": {"times": []}, "snapshots": 0, "linear_solver": "dense", "optimum": best}
    broken = replace(mdp, transition=stagnating)
    run = evolve(broken, until=5.0, accuracy=1e-2, scheme=scheme, **settings)
    assert run.attributes["stop_kind"] == "stagnated"
    assert stagnating.asked == 3 + MOST_FAILURES


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_step_that_no_length_makes_accurate_ends_the_run(scheme: str) -> None:
    """A step whose result jumps between calls, however short it is, at one state."""
    mdp = small_problem()

    def fault(calls: int, _: float, out: FloatArray) -> None:
        mass = out[5].sum()
        out[5] = np.roll(out[5], calls) / mass + np.exp(np.sin(np.arange(16.0) + calls)) / 20.2
        out[5] *= mass / out[5].sum()

    run = evolve(mdp, until=5.0, accuracy=1e-6, scheme=scheme, flow=Faulty(mdp, fault), series={"times": []})
    assert run.status == "failed"
    assert run.attributes["stop_kind"] == "step vanished"
    assert "step size" in run.stop_reason
    assert "state 5 " in run.stop_reason


@pytest.mark.parametrize("scheme", SCHEMES)
def test_where_errors_are_rounding_the_flow_s_own_step_goes_on(scheme: str) -> None:
    """Results that change from call to call by more than is allowed, while V falls: no length is accurate."""
    mdp, noise = small_problem(), np.cos(np.arange(16.0))

    def fault(calls: int, _: float, out: FloatArray) -> None:
        mass = out[3].sum()
        out[3] *= 1.0 + 1e-7 * np.sin(float(calls)) * noise
        out[3] *= mass / out[3].sum()

    settings: dict[str, Any] = {"until": {"time": 0.3, "steps": 60}, "accuracy": 1e-9, "series": {"times": []}}
    run = evolve(mdp, flow=Faulty(mdp, fault), scheme=scheme, **settings)
    assert run.status == "complete"
    assert run.series["value_rho"][-1] < run.series["value_rho"][0]
    assert 0 < int(run.attributes["fallback_steps"]) < int(run.attributes["rejected_steps"])
    assert np.abs(run.policy.sum(axis=1) - 1.0).max() < 1e-14
    short = evolve(mdp, flow=Faulty(mdp, fault), scheme=scheme, **{**settings, "until": {"time": 1e-6, "steps": 60}})
    assert (short.status, short.series["time"][-1]) == ("complete", 1e-6)  # its own step goes no further than that


def test_a_scheme_without_values_goes_on_with_the_flow_s_own_step(monkeypatch: pytest.MonkeyPatch) -> None:
    mdp = side_by_side()
    monkeypatch.setattr(ErrorControl, "measured", lambda control, squares: np.inf)
    states = first_states(mdp, 5, scheme="exponential", accuracy=1e-4)
    assert [state.fallback_steps for state in states] == list(range(5))
    start, q = mdp.initial_policy, next(flow(mdp)).q
    own = WassersteinFlow(mdp).step(start, q, states[1].step_size, np.empty_like(start))
    np.testing.assert_allclose(states[1].value, evaluate(mdp, own).value, rtol=1e-14)
    assert all(np.all(after.value <= before.value) for before, after in pairwise(states))


def test_compiling_does_not_count_towards_the_limit_on_wall_time() -> None:
    mdp = small_problem()

    def fault(calls: int, _: float, out: FloatArray) -> None:
        if calls == 3:
            with event.trigger_event("numba:compile", data={"dispatcher": scalar_product}):
                time.sleep(1.0)

    limits = {"steps": 30, "wall": 0.9}
    run = evolve(mdp, until=limits, step=0.01, scheme="euler", flow=Faulty(mdp, fault), series={"times": []})
    assert (run.attributes["stop_kind"], run.attributes["steps"]) == ("steps", 30)
    assert float(run.attributes["compile_seconds"]) >= 1.0


def test_seconds_spent_compiling_are_added_up_once() -> None:
    """Two compilations of a fifth of a second each, within the first of which another kernel is compiled."""
    mdp, kernel = small_problem(), {"dispatcher": scalar_product}

    def fault(calls: int, _: float, out: FloatArray) -> None:
        if calls in (3, 6):
            with event.trigger_event("numba:compile", data=kernel):
                time.sleep(0.1)
                if calls == 3:
                    with event.trigger_event("numba:compile", data=kernel):
                        time.sleep(0.05)
                time.sleep(0.1)

    run = evolve(mdp, until={"steps": 8}, step=0.01, scheme="euler", flow=Faulty(mdp, fault), series={"times": []})
    assert 0.45 <= float(run.attributes["compile_seconds"]) <= float(run.attributes["wall_seconds"])


def test_the_wall_clock_is_heeded_between_trials() -> None:
    mdp = small_problem()

    def fault(calls: int, _: float, out: FloatArray) -> None:
        time.sleep(0.02)
        if calls > 10:
            out[5] = np.roll(out[5], calls)

    run = evolve(mdp, until={"time": 50.0, "wall": 0.3}, accuracy=1e-9, flow=Faulty(mdp, fault), series={"times": []})
    assert run.attributes["stop_kind"] == "wall"
    assert "wall-clock limit" in run.stop_reason


def test_mass_taken_off_is_rounding_and_recorded() -> None:
    mdp = small_problem()
    drifts = [state.mass_drift for state, _ in zip(flow(mdp, step=0.05), range(200), strict=False)]
    assert drifts[0] == 0.0
    assert 0.0 < max(drifts) <= 0.1 * MASS_ROUNDING
    run = evolve(mdp, until={"steps": 199}, step=0.05, series={"times": []}, snapshots=0)
    assert run.series["mass_error"][-1] >= max(drifts)


def test_mass_lost_beyond_rounding_ends_the_run() -> None:
    mdp = small_problem()

    def fault(_: int, dt: float, out: FloatArray) -> None:
        out[3] *= 1.0 - 1e-6 * dt**2

    run = evolve(mdp, until=5.0, accuracy=1e-4, flow=Faulty(mdp, fault), series={"times": []})
    assert run.status == "failed"
    assert run.attributes["stop_kind"] == "mass not kept"
    assert "state 3" in run.stop_reason
    drift = np.zeros(mdp.states.size)
    drift[7] = -1e-12
    with pytest.raises(MassError, match="state 7"):
        mass_drift(mdp, drift)


def test_combinations_report_the_mass_they_take_off() -> None:
    parts = np.array([[[0.25, 0.75]], [[0.5, 0.5 + 1e-9]]])
    out, drift = np.empty((1, 2)), np.empty(1)
    combine(np.array([-1.0, 2.0]), np.arange(2), parts, out, drift)
    np.testing.assert_allclose(drift, 2e-9, rtol=1e-6)
    np.testing.assert_allclose(out.sum(), 1.0, rtol=1e-15)


def test_interrupts_are_not_swallowed() -> None:
    mdp = small_problem()

    def fault(calls: int, _: float, out: FloatArray) -> None:
        if calls == 50:
            raise KeyboardInterrupt

    run = evolve(mdp, until=5.0, accuracy=1e-4, flow=Faulty(mdp, fault))
    assert run.status == "interrupted"
    assert all(after > before for before, after in pairwise(run.series["time"]))
