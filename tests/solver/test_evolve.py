"""Runs: times landed on, stop criteria, what is recorded, what is refused."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.variants import slow_but
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import interpolated_transition, tabulated_transition
from wpoflow.problems.load import load_problem
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.registry import fixed_step_schemes, scheme_names
from wpoflow.solver.runs.evolve import evolve, evolve_to_the_end
from wpoflow.solver.schemes.trajectory import flow
from wpoflow.solver.storage.writer import open_run


def small_problem(states: int = 12, actions: int = 16, temperature: float = 0.3, discount: float = 0.9) -> GridMDP:
    """A smooth problem on circles."""
    grid = Grid((uniform_axis("s", 0.0, 2 * np.pi, states, "periodic"),))
    action_grid = Grid((uniform_axis("a", 0.0, 2 * np.pi, actions, "periodic"),))
    s, a = grid.points, action_grid.points[:, 0]
    cost = 1.0 - np.cos(s) + 0.5 * (1.0 - np.cos(a - np.sin(s)))
    transition = interpolated_transition(grid, (s + 0.4 * np.sin(a))[..., None], np.array([0.3]))
    mass, rho = np.full(actions, 1.0 / actions), np.full(states, 1.0 / states)
    return GridMDP(grid, action_grid, discount, temperature, cost, transition, mass, rho, np.tile(mass, (states, 1)))


def side_by_side() -> GridMDP:
    """Four bandits: the next state is the present one, whatever the action."""
    states = Grid((uniform_axis("s", 0.0, 1.0, 4, "clamp"),))
    axis = uniform_axis("a", -1.0, 1.0, 16)
    stay = np.tile(np.eye(4)[:, None, :], (1, 16, 1))
    cost = (axis.points - states.points) ** 2
    mass, rho = np.full(16, 1.0 / 16), np.full(4, 0.25)
    return GridMDP(states, Grid((axis,)), 0.9, 0.3, cost, tabulated_transition(stay), mass, rho, np.tile(mass, (4, 1)))


def problem_for(scheme: str) -> GridMDP:
    return side_by_side() if scheme in ("exponential", "runge-kutta") else small_problem()


def flow_for(scheme: str) -> str:
    """A flow that the scheme is for."""
    return {"adams": "fisher-rao", "runge-kutta": "gaussian"}.get(scheme, "wasserstein")


@pytest.mark.parametrize(
    ("scheme", "control"),
    [(name, {"accuracy": 1e-3}) for name in scheme_names()] + [(name, {"step": 0.07}) for name in fixed_step_schemes()],
)
def test_listed_times_and_the_stop_are_landed_on(scheme: str, control: dict[str, Any]) -> None:
    times = [0.1, 0.2345, 0.5]
    run = evolve(
        problem_for(scheme),
        until=0.6,
        scheme=scheme,
        flow=flow_for(scheme),
        series={"times": times},
        snapshots={"times": [0.0, 0.3]},
        **control,
    )
    np.testing.assert_array_equal(run.series["time"], [0.0, *times, 0.6])
    assert run.snapshots is not None
    np.testing.assert_array_equal(run.snapshots.time, [0.0, 0.3, 0.6])
    assert set(run.series) == {*SERIES, *(["outside_mass"] if scheme == "runge-kutta" else [])}
    assert all(np.all(np.isfinite(values)) for values in run.series.values())
    assert run.status == "complete"
    assert "flow time 0.6 reached" in run.stop_reason


@pytest.mark.parametrize("scheme", slow_but(scheme_names(), *(name for name in scheme_names() if name != "euler")))
def test_rows_obey_the_theorems(scheme: str) -> None:
    mdp = problem_for(scheme)
    end = 4.0 if scheme == "exponential" else 8.0  # later its gap is rounding
    run = evolve(mdp, until=end, scheme=scheme, flow=flow_for(scheme), accuracy=1e-3)
    series = run.series
    assert series["mass_error"].max() <= 1e-13
    assert series["density_min"].min() > 0.0
    assert series["descent_defect"].max() <= 1e-12 * np.abs(series["value_rho"]).max()
    assert np.all(np.diff(series["value_rho"]) <= 0.0)
    assert np.all(series["gap"] <= series["gap_sup"])
    horizon = 1.0 / (1.0 - mdp.discount)
    assert np.all(series["gap_sup"] <= horizon * series["bellman_residual"] * (1.0 + 1e-9))
    np.testing.assert_allclose(series["rate_observed"], series["dissipation"] / series["gap"], rtol=1e-15)
    assert run.optimum is not None
    np.testing.assert_allclose(series["value_rho"] - mdp.rho @ run.optimum.value, series["gap"], atol=1e-12)
    assert np.all(series["occupancy_ratio"] >= 1.0)
    if scheme == "euler":
        assert series["kl_ratio_excess"].max() <= 0.0


def test_dissipation_is_minus_the_derivative_of_the_value() -> None:
    run = evolve(small_problem(), until=1.0, accuracy=1e-8, series={"every": 0.01})
    value, time, dissipation = (run.series[name] for name in ("value_rho", "time", "dissipation"))
    central = -(value[2:] - value[:-2]) / (time[2:] - time[:-2])
    # Simpson's mean of the dissipation over the two intervals: both errors are of fourth order
    mean = (dissipation[:-2] + 4.0 * dissipation[1:-1] + dissipation[2:]) / 6.0
    np.testing.assert_allclose(central, mean, rtol=1e-6)


def test_each_criterion_stops_and_says_why() -> None:
    mdp = small_problem()
    run = evolve(mdp, until={"gap": 1e-3, "time": 50.0}, accuracy=1e-3)
    assert run.series["gap"][-1] <= 1e-3
    assert "gap" in run.stop_reason
    run = evolve(mdp, until={"steps": 3, "time": 50.0}, step=0.1)
    assert run.attributes["steps"] == 3
    assert run.stop_reason.startswith("3 steps taken")
    assert run.attributes["reached_goal"] == 0
    run = evolve(mdp, until={"wall": 1e-9}, step=0.1)
    assert run.attributes["steps"] == 0
    assert "wall-clock limit" in run.stop_reason


@pytest.mark.parametrize(
    ("until", "reached", "says"),
    [
        ({"gap": 1e-3, "time": 50.0}, True, "^gap .* reached at flow time"),
        (
            {"gap": 1e-9, "time": 0.1},
            False,
            "^flow time 0.1 reached, the gap not reached: .* above the 1e-09 ",
        ),
        ({"gap": 1e-9, "steps": 3}, False, "^3 steps taken, .*, the gap not reached: .* above the 1e-09 "),
        (
            {"gap": 1e-9, "wall": 1e-9},
            False,
            "^wall-clock limit .*, the gap not reached: .* above the 1e-09 ",
        ),
        ({"gap": 1e9, "steps": 3}, True, "^gap .* reached at flow time 0$"),
        ({"time": 0.1}, True, "^flow time 0.1 reached, gap "),
        ({"time": 9.0, "steps": 3}, False, "^3 steps taken, .*, short of flow time 9, gap "),
        ({"time": 9.0, "wall": 1e-9}, False, "^wall-clock limit .*, short of flow time 9, gap "),
        ({"steps": 3}, True, "^3 steps taken"),
    ],
)
def test_a_run_tells_whether_it_reached_what_was_asked_for(
    until: dict[str, float], reached: bool, says: str, tmp_path: Path
) -> None:
    run = evolve(small_problem(), until=until, accuracy=1e-3, output=tmp_path / "run.h5")
    assert (run.status, run.reached_goal) == ("complete", reached)
    assert re.search(says, run.stop_reason)
    assert open_run(tmp_path / "run.h5").reached_goal is reached


@pytest.mark.parametrize("limit", [{"time": 0.375}, {"steps": 3}, {"time": 0.375, "steps": 3}])
def test_a_goal_that_is_met_at_the_very_limit_is_met(limit: dict[str, float]) -> None:
    """The gap of the third step is asked for, and a limit ends the run with the third step."""
    mdp = small_problem()
    gap = float(evolve(mdp, until={"steps": 3}, step=0.125, scheme="euler").series["gap"][-1])
    for asked, reached in ((gap, True), (0.999 * gap, False)):
        run = evolve(mdp, until={**limit, "gap": asked}, step=0.125, scheme="euler")
        assert (run.status, run.attributes["steps"], run.reached_goal) == ("complete", 3, reached)
        assert ("gap not reached" in run.stop_reason) == (not reached)


def test_unusable_arguments_are_refused() -> None:
    mdp = small_problem()
    floor = solve_optimum(mdp).gap_floor
    criteria: list[tuple[Any, str]] = [
        ({}, "at least one"),
        ({"days": 1}, "days"),
        (-1.0, "until.time: must be greater than 0"),
        ({"steps": 1.5}, "until.steps: must be a valid integer"),
    ]
    for until, message in criteria:
        with pytest.raises(ValueError, match=message):
            evolve(mdp, until=until)
    with pytest.raises(ValueError, match="rounding floor"):
        evolve(mdp, until={"gap": 0.1 * floor})
    refused: list[tuple[dict[str, Any], str]] = [
        (
            {"scheme": "leapfrog"},
            "choose 'automatic', 'multistep', 'adams', 'exponential', 'runge-kutta', 'extrapolated' or 'euler'",
        ),
        ({"scheme": "multistep", "step": 0.1}, "chooses its own steps; choose extrapolated or euler"),
        ({"scheme": "exponential", "step": 0.1}, "chooses its own steps; choose extrapolated or euler"),
        ({"scheme": "exponential"}, "one action axis, with two ends; choose multistep, extrapolated or euler"),
        ({"flow": "ricci"}, "wasserstein"),
        ({"step": 0.1, "accuracy": 1e-3}, "not both"),
        ({"step": -1.0}, "step: must be greater than 0"),
        ({"series": {"often": 1}}, "per_decade"),
        ({"snapshots": {"every": 1}}, "times"),
    ]
    for options, message in refused:
        with pytest.raises(ValueError, match=message):
            evolve(mdp, until=1.0, **options)


def test_a_number_that_is_not_finite_stops_the_run_and_is_named() -> None:
    mdp = small_problem()

    class Broken(WassersteinFlow):
        def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
            super().step(p, q, dt, out)
            out[4, 7] = np.nan
            return out

    run = evolve(mdp, until=1.0, step=0.1, scheme="euler", flow=Broken(mdp))
    assert run.status == "failed"
    assert "state 4" in run.stop_reason
    assert "cell 7" in run.stop_reason
    assert all(np.all(np.isfinite(values)) for values in run.series.values())
    assert run.series["time"][-1] == 0.0


def test_an_interrupted_run_keeps_its_last_whole_state() -> None:
    mdp = small_problem()

    class Interrupted(WassersteinFlow):
        calls = 0

        def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
            self.calls += 1
            if self.calls == 4:
                raise KeyboardInterrupt
            return super().step(p, q, dt, out)

    run = evolve(mdp, until=10.0, step=0.1, scheme="euler", flow=Interrupted(mdp), series={"times": []}, snapshots=1)
    assert run.status == "interrupted"
    np.testing.assert_allclose(run.series["time"], [0.0, 0.3])
    assert run.snapshots is not None
    np.testing.assert_allclose(run.snapshots.time, [0.0, 0.3])


def test_a_metastable_stall_is_told() -> None:
    actions = Grid((uniform_axis("a", -2.0, 2.0, 64),))
    a = actions.points[:, 0]
    start = np.exp(-(((a - 1.0) / 0.2) ** 2))
    mdp = GridMDP(
        Grid(),
        actions,
        0.9,
        0.02,
        (4.0 * (a**2 - 1.0) ** 2 + a)[None],
        tabulated_transition(np.ones((1, 64, 1))),
        np.full(64, 1 / 64),
        np.ones(1),
        (start / start.sum())[None],
    )
    run = evolve(mdp, until=20.0, accuracy=1e-2)
    assert "metastable" in run.stop_reason
    assert "Bellman residual" in run.stop_reason
    assert run.series["bellman_residual"][-1] > 0.01
    begun = evolve(mdp, until=1e-9, accuracy=1e-2)  # has made no progress either, but has not stalled
    assert "metastable" not in begun.stop_reason
    stalled = replace(mdp, initial_policy=run.policy)
    assert "metastable" in evolve(stalled, until=5.0, accuracy=1e-2).stop_reason


def test_the_iterator_agrees_with_the_run() -> None:
    mdp = small_problem()
    run = evolve(mdp, until={"steps": 5}, step=0.05, scheme="euler", series={"times": []}, snapshots=0)
    states = list(islice(flow(mdp, step=0.05, scheme="euler"), 6))
    np.testing.assert_array_equal(states[-1].value, run.value)
    assert all(after.time > before.time for before, after in pairwise(states))
    assert states[-1].steps == 5


def test_the_scheme_that_is_chosen_is_recorded() -> None:
    mdp = small_problem()
    plane = Grid((mdp.actions.axes[0], uniform_axis("b", 0.0, 1.0, 2)))
    twice = replace(
        mdp,
        actions=plane,
        cost=np.repeat(mdp.cost, 2, axis=1),
        transition=tabulated_transition(np.full((12, 32, 12), 1.0 / 12.0)),
        reference_mass=np.full(32, 1.0 / 32.0),
        initial_policy=np.full((12, 32), 1.0 / 32.0),
    )
    fixed: list[tuple[GridMDP, dict[str, Any], str]] = [
        (mdp, {}, "multistep"),
        (mdp, {"step": 0.1}, "extrapolated"),
        (mdp, {"flow": WassersteinFlow(mdp)}, "multistep"),
        (twice, {}, "extrapolated"),
        (side_by_side(), {}, "multistep"),
        (side_by_side(), {"step": 0.1}, "extrapolated"),
    ]
    for case, options, scheme in fixed:
        assert evolve(case, until={"steps": 1}, **options).attributes["scheme"] == scheme


def test_shifting_the_cost_shifts_the_value_alone() -> None:
    mdp = small_problem()
    shifted = replace(mdp, cost=mdp.cost + 1.0)
    runs = [evolve(m, until=1.0, step=0.1) for m in (mdp, shifted)]
    np.testing.assert_allclose(runs[1].policy, runs[0].policy, rtol=1e-11)
    np.testing.assert_allclose(runs[1].value - runs[0].value, 1.0 / (1.0 - mdp.discount), rtol=1e-12)


def test_mirroring_the_actions_mirrors_the_flow() -> None:
    mdp = small_problem()
    axis = uniform_axis("a", -1.0, 1.0, 15)
    cost = np.sin(mdp.states.points + np.linspace(-1, 1, 15)) ** 2
    tensor = np.full((12, 15, 12), 1 / 12)
    policies = []
    for order in (1, -1):
        start = np.tile(np.linspace(1, 2, 15)[::order] / np.linspace(1, 2, 15).sum(), (12, 1))
        case = GridMDP(
            mdp.states,
            Grid((axis,)),
            0.9,
            0.1,
            cost[:, ::order],
            tabulated_transition(tensor),
            np.full(15, 1 / 15),
            mdp.rho,
            start,
        )
        policies.append(evolve(case, until=0.5, step=0.1, scheme="euler").policy[:, ::order])
    np.testing.assert_allclose(policies[1], policies[0], rtol=1e-12)


def test_a_study_is_not_made_of_runs_that_were_cut_short() -> None:
    """A signal lets a run finish its step and end; what was to be made of the whole run is not made of that."""
    how: dict[str, Any] = {"until": 50.0, "step": 0.1, "scheme": "euler"}
    asking: dict[str, Any] = {"progress": lambda _: os.kill(os.getpid(), signal.SIGTERM)}
    assert evolve(small_problem(), **how, **asking).status == "interrupted"
    with pytest.raises(KeyboardInterrupt):
        evolve_to_the_end(small_problem(), **how, **asking)
    assert evolve_to_the_end(small_problem(), **how).status == "complete"


def test_what_is_looked_at_within_the_first_step_is_counted_once() -> None:
    """Rows and snapshots of Fisher-Rao's long first step: a snapshot is no row, and costs one evaluation."""
    mdp = load_problem("bandit", cells={"a": 24})
    how: dict[str, Any] = {"until": 20.0, "accuracy": 1e-3, "flow": "fisher-rao", "series": {"times": [0.5, 1.5]}}
    few = evolve(mdp, **how, snapshots={"times": [20.0]})
    times = [0.01, 0.02, 0.03, 0.04, 0.05, 20.0]
    many = evolve(mdp, **how, snapshots={"times": times})
    assert many.series["time"].tolist() == few.series["time"].tolist() == [0.0, 0.5, 1.5, 20.0]
    assert many.series["bellman_evaluations"].sum() == few.series["bellman_evaluations"].sum() + 5
    assert many.snapshots is not None
    assert set(times) <= set(many.snapshots.time.tolist())
