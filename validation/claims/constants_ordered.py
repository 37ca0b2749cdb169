"""Guaranteed lower bound <= alpha <= lambda, for the optimal policy in every state looked at.

alpha is minimised numerically: the number found is itself an upper bound of the true one, so the claim tests the
lower bounds and the minimiser against each other.  Rounding: the bounds are rounded downwards by an argued allowance,
and the ratio dissipation/(2 entropy) is evaluated to 1e-9.
"""

from __future__ import annotations

import numpy as np

from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement, inflatable

STATES = 12
RELATIVE = 1e-9


@claim(
    "constants_ordered",
    "guaranteed lower bound <= alpha <= lambda",
    "Diaconis & Saloff-Coste 1996; Miclo 1999; Barthe & Roberto 2003; Holley & Stroock 1987",
)
def judge(evidence: Evidence) -> Judgement:
    """The slowest states visited, the states of least bound, and some in between."""
    generators = evidence.optimal_generators
    relaxing = Hypothesis(
        "more than one action cell, and no labels, which no mass moves between",
        bool(generators.axes) and not generators.severed,
        scope=True,
    )
    if not relaxing.met:
        return (relaxing,), (), {}
    lower, gaps = evidence.bounds.best, evidence.spectral_gaps
    order = np.argsort(np.where(evidence.reached, gaps, np.inf), kind="stable")
    spread = order[np.linspace(0, order.size - 1, STATES // 2).astype(np.int64)]
    chosen = np.unique(np.concatenate([order[: STATES // 4], np.argsort(lower, kind="stable")[: STATES // 4], spread]))
    alpha = minimise_log_sobolev(generators.select(chosen))
    below, above, where = lower[chosen] / alpha, alpha / gaps[chosen], evidence.run.states.describe
    over, under = int(np.argmax(below)), int(np.argmax(above))
    measurements = (
        Measurement(
            "lower bound over alpha",
            below[over],
            1.0,
            "<=",
            where(int(chosen[over])),
            rounding=RELATIVE,
            slack=inflatable(1.0, float(below.max())),
        ),
        Measurement("alpha over lambda", above[under], 1.0, "<=", where(int(chosen[under])), rounding=RELATIVE),
        Measurement("largest lower bound over lambda", (lower / gaps).max(), 1.0, "<=", rounding=RELATIVE),
    )
    slowest = evidence.slowest
    notes = {
        "guaranteed alpha, least over states": evidence.alpha,
        "bound that gives it": str(evidence.bounds.best_name[int(np.argmin(lower))]),
        "lambda of the slowest state visited": float(gaps[slowest]),
        "estimated alpha (minimised), least over states looked at": float(alpha.min()),
        "states looked at": int(chosen.size),
    }
    return (relaxing,), measurements, notes
