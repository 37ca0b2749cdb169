"""Problem F: 256 double wells at once, potential frozen.

    U_s(a) = (a² - 1)² + 0.5 sin(s) a + 0.1 a²,    s on 256 equally spaced points of the circle,
    a in [-2, 2] on 256 cells,  diffusion 0.1,  from N(0, 0.5²) truncated,  to t = 1.

As a contextual bandit: next states do not depend on the action (every state stays where it is), so Q = U up to a
constant of the state, and temperature 0.1 with uniform reference measure gives this Fokker–Planck equation.

The error is that of time stepping alone: the mean over states of sum_k |p_k - p_k(exact)| against the exponential of
each state's generator.  That is computed by Taylor's series of exp(t L / 2^m) + shift, whose terms are all
non-negative, and m squarings with columns rescaled to mass one: no cancellation, about 1e-14.  (The symmetrised
eigenproblem is no help: its similarity spans e^50 here.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtr

from benchmarks.numpy_flux import ColumnPattern, face_rates
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions.tabulated import tabulated_transition
from wpoflow.solver.mdp import GridMDP

DIFFUSION = 0.1
END = 1.0
DISCOUNT = 0.5  # of no consequence to the policies
_TERMS = 30


@dataclass(frozen=True, eq=False)
class FrozenWells:
    """Arrays of problem F; all methods are given these.

    Attributes
    ----------
    potential, start : arrays (S, A)
        U at the cell centres and the cell probabilities at t = 0.
    width : float
        Of a cell.
    """

    potential: FloatArray
    start: FloatArray
    width: float

    @cached_property
    def rates(self) -> tuple[FloatArray, FloatArray]:
        """Rates to the right and to the left on all faces."""
        return face_rates(self.potential, DIFFUSION, self.width)

    @cached_property
    def generator(self) -> sp.csc_matrix:
        """Tridiagonal generator of the flattened problem, (S·A, S·A)."""
        return ColumnPattern(*self.start.shape).matrix(*self.rates)

    @cached_property
    def reference(self) -> FloatArray:
        """p(1), (S, A), exact to about 1e-14."""
        up, down = self.rates
        return np.stack([exponential(u, w, END) @ p for u, w, p in zip(up, down, self.start, strict=True)])

    def error(self, p: FloatArray) -> dict[str, float]:
        """Mean and largest L1 error of the states."""
        each = np.abs(np.reshape(p, self.start.shape) - self.reference).sum(axis=1)
        return {"error": float(each.mean()), "worst_state": float(each.max())}


def frozen_wells(n_states: int = 256, cells: int = 256) -> FrozenWells:
    """Problem F, by default at its size."""
    axis = uniform_axis("a", -2.0, 2.0, cells)
    s = 2.0 * np.pi * np.arange(n_states)[:, None] / n_states
    a = axis.points
    potential = (a**2 - 1.0) ** 2 + 0.5 * np.sin(s) * a + 0.1 * a**2
    mass = np.diff(ndtr(axis.edges / 0.5))
    start = np.tile(mass / mass.sum(), (n_states, 1))
    return FrozenWells(potential, start, 4.0 / cells)


def as_bandit(wells: FrozenWells) -> GridMDP:
    """Problem F for our solver."""
    n_states, cells = wells.start.shape
    stay = sp.csr_array(
        (np.ones(wells.start.size), np.repeat(np.arange(n_states), cells), np.arange(wells.start.size + 1)),
        shape=(wells.start.size, n_states),
    )
    return GridMDP(
        states=Grid((uniform_axis("s", 0.0, 2.0 * np.pi, n_states, "periodic"),)),
        actions=Grid((uniform_axis("a", -2.0, 2.0, cells),)),
        discount=DISCOUNT,
        temperature=DIFFUSION,
        cost=wells.potential,
        transition=tabulated_transition(stay),
        reference_mass=np.full(cells, 1.0 / cells),
        rho=np.full(n_states, 1.0 / n_states),
        initial_policy=wells.start,
        title="256 double wells",
    )


def exponential(up: FloatArray, down: FloatArray, time: float) -> FloatArray:
    """exp(time L), (n, n), of one tridiagonal generator acting on columns, by non-negative arithmetic."""
    n = up.size + 1
    leaving = np.append(up, 0.0) + np.append(0.0, down)
    shift = float(leaving.max())
    squarings = max(0, math.ceil(math.log2(shift * time)) + 1)
    scale = time / 2.0**squarings
    positive = np.diag(shift - leaving) + np.diag(up, -1) + np.diag(down, 1)
    term = np.eye(n)
    total = term.copy()
    for k in range(1, _TERMS):
        term = positive @ term * (scale / k)
        total += term
    total /= total.sum(axis=0)
    for _ in range(squarings):
        total = total @ total
        total /= total.sum(axis=0)
    return total
