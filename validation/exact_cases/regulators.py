"""Linear-quadratic regulators on boxes, with the exact solution on the whole space they are compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.exact.linear_quadratic import GaussianPolicy, LinearQuadratic


@dataclass(frozen=True, eq=False)
class Regulator:
    """A regulator with one action, its start, the law rho = N(mean, cov), and the box that holds both.

    The reference measure on the box is the Gaussian conditioned on it, which shifts V by the constant
    tau ln(mass of the box)/(1 - gamma).
    """

    exact: LinearQuadratic
    start: GaussianPolicy
    mean: FloatArray
    cov: FloatArray
    half_box: float
    half_actions: float

    def grid(self, states: int, actions: int, larger: float = 1.0) -> GridMDP:
        """States and actions in cells of fixed width; ``larger`` boxes hold more of them."""
        lq, n = self.exact, len(self.exact.drift)
        box, reach = larger * self.half_box, larger * self.half_actions
        axes = [uniform_axis(f"x{i}", -box, box, round(larger * states) + 1, "clamp") for i in range(n)]
        assert lq.reference_cov is not None
        variance, spread = float(lq.reference_cov[0, 0]), float(self.start.cov[0, 0])
        precision = np.linalg.inv(self.cov)

        def cost(*point: FloatArray) -> FloatArray:
            s, a = np.stack(point[:n], axis=-1), point[n]
            linear = 2.0 * s @ lq.state_slope + 2.0 * (s @ lq.cross_cost)[..., 0] * a + 2.0 * lq.action_slope[0] * a
            curved = np.einsum("...i,ij,...j->...", s, lq.state_cost, s) + lq.action_cost[0, 0] * a**2
            return np.asarray(linear + curved + lq.constant)

        def policy(*point: FloatArray) -> FloatArray:
            centre = np.stack(point[:n], axis=-1) @ self.start.gain[0] + self.start.offset[0]
            return np.asarray(np.exp(-((point[n] - centre) ** 2) / (2.0 * spread)))

        def law(*point: FloatArray) -> FloatArray:
            s = np.stack(point, axis=-1) - self.mean
            return np.asarray(np.exp(-0.5 * np.einsum("...i,ij,...j->...", s, precision, s)))

        def next_state(i: int, *point: FloatArray) -> FloatArray:
            s = np.stack(point[:n], axis=-1)
            return np.asarray(s @ lq.drift[i] + lq.control[i, 0] * point[n])

        return build(
            Statement(
                actions=Grid((uniform_axis("a", -reach, reach, round(larger * actions)),)),
                discount=lq.discount,
                temperature=lq.temperature,
                cost=cost,
                states=Grid(tuple(axes)),
                dynamics={f"x{i}": lambda *point, i=i: next_state(i, *point) for i in range(n)},
                noise={f"x{i}": float(np.sqrt(lq.noise_cov[i, i])) for i in range(n)},
                potential=lambda a: a**2 / (2.0 * variance),
                state_density=law,
                policy_density=policy,
            )
        )

    def shift(self, larger: float = 1.0) -> float:
        """V of the box minus V of the whole space that the conditioned reference measure causes."""
        assert self.exact.reference_cov is not None
        inside = math.erf(larger * self.half_actions / math.sqrt(2.0 * float(self.exact.reference_cov[0, 0])))
        return self.exact.temperature * math.log(inside) / (1.0 - self.exact.discount)


def one_state() -> Regulator:
    """One state, one action; drift and control are multiples of 1/4, so that next states meet the grid regularly."""
    exact = LinearQuadratic(
        drift=np.array([[0.75]]),
        control=np.array([[0.5]]),
        noise_cov=np.array([[0.09]]),
        state_cost=np.array([[0.5]]),
        cross_cost=np.array([[0.05]]),
        action_cost=np.array([[0.3]]),
        state_slope=np.array([0.1]),
        action_slope=np.array([-0.1]),
        constant=0.0,
        discount=0.8,
        temperature=1.0,
        reference_cov=np.array([[1.5]]),
    )
    start = GaussianPolicy(np.array([[0.0]]), np.array([-0.4]), np.array([[0.3]]))
    return Regulator(exact, start, np.array([0.5]), np.array([[0.2]]), half_box=4.0, half_actions=5.0)


def double_integrator() -> Regulator:
    """Position and velocity, driven by a force held over one unit of time."""
    exact = LinearQuadratic(
        drift=np.array([[1.0, 1.0], [0.0, 1.0]]),
        control=np.array([[0.5], [1.0]]),
        noise_cov=np.diag([0.1225, 0.1225]),
        state_cost=np.diag([0.5, 0.3]),
        cross_cost=np.zeros((2, 1)),
        action_cost=np.array([[0.1]]),
        state_slope=np.zeros(2),
        action_slope=np.zeros(1),
        constant=0.0,
        discount=0.6,
        temperature=0.8,
        reference_cov=np.array([[1.5]]),
    )
    start = GaussianPolicy(np.array([[-0.4, -1.0]]), np.array([0.2]), np.array([[0.3]]))
    return Regulator(exact, start, np.zeros(2), 0.04 * np.eye(2), half_box=5.0, half_actions=5.0)
