"""dissipation >= (2 alpha/kappa) gap, for every policy: what runs of any scheme are judged by.

alpha is the guaranteed lower bound for the Gibbs policy of the row's own Q, from that of the optimal policy by
Holley–Stroock; kappa is the recorded concentrability.  A statement about one policy: there is no time error in it.
"""

from __future__ import annotations

import numpy as np

from validation.claim import Hypothesis, Measurement, Tolerance
from validation.claims.registry import Claim, Judgement
from validation.evidence import Evidence
from validation.rates import static_rate

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


def judge(evidence: Evidence) -> Judgement:
    """Every row above rounding: observed over guaranteed rate."""
    hypotheses = positive_alpha(evidence), finite_kappa(evidence), above_rounding(evidence)
    if not all(hypothesis.met for hypothesis in hypotheses):
        return hypotheses, (), {}
    rows = evidence.judged
    series = evidence.run.series
    observed, gap = series["dissipation"][rows] / series["gap"][rows], series["gap"][rows]
    guaranteed = static_rate(1.0, series["occupancy_ratio"][rows]) * evidence.alpha_now[rows]
    share = evidence.rate_rounding_share(gap, observed)
    worst = int(np.argmax(guaranteed / observed - share))
    measurement = Measurement(
        "guaranteed over observed rate",
        float(guaranteed[worst] / observed[worst]),
        1.0,
        "<=",
        Tolerance(rounding=float(share[worst])),
        f"t = {series['time'][rows][worst]:.4g}",
    )
    notes = {
        "rows judged": int(np.count_nonzero(rows)),
        "rows": int(rows.size),
        "guaranteed rate at the end": float(guaranteed[-1]),
        "observed rate at the end": float(observed[-1]),
    }
    return hypotheses, (measurement,), notes


CLAIM = Claim(
    name="static_inequality",
    statement="dissipation >= (2 alpha/kappa) gap for every policy along the run",
    source="Šiška & Zhang, arXiv:2605.22622, proof of the main theorem, on the grid",
    judge=judge,
)
