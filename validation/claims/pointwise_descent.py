"""V falls at every state, in every step, whatever its size.

A descent step lowers KL(p_i|g_i) in every state with Q frozen; by (I1) V falls pointwise.  Rounding: the defect of a
step is a difference of two values, each known to its own linear system's residual over 1-gamma: 1e-12 of the values'
size plus 16 eps max|V|/(1-gamma).
"""

from __future__ import annotations

import numpy as np

from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.validation.claims.claim import Claim, Judgement
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement, Tolerance

STEPS = (1e-4, 1.0, 1e4, 1e12)


def judge(evidence: Evidence) -> Judgement:
    """Steps of the run by its descent defect; steps of any size from its start where the problem is known."""
    series = evidence.run.series
    scale = max(float(np.abs(series["value_rho"]).max()), float(np.abs(evidence.optimum.value).max()))
    allowed = Tolerance(rounding=1e-12 * scale + 16.0 * EPS * scale / (1.0 - evidence.discount))
    worst = int(np.argmax(series["descent_defect"]))
    measurements = [
        Measurement(
            "largest rise of V in a step",
            float(series["descent_defect"][worst]),
            0.0,
            "<=",
            allowed,
            f"before t = {series['time'][worst]:.4g}",
        )
    ]
    if evidence.mdp is not None:
        mdp = evidence.mdp
        before = evaluate(mdp, mdp.initial_policy)
        size = float(np.abs(before.value).max())
        rises = []
        for dt in STEPS:
            policy = evidence.followed.step(mdp.initial_policy, before.q, dt, np.empty_like(before.q))
            rise = evaluate(mdp, policy, before.value).value - before.value
            rises.append(float(rise[mdp.counted].max()))
        k = int(np.argmax(rises))
        rounding = 1e-12 * size + 16.0 * EPS * size / (1.0 - mdp.discount)
        measurements.append(
            Measurement(
                "rise of V in one step from the start",
                rises[k],
                0.0,
                "<=",
                Tolerance(rounding=rounding),
                f"step {STEPS[k]:g}",
            )
        )
    return (Hypothesis("a run", True),), tuple(measurements), {}


CLAIM = Claim(
    name="pointwise_descent",
    statement="every step lowers the value at every state, whatever its size",
    source="identity (I1) and the data-processing inequality for Markov kernels with invariant law g",
    judge=judge,
)
