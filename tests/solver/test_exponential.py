"""The exponential of the generator: against references without cancellation, for any length, at any temperature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

from benchmarks.numpy_flux import face_rates
from benchmarks.problem_f import as_bandit, exponential, frozen_wells
from tests.oracles.time_exact import TimeExact
from tests.variants import slow_but
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.flux.limiter import limit_fluxes
from wpoflow.solver.flux.rational_exponential import RATIONAL_EXPONENTIALS, RationalExponential
from wpoflow.solver.flux.resolvent import exponential_axis
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.observables import Observer
from wpoflow.solver.schemes.trajectory import FlowState, flow
from wpoflow.validation.exact_cases.bandits import double_well

MASS = 1e-13


def wells(temperature: float, states: int = 8, cells: int = 128) -> GridMDP:
    """Problem F, small, at another temperature."""
    return replace(as_bandit(frozen_wells(states, cells)), temperature=temperature)


def exact(mdp: GridMDP, time: float) -> FloatArray:
    """e^{time L} p by arithmetic without subtraction, (S, A)."""
    up, down = face_rates(mdp.cost, mdp.temperature, float(mdp.actions.axes[0].widths[0]))
    rows = zip(up, down, mdp.initial_policy, strict=True)
    return np.stack([exponential(u, d, time) @ p for u, d, p in rows])


def applied(mdp: GridMDP, time: float, function: RationalExponential) -> FloatArray:
    """r(time L) p by the kernel."""
    return applied_and_difference(mdp, time, function)[0]


def applied_and_difference(mdp: GridMDP, time: float, function: RationalExponential) -> tuple[FloatArray, FloatArray]:
    """r(time L) p, and what its companion differs by."""
    axis = mdp.actions.axes[0]
    out, difference = np.empty_like(mdp.initial_policy), np.empty_like(mdp.initial_policy)
    exponential_axis(
        mdp.initial_policy,
        mdp.cost,
        mdp.log_reference_density,
        axis.widths,
        axis.distances,
        1,
        time,
        mdp.temperature,
        np.array(function.poles),
        np.array(function.residues),
        np.array(function.companion),
        out,
        difference,
    )
    return out, difference


def reached(mdp: GridMDP, time: float, accuracy: float) -> FlowState:
    """The state at one time, in one step of the exponential if that may be."""
    return next(s for s in flow(mdp, scheme="exponential", accuracy=accuracy, landings=[time]) if s.time >= time)


@pytest.mark.parametrize("function", RATIONAL_EXPONENTIALS, ids=lambda function: str(len(function.poles)))
@pytest.mark.parametrize("time", slow_but([1e-6, 1e-2, 1.0, 1e2, 1e6], 1e-6, 1.0, 1e6))
def test_one_step_of_any_length(time: float, function: RationalExponential) -> None:
    """Temperature one: diffusion and drift are alike, and the error is that of the rational function."""
    mdp = wells(1.0)
    p = applied(mdp, time, function)
    reference = exact(mdp, min(time, 1e3))
    assert np.abs(p - reference).sum(axis=1).max() <= 10.0 * function.error + 2e-13
    assert np.abs(p.sum(axis=1) - 1.0).max() <= MASS


def test_against_the_matrix_exponential_on_unequal_cells() -> None:
    """Cells of widths in ratio ten; the generator written out from the rates of its definition."""
    mdp = double_well(0.7).grid(24)
    edges = np.concatenate(([0.0], np.cumsum(np.exp(1.15 * np.sin(np.arange(24.0))))))
    axis = replace(mdp.actions.axes[0], edges=-2.0 + 4.0 * edges / edges[-1])
    mdp = replace(mdp, actions=replace(mdp.actions, axes=(axis,)))
    phi = mdp.cost[0] / mdp.temperature - mdp.log_reference_density
    z = np.diff(phi)
    matrix = np.zeros((24, 24))
    for k in range(23):
        right = mdp.temperature / axis.distances[k] / axis.widths[k] * z[k] / np.expm1(z[k])
        left = mdp.temperature / axis.distances[k] / axis.widths[k + 1] * -z[k] / np.expm1(-z[k])
        matrix[k, k] -= right
        matrix[k + 1, k] += right
        matrix[k + 1, k + 1] -= left
        matrix[k, k + 1] += left
    for time in (1e-3, 0.1, 3.0):
        p = applied(mdp, time, RATIONAL_EXPONENTIALS[-1])
        assert np.abs(p[0] - expm(time * matrix) @ mdp.initial_policy[0]).sum() <= 1e-12


@pytest.mark.parametrize("function", RATIONAL_EXPONENTIALS, ids=lambda function: str(len(function.poles)))
def test_the_difference_is_that_of_the_companion(function: RationalExponential) -> None:
    mdp = wells(0.1)
    p, difference = applied_and_difference(mdp, 0.3, function)
    companion = applied(mdp, 0.3, replace(function, residues=function.companion))
    scale = np.abs(np.array(function.residues)).sum()
    np.testing.assert_allclose(np.abs(difference), np.abs(p - companion), rtol=0.0, atol=1e-15 * scale)


@pytest.mark.parametrize("temperature", slow_but([1.0, 0.1, 1e-2, 1e-3], 1.0, 1e-3))
@pytest.mark.parametrize("accuracy", slow_but([1e-2, 1e-4, 1e-6], 1e-2, 1e-6))
def test_the_error_is_below_the_accuracy_times_what_is_left(temperature: float, accuracy: float) -> None:
    """In the norm of the error control, mean and maximum, also where drift exceeds diffusion a hundredfold."""
    mdp = wells(temperature)
    g = np.empty_like(mdp.cost)
    gibbs_policy(mdp.cost, mdp.log_mass, mdp.temperature, g)
    for time in (0.1, 1.0, 10.0):
        state = reached(mdp, time, accuracy)
        p, reference = state.policy, exact(mdp, time)
        assert p.min() >= 0.0
        assert np.abs(p.sum(axis=1) - 1.0).max() <= MASS
        weight = p + g + reference + np.abs(p - reference) + 1e-300
        error = np.sqrt(((p - reference) ** 2 / weight).sum(axis=1))
        left = np.sqrt(((reference - g) ** 2 / weight).sum(axis=1))
        most = 2.0 * accuracy * state.steps
        assert np.sqrt((error**2).mean()) <= most * np.sqrt((left**2).mean()) + 1e-12
        assert error.max() <= most * left.max() + 1e-12


@pytest.mark.parametrize("temperature", [0.1, 1e-3])
@pytest.mark.parametrize("time", [0.1, 1.0, 10.0])
def test_the_limiter_moves_no_more_than_a_few_times_the_negative_mass(temperature: float, time: float) -> None:
    mdp = wells(temperature)
    high = applied(mdp, time, RATIONAL_EXPONENTIALS[2])
    lost = -np.minimum(high, 0.0).sum(axis=1)
    assert lost.max() > 0.0
    limited, counts = high.copy(), np.zeros(mdp.states.size, dtype=np.int64)
    limit_fluxes(limited, np.array([128]), np.array([1]), np.array([0]), counts)
    assert limited.min() >= 0.0
    moved = np.abs(limited - high).sum(axis=1)
    assert np.all(moved <= 10.0 * lost + 1e-16)


def test_late_times_over_twenty_eight_decades() -> None:
    mdp = double_well(1.0).grid(48)
    grid, start = TimeExact(mdp), mdp.initial_policy[0]
    observer = Observer(mdp, solve_optimum(mdp), WassersteinFlow(mdp))
    times = np.arange(1.0, 45.0, 2.0)
    gaps, expected = [], [grid.gap(start, float(time)) for time in times]
    for state in flow(mdp, scheme="exponential", accuracy=1e-6, landings=times):
        if state.time in times:
            gaps.append(observer.gap(state.policy, state.evaluation))
        if len(gaps) == times.size:
            break
    found = np.array(expected) > 1e-28 * expected[0]
    assert found.sum() >= 15
    assert expected[np.flatnonzero(found)[-1]] < 1e-22 * expected[0]
    folds = 0.5 * np.log(grid.gap(start, 0.0) / np.array(expected))
    noise = 1e-13 / np.sqrt(np.array(expected) / expected[0])
    wrong = np.abs(np.log(np.array(gaps) / expected))
    assert np.all((wrong <= 1e-7 * folds + noise)[found])


def test_states_are_independent_of_each_other() -> None:
    """Each state of a bandit of many evolves as if it were alone, bit for bit, in one step of the same length."""
    mdp = wells(0.3, states=70, cells=16)
    together = applied(mdp, 0.7, RATIONAL_EXPONENTIALS[3])
    for state in (0, 1, 63, 64, 69):
        alone = replace(
            as_bandit(frozen_wells(1, 16)),
            temperature=0.3,
            cost=mdp.cost[state : state + 1],
            initial_policy=mdp.initial_policy[state : state + 1],
        )
        np.testing.assert_array_equal(applied(alone, 0.7, RATIONAL_EXPONENTIALS[3])[0], together[state])


def test_few_steps_are_enough_and_no_bellman_equation_is_solved() -> None:
    mdp = wells(1.0)
    state = reached(mdp, 1.0, 1e-6)
    assert state.steps <= 4
    assert state.bellman_evaluations == 1 + state.steps or state.bellman_evaluations == 1
