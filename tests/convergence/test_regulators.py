"""Linear-quadratic regulators: V, K, k, Sigma and the gap converge with order two where the cell Peclet number is < 1.

The exact solution lives on the whole space, the numerical one on a box.  Policies near the ends of the box are wrong
by construction and matter only as far as they are visited; a larger box with the same cells shows how little.
Optimal policies are exactly affine inside: K is the slope of the mean action between the points one unit to both
sides of the origin along each state axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.orders import check_order
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.exact.linear_quadratic import FlowPoint
from wpoflow.validation.exact_cases.regulators import Regulator, double_integrator, one_state
from wpoflow.validation.exact_cases.slices import follow, peclet

Sizes = list[tuple[int, int]]
Errors = dict[str, float]


def point(mdp: GridMDP, coordinates: FloatArray) -> int:
    """Index of the state at some coordinates."""
    distance = np.abs(mdp.states.points - coordinates).max(axis=1)
    assert distance.min() < 1e-12
    return int(distance.argmin())


def errors(regulator: Regulator, mdp: GridMDP, exact: tuple[FlowPoint, ...], larger: float, settings: Any) -> Errors:
    """Signed errors by name, those of the gap relative."""
    n, actions = mdp.states.dim, mdp.actions.points[:, 0]
    origin, units = point(mdp, np.zeros(n)), np.eye(n)
    found: Errors = {}
    for slice_, at in zip(follow(mdp, [at.time for at in exact], **settings), exact, strict=True):
        mean = slice_.policy @ actions
        name = f"at t = {at.time:g}"
        for label, state in (("V(0)", np.zeros(n)), ("V(1)", units[0])):
            value = slice_.value[point(mdp, state)] - regulator.shift(larger)
            found[f"{label} {name}"] = float(value - at.value.at(state))
        for i, unit in enumerate(units):
            slope = 0.5 * (mean[point(mdp, unit)] - mean[point(mdp, -unit)])
            found[f"K{i} {name}"] = float(slope - at.policy.gain[0, i])
        found[f"k {name}"] = float(mean[origin] - at.policy.offset[0])
        variance = slice_.policy[origin] @ actions**2 - mean[origin] ** 2
        found[f"Sigma {name}"] = float(variance - at.policy.cov[0, 0])
        found[f"gap {name}"] = slice_.gap / at.gap.mean(regulator.mean, regulator.cov) - 1.0
    return found


def study(
    regulator: Regulator, sizes: Sizes, times: list[float], larger: float, caps: dict[str, float], **settings: Any
) -> None:
    """Orders of every error under refinement, and box truncation below the error of the finest grid."""
    exact = regulator.exact.flow(regulator.start, times)
    grids = [regulator.grid(*size) for size in sizes]
    near = np.abs(grids[0].states.points).max(axis=1) <= 1.0
    start = grids[0].initial_policy
    assert peclet(grids[0], evaluate(grids[0], start).q[near], start[near]) < 1.0
    found = [errors(regulator, mdp, exact, 1.0, settings) for mdp in grids]
    cells = np.array([states for states, _ in sizes])
    for name, last in found[-1].items():
        check_order(1.0 / cells, [entry[name] for entry in found], 2.0, cap=caps[name.split()[0]])
        assert last != 0.0
    truncated = errors(regulator, regulator.grid(*sizes[0], larger), exact, larger, settings)
    for name, value in truncated.items():
        assert abs(value - found[0][name]) < 0.1 * abs(found[-1][name]), name


@pytest.mark.slow
def test_one_state() -> None:
    """48 to 128 cells in both directions; a box larger by a third changes less than a tenth of the smallest error."""
    caps = {"V(0)": 2e-3, "V(1)": 2e-3, "K0": 2e-4, "k": 3e-4, "Sigma": 1e-4, "gap": 2e-2}
    sizes = [(48, 48), (64, 64), (96, 96), (128, 128)]
    study(one_state(), sizes, [0.25, 2.0], 4.0 / 3.0, caps, accuracy=1e-6)


@pytest.mark.slow
def test_double_integrator() -> None:
    """Two states, one action: 31 x 31 x 60 to 61 x 61 x 120 pairs; a box larger by a fifth."""
    caps = {"V(0)": 2e-3, "V(1)": 2e-3, "K0": 1e-4, "K1": 3e-4, "k": 4e-4, "Sigma": 3e-4, "gap": 3e-2}
    sizes = [(30, 60), (40, 80), (50, 100), (60, 120)]
    study(double_integrator(), sizes, [0.25, 1.0], 1.2, caps, step=0.125)
