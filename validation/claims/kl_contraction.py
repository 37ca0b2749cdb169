"""KL(p'|g) <= KL(p|g)/(1 + 2 alpha dt) for one unsplit backward Euler step.

KL is convex and its first variation along the generator is at least 2 alpha KL, so the implicit step loses at least
dt 2 alpha KL(p'|g).  alpha is a guaranteed lower bound for the Gibbs policy of the step's own Q.  With several action
axes solved one after the other the step is a descent step and no more: the ratio is recorded and nothing is
certified.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement

STEPS = (1e-2, 1.0, 1e2, 1e6)


@claim(
    "kl_contraction",
    "an unsplit backward Euler step contracts KL(p|g) by 1/(1 + 2 alpha dt) in every state",
    "modified log-Sobolev inequality; Bobkov & Tetali 2006, doi:10.1007/s10959-006-0016-3",
    needs_problem=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Steps of several sizes from the first policy and from the middle of the run."""
    mdp = evidence.mdp
    assert mdp is not None
    unsplit = Hypothesis(
        "one action axis, solved at once",
        evidence.contracts,
        f"{len(mdp.actions.axes)} axes solved one after the other" if evidence.wasserstein else "another flow",
    )
    measurements, largest = [], 0.0
    for label, policy in _policies(evidence, mdp):
        q = evaluate(mdp, policy).q
        alpha = lower_bounds(evidence.generators(q)).best if evidence.contracts else np.zeros(len(q))
        before = evidence.divergence(policy, q)
        rounding = _rounding(evidence, q)
        meant = ~(before <= 1e6 * rounding)  # what is not a number is judged, and fails
        if not np.any(meant):
            continue
        for dt in STEPS:
            stepped = evidence.followed.step(policy, q, dt, np.empty_like(q))
            after = evidence.divergence(stepped, q)
            allowed = 1.0 / (1.0 + 2.0 * alpha * dt)
            known = np.where(meant, before, 1.0)
            ratio = after / known
            largest = max(largest, float(ratio[meant].max()))
            noise = 2.0 * np.sqrt(rounding * after) / known + rounding / known + 64.0 * EPS
            state = int(np.argmax(np.where(meant, ratio - allowed - noise, -np.inf)))
            measurements.append(
                Measurement(
                    "KL(p'|g)/KL(p|g)",
                    ratio[state],
                    allowed[state],
                    "<=",
                    f"{label} policy, step {dt:g}, {_state(evidence, state)}",
                    rounding=noise[state],
                )
            )
    return (unsplit,), tuple(measurements), {"largest ratio": largest}


def _policies(evidence: Evidence, mdp: GridMDP) -> list[tuple[str, FloatArray]]:
    found, snapshots = [("first", mdp.initial_policy)], evidence.run.snapshots
    if snapshots is not None and len(snapshots.time):
        found.append(("middle", snapshots.policy_at(len(snapshots.time) // 2)))
    return found


def _rounding(evidence: Evidence, q: FloatArray) -> float:
    """KL of a law whose logarithms are off by eps(1 + |ln g|) in every cell: (1/2) of the square of that."""
    spread = float(np.ptp(q, axis=1).max()) / evidence.temperature
    return 0.5 * (8.0 * EPS * (1.0 + spread)) ** 2


def _state(evidence: Evidence, state: int) -> str:
    return evidence.run.states.describe(state) or "the only state"
