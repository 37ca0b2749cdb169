"""Problem M: a pendulum-like MDP, n × n states × 33 actions, gamma = 0.98, in sparse rows.

    speed' = speed + 0.1 (sin theta + u) - 0.01 speed,    theta' = theta + 0.1 speed'        (theta periodic)
    cost 1 - cos(theta) + 0.05 speed² + 0.05 u²,  theta in [-pi, pi), speed clamped to [-4, 4], u in [-1.5, 1.5]

Next states are interpolated bilinearly: four entries to a row, ``columns`` and ``weights`` of shape (S·A, 4).  All
peers are given these rows; ours are given them too, and the transition of the same map, whose stencils are smaller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import Transition
from wpoflow.grids.transitions.interpolated import interpolated_transition
from wpoflow.grids.transitions.tabulated import tabulated_transition
from wpoflow.solver.mdp import GridMDP

DISCOUNT, TEMPERATURE, ACTIONS = 0.98, 0.1, 33
SIZES = (41, 64, 101, 201)


@dataclass(frozen=True, eq=False)
class Pendulum:
    """Arrays of problem M.

    Attributes
    ----------
    states, actions : Grid
    cost : array (S, A)
    next_points : array (S, A, 2)
    columns, weights : arrays (S·A, 4)
        Bilinear rows.
    """

    states: Grid
    actions: Grid
    cost: FloatArray
    next_points: FloatArray
    columns: IntArray
    weights: FloatArray

    @property
    def rows(self) -> sp.csr_matrix:
        """P as a sparse matrix, (S·A, S), without stored zeros."""
        pairs = self.columns.shape[0]
        start = np.arange(0, 4 * pairs + 1, 4)
        entries = self.weights.reshape(-1), self.columns.reshape(-1), start
        rows = sp.csr_matrix(entries, (pairs, self.states.size), copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        return rows

    def mdp(self, *, tabulated: bool) -> GridMDP:
        """The soft problem, by the sparse rows or by stencils of the map."""
        transition: Transition = (
            tabulated_transition(self.rows) if tabulated else interpolated_transition(self.states, self.next_points)
        )
        n_states, n_actions = self.cost.shape
        return GridMDP(
            states=self.states,
            actions=self.actions,
            discount=DISCOUNT,
            temperature=TEMPERATURE,
            cost=self.cost,
            transition=transition,
            reference_mass=np.full(n_actions, 1.0 / n_actions),
            rho=np.full(n_states, 1.0 / n_states),
            initial_policy=np.full(self.cost.shape, 1.0 / n_actions),
            title="pendulum-like",
        )


def pendulum(n: int, n_actions: int = ACTIONS) -> Pendulum:
    """Problem M with n × n states."""
    states = Grid((uniform_axis("theta", -np.pi, np.pi, n, "periodic"), uniform_axis("speed", -4.0, 4.0, n, "clamp")))
    actions = Grid((uniform_axis("u", -1.5, 1.5, n_actions),))
    theta, speed = (states.points[:, [j]] for j in (0, 1))
    u = actions.axes[0].points
    cost = 1.0 - np.cos(theta) + 0.05 * speed**2 + 0.05 * u**2
    later = 0.99 * speed + 0.1 * (np.sin(theta) + u)
    next_points = np.stack((theta + 0.1 * later, later), axis=2)
    place = np.mod((next_points[..., 0] - states.axes[0].points[0]) / (2.0 * np.pi / n), n)
    height = np.clip((next_points[..., 1] + 4.0) / (8.0 / (n - 1)), 0.0, n - 1.0)
    left, below = np.floor(place).astype(np.int64) % n, np.minimum(height.astype(np.int64), n - 2)
    x, y = place - np.floor(place), height - below
    right = (left + 1) % n
    columns = np.stack((left * n + below, left * n + below + 1, right * n + below, right * n + below + 1), axis=2)
    weights = np.stack(((1.0 - x) * (1.0 - y), (1.0 - x) * y, x * (1.0 - y), x * y), axis=2)
    return Pendulum(states, actions, cost, next_points, columns.reshape(-1, 4), weights.reshape(-1, 4))
