"""Negative controls of particles: a drift too strong, numbers used again, counts of whole particles."""

from __future__ import annotations

from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flows.parametric.particles import ParticleFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.control import FAILS, TWO_PERCENT, Control, How

STEPS = How(until=0.5, step=0.05, every=0.05, snapshots=5)
FEW: dict[str, Any] = {"particles": 50, "seed": 11}


class SteepParticles(ParticleFlow):
    """Q pulls 2 % too strongly."""

    def advance(
        self, parameters: FloatArray, q: FloatArray, dt: float, parameters_out: FloatArray, out: FloatArray, number: int
    ) -> FloatArray:
        """See `ParametricFlow.advance`."""
        return super().advance(parameters, TWO_PERCENT * q, dt, parameters_out, out, number)


class RepeatingParticles(ParticleFlow):
    """All steps use the numbers of the first."""

    def advance(
        self, parameters: FloatArray, q: FloatArray, dt: float, parameters_out: FloatArray, out: FloatArray, number: int
    ) -> FloatArray:
        """See `ParametricFlow.advance`."""
        return super().advance(parameters, q, dt, parameters_out, out, 0)


class WholeParticles(ParticleFlow):
    """Each is counted in the cell it is in."""

    def project(self, parameters: FloatArray, out: FloatArray) -> FloatArray:
        """See `ParametricFlow.project`."""
        edges = self.mdp.actions.axes[0].edges
        for row, x in zip(out, parameters, strict=True):
            row[:] = np.histogram(x, edges)[0] / x.size
        return out


def _sound(mdp: GridMDP) -> ParticleFlow:
    return ParticleFlow(mdp, **FEW)


PARTICLES = tuple(
    Control(name, what, lambda mdp, kind=kind: kind(mdp, **FEW), {"particle_steps": FAILS}, how=STEPS, sound=_sound)  # type: ignore[misc]
    for name, what, kind in (
        ("particles on a slope 2 % too steep", "steps are made with 1.02 Q", SteepParticles),
        (
            "particles with the same noise in all steps",
            "the random numbers are those of the first step",
            RepeatingParticles,
        ),
        ("particles counted whole", "each in the cell it is in, in place of its two nearest centres", WholeParticles),
    )
)
