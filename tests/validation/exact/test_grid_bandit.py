"""The grid's own time-exact flow: a matrix exponential, and the continuum under refinement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

from tests.oracles.time_exact import TimeExact
from tests.orders import check_order
from tests.validation.exact.test_box_bandit import bump
from tests.validation.exact.test_box_bandit import double_well as exact_double_well
from wpoflow.validation.exact_cases.bandits import double_well


def test_policy_is_the_matrix_exponential() -> None:
    """exp(tL) p, with L written out from the flux of the semi-discrete flow; the gap is V less its optimum."""
    problem = replace(double_well(0.5), potential=lambda a: 0.3 * a)
    mdp = problem.grid(20)
    exact, start, axis = TimeExact(mdp), mdp.initial_policy[0], mdp.actions.axes[0]
    phi = mdp.cost[0] / 0.5 - np.log(mdp.reference_mass / axis.widths)
    generator = np.zeros((20, 20))
    for k in range(19):
        z, scale = phi[k + 1] - phi[k], 0.5 / axis.distances[k]
        right = scale * z / np.expm1(z) / axis.widths[k]
        left = scale * -z / np.expm1(-z) / axis.widths[k + 1]
        generator[[k, k + 1], k] += [-right, right]
        generator[[k, k + 1], k + 1] += [left, -left]
    for t in (0.0, 0.02, 0.5, 3.0):
        np.testing.assert_allclose(exact.policy(start, t), expm(t * generator) @ start, rtol=0, atol=1e-13)
    np.testing.assert_allclose(generator @ exact.optimal_policy, 0.0, atol=1e-13)
    value, best = (
        np.sum(p * (mdp.cost[0] + 0.5 * np.log(p / mdp.reference_mass))) / 0.1
        for p in (exact.policy(start, 0.1), exact.optimal_policy)
    )
    assert exact.gap(start, 0.1) == pytest.approx(value - best, rel=1e-11)


def test_second_order_to_the_continuum() -> None:
    """Gap at two times and slowest rate, 40 to 320 cells at temperature 0.1."""
    exact = exact_double_well(0.1)
    flow = exact.expansion(bump)
    cells = np.array([40, 80, 160, 320])
    found = []
    for n in cells:
        mdp = double_well(0.1).grid(int(n))
        grid, start = TimeExact(mdp), mdp.initial_policy[0]
        gaps = [grid.gap(start, t) / flow.gap(t) - 1.0 for t in (0.5, 20.0)]
        found.append([*gaps, grid.rates[0] / exact.rates[0] - 1.0])
    for errors in np.transpose(found):
        check_order(5.0 / cells, errors, 2.0, cap=1e-3)
