r"""Mirror descent obeys an identity in every step: the three-point lemma, which is an equality for relative entropies.

p' minimises eta <r, Q> + eta tau KL(r|m) + KL(r|p), so that ln p' = x ln p + (1 - x) ln g + const, x = 1/(1 + tau eta),
and for every r in every state

    eta tau KL(r|g) + KL(r|p) - (1 + tau eta) KL(r|p') = eta tau KL(p'|g) + KL(p'|p).

With r = p*, averaged over d*, and sum_i d*_i tau [KL(p_i|g_i) - KL(p*_i|g_i)] = (1 - gamma) h by the performance
difference (I1), y = sum d* KL(p*|p) and Delta = tau [KL(p|g) - KL(p'|g)] >= 0,

    (1 + tau eta) y' = y - eta (1 - gamma) h + eta sum_i d*_i Delta_i - sum_i d*_i KL(p'_i|p_i).

Steps of several lengths, and that of the run, from its first policy and one of its middle are held against it.  All
terms are formed by independent code: d*, h and Q by dense elimination, entropies from logarithms.  Rounding: ln p' is
wrong by a few eps of the logarithms and of Q/tau, and h by that of the values.

Sources: Lan, arXiv:2102.00135, lemma 4; Cen, Cheng, Chen, Wei & Chi, arXiv:2007.06558.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.growth import divergence, to_comparator
from wpoflow.validation.independent.policy import PolicyValues
from wpoflow.validation.independent.series import soft_optimal

STEPS = (1e-2, 1.0, 1e2)


@dataclass(frozen=True, eq=False)
class MirrorStep:
    """One step and what it was taken from."""

    label: str
    eta: float
    policy: FloatArray
    stepped: FloatArray
    now: PolicyValues
    log_g: FloatArray


@claim(
    "mirror_identity",
    "(1 + tau eta) y' = y - eta (1 - gamma) h + eta sum d* Delta - sum d* KL(p'|p) in every step",
    "three-point lemma of mirror descent; Lan, arXiv:2102.00135, with (I1)",
    needs_problem=True,
    flows=("mirror",),
)
def judge(evidence: Evidence) -> Judgement:
    """Steps of several lengths from two policies."""
    mdp = evidence.mdp
    assert mdp is not None
    _, log_best, _ = soft_optimal(mdp, evidence.optimum.value)
    best = PolicyValues(mdp, np.exp(log_best))
    tau, measurements = mdp.temperature, []
    for step in steps_of(evidence, mdp):
        log_p, log_next = np.log(step.policy), np.log(step.stepped)
        before, after = divergence(log_p, step.log_g), divergence(log_next, step.log_g)
        gap = float(mdp.rho @ (step.now.value - best.value))
        parts = np.array(
            [
                to_comparator(best.occupancy, log_best, log_p),
                -step.eta * (1.0 - mdp.discount) * gap,
                step.eta * tau * float(best.occupancy @ (before - after)),
                -float(best.occupancy @ divergence(log_next, log_p)),
            ]
        )
        weight = 1.0 + tau * step.eta
        left = weight * to_comparator(best.occupancy, log_best, log_next)
        size = float(np.abs(parts).sum()) + left
        spread = float(np.ptp(step.now.q, axis=1).max()) / tau + float(np.abs(log_p).max() + np.abs(log_next).max())
        values = 64.0 * EPS * float(np.abs(step.now.value).max() + np.abs(best.value).max()) * (1.0 + step.eta)
        measurements.append(
            Measurement(
                "(1 + tau eta) y' over the terms of the identity",
                left / size,
                float(parts.sum()) / size,
                "=",
                f"{step.label} policy, eta = {step.eta:g}",
                rounding=1e-11 + (64.0 * EPS * spread * weight + values) / size,
            )
        )
    positive = Hypothesis("policies without cells of mass zero", bool(measurements), "every one has some")
    return (positive,), tuple(measurements), {}


def steps_of(evidence: Evidence, mdp: GridMDP) -> Iterator[MirrorStep]:
    """Steps of the flow from the first policy and the middle of the run, of several lengths and of the run's own."""
    snapshots, own = evidence.run.snapshots, evidence.judged_as.parameters.get("step")
    policies = [("first", mdp.initial_policy)]
    if snapshots is not None and len(snapshots.time):
        policies.append(("middle", snapshots.policy_at(len(snapshots.time) // 2)))
    for label, policy in policies:
        now = PolicyValues(mdp, policy)
        exponent = np.log(mdp.reference_mass) - now.q / mdp.temperature
        exponent = exponent - exponent.max(axis=1, keepdims=True)
        log_g = exponent - np.log(np.exp(exponent).sum(axis=1, keepdims=True))
        for eta in sorted({*STEPS, *(() if own is None else (own,))}):
            stepped = evidence.followed.step(policy, now.q, eta, np.empty_like(policy))
            if policy.min() > 0.0 and stepped.min() > 0.0:
                yield MirrorStep(label, eta, policy, stepped, now, log_g)
