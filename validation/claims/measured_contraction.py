"""The fully discrete theorem a posteriori, for flows that have no constant of their own.

Whatever a step is, if it leaves in no state more than 1 - theta of KL(p|g), g the Gibbs policy of Q^p, then

    |V' - V*|_sup <= (1 - theta (1 - gamma)) |V - V*|_sup,    gap'(rho) <= (1 - theta/kappa) gap(rho),

kappa = max_i d*_i/d'_i: by (I1) V - V' is at least theta tau KL(p|g) in every state, and at least the average of that
over the visits of p' times 1/(1 - gamma), while V - V* is at most what (I1) with p* makes of tau KL(p|g).  theta is
measured: nothing is said of how large it is, and much is said of values once it is known.  Single steps of several
sizes from the first policy are judged (`validation.claims.theorem_steps`).

Of the Wasserstein flow and of Wasserstein–Fisher–Rao theta follows from alpha, and `decay_sup_norm` and
`decay_weighted` judge more.
"""

from __future__ import annotations

from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.static_inequality import finite_kappa
from wpoflow.validation.claims.theorem_steps import step_measurements
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis


@claim(
    "measured_contraction",
    "a step that removes the share theta of KL(p|g) in every state lowers |V - V*|_sup by 1 - theta (1 - gamma), and "
    "gap(rho) by 1 - theta/kappa",
    "fully discrete theorem, a posteriori: (I1) and the contraction of T",
    needs_problem=True,
    flows=("fisher-rao", "mirror", "proximal"),
)
def judge(evidence: Evidence) -> Judgement:
    """Single steps; the weighted form where kappa is finite."""
    moves = Hypothesis("a first policy above the rounding floor", bool(evidence.run.series["gap"][0] > 0.0), "gap zero")
    if not moves.met:
        return (moves,), (), {}
    found = step_measurements(evidence, weighted=False)
    if finite_kappa(evidence).met:
        found += step_measurements(evidence, weighted=True)
    return (moves,), tuple(found), {}
