"""What is claimed of particles, and what must not pass for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wpoflow as wpo
from tests.variants import slow
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.flows.parametric.particles import ParticleFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.claims.particle_law import finding
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Verdict


class Steep(ParticleFlow):
    def advance(
        self, parameters: FloatArray, q: FloatArray, dt: float, parameters_out: FloatArray, out: FloatArray, number: int
    ) -> FloatArray:
        return super().advance(parameters, 1.02 * q, dt, parameters_out, out, number)


class Repeating(ParticleFlow):
    def advance(
        self, parameters: FloatArray, q: FloatArray, dt: float, parameters_out: FloatArray, out: FloatArray, number: int
    ) -> FloatArray:
        return super().advance(parameters, q, dt, parameters_out, out, 0)


class Loud(ParticleFlow):
    """Noise 2 % too large: of a temperature that is 4 % higher, with Q scaled and the potential as it is."""

    def __init__(self, mdp: GridMDP, **how: Any) -> None:
        super().__init__(mdp, **how)
        self._hot = ParticleFlow(mdp.at_temperature(mdp.temperature * 1.0404), **how)
        self._hot._potential = self._potential

    def advance(
        self, parameters: FloatArray, q: FloatArray, dt: float, parameters_out: FloatArray, out: FloatArray, number: int
    ) -> FloatArray:
        return self._hot.advance(parameters, q, dt, parameters_out, out, number)


def together(mdp: GridMDP, particles: int, seed: int) -> ParticleFlow:
    return ParticleFlow(mdp, particles=particles, seed=seed, noise="shared")


def whole(mdp: GridMDP, particles: int, seed: int) -> ParticleFlow:
    """One particle fewer is counted: the bias of 1/N is another."""
    return ParticleFlow(mdp, particles=particles // 2, seed=seed)


def test_the_law() -> None:
    assert finding().verdict is Verdict.HOLDS


@pytest.mark.parametrize("wrong", [slow(Steep), slow(Repeating), Loud, slow(together), slow(whole)])
def test_another_law(wrong: Any) -> None:
    assert finding(wrong).verdict is Verdict.FAILS


def two_axes() -> GridMDP:
    actions = Grid((uniform_axis("u", -1.0, 1.0, 6), uniform_axis("v", -1.0, 1.0, 5, "periodic")))
    return build(
        Statement(
            states=Grid((uniform_axis("x", -1.0, 1.0, 5, "reflect"),)),
            actions=actions,
            discount=0.8,
            temperature=0.2,
            cost=lambda x, u, v: (x + u) ** 2 + 0.3 * np.cos(np.pi * v) * u,
            dynamics={"x": lambda x, u, v: 0.8 * x + 0.2 * u + 0.0 * v},
            noise={"x": 0.3},
        )
    )


@pytest.mark.parametrize("noise", ["independent", "shared"])
@pytest.mark.parametrize("bandwidth", [0.0, 0.2])
def test_steps_on_two_axes(noise: str, bandwidth: float) -> None:
    """A box and a circle; what was recorded falsely is seen."""
    mdp = two_axes()
    flow = ParticleFlow(mdp, particles=20, seed=5, noise=noise, bandwidth=bandwidth)
    run = wpo.evolve(mdp, flow=flow, step=0.1, until=1.0, snapshots=[0.0, 0.1, 0.2, 1.0])
    claim = CLAIMS["particle_steps"]
    found = claim.finding(Evidence("two axes", run, mdp))
    assert found.verdict is Verdict.HOLDS, [entry for entry in found.measurements if not entry.holds]
    assert len([entry for entry in found.measurements if entry.quantity == "particles after a step of the run"]) == 2
    kept = run.snapshots
    assert kept is not None
    for name in ("particles", "policy_mean", "policy_covariance"):
        off = {each: kept.parameter(each) for each in kept.parameters}
        off[name] = off[name] + 1e-9
        other = wpo.Run.__new__(wpo.Run)
        other.__dict__.update(run.__dict__)
        other.snapshots = type(kept)(kept.time, kept.value, kept.policy, off, kept.lengths)
        assert claim.finding(Evidence("falsified", other, mdp)).verdict is Verdict.FAILS, name


def test_of_other_flows_it_says_so() -> None:
    mdp = wpo.load_problem("bandit", cells={"a": 16})
    run = wpo.evolve(mdp, until=0.1)
    assert not CLAIMS["particle_steps"].applies(Evidence("bandit", run, mdp))


def test_v_need_not_fall(tmp_path: Path) -> None:
    """So descent is not claimed, where of the flow it approximates it is."""
    mdp = wpo.load_problem("bandit", cells={"a": 16})
    run = wpo.evolve(mdp, flow=ParticleFlow(mdp, particles=10, seed=1), step=0.1, until=3.0)
    assert run.series["descent_defect"].max() > 0.0
    found = CLAIMS["pointwise_descent"].finding(replace(Evidence("bandit", run, mdp)))
    assert found.verdict is Verdict.NOT_CERTIFIED
