"""A rate certified at time t holds for the whole future of the run.

At five rows along the run the rates 2 alpha_t (1 - gamma) (sup norm) and 2 alpha_t (1 - gamma)/|d*_rho/rho|_sup
(weighted) are issued, alpha_t the guaranteed bound from then on (`validation.rates`), and held
against every later row.
"""

from __future__ import annotations

import numpy as np

from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.decays import fall_measurement, known_time_error
from wpoflow.validation.claims.static_inequality import positive_alpha
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis
from wpoflow.validation.rates import paper_rate, sup_norm_rate

ISSUED = 5


@claim(
    "certificate",
    "the rate certified at any time is never violated later on",
    "pointwise descent and Holley & Stroock 1987, doi:10.1007/BF01011161",
)
def judge(evidence: Evidence) -> Judgement:
    """Predict at five rows, check against all rows after each."""
    enough = Hypothesis(
        "six rows above rounding", int(np.count_nonzero(evidence.judged)) > ISSUED, "the run has too few rows"
    )
    hypotheses = positive_alpha(evidence), enough, known_time_error(evidence)
    if not all(hypothesis.met for hypothesis in hypotheses):
        return hypotheses, (), {}
    series, contraction, ratio = evidence.run.series, 1.0 - evidence.discount, evidence.density_ratio
    rows = np.flatnonzero(evidence.judged)
    at = np.unique(np.linspace(0, rows.size - 2, ISSUED).astype(np.int64))

    def later(n: int) -> list[tuple[int, int]]:
        return [(int(a), b) for a in at for b in range(int(a) + 1, n)]

    found = [
        fall_measurement(evidence, "fall of |V - V*|_sup", series["gap_sup"], evidence.alpha_now, contraction, later)
    ]
    if np.isfinite(ratio):
        found.append(
            fall_measurement(
                evidence, "fall of gap(rho)", series["gap"], evidence.alpha_now, contraction / ratio, later
            )
        )
    sup_norm = sup_norm_rate(evidence.alpha_from_now_on, evidence.discount)
    weighted = paper_rate(evidence.alpha_from_now_on, evidence.discount, ratio)
    issued = {
        f"t = {series['time'][rows[k]]:.4g}": {
            "sup_norm_rate": float(sup_norm[rows[k]]),
            "weighted_rate": float(weighted[rows[k]]),
        }
        for k in at
    }
    return hypotheses, tuple(entry for entry in found if entry is not None), {"issued": issued}
