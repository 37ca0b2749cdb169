"""Runs of small problems that several files judge."""

from __future__ import annotations

import pytest

from tests.validation.cases import CELLS, controlled, fixed
from tests.variants import slow_but
from wpoflow.validation.evidence import Evidence


@pytest.fixture(params=slow_but(CELLS, "bandit", "lqr"))
def problem(request: pytest.FixtureRequest) -> str:
    """Each of the small problems."""
    return str(request.param)


@pytest.fixture
def long_run(problem: str) -> Evidence:
    """A run of controlled error to a gap of 1e-16."""
    return controlled(problem)


@pytest.fixture
def euler_run(problem: str) -> Evidence:
    """A run of equal backward Euler steps."""
    return fixed(problem, "euler")


@pytest.fixture
def lqr() -> Evidence:
    """Of controlled error."""
    return controlled("lqr")


@pytest.fixture
def lqr_euler() -> Evidence:
    """Of equal backward Euler steps."""
    return fixed("lqr", "euler")
