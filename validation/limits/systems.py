"""Controlled problems on small grids that the studies of the theory's edge vary.

Circle: s' = s + a/2 + sigma xi modulo 2 pi, a in [-2, 2] without flux through the ends, c = 1 - cos s + a^2/4,
gamma = 0.9, tau = 0.5, Lebesgue reference, uniform start: smooth in everything, and every state is visited.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, Value, build
from wpoflow.solver.mdp import GridMDP

PUSH = 0.5
DISCOUNT = 0.9
TEMPERATURE = 0.5


def smooth_cost(s: FloatArray, a: FloatArray) -> FloatArray:
    """1 - cos s + a^2/4."""
    return np.asarray(1.0 - np.cos(s) + 0.25 * a**2)


def circle(
    cells: int,
    *,
    cost: Value = smooth_cost,
    noise: float = 0.3,
    push: float = PUSH,
    stretch: float = 1.0,
    discount: float = DISCOUNT,
) -> GridMDP:
    """The problem on ``cells`` states and as many actions; s' = stretch s + push a + noise xi."""
    return build(
        Statement(
            states=Grid((uniform_axis("s", 0.0, 2.0 * np.pi, cells, "periodic"),)),
            actions=Grid((uniform_axis("a", -2.0, 2.0, cells),)),
            discount=discount,
            temperature=TEMPERATURE,
            cost=cost,
            dynamics={"s": lambda s, a: stretch * s + push * a},
            noise={"s": noise},
        )
    )


def interval(cells: int, *, noise: float) -> GridMDP:
    """s' = s + a/2 + sigma xi clamped to [-1, 1], a in [-2, 2], c = (s - 1/2)^2 + a^2/4; cells + 1 states."""
    return build(
        Statement(
            states=Grid((uniform_axis("s", -1.0, 1.0, cells + 1, "clamp"),)),
            actions=Grid((uniform_axis("a", -2.0, 2.0, cells),)),
            discount=DISCOUNT,
            temperature=TEMPERATURE,
            cost=lambda s, a: (s - 0.5) ** 2 + 0.25 * a**2,
            dynamics={"s": lambda s, a: s + PUSH * a},
            noise={"s": noise},
        )
    )
