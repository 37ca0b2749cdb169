"""Problem L: large grids; the gallery's navigation at 64² × 32² and a cart-pole-like problem at 31⁴ × 21.

The cart-pole (force u on a cart of mass 1 carrying a pole of mass 0.1 and half length 0.5, Euler steps of 0.05) has
four clamped state axes x, v, theta, omega, one action axis, no noise: 19.4 million pairs, next states computed chunk by
chunk and kept as interpolation stencils.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions.interpolated import interpolated_transition
from wpoflow.problems.load import load_problem
from wpoflow.solver.mdp import GridMDP

TIME_STEP, GRAVITY, POLE_MASS, LENGTH = 0.05, 9.8, 0.1, 0.5


def navigation(n: int = 64, cells: int = 32) -> GridMDP:
    """Navigation on n² states × cells² actions."""
    return load_problem("navigation", cells={"x": n, "y": n, "vx": cells, "vy": cells})


def cart_pole(n: int = 31, cells: int = 21) -> GridMDP:
    """The cart-pole-like problem on n⁴ states × cells actions."""
    bounds = {"x": 2.4, "v": 3.0, "theta": 0.8, "omega": 3.0}
    states = Grid(tuple(uniform_axis(name, -b, b, n, "clamp") for name, b in bounds.items()))
    actions = Grid((uniform_axis("u", -10.0, 10.0, cells),))
    u = actions.axes[0].points

    def next_points(start: int, stop: int) -> list[FloatArray]:
        x, v, theta, omega = (states.points[start:stop, [j]] for j in range(4))
        sine, cosine = np.sin(theta), np.cos(theta)
        total = 1.0 + POLE_MASS
        pull = (u + POLE_MASS * LENGTH * omega**2 * sine) / total
        turn = (GRAVITY * sine - cosine * pull) / (LENGTH * (4.0 / 3.0 - POLE_MASS * cosine**2 / total))
        push = pull - POLE_MASS * LENGTH * turn * cosine / total
        moved = (x + TIME_STEP * v, v + TIME_STEP * push, theta + TIME_STEP * omega, omega + TIME_STEP * turn)
        return [np.ascontiguousarray(np.broadcast_to(y, (stop - start, cells))) for y in moved]

    x, v, theta, omega = states.points.T
    state_cost = 0.2 * x**2 + 4.0 * (1.0 - np.cos(theta)) + 0.01 * (v**2 + omega**2)
    return GridMDP(
        states=states,
        actions=actions,
        discount=0.95,
        temperature=0.1,
        cost=state_cost[:, None] + 0.002 * u**2,
        transition=interpolated_transition(states, next_points, n_actions=cells),
        reference_mass=np.full(cells, 1.0 / cells),
        rho=np.full(states.size, 1.0 / states.size),
        initial_policy=np.full((states.size, cells), 1.0 / cells),
        title="cart-pole-like",
    )


LARGE = {"navigation 64² × 32²": navigation, "cart-pole 31⁴ × 21": cart_pole}
