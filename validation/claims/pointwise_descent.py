"""V falls at every state, in every step, whatever its size.

A descent step lowers KL(p_i|g_i) in every state with Q frozen; by (I1) V falls pointwise.  Rounding: the defect of a
step is a difference of two values, each known to its own linear system's residual over 1-gamma: 1e-12 of the values'
size plus 16 eps max|V|/(1-gamma).
"""

from __future__ import annotations

import numpy as np

from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement

STEPS = (1e-4, 1.0, 1e4, 1e12)
EXPLICIT = (1e-4, 1.0, 1e2)  # of parameters, which take as many substeps as a length asks for


@claim(
    "pointwise_descent",
    "every step lowers the value at every state, whatever its size",
    "identity (I1) and the data-processing inequality for Markov kernels with invariant law g",
)
def judge(evidence: Evidence) -> Judgement:
    """Steps of the run by its descent defect; steps of any size from its start where the problem is known."""
    series, rises = evidence.run.series, evidence.run.series["descent_defect"]

    def allowed(size: float) -> float:
        return 1e-12 * size + 16.0 * EPS * size / (1.0 - evidence.discount)

    scale = max(float(np.abs(series["value_rho"]).max()), float(np.abs(evidence.optimum.value).max()))
    worst = int(np.argmax(rises))
    measurements = [
        Measurement(
            "largest rise of V in a step",
            rises[worst],
            0.0,
            "<=",
            f"before {evidence.when(worst)}",
            rounding=allowed(scale),
        )
    ]
    descends = Hypothesis(
        "descent steps",
        evidence.descends,
        "natural-gradient steps search no line, and particles move at random",
        scope=True,
    )
    if not descends.met:
        return (descends,), (), {}
    if evidence.mdp is not None:
        mdp, start = evidence.mdp, evidence.first_policy
        before = evaluate(mdp, start)
        size = float(np.abs(before.value).max())
        found = []
        for dt in EXPLICIT if isinstance(evidence.followed, ParametricFlow) else STEPS:
            policy = evidence.step_from_start(before.q, dt)
            rise = evaluate(mdp, policy, before.value).value - before.value
            found.append(float(rise[mdp.counted].max()))
        k = int(np.argmax(found))
        measurements.append(
            Measurement(
                "rise of V in one step from the start",
                found[k],
                0.0,
                "<=",
                f"step {STEPS[k]:g}",
                rounding=allowed(size),
            )
        )
    return (Hypothesis("a run", True), descends), tuple(measurements), {}
