"""Particles: N actions in every state, moved by Langevin's equation (`solver.flows.parametric.particle_moves`).

The Wasserstein flow is the law of one particle when there are infinitely many.  With finitely many, Q is that of the
policy the particles make, which is counted on cells (`solver.flows.parametric.particle_counts`) and may be smoothed by
a Gaussian kernel of the width ``bandwidth``, reflected at the ends of a box.

**Bias of the entropy.**  KL(p|m) of an empirical measure is infinite; that of N points counted on K cells is finite but
larger than that of their law.  If w_k(A) is what a particle at A gives to cell k, p_k has the variance (E w_k^2 - (E
w_k)^2)/N, so that E KL(p|m) is larger by about

    1/(2N) (sum_k E[w_k^2]/E[w_k] - 1),

for cells that hold several particles.  Of whole particles w_k^2 = w_k, and this is (K - 1)/(2N) (Miller, Note on the
bias of information estimates, 1955); shared linearly between two centres E w_k^2 = (2/3) E w_k, on every axis, and it
is ((2/3)^d K - 1)/(2N) up to what happens at the ends.  V is larger by tau/(1 - gamma) times that: gaps and rates of
such runs are those of the counted policy, and have a floor.

Random numbers depend on the seed, the number of the step, the state and the particle, and on nothing else.  Either
every state has its own (``independent``), or all have the same uniform numbers to begin with and the same Brownian
increments (``shared``): then a particle is a function of the state, and what the particles do in one state is not
independent of what they do in another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtr

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.flows.flow import check_suitable
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.solver.flows.parametric.particle_counts import count_particles, particle_moments, spread_cells
from wpoflow.solver.flows.parametric.particle_draws import draw_particles
from wpoflow.solver.flows.parametric.particle_moves import MOST_AXES, move_particles
from wpoflow.solver.mdp import GridMDP

UNIFORM = 1e-12  # relative differences of distances up to which points are equally far apart
NEGLIGIBLE = 9.0  # standard deviations from which on a kernel is nothing


class ParticleFlow(ParametricFlow):
    """N particles in every state.

    Parameters
    ----------
    mdp : GridMDP
    particles : int
        N, at least two.
    seed : int
        Of the random numbers, not negative and below 2^63.
    noise : {"independent", "shared"}
        Whether states have random numbers of their own.
    bandwidth : float
        Standard deviation, in units of the action, of the kernel that smooths the policy along every axis.

    Raises
    ------
    UnsuitableFlowError
        An action axis of labels, or one with points at its ends.
    """

    name = "particles"
    moves_mass: ClassVar[bool] = True
    own_step: ClassVar[bool] = True
    descends: ClassVar[bool] = False
    taken: ClassVar[str] = "its particles as they are"
    made: ClassVar[str] = "particles drawn of it"

    def __init__(
        self, mdp: GridMDP, particles: int, seed: int, noise: str = "independent", bandwidth: float = 0.0
    ) -> None:
        super().__init__(mdp)
        check_suitable(type(self), self.name, mdp.actions)
        self.particles, self.seed, self.noise, self.bandwidth = int(particles), int(seed), noise, float(bandwidth)
        axes = mdp.actions.axes
        if len(axes) > MOST_AXES:
            raise ValueError(f"flow 'particles' is for at most {MOST_AXES} action axes")
        self._sizes = np.array([axis.size for axis in axes], dtype=np.int64)
        self._strides = np.array(mdp.actions.strides, dtype=np.int64)
        self._edges = np.concatenate([axis.edges for axis in axes])
        centres, nodes = [axis.points for axis in axes], [_nodes(axis) for axis in axes]
        self._centres, self._nodes = np.concatenate(centres), np.concatenate(nodes)
        self._inverses = np.array([(_inverse(c), _inverse(x)) for c, x in zip(centres, nodes, strict=True)])
        self._circles = np.array([axis.periodic for axis in axes])
        self._lows = np.array([axis.lower for axis in axes])
        self._lengths = np.array([axis.length for axis in axes])
        self._potential = -mdp.temperature * mdp.log_reference_density
        self._kernels = [_smoothing(axis, self.bandwidth) for axis in axes] if self.bandwidth > 0.0 else []

    @classmethod
    def obstacle(cls, actions: Grid) -> str:
        """See `Flow.obstacle`."""
        if words := super().obstacle(actions):
            return words
        ends = [axis.name for axis in actions.axes if axis.boundary == "clamp" and axis.size > 1]
        return f"needs action axes with boundary 'no-flux' or 'periodic'; {ends[0]} is 'clamp'" if ends else ""

    @property
    def parameters(self) -> Mapping[str, float | str]:
        """See `Flow.parameters`."""
        return {"particles": self.particles, "seed": self.seed, "noise": self.noise, "bandwidth": self.bandwidth}

    @classmethod
    def kept_numbers(cls, actions: Grid, **parameters: Any) -> int:
        """See `Flow.kept_numbers`."""
        return int(parameters["particles"]) * actions.dim

    @property
    def lengths(self) -> Mapping[str, int]:
        """See `ParametricFlow.lengths`."""
        return {"particle": self.particles}

    @property
    def remark(self) -> str:
        """See `Flow.remark`."""
        bias, mdp = self.entropy_bias, self.mdp
        return (
            f"counting {self.particles} particles adds about {bias:.2g} to KL(policy | reference) and "
            f"{mdp.temperature * bias / (1.0 - mdp.discount):.2g} to values and gap, if all cells hold several of them"
        )

    @property
    def entropy_bias(self) -> float:
        """About what KL(p|m) is too large by in the mean, if every cell holds several particles; of a uniform law."""
        axes, kernels = self.mdp.actions.axes, self._kernels or [np.eye(n) for n in self._sizes]
        shares = [_squared_shares(axis, rows) for axis, rows in zip(axes, kernels, strict=True)]
        return float((np.prod(shares) - 1.0) / (2.0 * self.particles))

    @property
    def _shared(self) -> bool:
        return self.noise == "shared"

    def begin(self, policy: FloatArray) -> FloatArray:
        """Particles drawn of the cells of a policy, independently of each other."""
        out = np.empty((policy.shape[0], self.particles * self.mdp.actions.dim))
        draw_particles(policy, self._sizes, self._edges, self.seed, self.mdp.slab.start, self._shared, out)
        return out

    def taken_up(self, kept: Mapping[str, FloatArray]) -> FloatArray | None:
        """See `ParametricFlow.taken_up`; as many particles as there are."""
        found = kept.get("particles")
        return None if found is None or found.shape[1] != self.particles * self.mdp.actions.dim else found

    def project(self, parameters: FloatArray, out: FloatArray) -> FloatArray:
        """See `ParametricFlow.project`."""
        count_particles(
            parameters, self._sizes, self._strides, self._centres, self._inverses, self._circles, self._lengths, out
        )
        for rows, stride in zip(self._kernels, self._strides, strict=False):
            spread_cells(out, rows, rows.shape[0], int(stride))
        return out

    def advance(
        self,
        parameters: FloatArray,
        q: FloatArray,
        dt: float,
        parameters_out: FloatArray,
        out: FloatArray,
        number: int,
    ) -> FloatArray:
        """One step of Euler and Maruyama; see `ParametricFlow.advance`."""
        move_particles(
            parameters,
            q,
            self._potential,
            self.mdp.temperature,
            dt,
            self._sizes,
            self._strides,
            self._centres,
            self._nodes,
            self._inverses,
            self._circles,
            self._lows,
            self._lengths,
            self.seed,
            number + 1,  # zero is that of the numbers they were drawn with
            self.mdp.slab.start,
            self._shared,
            parameters_out,
        )
        return self.project(parameters_out, out)

    def kept(self, parameters: FloatArray) -> dict[str, FloatArray]:
        """Particles with their mean and covariance, which are sums over N of them divided by N."""
        rows, dim = parameters.shape[0], self.mdp.actions.dim
        mean, covariance = np.empty((rows, dim)), np.empty((rows, dim * dim))
        particle_moments(parameters, mean, covariance)
        return {
            "policy_mean": mean,
            "policy_covariance": covariance,
            "particles": parameters.copy(),
        }


def _nodes(axis: Axis) -> FloatArray:
    """Where slopes along an axis are known, (n + 1,): between centres, and at the ends of a box."""
    c = axis.points
    between = 0.5 * (c[1:] + c[:-1])
    if axis.periodic:
        seam = 0.5 * (c[-1] + c[0] + axis.length)
        return np.concatenate([[seam - axis.length], between, [seam]])
    return np.concatenate([[axis.lower], between, [axis.upper]])


def _inverse(points: FloatArray) -> float:
    """One over the distance of points, or zero if it is not the same for all."""
    if points.size < 2:
        return 0.0
    step = (points[-1] - points[0]) / (points.size - 1)
    return float(1.0 / step) if np.all(np.abs(np.diff(points) - step) <= UNIFORM * step) else 0.0


def _smoothing(axis: Axis, width: float) -> FloatArray:
    """Masses on all cells of Gaussians around each centre, (n, n), reflected at ends or continued around a circle."""
    period = axis.length if axis.periodic else 2.0 * axis.length
    reach = int(np.ceil(1.0 + NEGLIGIBLE * width / period))
    rows = np.zeros((axis.size, axis.size))
    for turn in range(-reach, reach + 1):
        images = [axis.points] if axis.periodic else [axis.points, 2.0 * axis.lower - axis.points]
        for image in images:
            below = (axis.edges[None, :] - (image[:, None] + turn * period)) / width
            # differences of the smaller tails
            sides = np.where(below[:, :-1] + below[:, 1:] > 0.0, -1.0, 1.0)
            rows += np.abs(ndtr(sides * below[:, 1:]) - ndtr(sides * below[:, :-1]))
    total: FloatArray = rows.sum(axis=1, keepdims=True)
    return rows / total


def _squared_shares(axis: Axis, rows: FloatArray) -> float:
    """sum_k E[w_k^2]/E[w_k] of a uniform law on an axis, w what a particle gives to its cells by way of a kernel."""
    n = axis.size
    if n == 1:
        return 1.0
    masses, products = np.zeros(n), np.zeros((n, n))  # integrals of hat functions and of products of two
    for k, distance in enumerate(axis.distances):
        pair = [k, (k + 1) % n]
        masses[pair] += 0.5 * distance
        products[np.ix_(pair, pair)] += distance / 6.0 * np.array([[2.0, 1.0], [1.0, 2.0]])
    if not axis.periodic:
        for k, rest in ((0, axis.points[0] - axis.lower), (n - 1, axis.upper - axis.points[-1])):
            masses[k] += rest
            products[k, k] += rest
    found: float = ((rows.T @ products @ rows).diagonal() / (masses @ rows)).sum()
    return found
