"""What holds exactly on the grid, asserted of one problem: mass, positivity, stationarity, descent, (I1)-(I4).

Each function takes a problem and asserts one theorem of it at the problem's initial policy.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from tests.solver.random_mdps import random_policy
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import edges_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.bellman.evaluation import Evaluation, bellman_residual, evaluate, occupancy, suboptimality
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.entropy import gibbs_policy, relative_entropy_to_gibbs
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.trajectory import flow

EPS = np.finfo(np.float64).eps


def gibbs(mdp: GridMDP, q: FloatArray) -> FloatArray:
    policy = np.empty_like(q)
    gibbs_policy(q, mdp.log_mass, mdp.temperature, policy)
    return policy


def divergence(mdp: GridMDP, policy: FloatArray, q: FloatArray) -> FloatArray:
    out = np.empty(mdp.states.size)
    relative_entropy_to_gibbs(policy, q, mdp.log_mass, mdp.temperature, out)
    return out


def rounding(mdp: GridMDP, evaluation: Evaluation) -> float:
    """64 eps max|V| / (1 - gamma): what a difference of two values may be wrong by."""
    return float(64.0 * EPS * np.abs(evaluation.value).max() / (1.0 - mdp.discount))


def mass_and_positivity(mdp: GridMDP, dt: float) -> None:
    """A step keeps every state's mass and makes nothing negative."""
    q = evaluate(mdp, mdp.initial_policy).q
    stepped = WassersteinFlow(mdp).step(mdp.initial_policy, q, dt, np.empty_like(q))
    assert np.abs(stepped.sum(axis=1) - 1.0).max() <= 2e-15 * mdp.actions.size
    assert stepped.min() >= 0.0


def stationarity(mdp: GridMDP, dt: float) -> None:
    """The Gibbs policy of Q is a fixed point of every step with that Q."""
    q = evaluate(mdp, mdp.initial_policy).q
    g = gibbs(mdp, q)
    stepped = WassersteinFlow(mdp).step(g, q, dt, np.empty_like(q))
    assert np.abs(stepped - g).max() <= 1e-13 * g.max()
    # entry by entry; the exponential of a logarithm of size |ln g| cannot be better than eps |ln g|
    seen = g > 1e-290
    assert (np.abs(stepped[seen] / g[seen] - 1.0) / (1e-13 - EPS * np.log(g[seen]))).max() <= 1.0


def pointwise_descent(mdp: GridMDP, dt: float) -> None:
    """A step lowers V at every state."""
    before = evaluate(mdp, mdp.initial_policy)
    policy = WassersteinFlow(mdp).step(mdp.initial_policy, before.q, dt, np.empty_like(before.q))
    after = evaluate(mdp, policy)
    scale = np.abs(before.value).max()
    assert (after.value - before.value).max() <= 1e-12 * scale + 16.0 * EPS * scale / (1.0 - mdp.discount)


def performance_difference_identity(mdp: GridMDP, seed: int) -> None:
    """(I1): V^{p'}(rho) - V^p(rho) = tau/(1-gamma) sum d^{p'} [KL(p'|g) - KL(p|g)]."""
    other = random_policy(np.random.default_rng(seed), mdp.initial_policy.shape, 1.0)
    first, second = evaluate(mdp, mdp.initial_policy), evaluate(mdp, other)
    visited = occupancy(mdp, second.system)
    scale = mdp.temperature / (1.0 - mdp.discount)
    terms = (
        scale * visited * divergence(mdp, other, first.q),
        scale * visited * divergence(mdp, mdp.initial_policy, first.q),
    )
    left = mdp.rho @ second.value - mdp.rho @ first.value
    largest = max(np.abs(terms).max(), abs(mdp.rho @ second.value), abs(mdp.rho @ first.value))
    assert abs(left - (terms[0] - terms[1]).sum()) <= 1e-11 * largest + rounding(mdp, first) + rounding(mdp, second)


def suboptimality_identity(mdp: GridMDP) -> None:
    """(I2): V^p - V* = tau (I - gamma P^p)^{-1} KL(p | p*), state by state, and averaged by occupancy."""
    best = solve_optimum(mdp)
    now = evaluate(mdp, mdp.initial_policy)
    gap = suboptimality(mdp, mdp.initial_policy, best.q, now.system)
    largest = max(np.abs(now.value).max(), np.abs(best.value).max())
    allowed = 1e-11 * largest + rounding(mdp, now)
    assert np.abs(gap - (now.value - best.value)).max() <= allowed
    visited = occupancy(mdp, now.system)
    averaged = mdp.temperature / (1.0 - mdp.discount) * visited @ divergence(mdp, mdp.initial_policy, best.q)
    assert abs(averaged - mdp.rho @ gap) <= 1e-11 * averaged + rounding(mdp, now)


def soft_bellman_residual_identity(mdp: GridMDP) -> None:
    """(I3): V - TV = tau KL(p|g), and it bounds the suboptimality."""
    now = evaluate(mdp, mdp.initial_policy)
    kl = divergence(mdp, mdp.initial_policy, now.q)
    terms = max(np.abs(now.value).max(), np.abs(now.q).max(), mdp.temperature * kl.max())
    soft = np.array([_soft_minimum(row, mdp.reference_mass, mdp.temperature) for row in now.q])
    assert np.abs(now.value - soft - mdp.temperature * kl).max() <= 1e-11 * terms + rounding(mdp, now)
    assert abs(bellman_residual(mdp, now) - mdp.temperature * kl.max()) <= 1e-11 * terms + rounding(mdp, now)
    gap = mdp.rho @ (now.value - solve_optimum(mdp).value)
    # V is a sum of terms as large as Q and tau KL and no better known than they are
    allowed = 64.0 * EPS * terms / (1.0 - mdp.discount)
    assert -allowed <= gap <= mdp.temperature / (1.0 - mdp.discount) * kl.max() + allowed


def _soft_minimum(q: FloatArray, mass: FloatArray, temperature: float) -> float:
    """-tau ln sum m exp(-Q/tau) of one state, in plain NumPy."""
    return float(q.min() - temperature * np.log(np.sum(mass * np.exp(-(q - q.min()) / temperature))))


def with_indifferent_transitions(mdp: GridMDP, seed: int) -> GridMDP:
    """The same problem, but that the next state does not depend on the action, and the action axis has two ends."""
    n_states, n_actions = mdp.states.size, mdp.actions.size
    rows = random_policy(np.random.default_rng(seed), (n_states, n_states), 1.0)
    tensor = np.repeat(rows[:, None, :], n_actions, axis=1)
    edges = np.concatenate(([0.0], np.cumsum(mdp.actions.axes[0].widths)))
    if n_actions == 1:
        edges = np.array([0.0, 0.3, 1.0])
        double = np.array([0.5, 0.5])
        return replace(
            mdp,
            actions=Grid((edges_axis("a", edges, "no-flux"),)),
            cost=np.concatenate((mdp.cost, mdp.cost + 1.0), axis=1),
            transition=tabulated_transition(np.repeat(rows[:, None, :], 2, axis=1)),
            reference_mass=double,
            initial_policy=np.tile([0.1, 0.9], (n_states, 1)),
        )
    actions = Grid((edges_axis("a", edges, "no-flux"),))
    return replace(mdp, actions=actions, transition=tabulated_transition(tensor))


def scheme_keeps_the_theorems(mdp: GridMDP, scheme: str, control: dict[str, Any], steps: int) -> None:
    """Along a few steps of a time scheme mass is kept, nothing turns negative and V falls at every state."""
    before: FloatArray | None = None
    for state in islice(flow(mdp, scheme=scheme, **control), steps + 1):
        assert np.abs(state.policy.sum(axis=1) - 1.0).max() <= 2e-15 * mdp.actions.size * (8 * state.steps + 1)
        assert state.policy.min() >= 0.0
        if before is not None:
            scale = max(float(np.abs(before).max()), float(np.abs(state.value).max()))
            assert (state.value - before).max() <= 1e-12 * scale + 16.0 * EPS * scale / (1.0 - mdp.discount)
        before = state.value.copy()


def dissipation_identity(mdp: GridMDP) -> None:
    """(I4): the derivative of V(rho) in the direction L p, by the policy gradient, is minus the dissipation."""
    now = evaluate(mdp, mdp.initial_policy)
    visited = occupancy(mdp, now.system)
    dissipation = visited @ WassersteinFlow(mdp).dissipation(mdp.initial_policy, now.q) / (1.0 - mdp.discount)
    generator = _generator_applied(mdp, mdp.initial_policy, now.q)
    gradient = now.q + mdp.temperature * (np.log(mdp.initial_policy) - mdp.log_mass)
    exact = -visited @ (generator * gradient).sum(axis=1) / (1.0 - mdp.discount)
    terms = np.abs(visited[:, None] * generator * gradient).sum() / (1.0 - mdp.discount)
    assert dissipation >= 0.0
    assert abs(dissipation - exact) <= 1e-11 * terms


def short_step(mdp: GridMDP) -> None:
    """(p' - p)/dt tends to L p: pins the rates themselves, which stationarity and descent leave free."""
    q = evaluate(mdp, mdp.initial_policy).q
    generator = _generator_applied(mdp, mdp.initial_policy, q)
    narrowest = min(float(axis.widths.min()) for axis in mdp.actions.axes)
    fastest = (mdp.temperature + np.ptp(q)) / narrowest**2
    dt = 1e-7 / fastest
    stepped = WassersteinFlow(mdp).step(mdp.initial_policy, q, dt, np.empty_like(q))
    allowed = 1e-5 * np.abs(generator).max() + 1e-7 * fastest * np.abs(mdp.initial_policy).max()
    assert np.abs((stepped - mdp.initial_policy) / dt - generator).max() <= allowed


def _generator_applied(mdp: GridMDP, p: FloatArray, q: FloatArray) -> FloatArray:
    """L p from the flux formula as it stands in the module's docstring, in plain NumPy."""
    out = np.zeros((p.shape[0], *mdp.actions.shape))
    policy = p.reshape(out.shape)
    phi = (q / mdp.temperature - mdp.log_reference_density).reshape(out.shape)
    for j, axis in enumerate(mdp.actions.axes):
        density = policy / axis.widths.reshape([-1 if k == j + 1 else 1 for k in range(out.ndim)])
        neighbours = [(k, k + 1) for k in range(axis.size - 1)]
        if axis.periodic and axis.size > 1:
            neighbours.append((axis.size - 1, 0))
        for face, (here, there) in enumerate(neighbours):
            a, b = (np.take(array, [here, there], axis=j + 1) for array in (density, phi))
            z = np.diff(b, axis=j + 1)
            size = np.maximum(np.abs(z), 1e-14)
            small_side = size * np.exp(-size) / -np.expm1(-size)
            forward, backward = small_side + np.maximum(-z, 0.0), small_side + np.maximum(z, 0.0)
            flux = (
                mdp.temperature
                / axis.distances[face]
                * (forward * np.take(a, [0], axis=j + 1) - backward * np.take(a, [1], axis=j + 1))
            )
            index = [slice(None)] * out.ndim
            index[j + 1] = slice(here, here + 1)
            out[tuple(index)] -= flux
            index[j + 1] = slice(there, there + 1)
            out[tuple(index)] += flux
    return out.reshape(p.shape)
