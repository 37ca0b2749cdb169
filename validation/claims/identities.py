"""The identities (I1)-(I3) between values and relative entropies, for any two policies on the grid.

    (I1)  V^{p'}(rho) - V^p(rho) = tau/(1-gamma) sum_i d^{p'}_i [KL(p'_i|g_i) - KL(p_i|g_i)],  g = Gibbs policy of Q^p
    (I2)  V^p(rho) - V*(rho)     = tau/(1-gamma) sum_i d^p_i KL(p_i|p*_i)
    (I3)  V^p - T V^p            = tau KL(p_i|g_i) in every state

Rounding: a difference of two values errs by eps max|V|/(1-gamma) times a few operations (64 is allowed), and each
side by 1e-11 of its largest term, the sums running over states in a fixed order.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import Evaluation, evaluate, occupancy
from wpoflow.solver.entropy import soft_minimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement

RELATIVE = 1e-11


@claim(
    "identities",
    "performance-difference and suboptimality identities (I1)-(I3)",
    "Kerimkulov et al., arXiv:2310.02951; Šiška & Zhang, arXiv:2605.22622, lemma on performance differences",
)
def judge(evidence: Evidence) -> Judgement:
    """(I2) and the bound from (I3) along the run; all three between its policies where the problem is known."""
    series, horizon = evidence.run.series, 1.0 / (1.0 - evidence.discount)
    optimal = float(evidence.run.rho @ evidence.optimum.value)
    value_scale = float(np.abs(evidence.optimum.value).max())
    scale = np.maximum(np.abs(series["value_rho"]), value_scale)
    rounding = RELATIVE * np.maximum(scale, series["gap"]) + 64.0 * EPS * scale * horizon
    excess = np.abs(series["value_rho"] - optimal - series["gap"])
    worst, least = int(np.argmax(excess / rounding)), int(np.argmin(series["gap"]))
    measurements = [
        Measurement(
            "(I2) V(rho) - V*(rho) less gap", excess[worst], 0.0, "<=", evidence.when(worst), rounding=rounding[worst]
        ),
        Measurement(
            "(I2) gap", series["gap"][least], 0.0, ">=", evidence.when(least), rounding=evidence.optimum.gap_floor
        ),
    ]
    alive = series["bellman_residual"] > 0.0
    if np.any(alive):
        ratio = np.where(alive, series["gap_sup"] / np.where(alive, horizon * series["bellman_residual"], 1.0), 0.0)
        share = 2.0 * evidence.rounding_share(series["gap_sup"])
        worst = int(np.argmax(ratio - share))
        measurements.append(
            Measurement(
                "(I3) gap_sup over residual/(1-gamma)",
                ratio[worst],
                1.0,
                "<=",
                evidence.when(worst),
                rounding=share[worst],
            )
        )
    if evidence.mdp is not None:
        measurements += _between_policies(evidence, evidence.mdp)
    return (Hypothesis("a run", True),), tuple(measurements), {}


def _between_policies(evidence: Evidence, mdp: GridMDP) -> list[Measurement]:
    first = mdp.initial_policy
    second = evidence.run.policy
    before, after = evaluate(mdp, first), evaluate(mdp, second)
    scale = mdp.temperature / (1.0 - mdp.discount)
    to_first, to_second = evidence.divergence(first, before.q), evidence.divergence(second, before.q)
    visited = occupancy(mdp, after.system)
    terms = scale * visited * to_second, scale * visited * to_first
    values = float(mdp.rho @ after.value), float(mdp.rho @ before.value)
    largest = max(float(np.abs(terms).max()), *(abs(value) for value in values))
    allowed = RELATIVE * largest + _rounding(mdp, before) + _rounding(mdp, after)
    difference = abs(values[0] - values[1] - float((terms[0] - terms[1]).sum()))
    improved = np.empty(mdp.states.size)
    soft_minimum(before.q, mdp.log_mass, mdp.temperature, improved)
    residual: FloatArray = np.abs(before.value - improved - mdp.temperature * to_first)
    size = max(float(np.abs(before.q).max()), mdp.temperature * float(to_first.max()))
    return [
        Measurement("(I1) between first and last policy", difference, 0.0, "<=", rounding=allowed),
        Measurement(
            "(I3) V - TV less tau KL(p|g)", residual.max(), 0.0, "<=", rounding=RELATIVE * size + _rounding(mdp, before)
        ),
    ]


def _rounding(mdp: GridMDP, evaluation: Evaluation) -> float:
    return 64.0 * EPS * float(np.abs(evaluation.value).max()) / (1.0 - mdp.discount)
