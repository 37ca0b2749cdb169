"""Particles are drawn, moved and counted as their equations say, number by number.

At a few snapshots the policy must be what plain NumPy code counts of the particles (`validation.independent.particles`)
and their means and covariances those that NumPy forms.  Where the problem is known, the first particles must be those
that uniform words of `numpy.random.Philox` draw of the first policy; a step of the flow from a snapshot must be that of
Euler and Maruyama with the normal numbers made of the words for that step; and where two snapshots are one step apart,
so must the run's own.  So the law of a run is that of the scheme: what is left to chance is the generator.

Rounding: positions err by 1e-11 of the box and of the way that is made in the step, which is a difference quotient of
Q, known to its own rounding; probabilities by 1e-12.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.particles import (
    counted,
    distance,
    drawn,
    moved,
    normal_numbers,
    smoothed,
    words,
)
from wpoflow.validation.independent.policy import PolicyValues

SNAPSHOTS, STATES, DRAWN = 4, 6, 50
PLACES, PROBABILITIES = 1e-11, 1e-12


@claim(
    "particle_steps",
    "particles are drawn, moved and counted as independent code does it, from the same random numbers",
    "Euler & Maruyama; Salmon, Moraes, Dror & Shaw, SC 2011 (Philox)",
    flows=("particles",),
)
def judge(evidence: Evidence) -> Judgement:
    """Counts at snapshots; draws and steps where the problem is known."""
    snapshots = evidence.run.snapshots
    there = snapshots is not None and "particles" in snapshots.parameters and len(snapshots.time) > 0
    kept = Hypothesis("snapshots", there, "none in the run")
    if snapshots is None or not there:
        return (kept,), (), {}
    actions, chosen = evidence.run.actions, np.unique(np.linspace(0, len(snapshots.time) - 1, SNAPSHOTS).astype(int))
    states = np.unique(np.linspace(0, evidence.run.states.size - 1, STATES).astype(int))
    bandwidth, worst = float(evidence.judged_as.parameters["bandwidth"]), np.zeros(3)
    for j in chosen:
        policy, particles = snapshots.policy_at(j), _particles(evidence, j)
        mean, covariance = (snapshots.parameter(name, j) for name in ("policy_mean", "policy_covariance"))
        for i in states:
            x = particles[i]
            p = counted(actions, x) if bandwidth == 0.0 else smoothed(actions, counted(actions, x), bandwidth)
            apart = x - x.mean(axis=0)
            found = (
                np.abs(policy[i] - p).max(),
                np.abs(mean[i].ravel() - x.mean(axis=0)).max(),
                np.abs(covariance[i].ravel() - (apart.T @ apart / len(x)).ravel()).max(),
            )
            worst = np.fmax(worst, np.where(np.isnan(found), np.inf, found))
    size = max(axis.length for axis in actions.axes)
    allowed = (PROBABILITIES, PROBABILITIES * size, PROBABILITIES * size**2)
    what = ("policy against the counts of its particles", "mean of particles", "covariance of particles")
    measurements = [
        Measurement(name, float(error), 0.0, "<=", rounding=rounding)
        for name, error, rounding in zip(what, worst, allowed, strict=True)
    ]
    if evidence.mdp is not None:
        measurements += _draws(evidence, evidence.mdp, states) + _steps(evidence, evidence.mdp, chosen, states)
    return (kept,), tuple(measurements), {}


def _particles(evidence: Evidence, snapshot: int) -> FloatArray:
    """(S, N, d)."""
    assert evidence.run.snapshots is not None
    found = evidence.run.snapshots.parameter("particles", snapshot)
    return found.reshape(evidence.run.states.size, -1, evidence.run.actions.dim)


def _stream(evidence: Evidence, state: int) -> tuple[int, int]:
    """The seed, and the number of a state's stream."""
    parameters = evidence.judged_as.parameters
    return int(parameters["seed"]), 0 if parameters["noise"] == "shared" else int(state)


def _draws(evidence: Evidence, mdp: GridMDP, states: FloatArray) -> list[Measurement]:
    """The first particles, if the first snapshot is the start from the problem's own policy."""
    snapshots = evidence.run.snapshots
    if snapshots is None or snapshots.time[0] != 0.0 or "initial" in evidence.run.attributes:
        return []
    particles, worst = _particles(evidence, 0), 0.0
    for i in states:
        x = particles[i][:DRAWN]
        seed, stream = _stream(evidence, i)
        expected = drawn(mdp.actions, mdp.initial_policy[i], words(seed, 0, stream, x.size).reshape(x.shape))
        worst = max(worst, distance(mdp.actions, x, expected))
    size = max(axis.length for axis in mdp.actions.axes)
    return [Measurement("first particles against their draws", worst, 0.0, "<=", "t = 0", rounding=PLACES * size)]


def _steps(evidence: Evidence, mdp: GridMDP, chosen: FloatArray, states: FloatArray) -> list[Measurement]:
    """A step of the flow from the snapshots chosen, and those of the run that lead from one snapshot to the next."""
    snapshots, flow, dt = evidence.run.snapshots, evidence.followed, evidence.number("step")
    assert snapshots is not None
    assert isinstance(flow, ParametricFlow)
    size, found = max(axis.length for axis in mdp.actions.axes), []
    apart = np.flatnonzero(np.isclose(np.diff(snapshots.time), dt, rtol=1e-9))
    potential = -mdp.temperature * np.log(mdp.reference_mass / mdp.actions.volumes)
    for j in np.unique([*chosen, *apart[:SNAPSHOTS]]):
        before, number = _particles(evidence, j), round(float(snapshots.time[j]) / dt)
        q = PolicyValues(mdp, snapshots.policy_at(j)).q
        flat = before.reshape(len(before), -1)
        stepped = np.empty_like(flat)
        flow.advance(np.ascontiguousarray(flat), q, dt, stepped, np.empty_like(q), number)
        after = {"a step of the flow": stepped.reshape(before.shape)}
        if j in apart:
            after["a step of the run"] = _particles(evidence, j + 1)
        worst, way = dict.fromkeys(after, 0.0), 0.0
        for i in states:
            x = before[i]
            seed, stream = _stream(evidence, i)
            noise = normal_numbers(seed, number + 1, stream, x.size).reshape(x.shape)
            expected = moved(mdp.actions, q[i] + potential, x, noise, mdp.temperature, dt)
            way = max(way, dt * float(np.abs(q[i] + potential).max()) / min(a.widths.min() for a in mdp.actions.axes))
            for name, here in after.items():
                worst[name] = max(worst[name], distance(mdp.actions, here[i], expected))
        found += [
            Measurement(
                f"particles after {name}", error, 0.0, "<=", f"t = {number * dt:.4g}", rounding=PLACES * (size + way)
            )
            for name, error in worst.items()
        ]
    return found
