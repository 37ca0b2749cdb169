r"""A proximal step loses at least what it moves: tau KL(p'|g) + W2^2(p', p)/(2 eta) <= tau KL(p|g) in every state.

p' minimises the left-hand side and r = p is admissible, for which it is the right-hand side: exact on the grid for any
eta, since W2 of laws that are uniform within cells vanishes between a law and itself.  W2 is formed again from quantile
functions (`validation.independent.transport`).

In the continuum the slope of Q + tau ln(dp'/dmu) is (T - id)/eta, so that W2^2 = eta^2 |slope|^2, and a log-Sobolev
inequality of rate alpha, |slope|^2 >= 2 alpha tau KL', gives KL' <= KL/(1 + alpha eta).  On the grid that is so up to
second order in the cells: the largest of KL'/KL (1 + alpha eta), with the alpha that is guaranteed to the fluxes, is a
note and decides nothing.  What a step removes is judged by `measured_contraction`.

Rounding: the logarithms of p' and of g are known to eps of Q/tau, quantile functions to a few eps of the box.

Sources: Jordan, Kinderlehrer & Otto 1998, doi:10.1137/S0036141096303359; Ambrosio, Gigli & Savaré, Gradient Flows,
chapter 4.
"""

from __future__ import annotations

import numpy as np

from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.theorem_steps import divergence_rounding
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.transport import squared_distance

STEPS = (1e-3, 0.1, 10.0)


@claim(
    "proximal_descent",
    "tau KL(p'|g) + W2^2(p', p)/(2 eta) <= tau KL(p|g) in every state, for every step",
    "p is admissible in the minimisation; Jordan, Kinderlehrer & Otto 1998, doi:10.1137/S0036141096303359",
    needs_problem=True,
    flows=("proximal",),
)
def judge(evidence: Evidence) -> Judgement:
    """Steps of several lengths, and of the run's own, from its first policy and one of its middle."""
    mdp, tau = evidence.mdp, evidence.temperature
    assert mdp is not None
    lines = [axis for axis in mdp.actions.axes if axis.edges.size > 2]
    several = Hypothesis("more than one action cell", bool(lines), "nothing moves")
    if not several.met:
        return (several,), (), {}
    edges, snapshots = lines[0].edges, evidence.run.snapshots
    policies = [("first", mdp.initial_policy)]
    if snapshots is not None and len(snapshots.time):
        policies.append(("middle", snapshots.policy_at(len(snapshots.time) // 2)))
    measurements, ratio = [], 0.0
    for label, policy in policies:
        q = evaluate(mdp, policy).q
        before = evidence.divergence(policy, q)
        error = divergence_rounding(evidence, q)
        meant = np.flatnonzero(before > 1e6 * error)
        if not meant.size:
            continue
        alpha = lower_bounds(evidence.generators(q)).best
        for eta in sorted({*STEPS, evidence.number("step")}):
            stepped = evidence.followed.step(policy, q, eta, np.empty_like(policy))
            after = evidence.divergence(stepped, q)
            moved = np.array([squared_distance(stepped[k], policy[k], edges) for k in range(len(q))])
            left = (tau * after + moved / (2.0 * eta))[meant] / (tau * before[meant])
            size = 64.0 * EPS * float(np.ptp(edges))
            noise = 2.0 * np.sqrt(error * after) + error
            noise = noise + (2.0 * np.sqrt(moved) * size + size**2) / (2.0 * eta * tau)
            share = noise[meant] / before[meant] + 64.0 * EPS
            worst = int(np.argmax(left - share))
            ratio = max(ratio, float((after * (1.0 + alpha * eta) / np.where(before > 0.0, before, 1.0))[meant].max()))
            place = mdp.states.describe(int(meant[worst])) or "the only state"
            where = f"{label} policy, eta = {eta:g}, {place}"
            measurements.append(
                Measurement(
                    "objective after a step over that before", left[worst], 1.0, "<=", where, rounding=share[worst]
                )
            )
    above = Hypothesis("policies that are not at their targets", bool(measurements), "KL(p|g) is rounding")
    return (
        (several, above),
        tuple(measurements),
        {"largest KL'/KL (1 + alpha eta), at most one in the continuum": ratio},
    )
