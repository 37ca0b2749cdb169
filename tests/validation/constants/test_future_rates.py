"""Guarantees hold for the whole future of descending runs, and tend to the constant of the optimum.

The Holley–Stroock argument holds for the spectral gap word for word (variances for entropies), and the gap is known
to all digits: so it stands for alpha here.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.solver.random_mdps import grid_mdps
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import Evaluation, evaluate
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.proven import ProvenBound
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.validation.rates import future_bound

ROUNDING = 1.0 - 1e-9


def from_now_on(values: FloatArray, gap: float, discount: float, temperature: float) -> FloatArray:
    """What is guaranteed if the values are taken as proven."""
    return future_bound(ProvenBound(values, ("taken as proven",), "the test"), gap, discount, temperature).value


def history(mdp: GridMDP, steps: int, dt: float) -> list[Evaluation]:
    """Evaluations along backward Euler steps."""
    step, policy, found = WassersteinFlow(mdp).step, mdp.initial_policy, []
    for _ in range(steps):
        found.append(evaluate(mdp, policy))
        policy = step(policy, found[-1].q, dt, np.empty_like(policy))
    return found


@given(grid_mdps(most_axes=1, least_temperature=0.1), st.sampled_from([0.01, 1.0, 1e6]))
@settings(max_examples=40)
def test_no_later_gap_falls_below_the_guarantee(mdp: GridMDP, dt: float) -> None:
    optimum, run = solve_optimum(mdp), history(mdp, 7, dt)
    at_optimum = spectral_gap(Generators.of(mdp, optimum.q))
    later = [spectral_gap(Generators.of(mdp, evaluation.q)) for evaluation in run]
    for n, now in enumerate(run):
        largest_gap = max(float(np.max(now.value - optimum.value)), 0.0)
        guaranteed = from_now_on(at_optimum, largest_gap, mdp.discount, mdp.temperature)
        assert all(np.all(gap >= guaranteed * ROUNDING) for gap in later[n:])


def test_the_guarantee_by_hand() -> None:
    alpha = np.array([0.5, 2.0])
    assert np.array_equal(from_now_on(alpha, 0.0, 0.9, 0.1), alpha)
    assert from_now_on(alpha, 0.3, 0.9, 0.5) == pytest.approx(alpha * np.exp(-0.54), rel=1e-14)


@pytest.mark.parametrize("gap", [-1.0, float("nan")])
def test_negative_and_undefined_gaps_guarantee_nothing(gap: float) -> None:
    assert np.isnan(from_now_on(np.ones(1), gap, 0.9, 1.0)[0])
