"""The theorems that hold exactly on the grid, on every problem of the gallery with neighbouring actions, small."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.gallery import CONNECTED
from tests.solver import theorems
from tests.solver.test_evolve import flow_for
from tests.variants import slow_but
from wpoflow.problems.load import load_problem
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.flows.flow import suitable_flows
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.registry import AUTOMATIC, fixed_step_schemes
from wpoflow.solver.runs.evolve import evolve

CELLS = {
    "acrobot": {"theta": 4, "phi": 4, "omega": 3, "psi": 3, "u": 4},
    "bandit": {"a": 200},
    "cartpole_swingup": {"x": 3, "theta": 5, "v": 3, "omega": 3, "u": 4},
    "lqr": {"x": 40, "u": 40},
    "double_integrator": {"x": 13, "v": 13, "u": 15},
    "torus": {"s": 40, "a": 40},
    "pendulum": {"theta": 16, "speed": 17, "torque": 11},
    "mountain_car": {"position": 17, "velocity": 17, "force": 9},
    "navigation": {"x": 7, "y": 7, "vx": 7, "vy": 6},
    "inventory": {"stock": 30, "order": 20},
    "mixture": {"a": 80},
}
STEPS = (1e-6, 1e-2, 1.0, 1e4, 1e12)
TAKEN = 25


@pytest.fixture(scope="module", params=slow_but(CONNECTED, *set(CONNECTED) - {"acrobot", "cartpole_swingup"}))
def mdp(request: pytest.FixtureRequest) -> GridMDP:
    return load_problem(request.param, cells=CELLS[request.param])


@pytest.mark.parametrize("dt", STEPS)
def test_every_step_keeps_the_theorems(mdp: GridMDP, dt: float) -> None:
    """From the start of the flow and from where a long and a short step have led."""
    q = evaluate(mdp, mdp.initial_policy).q
    step = WassersteinFlow(mdp).step
    led = [step(mdp.initial_policy, q, before, np.empty_like(q)) for before in (0.1, 1e3)]
    for policy in (mdp.initial_policy, *led):
        there = dataclasses.replace(mdp, initial_policy=policy)
        theorems.mass_and_positivity(there, dt)
        theorems.stationarity(there, dt)
        theorems.pointwise_descent(there, dt)


def test_the_identities_hold(mdp: GridMDP) -> None:
    theorems.performance_difference_identity(mdp, seed=1)
    theorems.suboptimality_identity(mdp)
    theorems.soft_bellman_residual_identity(mdp)
    theorems.dissipation_identity(mdp)


@pytest.mark.parametrize("scheme", [AUTOMATIC, *fixed_step_schemes()])
def test_a_run_keeps_them(mdp: GridMDP, scheme: str) -> None:
    if flow_for(scheme) not in suitable_flows(mdp.actions):
        pytest.skip("no Gaussians on a circle")
    run = evolve(mdp, until={"steps": TAKEN}, scheme=scheme, flow=flow_for(scheme), accuracy=1e-2)
    scale = np.abs(evaluate(mdp, mdp.initial_policy).value).max()
    eps = np.finfo(np.float64).eps
    assert run.series["mass_error"].max() <= 1e-13 + 2e-16 * TAKEN
    assert run.series["density_min"].min() >= 0.0
    assert run.series["descent_defect"].max() <= 1e-12 * scale + 16.0 * eps * scale / (1.0 - mdp.discount)
    assert np.all(run.series["gap"] > 0.0)
