"""gap(rho) decays at the rate 2 alpha/kappa, kappa the concentrability of the policies on the way.

Between two rows kappa is known at both; the steps in between are bounded a priori by kappa <= |d*_rho/rho|_sup/(1 -
gamma).  Where a row follows the one before by a single unsplit backward Euler step, kappa of the later row is what the
fully discrete theorem asks for.  Runs of controlled error follow the continuous flow, and nothing but the a-priori
bound is known of kappa between their rows; the static inequality judges them at every row with its own kappa.
"""

from __future__ import annotations

import numpy as np

from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.decays import consecutive, fall_measurement, known_time_error, left_out
from wpoflow.validation.claims.static_inequality import above_rounding, finite_kappa, positive_alpha
from wpoflow.validation.claims.theorem_steps import step_measurements
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis


@claim(
    "decay_weighted",
    "gap(rho) decays at least at the rate 2 alpha/kappa",
    "fully discrete theorem, weighted form; Šiška & Zhang, arXiv:2605.22622",
)
def judge(evidence: Evidence) -> Judgement:
    """From row to row; and by steps of several sizes where the problem is known."""
    series = evidence.run.series
    single = np.isclose(np.diff(series["time"]), series["step_size"][1:], rtol=1e-9)
    single &= evidence.judged[1:] & evidence.judged[:-1]
    single &= evidence.euler_steps
    prior = evidence.density_ratio / (1.0 - evidence.discount)
    kappa = np.append(np.minimum(np.where(single, series["occupancy_ratio"][1:], np.inf), prior), prior)
    hypotheses = (
        positive_alpha(evidence),
        finite_kappa(evidence),
        above_rounding(evidence),
        known_time_error(evidence),
        Hypothesis(
            "concentrability known between rows",
            bool(np.any(np.isfinite(kappa[:-1]))),
            f"rows are not single backward Euler steps, and {left_out(evidence)}",
        ),
    )
    if not all(hypothesis.met for hypothesis in hypotheses):
        return hypotheses, (), {}
    fall = fall_measurement(
        evidence,
        "fall of gap(rho)",
        series["gap"],
        evidence.alpha_now,
        1.0 / kappa,
        lambda n: [(a, b) for a, b in consecutive(n) if b == a + 1],
    )
    measurements = [] if fall is None else [fall]
    if evidence.mdp is not None:
        measurements += step_measurements(evidence, weighted=True)
    last = float(series["occupancy_ratio"][-1])
    return hypotheses, tuple(measurements), {"kappa at the end": last, "rate at the end": 2.0 * evidence.alpha / last}
