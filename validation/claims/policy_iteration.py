"""Soft policy iteration converges quadratically near the optimum: it is Newton's method on the soft Bellman equation.

With e_n = |V^n - V*|_sup, measured without cancellation by (I2), the next policy p' = g, the Gibbs policy of Q^n, has
V' - V* = tau (I - gamma P')^{-1} KL(g_i|p*_i).  p* has a density proportional to e^f with respect to g, f = (Q^n -
Q*)/tau, so KL(g|p*) = ln E_g e^f - E_g f <= osc(f)^2/8 (Hoeffding), and 0 <= Q^n - Q* <= gamma e_n.  Hence, from the
first iteration on,

    e_{n+1} <= gamma^2/(8 tau (1 - gamma)) e_n^2.
"""

from __future__ import annotations

import numpy as np

from wpoflow.solver.bellman.evaluation import evaluate, suboptimality
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement, inflatable

MOST_ITERATIONS = 60


@claim(
    "policy_iteration",
    "soft policy iteration converges quadratically: e_{n+1} <= gamma^2/(8 tau (1 - gamma)) e_n^2",
    "identity (I1) and Hoeffding's lemma; Newton's method for the soft Bellman equation",
    needs_problem=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Iterate p <- Gibbs policy of Q^p from the first policy until the floor, or 60 times."""
    mdp, optimum = evidence.mdp, evidence.optimum
    assert mdp is not None
    policy = mdp.initial_policy.copy()
    now = evaluate(mdp, policy)
    errors = [float(suboptimality(mdp, policy, optimum.q, now.system)[mdp.counted].max())]
    while errors[-1] > 1e4 * optimum.gap_floor and len(errors) <= MOST_ITERATIONS:
        gibbs_policy(now.q, mdp.log_mass, mdp.temperature, policy)
        now = evaluate(mdp, policy, now.value)
        errors.append(float(suboptimality(mdp, policy, optimum.q, now.system)[mdp.counted].max()))
    constant = mdp.discount**2 / (8.0 * mdp.temperature * (1.0 - mdp.discount))
    before, after = np.array(errors[:-1]), np.array(errors[1:])
    measurements = []
    if before.size:
        # an iterate that lands on the floor is known to the floor's size only
        excess = np.maximum(after - optimum.gap_floor, 0.0) / before**2
        rounding = 1e-9 * constant + 2.0 * np.sqrt(optimum.gap_floor * after) / before**2
        worst = int(np.argmax(excess - rounding))
        measurements.append(
            Measurement(
                "e_{n+1}/e_n^2",
                excess[worst],
                constant,
                "<=",
                f"iteration {worst + 1}",
                rounding=rounding[worst],
                slack=inflatable(constant, float(excess.max())),
            )
        )
    above = Hypothesis("first policy above the rounding floor", before.size > 0, f"gap {errors[0]:.3g}")
    return (above,), tuple(measurements), {"errors": errors}
