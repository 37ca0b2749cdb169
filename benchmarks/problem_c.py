"""Problem C: a coupled flow on 128 states × 128 cells.

    s' = 0.9 s + 0.3 a + 0.25 xi  on [-2, 2] × [-3, 3],  the tail mass in the end cells,
    cost s² + 0.5 a² + 0.5 sin(2 s) a,  gamma = 0.9,  tau = 0.2,  mu, rho and the first policy uniform,  to t = 4.

P(j | i, k) is the normal mass of state cell j.  The means lie on the lattice 0.0140625 (2 i + k) + const and are taken
from the integer 2 i + k, so that equal rows are equal bit for bit.  The error is the largest over
t in {0.25, 0.5, 1, 2, 4} of |V(rho) - reference|.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions.tabulated import tabulated_transition
from wpoflow.solver.mdp import GridMDP

DISCOUNT, TEMPERATURE, NOISE = 0.9, 0.2, 0.25
TIMES = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, eq=False)
class CoupledFlow:
    """Arrays of problem C; all methods are given these.

    Attributes
    ----------
    cost : array (S, A)
    tensor : array (S, A, S)
        P(j | i, k).
    start : array (S, A)
    width : float
        Of an action cell.
    """

    cost: FloatArray
    tensor: FloatArray
    start: FloatArray
    width: float


def coupled_flow(n: int = 128) -> CoupledFlow:
    """Problem C, by default at its size; n states and n cells."""
    edges: FloatArray = np.linspace(-2.0, 2.0, n + 1)
    s = (-2.0 + 4.0 * (np.arange(n) + 0.5) / n)[:, None]
    a = -3.0 + 6.0 * (np.arange(n) + 0.5) / n
    lattice = 2 * np.arange(n)[:, None] + np.arange(n)
    # 0.9 · 4/n = 2 · 0.3 · 6/n: one step of i is two of k
    mean: FloatArray = (-2.7 + 2.7 / n) + (1.8 / n) * lattice.astype(np.float64)
    tensor = normal_masses(mean.reshape(-1), NOISE, edges).reshape(n, n, n)
    cost = s**2 + 0.5 * a**2 + 0.5 * np.sin(2.0 * s) * a
    return CoupledFlow(cost, tensor, np.full((n, n), 1.0 / n), 6.0 / n)


def normal_masses(mean: FloatArray, sigma: float, edges: FloatArray) -> FloatArray:
    """Masses of the cells under N(mean, sigma²), (means, cells), tails in the end cells, from the nearer tail."""
    z = (edges[1:-1] - mean[:, None]) / sigma
    ends: npt.NDArray[np.float64] = np.full((mean.size, 1), np.inf)
    z = np.concatenate((-ends, z, ends), axis=1)
    below, above = ndtr(z), ndtr(-z)
    return np.where(z[:, :-1] > 0.0, above[:, :-1] - above[:, 1:], below[:, 1:] - below[:, :-1])


def as_mdp(problem: CoupledFlow) -> GridMDP:
    """Problem C for our solver."""
    n = problem.start.shape[0]
    return GridMDP(
        states=Grid((uniform_axis("s", -2.0, 2.0, n, "reflect"),)),
        actions=Grid((uniform_axis("a", -3.0, 3.0, n),)),
        discount=DISCOUNT,
        temperature=TEMPERATURE,
        cost=problem.cost,
        transition=tabulated_transition(problem.tensor),
        reference_mass=np.full(n, 1.0 / n),
        rho=np.full(n, 1.0 / n),
        initial_policy=problem.start,
        title="coupled flow",
    )
