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

FLOORS = 1e3
RELATIVE = 1e-9


@claim(
    "iteration_contraction",
    "an iteration leaves at most gamma of max(V - V*)",
    "monotonicity of the soft Bellman operators; Howard 1960; Puterman 1994, section 6.4",
    flows=("policy-iteration",),
)
def judge(evidence: Evidence) -> Judgement:
    """From row to row, by the number of iterations between them."""
    series = evidence.run.series
    time, largest = series["time"], series["gap_sup"]
    judged = np.flatnonzero(~(largest[:-1] <= FLOORS * evidence.gap_floor))
    above = Hypothesis("a row above the rounding floor with another after it", judged.size > 0, "none")
    if not above.met:
        return (above,), (), {}
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
    return (above,), (measurement,), {"rows judged": int(judged.size)}
