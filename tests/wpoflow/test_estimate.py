"""The time a step takes, against what was measured."""

from __future__ import annotations

import pytest

from problems.load import build_problem, read_statement
from problems.problem_file import read_problem
from solver.bellman import bellman_solver
from wpoflow.estimate import estimate, seconds_per_step

MEASURED = {
    "bandit": 0.008,
    "lqr": 0.055,
    "torus": 0.053,
    "inventory": 0.12,
    "pendulum": 0.74,
    "mountain_car": 0.86,
    "navigation": 1.1,
    "double_integrator": 1.4,
}
"""Seconds a step in the first seconds of a run of each gallery problem, on one core of a busy x86-64 server."""


@pytest.mark.parametrize("name", MEASURED)
def test_the_time_of_a_step_is_right_within_a_factor_of_three(name: str) -> None:
    problem = read_problem(name)
    expected = estimate(read_statement(problem), problem.flow.scheme, True)
    seconds = seconds_per_step(expected, problem.flow.scheme, bellman_solver(build_problem(problem)))
    assert MEASURED[name] / 3.0 <= seconds <= 3.0 * MEASURED[name]
