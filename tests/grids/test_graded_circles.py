"""Graded circles of states and of actions: rows, means of steps and values against dense NumPy of their own."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, edges_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import Transition, interpolated_transition
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP

SEEDS = st.integers(0, 2**31)


def circle(name: str, random: np.random.Generator, cells: int, grading: float) -> Axis:
    """Cells whose widths differ by factors of up to e^(2 grading), the two at the seam too; anywhere on the line."""
    widths = np.exp(random.uniform(-grading, grading, cells))
    edges = np.concatenate(([0.0], np.cumsum(widths)))
    return edges_axis(name, random.uniform(-3.0, 3.0) + edges * random.uniform(0.5, 7.0) / edges[-1], "periodic")


def rows_of(transition: Transition) -> FloatArray:
    """P(j | i, k), (S, A, S), by the expectations of unit vectors."""
    return np.stack([transition.expect(unit) for unit in np.eye(transition.n_states)], axis=-1)


def interpolated(axis: Axis, places: FloatArray) -> FloatArray:
    """Weights of linear interpolation around the circle, (..., points), without the library's."""
    length, n = axis.edges[-1] - axis.edges[0], axis.size
    centres = 0.5 * (axis.edges[1:] + axis.edges[:-1])
    around = np.concatenate(([centres[-1] - length], centres, [centres[0] + length]))
    inside = axis.edges[0] + (places - axis.edges[0]) % length
    hats = np.stack([np.interp(inside, around, row) for row in np.eye(n + 2)], axis=-1)
    found = hats[..., 1:-1].copy()
    found[..., -1] += hats[..., 0]
    found[..., 0] += hats[..., -1]
    return found


def soft_optimum(mass: FloatArray, rows: FloatArray, cost: FloatArray, gamma: float, tau: float) -> FloatArray:
    """V*, by soft policy iteration with dense solves."""
    value = np.zeros(len(cost))
    for _ in range(60):
        q = cost + gamma * rows @ value
        low = q.min(axis=1, keepdims=True)
        weights = mass * np.exp(-(q - low) / tau)
        soft = low[:, 0] - tau * np.log(weights.sum(axis=1))
        policy = weights / weights.sum(axis=1, keepdims=True)
        law = np.einsum("ik,ikj->ij", policy, rows)
        value = value + np.linalg.solve(np.eye(len(cost)) - gamma * law, soft - value)
    return value


@settings(deadline=None, max_examples=60)
@example(cells=1, actions=1, grading=0.0, noise=0.0, seed=0)
@example(cells=2, actions=3, grading=2.0, noise=0.3, seed=1)
@given(
    cells=st.integers(1, 30),
    actions=st.integers(1, 12),
    grading=st.floats(0.0, 2.0),
    noise=st.one_of(st.just(0.0), st.floats(0.01, 1.0)),
    seed=SEEDS,
)
def test_values_solve_the_dense_system(cells: int, actions: int, grading: float, noise: float, seed: int) -> None:
    """V* and V of a policy, with and without noise, whose width is from a hundredth of the circle to the whole."""
    random = np.random.default_rng(seed)
    state, action = circle("angle", random, cells, grading), circle("turn", random, actions, grading)
    length = state.edges[-1] - state.edges[0]
    places = state.points[:, None] + 2.0 * length * random.uniform(-1.0, 1.0, (cells, actions))  # up to two turns
    transition = interpolated_transition(Grid((state,)), places[..., None], [noise * length])
    rows = rows_of(transition)
    assert rows.min() >= 0.0
    assert np.abs(rows.sum(axis=2) - 1.0).max() <= 1e-13
    if noise == 0.0:
        assert np.abs(rows - interpolated(state, places)).max() <= 1e-11
    cost, gamma, tau = random.normal(size=(cells, actions)), 0.95, float(np.exp(random.uniform(-3.0, 1.0)))
    mass = np.diff(action.edges) / (action.edges[-1] - action.edges[0])
    policy = random.dirichlet(np.ones(actions), cells)
    mdp = GridMDP(
        states=Grid((state,)),
        actions=Grid((action,)),
        discount=gamma,
        temperature=tau,
        cost=cost,
        transition=transition,
        reference_mass=mass,
        rho=np.full(cells, 1.0 / cells),
        initial_policy=policy,
    )
    scale = 1e-12 * (np.abs(cost).max() + tau * 40.0) / (1.0 - gamma)
    best = solve_optimum(mdp)
    assert np.abs(best.value - soft_optimum(mass, rows, cost, gamma, tau)).max() <= scale
    paid = (policy * (cost + tau * np.log(np.maximum(policy, 1e-300) / mass))).sum(axis=1)
    law = np.einsum("ik,ikj->ij", policy, rows)
    value = np.linalg.solve(np.eye(cells) - gamma * law, paid)
    assert np.abs(evaluate(mdp, policy).value - value).max() <= scale


@settings(deadline=None, max_examples=60)
@given(cells=st.integers(24, 60), grading=st.floats(0.0, 0.4), noise=st.floats(0.0, 0.05), seed=SEEDS)
def test_the_mean_of_a_step_is_kept_across_the_seam(cells: int, grading: float, noise: float, seed: int) -> None:
    """Displacements are those of the nearest image, and no law reaches half way around."""
    random = np.random.default_rng(seed)
    axis = circle("angle", random, cells, grading)
    length = axis.edges[-1] - axis.edges[0]
    places = random.uniform(-2.0 * length, 2.0 * length, (cells, 5))
    places[:, 0] = axis.edges[0] + length * np.arange(-1, cells - 1)  # the seam itself, from every turn
    rows = rows_of(interpolated_transition(Grid((axis,)), places[..., None], [noise * length]))
    away = (axis.points - places[..., None] + 0.5 * length) % length - 0.5 * length
    assert np.abs((rows * away).sum(axis=2)).max() <= 1e-11 * length
