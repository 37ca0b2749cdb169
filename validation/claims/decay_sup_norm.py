"""|V - V*|_sup decays at the rate 2 alpha (1 - gamma), with no concentrability coefficient.

Fully discrete: |V^{n+1} - V*|_sup <= (1 - theta (1 - gamma)) |V^n - V*|_sup for an unsplit backward Euler step, theta =
2 alpha dt/(1 + 2 alpha dt); for any descent step with theta = min_i [1 - KL(p'_i|g_i)/KL(p_i|g_i)], measured.
"""

from __future__ import annotations

from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.decays import consecutive, fall_measurement, known_time_error
from wpoflow.validation.claims.static_inequality import above_rounding, positive_alpha
from wpoflow.validation.claims.theorem_steps import step_measurements
from wpoflow.validation.evidence import Evidence


@claim(
    "decay_sup_norm",
    "|V - V*|_sup decays at least at the rate 2 alpha (1 - gamma)",
    "fully discrete theorem: contraction of T, and of KL by 1/(1 + 2 alpha dt); Šiška & Zhang, arXiv:2605.22622",
)
def judge(evidence: Evidence) -> Judgement:
    """From row to row; and by steps of several sizes where the problem is known."""
    hypotheses = positive_alpha(evidence), above_rounding(evidence), known_time_error(evidence)
    if not all(hypothesis.met for hypothesis in hypotheses):
        return hypotheses, (), {}
    series, contraction = evidence.run.series, 1.0 - evidence.discount
    fall = fall_measurement(
        evidence, "fall of |V - V*|_sup", series["gap_sup"], evidence.alpha_now, contraction, consecutive
    )
    measurements = [] if fall is None else [fall]
    if evidence.mdp is not None:
        measurements += step_measurements(evidence, weighted=False)
    return hypotheses, tuple(measurements), {"rate guaranteed in the end": 2.0 * evidence.alpha * contraction}
