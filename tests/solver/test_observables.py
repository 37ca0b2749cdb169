"""The monitors of regularity against their definitions, on random problems."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from tests.solver.random_mdps import grid_mdps
from wpoflow.grids.axis import Axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.observables import Observer, end_cells


def slopes_along(values: np.ndarray, axis: Axis, where: int) -> np.ndarray:
    """Difference quotients along one axis of an array (S, axes...), the last face joining the ends of a circle."""
    if axis.periodic:
        values = np.concatenate([values, np.take(values, [0], axis=where)], axis=where)
    shape = [1] * values.ndim
    shape[where] = -1
    return np.asarray(np.diff(values, axis=where) / axis.distances.reshape(shape))


@given(grid_mdps(least_temperature=1e-2))
def test_monitors_are_what_they_say(mdp: GridMDP) -> None:
    now = evaluate(mdp, mdp.initial_policy)
    row = Observer(mdp, solve_optimum(mdp), WassersteinFlow(mdp)).row(mdp.initial_policy, now)
    shape = (mdp.states.size, *mdp.actions.shape)
    q, policy = now.q.reshape(shape), mdp.initial_policy.reshape(shape)
    density = mdp.initial_policy / mdp.reference_mass
    log_density = np.log(density).reshape(shape)
    slope, score, curvature = [0.0], [0.0], [0.0]
    at_end = np.zeros(mdp.actions.shape, dtype=bool)
    for j, axis in enumerate(mdp.actions.axes):
        if axis.size == 1:
            continue
        quotients = slopes_along(q, axis, j + 1)
        slope.append(float(np.abs(quotients).max()))
        score.append(float(np.abs(slopes_along(log_density, axis, j + 1)).max()))
        distances = axis.distances
        if axis.periodic:
            quotients = np.concatenate([np.take(quotients, [-1], axis=j + 1), quotients], axis=j + 1)
            distances = np.concatenate([distances[-1:], distances])
        else:
            np.moveaxis(at_end, j, 0)[[0, -1]] = True
        if distances.size > 1:
            spans = (0.5 * (distances[1:] + distances[:-1])).reshape([-1 if k == j + 1 else 1 for k in range(q.ndim)])
            curvature.append(float(np.abs(np.diff(quotients, axis=j + 1) / spans).max()))
    expected = {
        "density_min": density.min(),
        "density_max": density.max(),
        "q_slope_max": max(slope),
        "score_max": max(score),
        "q_curvature_max": max(curvature),
        "end_mass": policy[:, at_end].sum(axis=1).max(),
        "mass_error": np.abs(mdp.initial_policy.sum(axis=1) - 1.0).max(),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(row[name], value, rtol=1e-9, atol=1e-14, err_msg=name)


def test_the_mass_at_the_ends_counts_a_corner_once() -> None:
    actions = Grid((uniform_axis("u", 0.0, 1.0, 3), uniform_axis("v", 0.0, 1.0, 3), uniform_axis("w", 0.0, 1.0, 1)))
    assert end_cells(actions).sum() == 8
    around = Grid((uniform_axis("u", 0.0, 1.0, 3, "periodic"), uniform_axis("v", 0.0, 1.0, 4)))
    assert np.array_equal(end_cells(around).reshape(3, 4), np.tile([True, False, False, True], (3, 1)))


def test_the_mass_at_the_ends_is_at_most_one() -> None:
    """On 2 x 2 cells every cell is a corner: the mass at the ends is all there is."""
    actions = Grid((uniform_axis("u", 0.0, 1.0, 2), uniform_axis("v", 0.0, 1.0, 2)))
    quarter = np.full(4, 0.25)
    mdp = GridMDP(
        states=Grid(),
        actions=actions,
        discount=0.5,
        temperature=1.0,
        cost=np.zeros((1, 4)),
        transition=tabulated_transition(np.ones((1, 4, 1))),
        reference_mass=quarter,
        rho=np.ones(1),
        initial_policy=quarter[None],
    )
    row = Observer(mdp, solve_optimum(mdp), WassersteinFlow(mdp)).row(quarter[None], evaluate(mdp, quarter[None]))
    assert row["end_mass"] == 1.0
