"""gap(rho) decays at the rate 2 alpha/kappa, kappa the concentrability of the policies on the way.

The run records the largest kappa at the ends of all steps since the row before, the row itself included.  For steps
of fixed size that is what the fully discrete theorem asks for, which takes kappa of the later policy of each step; so
does the a-posteriori form.  Runs of controlled error follow the continuous flow: kappa of the row they start from
counts as well, and within a step it is taken to lie between those of its ends, as the policy does to the accuracy of
the run.  Where it is smaller, the a-priori bound |d*_rho/rho|_sup/(1 - gamma) is used.  Files of a schema before 3 hold
no such record: of them kappa is known where a row follows the one before by a single backward Euler step.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from wpoflow.core.arrays import FloatArray
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
    kappa = concentrability(evidence)
    hypotheses = (
        positive_alpha(evidence),
        finite_kappa(evidence),
        above_rounding(evidence),
        known_time_error(evidence),
        Hypothesis(
            "concentrability known between rows",
            bool(np.any(np.isfinite(kappa[:-1]))),
            f"the file does not hold it, rows are not single backward Euler steps, and {left_out(evidence)}",
        ),
    )
    if not all(hypothesis.met for hypothesis in hypotheses):
        return hypotheses, (), {}
    fall = fall_measurement(
        evidence,
        "fall of gap(rho)",
        evidence.run.series["gap"],
        evidence.alpha_now,
        1.0 / kappa,
        lambda n: [(a, b) for a, b in consecutive(n) if b == a + 1],
    )
    measurements = [] if fall is None else [fall]
    if evidence.mdp is not None:
        measurements += step_measurements(evidence, weighted=True)
    last = float(evidence.run.series["occupancy_ratio"][-1])
    return hypotheses, tuple(measurements), {"kappa at the end": last, "rate at the end": 2.0 * evidence.alpha / last}


def concentrability(evidence: Evidence) -> FloatArray:
    """Bound of kappa from each row that is judged to the next that is, (rows,); infinite where nothing is known."""
    series, rows = evidence.run.series, np.flatnonzero(evidence.judged)
    steps = series["occupancy_ratio_largest"].copy()
    if evidence.euler_steps:  # also of files that do not hold it
        single = np.isclose(np.diff(series["time"]), series["step_size"][1:], rtol=1e-9)
        unknown = np.isnan(steps[1:])
        steps[1:] = np.where(unknown & single, series["occupancy_ratio"][1:], steps[1:])
    start = np.where(evidence.accuracy is None, 0.0, series["occupancy_ratio"])
    prior = evidence.density_ratio / (1.0 - evidence.discount)
    kappa = np.full(steps.size, prior)
    for here, there in pairwise(rows):
        largest = float(steps[here + 1 : there + 1].max())
        if not np.isnan(largest):
            kappa[here] = min(max(start[here], largest), prior)
    return kappa
