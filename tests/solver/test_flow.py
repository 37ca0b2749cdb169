"""The iterator: landings within steps and at their ends, values on demand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.solver.small_problems import small_problem
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.trajectory import FlowState, flow
from wpoflow.validation.exact_cases.bandits import double_well

LANDINGS = [0.013, 0.2, 0.2001, 0.77, 1.5, 1.5000001, 2.9]


def until(mdp: GridMDP, end: float, **settings: object) -> list[FlowState]:
    """All states up to the first at or past ``end``, policies copied."""
    found = []
    for state in flow(mdp, **settings):  # type: ignore[arg-type]
        found.append((state, state.policy.copy()))
        if state.time >= end:
            break
    return [_with(state, policy) for state, policy in found]


def _with(state: FlowState, policy: np.ndarray) -> FlowState:
    assert state.evaluation is state.evaluation
    object.__setattr__(state, "policy", policy)
    return state


def test_landings_change_no_step_of_the_multistep_scheme() -> None:
    mdp = small_problem()
    plain = until(mdp, 3.0, scheme="multistep", accuracy=1e-6)
    landed = until(mdp, plain[-1].time, scheme="multistep", accuracy=1e-6, landings=LANDINGS)
    assert [state.time for state in landed if state.interpolated] == LANDINGS
    ends = [state for state in landed if not state.interpolated]
    assert [state.time for state in ends] == [state.time for state in plain]
    for mine, other in zip(ends, plain, strict=True):
        np.testing.assert_array_equal(mine.value, other.value)
        assert mine.steps == other.steps
    # an evaluation for each landing, and no other
    assert landed[-1].bellman_evaluations == plain[-1].bellman_evaluations + len(LANDINGS)


def test_values_at_landings_lie_between_those_of_the_ends_and_times_increase() -> None:
    states = until(small_problem(), 3.0, scheme="multistep", accuracy=1e-4, landings=np.linspace(0.01, 3.0, 150))
    assert sum(state.interpolated for state in states) >= 140
    for before, after in pairwise(states):
        assert after.time > before.time
        assert (after.value - before.value).max() <= 1e-12 * np.abs(before.value).max()
        assert after.steps - before.steps == int(not after.interpolated)
        assert after.step_size > 0.0


@pytest.mark.parametrize("accuracy", [1e-3, 1e-6])
def test_values_at_landings_are_as_accurate_as_a_run_that_ends_there(accuracy: float) -> None:
    mdp = small_problem()
    exact = until(mdp, 2.9, scheme="extrapolated", accuracy=1e-10, landings=LANDINGS)
    found = until(mdp, 2.9, scheme="multistep", accuracy=accuracy, landings=LANDINGS)
    for time in LANDINGS:
        best, mine = (next(state for state in states if state.time == time) for states in (exact, found))
        assert 0.5 * np.abs(mine.policy - best.policy).sum(axis=1).max() <= 0.2 * accuracy
        assert np.abs(mine.value - best.value).max() <= accuracy


@pytest.mark.parametrize("scheme", ["euler", "extrapolated", "exponential"])
def test_other_schemes_end_their_steps_at_the_landings(scheme: str) -> None:
    states = until(double_well(1.0).grid(24), 2.9, scheme=scheme, accuracy=1e-2, landings=LANDINGS)
    assert set(LANDINGS) <= {state.time for state in states}
    assert not any(state.interpolated for state in states)


def test_values_that_are_not_needed_are_computed_when_asked_for() -> None:
    mdp = double_well(1.0).grid(24)
    states = flow(mdp, scheme="exponential", landings=[1.0])
    state = next(state for state in states if state.time == 1.0)
    exact = evaluate(mdp, state.policy)
    np.testing.assert_allclose(state.value, exact.value, rtol=1e-13)
    np.testing.assert_allclose(state.q, exact.q, rtol=1e-13)


def test_the_iterator_starts_where_it_is_told() -> None:
    mdp = small_problem()
    middle = next(state for state in flow(mdp, accuracy=1e-8, landings=[0.5]) if state.time == 0.5)
    start = middle.policy.copy()
    again = next(state for state in flow(mdp, accuracy=1e-8, landings=[0.5], policy=start) if state.time == 0.5)
    straight = next(state for state in flow(mdp, accuracy=1e-8, landings=[1.0]) if state.time == 1.0)
    np.testing.assert_allclose(again.value, straight.value, atol=1e-8)
    assert np.abs(again.value - middle.value).max() > 1e-3
