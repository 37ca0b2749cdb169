"""A chain pinned against a clamped end: order two, although a finite part of the mass sits in the end point.

The exact values solve the integral equation on the interval: s' has atoms at both ends and a Gaussian density between
them, which Gauss-Legendre nodes together with the two ends integrate to rounding (Nystrom's method).  Drift and control
are multiples of 1/8, and so are the meshes, so that next states meet the grid regularly.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from tests.orders import check_order
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.bellman.evaluation import evaluate, occupancy
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP

DISCOUNT, TEMPERATURE, SIGMA, DRIFT = 0.9, 0.5, 0.2, -0.125
CELLS = [24, 32, 48, 64]


def cost(s: FloatArray, a: FloatArray) -> FloatArray:
    return np.asarray(np.cos(2.0 * s) + 0.3 * a * s + 0.2 * a**2)


def next_state(s: FloatArray, a: FloatArray) -> FloatArray:
    return np.asarray(s + DRIFT + 0.125 * a)


def chain(cells: int) -> GridMDP:
    return build(
        Statement(
            actions=Grid((uniform_axis("a", -1.0, 1.0, cells),)),
            discount=DISCOUNT,
            temperature=TEMPERATURE,
            cost=cost,
            states=Grid((uniform_axis("s", 0.0, 1.0, cells + 1, "clamp"),)),
            dynamics={"s": next_state},
            noise={"s": SIGMA},
        )
    )


class Nystrom:
    """V of the uniform policy, V*, and occupancies, at the nodes 0, 1 and Gauss-Legendre's."""

    def __init__(self) -> None:
        x, w = np.polynomial.legendre.leggauss(40)
        nodes, weights = 0.5 * (1.0 + x), 0.5 * w
        self.points = np.concatenate(([0.0, 1.0], nodes))
        s, a = self.points[:, None], x
        mean = next_state(s, a)[..., None]
        density = np.exp(-0.5 * ((nodes - mean) / SIGMA) ** 2) / (SIGMA * np.sqrt(2.0 * np.pi))
        self.rows = np.concatenate((ndtr(-mean / SIGMA), ndtr((mean - 1.0) / SIGMA), density * weights), axis=2)
        self.cost, self.mass = cost(s, a), 0.5 * w

    def uniform_value(self) -> FloatArray:
        matrix = np.einsum("saj,a->sj", self.rows, self.mass)
        return np.asarray(np.linalg.solve(np.eye(len(matrix)) - DISCOUNT * matrix, self.cost @ self.mass))

    def optimal_value(self) -> FloatArray:
        value = np.zeros(len(self.points))
        for _ in range(320):
            q = self.cost + DISCOUNT * self.rows @ value
            value = -TEMPERATURE * np.log(np.exp(-q / TEMPERATURE) @ self.mass)
        return value

    def occupancy(self) -> tuple[float, float]:
        """Discounted weight of the atom at 0, and mean of s, of the uniform policy from the uniform law."""
        matrix = np.einsum("saj,a->sj", self.rows, self.mass)
        targets = np.stack((self.points == 0.0, self.points), axis=1)
        visits = np.linalg.solve(np.eye(len(matrix)) - DISCOUNT * matrix, (1.0 - DISCOUNT) * targets)
        wall, mean = self.mass @ visits[2:]
        return float(wall), float(mean)


def test_values_at_the_wall_and_away_from_it() -> None:
    """V of the uniform policy and V* at both ends and in the middle; more than a third of the mass is in the wall."""
    exact = Nystrom()
    assert exact.occupancy()[0] > 0.3
    uniform, optimal = exact.uniform_value(), exact.optimal_value()
    middle = interpolated(exact, 0.5)
    found = []
    for n in CELLS:
        mdp = chain(n)
        value = evaluate(mdp, mdp.initial_policy).value
        best = solve_optimum(mdp).value
        row = []
        for numbers, reference in ((value, uniform), (best, optimal)):
            row += [numbers[0] - reference[0], numbers[-1] - reference[1], numbers[n // 2] - middle @ reference[2:]]
        found.append(row)
    for column in np.transpose(found):
        check_order(1.0 / np.array(CELLS), column, 2.0, cap=5e-3)


def test_occupancy() -> None:
    """The mean of s is of order two; the end point's own weight is not, since its half cell holds density as well."""
    exact_wall, exact_mean = Nystrom().occupancy()
    means, walls = [], []
    for n in CELLS:
        mdp = chain(n)
        d = occupancy(mdp, evaluate(mdp, mdp.initial_policy).system)
        means.append(float(d @ mdp.states.points[:, 0]) - exact_mean)
        walls.append(d[0] - exact_wall)
    check_order(1.0 / np.array(CELLS), means, 2.0, cap=1e-4)
    check_order(1.0 / np.array(CELLS), walls, 1.0, cap=2e-2)


def interpolated(exact: Nystrom, s: float) -> FloatArray:
    """Weights on the Gauss-Legendre nodes that interpolate at s."""
    nodes = exact.points[2:]
    weights = np.ones(len(nodes))
    for j, node in enumerate(nodes):
        others = np.delete(nodes, j)
        weights[j] = np.prod((s - others) / (node - others))
    return weights
