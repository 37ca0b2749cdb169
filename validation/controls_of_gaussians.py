"""Negative controls of Gaussian policies: parts of the flow wrong by 2 %, or left out.

What inequalities must see is run where they are equalities: a quadratic cost on one state, with the variance that the
flow tends to, so that only the mean moves.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.flows.parametric.gaussian import GaussianFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.control import FAILS, LOGARITHMIC, TWO_PERCENT, Control, How, recorded

LATE = How(until=20.0, accuracy=1e-6, every=0.1, snapshots=40)
SHORT = How(until=2.0, accuracy=1e-6, every=0.1, snapshots=6)


class FastGaussian(GaussianFlow):
    """Moves 2 % too fast, and states what is right."""

    def velocity(self, parameters: FloatArray, q: FloatArray, out: FloatArray) -> FloatArray:
        """See `ParametricFlow.velocity`."""
        out[:] = TWO_PERCENT * super().velocity(parameters, q, out)
        return out


class RigidGaussian(GaussianFlow):
    """Leaves its covariances as they are, and states that they move."""

    def velocity(self, parameters: FloatArray, q: FloatArray, out: FloatArray) -> FloatArray:
        """See `ParametricFlow.velocity`."""
        super().velocity(parameters, q, out)
        out[:, self.mdp.actions.dim :] = 0.0
        return out


class LavishGaussian(GaussianFlow):
    """Moves as it should, and states 2 % more dissipation."""

    def lost(self, parameters: FloatArray, q: FloatArray) -> FloatArray | None:
        """See `ParametricFlow.lost`."""
        found = super().lost(parameters, q)
        return None if found is None else TWO_PERCENT * found


def quadratic(mdp: GridMDP) -> GridMDP:
    """Instead of the problem."""
    curvature, temperature = 1.3, 0.2
    axis = uniform_axis("a", -4.0, 4.0, 240, "no-flux")
    width = float(axis.widths[0])
    return build(
        Statement(
            Grid((axis,)),
            discount=0.5,
            temperature=temperature,
            cost=lambda a: 0.5 * curvature * a * a,
            policy_mean=1.0,
            policy_covariance=temperature / curvature - width**2 / 12.0,
        )
    )


def _smaller(values: FloatArray) -> FloatArray:
    return np.asarray(values / TWO_PERCENT)


GAUSSIANS = (
    Control(
        "Gaussians 2 % too fast",
        "means and covariances move at 1.02 of their velocity, the dissipation is as it should be",
        FastGaussian,
        {"dissipation_identity": FAILS},
        how=LOGARITHMIC,
        sound=GaussianFlow,
    ),
    Control(
        "Gaussians of rigid covariance",
        "only means move, the dissipation is that of both",
        RigidGaussian,
        {"dissipation_identity": FAILS},
        how=LOGARITHMIC,
        sound=GaussianFlow,
    ),
    Control(
        "Gaussians that state 2 % too much",
        "the dissipation is 1.02 of the squared gradient",
        LavishGaussian,
        {"gaussian_dissipation": FAILS, "dissipation_identity": FAILS},
        how=LOGARITHMIC,
        sound=GaussianFlow,
    ),
    Control(
        "Gaussians that lose 2 % less",
        "on a quadratic cost, where the mean decays at its curvature and nothing faster",
        GaussianFlow,
        {"gaussian_contraction": FAILS},
        change=quadratic,
        how=SHORT,
        falsify=recorded(dissipation=_smaller),
        sound=GaussianFlow,
    ),
    Control(
        "Gaussians 2 % too fast in the end",
        "on a quadratic cost, where V falls to that of the limit at twice its curvature",
        FastGaussian,
        {"gaussian_late": FAILS},
        change=quadratic,
        how=LATE,
        sound=GaussianFlow,
    ),
)
