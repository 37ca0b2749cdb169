"""gap(rho) decays at the paper's rate 2 alpha (1 - gamma)/|d*_rho/rho|_sup over the whole run.

The paper's constant is 2 tau LSI (1 - gamma)/|d*_rho/rho|_sup with the least log-Sobolev constant of the Gibbs
policies along the flow; on the grid alpha stands for tau LSI, guaranteed at time t for the whole future by the
certificate, hence increasing along the run.

Where the optimal policy visits states that rho does not hold, |d*/rho|_sup is infinite and that rate is zero.  The
theorem then still speaks of the law nu_theta in place of rho, for which the ratio is finite, and gives
2 alpha (1 - gamma/theta) from gap(nu_theta)/(1 - theta) on (`decay_any_rho`, with the proof).  That is what is judged
then, under the name "main theorem for nu_theta"; it needs the problem and controlled error, and else nothing is
certified.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.decay_any_rho import any_rho_hypotheses, any_rho_measurements, rate_in_the_end
from wpoflow.validation.claims.decays import consecutive, fall_measurement, known_time_error, left_out
from wpoflow.validation.claims.static_inequality import above_rounding, positive_alpha, rate_measurement
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis
from wpoflow.validation.rates import paper_rate


@claim(
    "decay_paper",
    "gap(rho) decays at least at the paper's rate 2 alpha (1 - gamma)/|d*/rho|_sup; as for nu_theta if that is zero",
    "Šiška & Zhang, arXiv:2605.22622, main theorem",
)
def judge(evidence: Evidence) -> Judgement:
    """Local rate of every row against the rate guaranteed then; fall from the start to every row."""
    ratio = evidence.density_ratio
    if not np.isfinite(ratio) and evidence.mdp is not None and evidence.accuracy is not None:
        return _for_another_law(evidence)
    hypotheses = (
        positive_alpha(evidence),
        Hypothesis("finite |d*/rho|_sup", bool(np.isfinite(ratio)), left_out(evidence)),
        above_rounding(evidence),
        known_time_error(evidence),
    )
    if not all(hypothesis.met for hypothesis in hypotheses):
        return hypotheses, (), {"|d*/rho|_sup": ratio}
    guaranteed = paper_rate(evidence.alpha_from_now_on, evidence.discount, ratio)
    local = rate_measurement(evidence, "paper's over observed rate", guaranteed)
    fall = fall_measurement(
        evidence,
        "fall of gap(rho)",
        evidence.run.series["gap"],
        evidence.alpha_now,
        (1.0 - evidence.discount) / ratio,
        lambda n: consecutive(n) + [(0, k) for k in range(2, n - 1)],
    )
    in_the_end = float(paper_rate(evidence.proven_alpha.least(), evidence.discount, ratio))
    notes = {"|d*/rho|_sup": ratio, "paper's rate in the end": in_the_end}
    return hypotheses, (local,) if fall is None else (local, fall), notes


def _for_another_law(evidence: Evidence) -> Judgement:
    """The main theorem for nu_theta in place of rho."""
    hypotheses = (
        positive_alpha(evidence),
        above_rounding(evidence),
        known_time_error(evidence),
        *any_rho_hypotheses(evidence),
    )
    notes = {
        "|d*/rho|_sup": evidence.density_ratio,
        "why not for rho itself": left_out(evidence),
        "rate for nu_theta in the end": rate_in_the_end(evidence),
    }
    if not all(hypothesis.met for hypothesis in hypotheses):
        return hypotheses, (), notes
    found = [
        replace(entry, quantity=f"main theorem for nu_theta: {entry.quantity}")
        for entry in any_rho_measurements(evidence)
    ]
    return hypotheses, tuple(found), notes
