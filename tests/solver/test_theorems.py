"""The theorems that hold exactly on the grid, on random problems."""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.solver import theorems
from tests.solver.random_mdps import grid_mdps
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.trajectory import flow

STEPS = st.floats(np.log(1e-6), np.log(1e12)).map(lambda x: float(np.exp(x)))


@given(grid_mdps(), STEPS)
def test_steps_keep_mass_and_positivity(mdp: GridMDP, dt: float) -> None:
    theorems.mass_and_positivity(mdp, dt)


@given(grid_mdps(), STEPS)
def test_the_gibbs_policy_is_stationary_for_any_step(mdp: GridMDP, dt: float) -> None:
    theorems.stationarity(mdp, dt)


@given(grid_mdps(), STEPS)
def test_every_step_lowers_the_value_at_every_state(mdp: GridMDP, dt: float) -> None:
    theorems.pointwise_descent(mdp, dt)


@given(grid_mdps(), st.integers(0, 2**32 - 1))
def test_performance_difference_identity(mdp: GridMDP, seed: int) -> None:
    theorems.performance_difference_identity(mdp, seed)


@given(grid_mdps())
def test_suboptimality_identity(mdp: GridMDP) -> None:
    theorems.suboptimality_identity(mdp)


@given(grid_mdps())
def test_soft_bellman_residual_identity(mdp: GridMDP) -> None:
    theorems.soft_bellman_residual_identity(mdp)


@given(grid_mdps())
def test_dissipation_identity(mdp: GridMDP) -> None:
    theorems.dissipation_identity(mdp)


@given(grid_mdps())
def test_a_short_step_follows_the_flux(mdp: GridMDP) -> None:
    theorems.short_step(mdp)


@pytest.mark.parametrize("scheme", ["euler", "extrapolated"])
@given(grid_mdps(), st.floats(np.log(1e-4), np.log(1e4)).map(lambda x: float(np.exp(x))))
@settings(max_examples=40)
def test_schemes_of_fixed_step_keep_mass_positivity_and_descent(scheme: str, mdp: GridMDP, step: float) -> None:
    theorems.scheme_keeps_the_theorems(mdp, scheme, {"step": step}, steps=4)


@pytest.mark.parametrize(
    ("scheme", "most_axes", "steps"), [("euler", 3, 4), ("extrapolated", 3, 4), ("multistep", 1, 12)]
)
@given(st.data(), st.sampled_from([1e-1, 1e-3, 1e-6]))
@settings(max_examples=40)
def test_controlled_schemes_keep_mass_positivity_and_descent(
    scheme: str, most_axes: int, steps: int, data: st.DataObject, accuracy: float
) -> None:
    mdp = data.draw(grid_mdps(most_axes=most_axes))
    theorems.scheme_keeps_the_theorems(mdp, scheme, {"accuracy": accuracy}, steps)


@given(grid_mdps(most_axes=1), st.sampled_from([1e-1, 1e-3, 1e-6]))
@settings(max_examples=40)
def test_the_multistep_scheme_keeps_them_between_its_steps(mdp: GridMDP, accuracy: float) -> None:
    ends = [state.time for state in islice(flow(mdp, scheme="multistep", accuracy=accuracy), 13)]
    landings = [0.3 * a + 0.7 * b for a, b in pairwise(ends)]
    control = {"accuracy": accuracy, "landings": landings}
    theorems.scheme_keeps_the_theorems(mdp, "multistep", control, steps=20)


@given(grid_mdps(most_axes=1), st.integers(0, 2**32 - 1), st.sampled_from([1e-1, 1e-3, 1e-6]))
@settings(max_examples=40)
def test_the_exponential_keeps_mass_positivity_and_descent(mdp: GridMDP, seed: int, accuracy: float) -> None:
    bandit = theorems.with_indifferent_transitions(mdp, seed)
    theorems.scheme_keeps_the_theorems(bandit, "exponential", {"accuracy": accuracy}, steps=6)
