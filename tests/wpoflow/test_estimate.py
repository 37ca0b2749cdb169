"""The time a step takes, against what was measured."""

from __future__ import annotations

import pytest

from wpoflow.estimate import estimate, likely_scheme, seconds_per_step
from wpoflow.problems.load import build_problem, read_statement
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.schemes.choice import chosen_scheme

MEASURED = {
    "bandit": 0.0064,
    "lqr": 0.023,
    "torus": 0.023,
    "inventory": 0.016,
    "pendulum": 0.12,
    "mountain_car": 0.1,
    "navigation": 0.39,
    "double_integrator": 0.21,
}
"""Seconds a step in the first seconds of a run of each gallery problem, on one core of a busy x86-64 server."""


@pytest.mark.parametrize("name", MEASURED)
def test_the_time_of_a_step_is_right_within_a_factor_of_three(name: str) -> None:
    problem = read_problem(name)
    statement, mdp = read_statement(problem), build_problem(problem)
    scheme = chosen_scheme(mdp, problem.flow.scheme, None, "wasserstein")
    assert likely_scheme(statement, problem.flow.scheme, controlled=True) == scheme
    seconds = seconds_per_step(estimate(statement, scheme, True), scheme, linear_solver_of(mdp))
    assert MEASURED[name] / 3.0 <= seconds <= 3.0 * MEASURED[name]
