"""The fully discrete theorem, one step at a time: single steps of several sizes from policies of the run.

With g the Gibbs policy of Q^p and p' the step, for unsplit backward Euler theta = 2 alpha dt/(1 + 2 alpha dt), alpha
the guaranteed bound for g; for any other descent step theta = min_i [1 - KL(p'_i|g_i)/KL(p_i|g_i)], measured (the
a-posteriori form):

    sup norm   |V' - V*|_sup <= (1 - theta (1 - gamma)) |V - V*|_sup
    weighted   gap'(rho) <= (1 - theta/kappa) gap(rho),    kappa = max_i d*_i/d'_i
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate, occupancy, suboptimality
from wpoflow.validation.constants.coefficients import density_ratio
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Measurement, inflatable
from wpoflow.validation.rates import contraction_fraction

STEPS = (1e-2, 1.0, 1e2, 1e6)


def step_measurements(evidence: Evidence, weighted: bool) -> list[Measurement]:
    """The factor by which single steps lower the suboptimality, against the theorem's."""
    mdp = evidence.mdp
    assert mdp is not None
    policy = mdp.initial_policy
    now = evaluate(mdp, policy)
    gaps = suboptimality(mdp, policy, evidence.optimum.q, now.system)
    start = float(mdp.rho @ gaps) if weighted else float(gaps[mdp.counted].max())
    alpha = float(lower_bounds(evidence.generators(now.q)).best.min()) if evidence.contracts else 0.0
    before = evidence.divergence(policy, now.q)
    found = []
    for dt in STEPS:
        stepped = evidence.followed.step(policy, now.q, dt, np.empty_like(policy))
        after = evaluate(mdp, stepped, now.value)
        left = suboptimality(mdp, stepped, evidence.optimum.q, after.system)
        if not evidence.contracts:
            changed = before > 0.0
            theta = float(np.min(1.0 - evidence.divergence(stepped, now.q)[changed] / before[changed]))
        else:
            theta = contraction_fraction(alpha, dt)
        visits = occupancy(mdp, after.system)
        share = 1.0 / density_ratio(evidence.optimum.occupancy, visits) if weighted else 1.0 - mdp.discount
        end = float(mdp.rho @ left) if weighted else float(left[mdp.counted].max())
        factor = 1.0 - theta * share
        measured = 0.0 if evidence.contracts else share * (4.0 * EPS + _error_of_ratio(evidence, now.q, before))
        share_start, share_end = evidence.rounding_share(np.array([start, end]))
        found.append(
            Measurement(
                "one step's factor, " + ("theorem" if evidence.contracts else "a posteriori"),
                end / start,
                factor,
                "<=",
                f"step {dt:g} from the start",
                rounding=float(share_start * factor + share_end * end / start) + measured,
                slack=inflatable(1.0 - end / start, theta * share),
            )
        )
    return found


def divergence_rounding(evidence: Evidence, q: FloatArray) -> float:
    """KL of a law whose logarithms are off by eps(1 + |ln g|) in every cell: (1/2) of the square of that."""
    spread = float(np.ptp(q, axis=1).max()) / evidence.temperature
    return 0.5 * (8.0 * EPS * (1.0 + spread)) ** 2


def _error_of_ratio(evidence: Evidence, q: FloatArray, before: FloatArray) -> float:
    """Rounding of KL(p'|g)/KL(p|g) where KL(p|g) is least, at its largest, which is one."""
    error = divergence_rounding(evidence, q)
    least = float(before[before > 0.0].min())
    return 2.0 * float(np.sqrt(error / least)) + error / least
