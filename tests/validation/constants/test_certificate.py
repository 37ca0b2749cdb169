"""Certificates hold for the whole future of descending runs, and tend to the constant of the optimum.

The Holley–Stroock argument holds for the spectral gap word for word (variances for entropies), and the gap is known
to all digits: so it stands for alpha here.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.solver.random_mdps import grid_mdps
from wpoflow.solver.bellman.evaluation import Evaluation, evaluate
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.entropy import relative_entropy_to_gibbs
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.constants.certificate import alpha_for_all_later, alpha_from_gap, alpha_without_optimum
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.spectral_gap import spectral_gap

ROUNDING = 1.0 - 1e-9


def history(mdp: GridMDP, steps: int, dt: float) -> list[tuple[Evaluation, float]]:
    """Evaluations along backward Euler steps, each with its max_i KL(p_i|g_i)."""
    step, policy, found = WassersteinFlow(mdp).step, mdp.initial_policy, []
    divergence = np.empty(mdp.states.size)
    for _ in range(steps):
        evaluation = evaluate(mdp, policy)
        relative_entropy_to_gibbs(policy, evaluation.q, mdp.log_mass, mdp.temperature, divergence)
        found.append((evaluation, float(divergence.max())))
        policy = step(policy, evaluation.q, dt, np.empty_like(policy))
    return found


@given(grid_mdps(most_axes=1, least_temperature=0.1), st.sampled_from([0.01, 1.0, 1e6]))
@settings(max_examples=40)
def test_no_later_gap_falls_below_the_certificates(mdp: GridMDP, dt: float) -> None:
    optimum, run = solve_optimum(mdp), history(mdp, 7, dt)
    tau, gamma = mdp.temperature, mdp.discount
    at_optimum = spectral_gap(Generators.of(mdp, optimum.q))
    later = [spectral_gap(Generators.of(mdp, evaluation.q)) for evaluation, _ in run]
    for n, (now, largest_divergence) in enumerate(run):
        from_q = alpha_for_all_later(at_optimum, now.q, optimum.q, tau)
        largest_gap = max(float(np.max(now.value - optimum.value)), 0.0)
        from_gap = alpha_from_gap(at_optimum, largest_gap, gamma, tau)
        without = alpha_without_optimum(later[n], largest_divergence, gamma)
        assert np.all(from_gap * ROUNDING <= from_q)
        for gap in later[n:]:
            for certificate in (from_q, from_gap, without):
                assert np.all(gap >= certificate * ROUNDING)


def test_certificates_tend_to_the_optimum() -> None:
    alpha = np.array([0.5, 2.0])
    q = np.array([[1.0, 2.0], [3.0, 0.0]])
    assert np.array_equal(alpha_for_all_later(alpha, q, q, 0.1), alpha)
    assert np.array_equal(alpha_for_all_later(alpha, q - 1e-14, q, 0.1), alpha)
    assert np.array_equal(alpha_from_gap(alpha, 0.0, 0.9, 0.1), alpha)
    assert np.array_equal(alpha_without_optimum(alpha, 0.0, 0.9), alpha)


def test_certificates_by_hand() -> None:
    alpha, q = np.ones(2), np.zeros((2, 2))
    excess = np.array([[0.1, 0.3], [0.0, 0.2]])
    assert alpha_for_all_later(alpha, q + excess, q, 0.5) == pytest.approx(np.exp([-0.6, -0.4]), rel=1e-14)
    assert alpha_from_gap(alpha, 0.3, 0.9, 0.5) == pytest.approx(np.exp([-0.54, -0.54]), rel=1e-14)
    assert alpha_without_optimum(alpha, 0.3, 0.9) == pytest.approx(np.exp([-2.7, -2.7]), rel=1e-14)


def test_negative_and_undefined_gaps_are_refused() -> None:
    for bad in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="gap"):
            alpha_from_gap(np.ones(1), bad, 0.9, 1.0)
        with pytest.raises(ValueError, match="entropy"):
            alpha_without_optimum(np.ones(1), bad, 0.9)
