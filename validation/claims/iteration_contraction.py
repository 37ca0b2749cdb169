"""A run of soft policy iteration contracts by gamma: each iteration leaves at most gamma of the largest suboptimality.

With p' the Gibbs policy of Q^p, p' minimises sum_k r_k (Q_k + tau ln(r_k/m_k)), so that T^{p'} V^p = T V^p <= V^p, T
the soft Bellman operator.  T^{p'} is monotone, and its powers bring V^p down to V^{p'}: hence V^{p'} <= T V^p, and

    V^{p'} - V* <= T V^p - T V* <= gamma max(V^p - V*)       in every state.

Over the m iterations between two rows max(V - V*) falls at least by gamma^m; it is recorded without cancellation, as
``gap_sup``, down to its floor.
"""

from __future__ import annotations

import numpy as np

from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement, inflatable

NAME = "policy-iteration"
FLOORS = 1e3
RELATIVE = 1e-9


@claim(
    "iteration_contraction",
    "an iteration leaves at most gamma of max(V - V*)",
    "monotonicity of the soft Bellman operators; Howard 1960; Puterman 1994, section 6.4",
)
def judge(evidence: Evidence) -> Judgement:
    """From row to row, by the number of iterations between them."""
    series = evidence.run.series
    iterated = Hypothesis("a run of policy iteration", _iterated(evidence), "another flow")
    time, largest = series["time"], series["gap_sup"]
    judged = np.flatnonzero(~(largest[:-1] <= FLOORS * evidence.gap_floor)) if iterated.met else np.zeros(0, np.int64)
    above = Hypothesis("a row above the rounding floor with another after it", judged.size > 0, "none")
    if not (iterated.met and above.met):
        return (iterated, above) if iterated.met else (iterated,), (), {}
    allowed = evidence.discount ** np.diff(time)[judged] * largest[judged]
    after = largest[judged + 1]
    rounding = RELATIVE * allowed + 2.0 * np.sqrt(evidence.gap_floor * after) + evidence.gap_floor + EPS * largest[0]
    worst = int(np.argmax(after - allowed - rounding))
    measurement = Measurement(
        "max(V - V*) after the iterations to the next row",
        after[worst],
        allowed[worst],
        "<=",
        evidence.when(int(judged[worst])),
        rounding=rounding[worst],
        slack=min(inflatable(float(room), float(used)) for room, used in zip(allowed, after, strict=True)),
    )
    return (iterated, above), (measurement,), {"rows judged": int(judged.size)}


def _iterated(evidence: Evidence) -> bool:
    """Whether the run counts iterations; a flow that is judged in its place is one that does."""
    return evidence.flow.own_step if evidence.flow is not None else evidence.flow_name == NAME
