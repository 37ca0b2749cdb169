"""Cart-pole swing-up on four graded axes: Runge-Kutta steps of the analytic dynamics, decisions held for several.

    M x'' + m l (cos(theta) theta'' - sin(theta) theta'²) = 10 u - c x'
    J theta'' + m l cos(theta) x'' = m g l sin(theta) - k theta'

with M = 1.1 (cart and pole), m = 0.1, l = 0.5, J = m/3, g = 9.81, c = 5e-4, k = 2e-6; theta = 0 is upright, and u in
[-1, 1] is held for ``HOLD`` steps of 0.01 s.  The reward of a step, in [0, 1], is a product of how upright, centred,
cheap and slow it is; the cost of a decision is minus the sum of gamma^j times it, and its discount gamma^HOLD.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, edges_axis, sinh_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions.interpolated import interpolated_transition
from wpoflow.solver.mdp import GridMDP

HOLD, STEP, DISCOUNT, TEMPERATURE, ACTIONS = 4, 0.01, 0.99, 1e-3, 9
TOTAL, POLE, HALF, INERTIA, GRAVITY, GEAR, SLIDE, HINGE = 1.1, 0.1, 0.5, 0.1 / 3.0, 9.81, 10.0, 5e-4, 2e-6
SIZES: dict[str, tuple[int, int, int, int]] = {
    "0.84": (11, 31, 13, 21),
    "2.23": (13, 41, 15, 31),
    "4.04": (15, 45, 19, 35),
    "10": (19, 57, 23, 45),
}
"""Points along x, theta, x' and theta', by millions of pairs with 9 actions."""


def graded_circle(name: str, cells: int, ratio: float) -> Axis:
    """Cells around a circle, finest at zero, the widest ``ratio`` times as wide."""
    half = sinh_axis(name, 0.0, math.pi, cells, "reflect", focus=0.0, ratio=ratio).edges
    # every second edge of a half that is twice as fine, mirrored, so that a cell has its middle at zero
    places = np.interp(np.arange(1, cells + 1, 2) / cells, np.arange(cells + 1) / cells, half)
    return edges_axis(name, np.concatenate((-places[::-1], places)), "periodic")


def states(sizes: Sequence[int]) -> Grid:
    """Grid of x, theta, x', theta' with odd numbers of points."""
    along = sinh_axis("x", -1.8, 1.8, sizes[0], "clamp", focus=0.0, ratio=6.0)
    speed = sinh_axis("v", -6.0, 6.0, sizes[2], "clamp", focus=0.0, ratio=8.0)
    turn = sinh_axis("w", -12.0, 12.0, sizes[3], "clamp", focus=0.0, ratio=10.0)
    return Grid((along, graded_circle("theta", sizes[1], 12.0), speed, turn))


def accelerations(theta: FloatArray, v: FloatArray, w: FloatArray, u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """x'' and theta''."""
    sine, cosine = np.sin(theta), np.cos(theta)
    couple = POLE * HALF * cosine
    push = GEAR * u - SLIDE * v + POLE * HALF * sine * w * w
    torque = POLE * GRAVITY * HALF * sine - HINGE * w
    determinant = TOTAL * INERTIA - couple * couple
    return (INERTIA * push - couple * torque) / determinant, (TOTAL * torque - couple * push) / determinant


def step(x: Sequence[FloatArray], u: FloatArray) -> list[FloatArray]:
    """One classical Runge-Kutta step from (x, theta, x', theta')."""

    def slope(at: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        return (at[2], at[3], *accelerations(at[1], at[2], at[3], u))

    first = slope(x)
    second = slope([a + 0.5 * STEP * b for a, b in zip(x, first, strict=True)])
    third = slope([a + 0.5 * STEP * b for a, b in zip(x, second, strict=True)])
    fourth = slope([a + STEP * b for a, b in zip(x, third, strict=True)])
    slopes = zip(x, first, second, third, fourth, strict=True)
    return [a + STEP / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4) for a, k1, k2, k3, k4 in slopes]


def reward(x: Sequence[FloatArray], u: FloatArray) -> FloatArray:
    """Of a step that ends at x."""
    far = math.log(10.0)
    centred, slow = np.exp(-far * (x[0] / 2.0) ** 2), np.exp(-far * (x[3] / 5.0) ** 2)
    return np.asarray(0.5 * (np.cos(x[1]) + 1.0) * 0.5 * (1.0 + centred) * (5.0 - u * u) / 5.0 * 0.5 * (1.0 + slow))


def cartpole(
    sizes: Sequence[int],
    actions: int = ACTIONS,
    temperature: float = TEMPERATURE,
    hold: int = HOLD,
    discount: float = DISCOUNT,
) -> GridMDP:
    """The swing-up as a problem on a grid; the cost is filled while the transition is built."""
    grid, torque = states(sizes), np.linspace(-1.0, 1.0, actions)
    cost = np.zeros((grid.size, actions))

    def held(start: int, stop: int) -> list[FloatArray]:
        at = [np.repeat(column[:, None], actions, axis=1) for column in grid.points[start:stop].T]
        gained = np.zeros((stop - start, actions))
        for j in range(hold):
            at = step(at, torque)
            at[0] = np.clip(at[0], -1.8, 1.8)
            gained += discount**j * reward(at, torque)
        cost[start:stop] = -gained
        return at

    transition = interpolated_transition(grid, held)
    edges = np.linspace(-1.0 - 1.0 / (actions - 1), 1.0 + 1.0 / (actions - 1), actions + 1)
    rho = np.zeros(grid.size)
    rho[int(np.abs(grid.points - np.array([0.0, math.pi, 0.0, 0.0])).sum(axis=1).argmin())] = 1.0
    return GridMDP(
        states=grid,
        actions=Grid((edges_axis("u", edges),)),
        discount=discount**hold,
        temperature=temperature,
        cost=cost,
        transition=transition,
        reference_mass=np.full(actions, 1.0 / actions),
        rho=rho,
        initial_policy=np.full((grid.size, actions), 1.0 / actions),
        title="cart-pole swing-up",
        rewards=True,
    )
