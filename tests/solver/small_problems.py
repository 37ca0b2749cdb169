"""Small smooth problems that several tests share."""

from __future__ import annotations

import numpy as np

from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import interpolated_transition
from wpoflow.solver.mdp import GridMDP


def small_problem(states: int = 12, actions: int = 16, temperature: float = 0.3, discount: float = 0.9) -> GridMDP:
    """A smooth problem on circles."""
    grid = Grid((uniform_axis("s", 0.0, 2 * np.pi, states, "periodic"),))
    action_grid = Grid((uniform_axis("a", 0.0, 2 * np.pi, actions, "periodic"),))
    s, a = grid.points, action_grid.points[:, 0]
    cost = 1.0 - np.cos(s) + 0.5 * (1.0 - np.cos(a - np.sin(s)))
    transition = interpolated_transition(grid, (s + 0.4 * np.sin(a))[..., None], np.array([0.3]))
    mass, rho = np.full(actions, 1.0 / actions), np.full(states, 1.0 / states)
    return GridMDP(grid, action_grid, discount, temperature, cost, transition, mass, rho, np.tile(mass, (states, 1)))
