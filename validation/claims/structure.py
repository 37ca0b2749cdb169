"""Mass, positivity and the steady state, exact on the grid.

Every factor of a step is a Markov kernel with invariant law g = Gibbs policy of Q: mass is kept, nothing turns
negative, and p = g stays where it is for every step size.  (Flows of parameters cannot be at g.)  Rounding:
subtraction-free elimination leaves errors of a few eps in every *entry* relatively, and mass drifts by less than an
eps a step at random.
"""

from __future__ import annotations

import numpy as np

from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement

STEPS = (1e-3, 1.0, 1e3, 1e9)
MASS = 1e-13
DRIFT = 2e-16
STATIONARY = 1e-13
SIGNIFICANT = 1e-290


@claim(
    "structure",
    "mass is kept, nothing turns negative, and the Gibbs policy of Q is a fixed point of every step",
    "Scharfetter & Gummel 1969, doi:10.1109/T-ED.1969.16566; Grassmann, Taksar & Heyman 1985 (elimination)",
    any_temperature=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Mass and positivity along the run; the steady state by steps from it, where the problem is known."""
    series = evidence.run.series
    steps = evidence.number("steps")
    measurements = [
        Measurement("mass error", series["mass_error"].max(), 0.0, "=", rounding=MASS + DRIFT * steps),
        Measurement("run failed", float(evidence.run.status == "failed"), 0.0, "=", where=evidence.run.stop_reason),
        Measurement("least density", series["density_min"].min(), 0.0, ">="),
    ]
    if evidence.mdp is not None and not evidence.judged_as.kind.parametric:
        measurements.append(_steady_state(evidence))
    return (Hypothesis("a run", True),), tuple(measurements), {"limited_cells": float(series["limited_cells"].sum())}


def _steady_state(evidence: Evidence) -> Measurement:
    """Largest change of an entry of g in one step, relative to the entry, as if that were of the largest entries.

    ln g is a number of size |ln g| known to eps of itself, so an entry of g cannot be better than eps |ln g|; changes
    of small entries are scaled down in that proportion.
    """
    mdp = evidence.mdp
    assert mdp is not None
    q = evaluate(mdp, mdp.initial_policy).q
    g = np.empty_like(q)
    gibbs_policy(q, mdp.log_mass, mdp.temperature, g)
    seen = g > SIGNIFICANT
    worst, at = 0.0, STEPS[0]
    for dt in STEPS:
        stepped = evidence.followed.step(g, q, dt, np.empty_like(g))
        change = float((np.abs(stepped[seen] / g[seen] - 1.0) / (1.0 - EPS / STATIONARY * np.log(g[seen]))).max())
        if not change <= worst:
            worst, at = change, dt
    return Measurement(
        "change of the Gibbs policy, by its rounding", worst, 0.0, "<=", f"step {at:g}", rounding=STATIONARY
    )
