"""Discounts near one: V is known to many roundings only, and the flow goes on down to where it is known."""

from __future__ import annotations

from functools import cache
from itertools import islice

import numpy as np
import pytest

from tests.variants import slow_but
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.schemes.trajectory import flow

BINS = 90


def engine(discount: float, temperature: float) -> GridMDP:
    """A machine that wears by up to four bins a period and costs more the more it is worn: keep or replace it."""
    wear = np.array([0.1, 0.4, 0.3, 0.15, 0.05])
    tensor, cost = np.zeros((BINS, 2, BINS)), np.zeros((BINS, 2))
    for state in range(BINS):
        for steps, probability in enumerate(wear):
            tensor[state, 0, min(state + steps, BINS - 1)] += probability
            tensor[state, 1, steps] += probability
    cost[:, 0], cost[:, 1] = 0.003 * np.arange(BINS), 9.0
    states = Grid((uniform_axis("bin", 0.0, BINS - 1.0, BINS, "clamp"),))
    actions = Grid((uniform_axis("replace", -0.5, 1.5, 2),))
    mass, rho = np.full(2, 0.5), np.full(BINS, 1.0 / BINS)
    start = np.tile(mass, (BINS, 1))
    return GridMDP(states, actions, discount, temperature, cost, tabulated_transition(tensor), mass, rho, start)


@cache
def to_a_small_gap(discount: float, temperature: float, scheme: str, accuracy: float) -> Run:
    mdp = engine(discount, temperature)
    best = solve_optimum(mdp)
    assert best.gap_floor < 1e-10
    limits = {"gap": 1e-8, "time": 50.0, "steps": 5000}
    return evolve(mdp, until=limits, scheme=scheme, accuracy=accuracy, optimum=best)


@pytest.mark.parametrize("discount", slow_but([0.9997, 0.9999, 0.999999], 0.999999))
@pytest.mark.parametrize("temperature", slow_but([0.05, 1.0, 100.0], 100.0))
def test_noise_of_values_ends_no_run_and_bends_no_flow(discount: float, temperature: float) -> None:
    """The default accuracy, held against the scheme whose error estimates are free of that noise."""
    run = to_a_small_gap(discount, temperature, "multistep", 1e-6)
    other = to_a_small_gap(discount, temperature, "extrapolated", 1e-4)
    assert (run.status, run.reached_goal) == ("complete", True)
    assert int(run.attributes["fallback_steps"]) == 0
    assert int(run.attributes["rejected_steps"]) <= 0.25 * int(run.attributes["steps"])
    # a gap is tau / (1 - gamma) times the square of a distance, which is followed down to the floor that is recorded
    distance = np.sqrt(run.series["gap"] * (1.0 - discount) / temperature)
    rows = int((distance > 1000.0 * float(run.attributes["accuracy_floor"])).sum()) - 1
    assert run.series["gap"][rows] < 1e-4 * run.series["gap"][0]
    np.testing.assert_array_equal(run.series["time"][:rows], other.series["time"][:rows])
    np.testing.assert_allclose(run.series["gap"][:rows], other.series["gap"][:rows], rtol=0.01)


def test_what_errors_are_held_to_beyond_the_accuracy_is_recorded() -> None:
    """Rounding of Q/tau: at least that, and more where V is known worse; hardly anything where it is known well."""
    eps = np.finfo(float).eps
    run = to_a_small_gap(0.999999, 1.0, "multistep", 1e-6)
    assert run.optimum is not None
    rounding = eps * np.abs(run.optimum.q).max()
    assert 2.0 * rounding < float(run.attributes["accuracy_floor"]) < 1e4 * rounding
    mild = evolve(engine(0.9, 1.0), until={"steps": 20})
    assert 0.0 < float(mild.attributes["accuracy_floor"]) < 1e-12
    assert "accuracy_floor" not in evolve(engine(0.9, 1.0), until={"steps": 2}, step=0.1).attributes


@pytest.mark.parametrize("scheme", ["multistep", "extrapolated"])
def test_the_largest_floor_of_the_way_is_recorded(scheme: str) -> None:
    """Values that fall to a fraction end with a smaller floor than they began with; a run resumed has not forgotten."""
    mdp = engine(0.999999, 0.05)
    run = evolve(mdp, until={"time": 50.0, "steps": 400}, scheme=scheme, accuracy=1e-4, series={"times": []})
    assert run.snapshots is not None
    first, last = (float(np.abs(run.snapshots.value_at(row)).max()) for row in (0, -1))
    assert last < 0.5 * first
    floor = 2.0 * np.finfo(float).eps * first / mdp.temperature
    assert float(run.attributes["accuracy_floor"]) >= floor
    floors = [state.error_floor for state in islice(flow(mdp, scheme=scheme, accuracy=1e-4), 30)]
    assert floors == sorted(floors)
