"""Particles have the law that their equation gives them: moments, weak order, and what counting adds to the entropy.

Many states that never meet, each with a quadratic cost, are as many independent replicas of N particles.  Of these the
recursion of Euler and Maruyama is exact for every step and every N:

    m' = m - dt k (m - m*),   S' = (1 - dt k)^2 S + 2 tau dt,   k = kappa + tau/S_mu,

the mean of all particles, N/(N - 1) of the mean variance within a state, and N times the variance of the means of the
states have the expectations m, S and S; they are held against these to four standard errors.  Against the exact flow
(`validation.exact.ornstein_uhlenbeck`) the error of the mean halves with the step, which is the weak order one.

Particles of a uniform law that reflect at the ends of the box keep it, step by step.  Where the cost is nothing, V is
tau/(1 - gamma) times what counting N particles adds to KL(p|m), by `ParticleFlow.entropy_bias`: in the mean over the
states to four standard errors and a twentieth, the next term of its expansion in 1/N.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.flows.parametric.particles import ParticleFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.validation.exact.ornstein_uhlenbeck import OrnsteinUhlenbeck
from wpoflow.validation.finding import Finding, Hypothesis, Measurement

NAME = "particle_law"
STATEMENT = "particles have the moments of their equation, weak order one, and the bias that counting gives them"
SOURCE = "Kloeden & Platen, Numerical Solution of SDEs, section 9.7; Miller 1955 (bias of entropies)"
REPLICAS, PARTICLES, SEED = 1024, 1024, 3
TIME, STEPS = 0.4, (0.2, 0.1, 0.05)
ERRORS = 4.0  # standard errors
BRACKET = 0.1  # of the order, what the steps leave of the next term
COUNTED, FEW, CELLS = 512, 100, 12
NEXT_TERM = 0.05
Make = Callable[..., ParticleFlow]


def finding(make: Make = ParticleFlow) -> Finding:
    """Judge particles, or what is made in their place with the same arguments."""
    exact = OrnsteinUhlenbeck(1.5, 0.4, 2.0, 0.3, 0.9, (1.0,), (-1.0,), (0.1,))
    moments = [_moments(exact, make, dt) for dt in STEPS]
    measurements = [entry for found, _ in moments for entry in found]
    wanted = float(exact.components(TIME)[0][0])
    errors = [mean - wanted for _, mean in moments]
    noise = math.sqrt(float(exact.components(TIME)[1][0]) / (REPLICAS * PARTICLES))
    for j in range(len(STEPS) - 1):
        order = math.log2(abs(errors[j] / errors[j + 1])) / math.log2(STEPS[j] / STEPS[j + 1])
        by_chance = ERRORS * noise * math.hypot(1.0 / errors[j], 1.0 / errors[j + 1]) / math.log(2.0)
        where = f"steps {STEPS[j]:g} and {STEPS[j + 1]:g}"
        measurements.append(
            Measurement("weak order of the mean", order, 1.0, "=", where, theory=BRACKET, discretisation=by_chance)
        )
    measurements.append(_bias(make))
    known = Hypothesis("a law in closed form", True, "quadratic and flat costs, states that never meet", scope=True)
    return Finding(NAME, "replicas", STATEMENT, SOURCE, (known,), tuple(measurements), {"replicas": REPLICAS})


def _alone(count: int) -> dict[str, Any]:
    """States that stay where they are."""
    return {
        "states": Grid((uniform_axis("replica", 0.0, 1.0, count, "reflect"),)),
        "dynamics": {"replica": lambda replica, a: replica + 0.0 * a},
    }


def _particles(mdp: GridMDP, flow: ParticleFlow, time: float, dt: float) -> FloatArray:
    """Those at the end, (S, N)."""
    run = evolve_to_the_end(mdp, flow=flow, until=time, step=dt, series={"times": [time]}, snapshots=[time])
    if run.status != "complete" or run.snapshots is None:
        raise RuntimeError(f"replicas ended early: {run.stop_reason}")
    return run.snapshots.parameter("particles", -1).reshape(mdp.states.size, -1)


def _moments(exact: OrnsteinUhlenbeck, make: Make, dt: float) -> tuple[list[Measurement], float]:
    """Moments at the end of a run against those of the recursion; the mean."""
    half = 5.0
    mdp = build(
        Statement(
            actions=Grid((uniform_axis("a", -half, half, 200),)),
            discount=exact.discount,
            temperature=exact.temperature,
            cost=lambda replica, a: 0.5 * exact.stiffness * (a - exact.centre) ** 2 + 0.0 * replica,
            potential=lambda a: a**2 / (2.0 * exact.reference_variance),
            policy_density=lambda replica, a: exact.density(0.0, a) + 0.0 * replica,
            **_alone(REPLICAS),
        )
    )
    axis, start = mdp.actions.axes[0], mdp.initial_policy[0]
    mean = float(start @ axis.points)
    variance = float(start @ ((axis.points - mean) ** 2 + axis.widths**2 / 12.0))  # uniform within cells
    for _ in range(round(TIME / dt)):
        mean -= dt * exact.rate * (mean - exact.optimal_mean)
        variance = (1.0 - dt * exact.rate) ** 2 * variance + 2.0 * exact.temperature * dt
    found = _particles(mdp, make(mdp, particles=PARTICLES, seed=SEED), TIME, dt)
    total, means = found.size, found.mean(axis=1)
    measured = (
        ("mean of particles", float(found.mean()), mean, math.sqrt(variance / total)),
        (
            "variance within states, N/(N - 1) of it",
            float(found.var(axis=1, ddof=1).mean()),
            variance,
            variance * math.sqrt(2.0 / total),
        ),
        (
            "variance of the means of states, N times",
            float(PARTICLES * means.var(ddof=1)),
            variance,
            variance * math.sqrt(2.0 / (REPLICAS - 1)),
        ),
    )
    where = f"step {dt:g}"
    return [
        Measurement(name, number, bound, "=", where, discretisation=ERRORS * error)
        for name, number, bound, error in measured
    ], float(found.mean())


def _bias(make: Make) -> Measurement:
    """What counting adds to KL(p|m) where all cells are equally likely."""
    temperature, discount = 0.2, 0.5
    mdp = build(
        Statement(
            actions=Grid((uniform_axis("a", 0.0, 1.0, CELLS),)),
            discount=discount,
            temperature=temperature,
            cost=lambda replica, a: 0.0 * (replica + a),
            **_alone(COUNTED),
        )
    )
    flow = make(mdp, particles=FEW, seed=SEED)
    run = evolve_to_the_end(mdp, flow=flow, until=0.1, step=0.01, snapshots=[0.1])
    assert run.snapshots is not None
    excess = (1.0 - discount) / temperature * run.snapshots.value_at(-1)
    error = ERRORS * float(excess.std(ddof=1)) / math.sqrt(COUNTED)
    bias = ParticleFlow(mdp, particles=FEW, seed=SEED).entropy_bias
    return Measurement(
        "what counting adds to KL(p|m)",
        float(excess.mean()),
        bias,
        "=",
        f"{FEW} particles, {CELLS} cells",
        theory=NEXT_TERM * bias,
        discretisation=error,
    )
