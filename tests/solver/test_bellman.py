"""What the evaluation of policies and the optimum refuse, and how they say it."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.bellman.evaluation import NotFiniteError, evaluate, occupancy
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.bellman.system import BellmanError
from wpoflow.solver.mdp import GridMDP


def problem(states: str = "clamp", actions: str = "no-flux") -> GridMDP:
    rng = np.random.default_rng(1)
    rows = rng.dirichlet(np.ones(5), (5, 8))
    return GridMDP(
        states=Grid((uniform_axis("x", 0.0, 1.0, 5, states),)),
        actions=Grid((uniform_axis("u", 0.0, 1.0, 8, actions),)),
        discount=0.9,
        temperature=0.5,
        cost=rng.normal(size=(5, 8)),
        transition=tabulated_transition(rows),
        reference_mass=np.full(8, 0.125),
        rho=np.full(5, 0.2),
        initial_policy=np.full((5, 8), 0.125),
    )


@pytest.mark.parametrize(
    ("states", "actions"), [("clamp", "periodic"), ("reflect", "no-flux"), ("periodic", "periodic")]
)
def test_boundaries_that_mean_something_are_taken(states: str, actions: str) -> None:
    assert problem(states, actions).states.axes[0].boundary == states


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: problem(states="no-flux"),
            r"^state axis x: boundary 'no-flux'; choose one of clamp, reflect, periodic, shock$",
        ),
        (
            lambda: problem(actions="reflect"),
            r"^action axis u: boundary 'reflect'; choose one of no-flux, clamp, periodic, labels$",
        ),
    ],
)
def test_boundaries_of_the_other_kind_of_axis_are_refused(make: Callable[[], GridMDP], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("entry", [-0.25, np.nan, np.inf])
def test_a_wrong_entry_of_a_policy_is_named_with_its_cell(entry: float) -> None:
    mdp = problem()
    policy = mdp.initial_policy.copy()
    policy[3, 6] = entry
    with (
        np.errstate(all="ignore"),
        pytest.raises(NotFiniteError, match=r"state 3 \(x = 0\.75\), cell 6 \(u = 0\.8125\)"),
    ):
        evaluate(mdp, policy)


def test_an_infinite_cost_is_named_with_its_cell() -> None:
    mdp = problem()
    object.__setattr__(mdp, "cost", mdp.cost.copy())
    mdp.cost[2, 5] = np.inf
    with pytest.raises(NotFiniteError, match=r"cost inf .* state 2 \(x = 0\.5\), cell 5"):
        evaluate(mdp, mdp.initial_policy)


def test_a_residual_that_is_asked_for_is_reached_or_refused() -> None:
    mdp = problem()
    assert solve_optimum(mdp, residual=1e-3).bellman_residual <= 1e-3
    refused = 0
    for shift in np.arange(8.0) + 0.7:  # V = T V to the last bit, as may happen, is a residual of zero
        try:
            reached = solve_optimum(replace(mdp, cost=mdp.cost + shift), residual=1e-30).bellman_residual
        except BellmanError as error:
            assert re.search(r"Bellman residual stays at .*, above 1e-30", str(error))  # noqa: PT017
            refused += 1
        else:
            assert reached == 0.0
    assert refused >= 1


def test_the_floor_of_a_residual_bounds_the_gap_of_its_policy() -> None:
    mdp = problem()
    best = solve_optimum(mdp)
    for residual in (1e-2, 1e-4, 1e-6):
        rough = solve_optimum(mdp, residual=residual)
        gap = evaluate(mdp, rough.policy).value - best.value
        assert gap.max() <= rough.gap_floor + 1e-12


def test_q_is_computed_when_it_is_asked_for() -> None:
    mdp = problem()
    out = np.full((5, 8), np.nan)
    now = evaluate(mdp, mdp.initial_policy, out=out)
    assert np.isnan(out).all()
    assert now.q is out is now.q
    np.testing.assert_allclose(out, mdp.cost + 0.9 * mdp.transition.expect(now.value), rtol=1e-14)


def test_what_is_let_go_of_is_freed_at_once() -> None:
    """Rows of a policy may be the largest arrays there are: they do not wait for the collector of cycles."""
    mdp = problem()
    gc.disable()
    try:
        found = evaluate(mdp, mdp.initial_policy, tolerance=1.0)
        kept = [weakref.ref(each) for each in (found, found.refined(), found.system)]
        assert found.refined().refined() is found.refined()
        del found
        assert [reference() for reference in kept] == [None, None, None]
    finally:
        gc.enable()


def test_inexact_policy_iteration_ends_where_exact_value_iteration_does() -> None:
    mdp = problem()
    best = solve_optimum(mdp)
    value = np.zeros(5)
    for _ in range(400):
        q = mdp.cost + mdp.discount * mdp.transition.expect(value)
        value = -mdp.temperature * np.log(np.exp(-q / mdp.temperature) @ mdp.reference_mass)
    np.testing.assert_allclose(best.value, value, rtol=1e-13, atol=1e-14)
    gibbs = mdp.reference_mass * np.exp(-(q - value[:, None]) / mdp.temperature)
    np.testing.assert_allclose(best.policy, gibbs, rtol=1e-12)
    again = solve_optimum(mdp, start=best.policy)
    assert again.iterations < best.iterations
    np.testing.assert_allclose(again.value, best.value, rtol=1e-14)


def test_an_occupancy_that_stays_negative_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps cannot mend an occupancy that is negative on a class of states nothing else feeds."""
    mdp = problem()
    alone = np.zeros((5, 8, 5))
    alone[:4, :, :4] = 0.25
    alone[4, :, 4] = 1.0
    mdp = replace(mdp, transition=tabulated_transition(alone), rho=np.array([0.25, 0.25, 0.25, 0.25, 0.0]))
    system = evaluate(mdp, mdp.initial_policy).system
    assert occupancy(mdp, system).min() >= 0.0

    def wrong(rhs: FloatArray, guess: Any = None) -> tuple[FloatArray, float]:
        return np.array([0.25, 0.25, 0.25, 0.26, -0.01]), 0.0

    monkeypatch.setattr(system, "solve_transposed", wrong)
    with pytest.raises(BellmanError, match=r"occupancy is -.* at state 4 \(x = 1\)"):
        occupancy(mdp, system)
