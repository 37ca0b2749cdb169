"""Problems whose values are known: made for a given value, and the discounted linear-quadratic regulator."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import wpoflow as wpo
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.transitions import Transition
from wpoflow.solver.mdp import GridMDP

DISCOUNT, TEMPERATURE, ACTIONS = 0.95, 0.1, 5
NOISE = 0.04


def manufactured(n: int, dim: int, noise: str = "") -> tuple[GridMDP, FloatArray, FloatArray]:
    """A problem on circles of n points, made for a value; the value, and its soft-optimal policy.

    V is chosen, and Q = V + phi(u) with the soft minimum of phi zero; c = Q - gamma E V then makes it the optimum, and
    V that of the Gibbs policy of phi.
    """
    axes = tuple(wpo.uniform_axis(name, 0.0, 2.0 * np.pi, n, "periodic") for name in "xy"[:dim])
    states, actions = wpo.Grid(axes), wpo.Grid((wpo.uniform_axis("u", -1.0, 1.0, ACTIONS, "no-flux"),))
    u, points = actions.axes[0].points, states.points
    x = points[:, 0, None]
    y = points[:, 1, None] if dim == 2 else np.zeros_like(x)
    following = [x + 0.11 + 0.1 * np.sin(y if dim == 2 else x) + 0.05 * u, y + 0.2 * np.cos(x) - 0.03 * u][:dim]
    sigma: FloatArray | float = NOISE * (1.5 + np.sin(x)) if noise == "varying" else NOISE * (noise == "constant")

    def mean(along: FloatArray, across: FloatArray, s: FloatArray | float) -> FloatArray:
        """Of sin x cos y + 0.3 cos 2x, with noise s along both axes."""
        fall = np.exp(-0.5 * np.asarray(s) ** 2)
        pair = np.sin(along) * (np.cos(across) * fall if dim == 2 else 1.0) * fall
        return np.asarray(pair + 0.3 * np.cos(2.0 * along) * fall**4)

    value = mean(x, y, 0.0)[:, 0]
    expected = mean(following[0], following[-1] if dim == 2 else np.zeros_like(following[0]), sigma)
    mass = np.full(ACTIONS, 1.0 / ACTIONS)
    phi = 0.2 * u**2
    phi = phi + TEMPERATURE * math.log(float((mass * np.exp(-phi / TEMPERATURE)).sum()))
    policy = np.tile(mass * np.exp(-phi / TEMPERATURE), (states.size, 1))
    f = np.stack(following, axis=-1)
    transition: Transition
    if noise == "varying":
        spread = np.broadcast_to(np.asarray(sigma)[..., None], f.shape)
        transition = wpo.gauss_hermite_transition(states, f, spread)
    else:
        transition = wpo.interpolated_transition(states, f, np.full(dim, sigma) if noise else None)
    mdp = wpo.GridMDP(
        states=states,
        actions=actions,
        discount=DISCOUNT,
        temperature=TEMPERATURE,
        cost=value[:, None] + phi - DISCOUNT * expected,
        transition=transition,
        reference_mass=mass,
        rho=np.full(states.size, 1.0 / states.size),
        initial_policy=np.tile(mass, (states.size, 1)),
    )
    return mdp, value, policy


def riccati(a: FloatArray, b: FloatArray, cost: FloatArray, effort: float, discount: float) -> tuple[FloatArray, float]:
    """P of the value x'Px of cost x'Cx + r u², and the curvature H of Q along u: Q = ... + H (u - u*)²."""
    p = np.zeros_like(a)
    for _ in range(20_000):
        h = effort + discount * float(b @ p @ b)
        gain = discount * (b @ p @ a) / h
        new = cost + discount * a.T @ p @ a - discount * np.outer(a.T @ p @ b, gain)
        if np.abs(new - p).max() < 1e-14:
            break
        p = new
    return p, h


def soft_constant(mdp: GridMDP, curvature: float) -> float:
    """What entropy adds to the value: -tau ln(density of mu sqrt(pi tau / H)) / (1 - gamma), actions without bounds."""
    length = mdp.actions.axes[0].length
    width = math.sqrt(math.pi * mdp.temperature / curvature)
    return -mdp.temperature * math.log(width / length) / (1.0 - mdp.discount)


def regulator(dim: int, n: int) -> tuple[GridMDP, Callable[[FloatArray], FloatArray], float]:
    """A regulator that is driven inwards, on n points an axis: the problem, x'Px as a function, and H."""
    a = np.array([[0.9]]) if dim == 1 else np.array([[0.97, 0.1], [-0.1, 0.9]])
    b = np.array([0.1]) if dim == 1 else np.array([0.0, 0.1])
    discount, effort, cost = 0.95, 0.5, np.eye(dim)
    states = wpo.Grid(tuple(wpo.uniform_axis(name, -1.0, 1.0, n, "clamp") for name in "xv"[:dim]))
    actions = wpo.Grid((wpo.uniform_axis("u", -2.0, 2.0, 81, "no-flux"),))
    points, u = states.points, actions.axes[0].points
    f = (points @ a.T)[:, None, :] + u[:, None] * b
    p, curvature = riccati(a, b, cost, effort, discount)
    mass = np.full(u.size, 1.0 / u.size)
    mdp = wpo.GridMDP(
        states=states,
        actions=actions,
        discount=discount,
        temperature=0.02,
        cost=(points**2).sum(axis=1)[:, None] + effort * u**2,
        transition=wpo.interpolated_transition(states, f),
        reference_mass=mass,
        rho=np.full(states.size, 1.0 / states.size),
        initial_policy=np.tile(mass, (states.size, 1)),
    )
    return mdp, lambda x: np.asarray(np.einsum("ni,ij,nj->n", x, p, x)), curvature
