"""Where the temperature falls, V at the temperature of the moment falls in every state, in every step.

V_tau(p) = cost(p) + tau H(p), and H = (I - gamma P^p)^{-1} KL(p|mu) >= 0 since mu is a probability (of Lebesgue
measure it would not hold).  So V of a fixed policy grows with tau, and a descent step at any tau' between the
temperatures of its ends lowers V at the temperature of the moment:

    V_{tau(t+dt)}(p') <= V_{tau'}(p') <= V_{tau'}(p) <= V_{tau(t)}(p)       in every state.

In continuous time -dV/dt = dissipation - tau'(t)/(1-gamma) sum_i d_i KL(p_i|mu) along rho: both terms are of one sign.
Neither the gap, whose optimum moves, nor the cost need fall.

Measured: the largest rise of V at a state in a step of the run, as recorded; V(rho) from row to row; and, where the
problem is known, steps of any size from its first policy.  Temperatures of rows and of steps are those of the schedule,
by closed forms and quadrature (`validation.independent.annealing`).  Rounding as of claim ``pointwise_descent``.
"""

from __future__ import annotations

import numpy as np

from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.flows.tempered import Tempered
from wpoflow.solver.mdp import GridMDP, TooColdError
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.annealing import of_step, scheduled

STEPS = (1e-4, 1e-1, 1e2)
MASS = 1e-12
RELATIVE = 1e-9


@claim(
    "annealed_descent",
    "while the temperature falls, every step lowers the value at the temperature of the moment, at every state",
    "identity (I1), and KL(p|mu) >= 0 of a probability mu",
    any_temperature=True,
    annealed=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Steps and rows of the run; steps of several sizes from its start where the problem is known."""
    series, run = evidence.run.series, evidence.run
    temperature = series["temperature"]
    annealed = Hypothesis(
        "a run with a temperature that changes", evidence.annealing is not None, "it is constant", scope=True
    )
    falls = Hypothesis(
        "the temperature falls",
        bool(np.all(np.diff(temperature) <= 0.0)),
        f"from {temperature[0]:.4g} it goes to {temperature.max():.4g}",
    )
    mass = abs(float(run.reference_mass.sum()) - 1.0)
    known = mass <= MASS * run.reference_mass.size
    probability = Hypothesis("a reference measure of mass one", known, f"off by {mass:.2g}")
    if not (annealed.met and falls.met and probability.met):
        return (annealed, falls, probability), (), {}
    scale = float(np.abs(series["value_rho"]).max() + np.abs(evidence.optimum.value).max())
    allowed = 1e-12 * scale + 16.0 * EPS * scale / (1.0 - evidence.discount)
    rises, steps = series["descent_defect"], np.diff(series["value_rho"], prepend=np.inf)
    worst, row = int(np.argmax(rises)), int(np.argmax(steps))
    measurements = [
        Measurement(
            "largest rise of V in a step", rises[worst], 0.0, "<=", f"before {evidence.when(worst)}", rounding=allowed
        )
    ]
    if steps.size > 1:
        measurements.append(
            Measurement(
                "rise of V(rho) from row to row", steps[row], 0.0, "<=", f"at {evidence.when(row)}", rounding=allowed
            )
        )
    measurements.append(_schedule(evidence))
    if evidence.mdp is not None:
        measurements += [_from_the_start(evidence, evidence.mdp), _of_steps(evidence, evidence.mdp)]
    return (annealed, falls, probability), tuple(measurements), {"last temperature": float(temperature[-1])}


def _schedule(evidence: Evidence) -> Measurement:
    """Recorded temperatures over those of the schedule, in the row that is furthest off."""
    annealing, series = evidence.annealing, evidence.run.series
    assert annealing is not None
    named = annealing.schedule, annealing.initial, annealing.rate
    expected = np.array([scheduled(*named, float(time)) for time in series["time"]])
    off = np.abs(series["temperature"] / expected - 1.0)
    worst = int(np.argmax(off))
    return Measurement("temperature, off the schedule", off[worst], 0.0, "<=", evidence.when(worst), rounding=RELATIVE)


def _of_steps(evidence: Evidence, mdp: GridMDP) -> Measurement:
    """Temperature and length that steps of several sizes are made with, over what the schedule says."""
    annealing, end = evidence.annealing, float(evidence.run.series["time"][-1])
    assert annealing is not None
    named, tempered = (
        (annealing.schedule, annealing.initial, annealing.rate),
        Tempered(mdp, evidence.followed, annealing),
    )
    worst, at = -np.inf, ""
    for time in (0.0, end / 8.0):
        for dt in (0.1, end / 8.0):
            span = tempered.over(time, dt)
            again = of_step(*named, time, dt, evidence.followed.logarithmic)
            off = max(abs(a / b - 1.0) for a, b in zip((span.mdp.temperature, span.length), again, strict=True))
            worst, at = (off, f"t = {time:.4g}, step {dt:.4g}") if not off <= worst else (worst, at)
    return Measurement("temperature and length of steps, off the schedule", worst, 0.0, "<=", at, rounding=RELATIVE)


def _from_the_start(evidence: Evidence, mdp: GridMDP) -> Measurement:
    """The largest rise in one step from the first policy, of several sizes."""
    tempered = Tempered(mdp, evidence.followed, evidence.annealing)
    before = evaluate(mdp, mdp.initial_policy, temperatures=True).taken_as_exact()
    size = float(np.abs(before.value).max())
    worst, at = -np.inf, STEPS[0]
    for dt in STEPS:
        try:
            span, later = tempered.over(0.0, dt), tempered.mdp(dt)
        except TooColdError:
            continue
        q = before.at(span.mdp).q
        policy = span.flow.step(mdp.initial_policy, q, span.length, np.empty_like(q))
        rise = float((evaluate(later, policy, before.value).value - before.value)[mdp.counted].max())
        worst, at = (rise, dt) if not rise <= worst else (worst, at)
    allowed = 1e-12 * size + 16.0 * EPS * size / (1.0 - mdp.discount)
    return Measurement("rise of V in one step from the start", worst, 0.0, "<=", f"step {at:g}", rounding=allowed)
