"""Large optima begin on coarser grids: the same numbers in fewer steps, at every temperature and for every kind."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.problem_cartpole import cartpole
from benchmarks.problem_m import pendulum
from wpoflow.problems.load import load_problem
from wpoflow.solver.bellman import nested
from wpoflow.solver.bellman.nested import nested_value
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.bellman.system import EPS
from wpoflow.solver.mdp import GridMDP

PROBLEMS = {
    "stencils": lambda: pendulum(65, 9).mdp(tabulated=False),
    "table": lambda: pendulum(65, 9).mdp(tabulated=True),
    "four axes": lambda: cartpole((9, 11, 9, 9), 5),
}


@pytest.fixture(scope="module", params=PROBLEMS)
def problem(request: pytest.FixtureRequest) -> GridMDP:
    """A problem large enough to be solved on coarser grids first."""
    made: GridMDP = PROBLEMS[request.param]()
    return made


@pytest.mark.parametrize("temperature", [None, 0.0])
def test_the_optimum_is_that_from_zero_in_fewer_steps(problem: GridMDP, temperature: float | None) -> None:
    found = solve_optimum(problem, temperature=temperature)
    zero = solve_optimum(problem, temperature=temperature, value=np.zeros(problem.states.size))
    rounding = EPS * np.abs(zero.q).max() / (1.0 - problem.discount)
    assert np.abs(found.value - zero.value).max() <= 16.0 * rounding / (1.0 - problem.discount)
    assert found.bellman_residual <= 8.0 * rounding
    assert found.iterations <= 0.75 * zero.iterations
    np.testing.assert_allclose(found.occupancy, zero.occupancy, atol=1e-9)


def test_a_residual_that_is_asked_for_is_reached_in_fewer_steps(problem: GridMDP) -> None:
    found, zero = (
        solve_optimum(problem, residual=1e-6, value=value) for value in (None, np.zeros(problem.states.size))
    )
    assert max(found.bellman_residual, zero.bellman_residual) <= 1e-6
    assert np.abs(found.value - zero.value).max() <= 2e-6 / (1.0 - problem.discount)
    assert found.iterations < zero.iterations


def test_the_value_of_coarser_grids_is_near_the_optimum(problem: GridMDP) -> None:
    best = solve_optimum(problem).value
    start = nested_value(problem, problem.temperature)
    assert start is not None
    assert np.abs(start - best).mean() <= 0.5 * np.abs(best - best.mean()).mean()


def test_a_value_begins_with_what_coarser_grids_say_of_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smooth but for the ends of its box: the start is ten times nearer in the mean than coarser values are."""
    smooth = load_problem("double_integrator", cells={"x": 65, "v": 65, "u": 12})
    best = solve_optimum(smooth).value

    def error() -> float:
        start = nested_value(smooth, smooth.temperature)
        assert start is not None
        return float(np.abs(start - best).mean())

    extrapolated = error()
    monkeypatch.setattr(nested, "MOST_SHARE", 0.0)
    assert extrapolated <= 0.1 * error()


def test_small_problems_and_given_starts_are_left_alone(problem: GridMDP, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nested_value(pendulum(41, 9).mdp(tabulated=False), 0.1) is None

    def refused(*given: object, **named: object) -> None:
        raise AssertionError("coarser grids were asked for")

    monkeypatch.setattr(nested, "_solved", refused)
    solve_optimum(problem, residual=1.0, value=np.zeros(problem.states.size))
    solve_optimum(problem, residual=1.0, start=problem.initial_policy)
    with pytest.raises(AssertionError, match="coarser grids"):
        solve_optimum(problem, residual=1.0)


def test_costs_that_are_all_alike_have_no_temperature_of_their_own() -> None:
    flat = replace(pendulum(65, 3).mdp(tabulated=False), cost=np.ones((65 * 65, 3)))
    np.testing.assert_allclose(solve_optimum(flat, temperature=0.0).value, 1.0 / (1.0 - flat.discount), rtol=1e-12)


def test_occupancies_are_made_when_they_are_asked_for_and_travel(problem: GridMDP) -> None:
    best = solve_optimum(problem, residual=1e-6)
    assert callable(vars(best)["occupancy"])
    again = pickle.loads(pickle.dumps(best))
    np.testing.assert_array_equal(again.occupancy, best.occupancy)
    np.testing.assert_allclose(best.occupancy.sum(), 1.0, rtol=1e-12)
    assert not callable(vars(best)["occupancy"])
    replaced = replace(best, iterations=1)
    np.testing.assert_array_equal(replaced.occupancy, best.occupancy)
