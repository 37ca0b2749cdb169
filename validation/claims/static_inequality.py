"""dissipation >= (2 alpha/kappa) gap, for every policy: what runs of any scheme are judged by.

alpha is the guaranteed lower bound for the Gibbs policy of the row's own Q, from that of the optimal policy by
Holley–Stroock; kappa is the recorded concentrability.  A statement about one policy: there is no time error in it.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement, inflatable

HUGE = 1e200


def finite_kappa(evidence: Evidence) -> Hypothesis:
    """Every state the optimal policy visits is visited by every policy of the run."""
    largest = float(evidence.run.series["occupancy_ratio"].max())
    return Hypothesis("finite concentrability", largest < HUGE, f"kappa up to {largest:.3g}")


def positive_alpha(evidence: Evidence) -> Hypothesis:
    """A guaranteed log-Sobolev constant that does not vanish."""
    return Hypothesis("positive lower bound of alpha", evidence.alpha > 0.0, f"alpha >= {evidence.alpha:.3g}")


def above_rounding(evidence: Evidence) -> Hypothesis:
    """Some row stands above rounding."""
    return Hypothesis("rows above the rounding floor", bool(np.any(evidence.judged)), "every gap is rounding")


def stated_dissipation(evidence: Evidence) -> Hypothesis:
    """The dissipation is at least that of the Wasserstein flow, whose constants are meant, and it is recorded."""
    if not evidence.transports:
        return Hypothesis("a flow of transport", False, evidence.judged_as.without({}), scope=True)
    return Hypothesis("a flow that states its dissipation", evidence.dissipates, "it states none", scope=True)


def rate_measurement(evidence: Evidence, quantity: str, guaranteed: FloatArray) -> Measurement:
    """The least favourable row of guaranteed <= observed rate, both (rows,).

    Rounding is that of an observed rate as small as the guaranteed one, where it is smaller than that.
    """
    rows = evidence.judged
    observed, least = evidence.local_rate[rows], guaranteed[rows]
    share = evidence.rate_rounding_share(evidence.run.series["gap"][rows], np.maximum(observed, least))
    # no guarantee above zero stays below an observed rate that is not
    ratio = least / np.where(observed > 0.0, observed, 1.0)
    ratio = np.where(observed <= 0.0, np.where(least > 0.0, np.inf, 0.0), ratio)
    ratio = np.where(np.isnan(observed), np.nan, ratio)
    worst = int(np.argmax(ratio - share))
    where = evidence.when(int(np.flatnonzero(rows)[worst]))
    slack = inflatable(1.0, float(np.max(ratio)))
    return Measurement(quantity, ratio[worst], 1.0, "<=", where, rounding=share[worst], slack=slack)


@claim(
    "static_inequality",
    "dissipation >= (2 alpha/kappa) gap for every policy along the run",
    "Šiška & Zhang, arXiv:2605.22622, proof of the main theorem, on the grid",
)
def judge(evidence: Evidence) -> Judgement:
    """Every row above rounding: observed over guaranteed rate."""
    hypotheses = (
        stated_dissipation(evidence),
        positive_alpha(evidence),
        finite_kappa(evidence),
        above_rounding(evidence),
    )
    if not all(hypothesis.met for hypothesis in hypotheses):
        return hypotheses, (), {}
    rows = evidence.judged
    observed, guaranteed = evidence.local_rate[rows], evidence.guaranteed_rate[rows]
    measurement = rate_measurement(evidence, "guaranteed over observed rate", evidence.guaranteed_rate)
    notes = {
        "rows judged": int(np.count_nonzero(rows)),
        "rows": int(rows.size),
        "guaranteed rate at the end": float(guaranteed[-1]),
        "observed rate at the end": float(observed[-1]),
    }
    return hypotheses, (measurement,), notes
