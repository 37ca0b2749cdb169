"""In the end V falls to that of the limit among Gaussians at twice the least eigenvalue of the flow linearised there.

At a limit q no Gaussian nearby is better, so V^p - V^q is of second order and Q^p - Q^q is, too: the linearised flow is
that of Q^q frozen in each state, of the steepest descent of F(p_i) = <Q^q_i, p_i> + tau KL(p_i|mu) in means and
covariances.  Its eigenvalues lambda are real and not negative.  With x_j a deviation in the j-th mode,

    V^p - V^q = sum_j lambda_j x_j^2/2,     -dV^p/dt = sum_j lambda_j^2 x_j^2,     R = -dV^p/dt / (V^p - V^q),

the local rate R is at least 2 lambda of the slowest state visited, and falls in time.  So between two rows a and b

    2 lambda (t_b - t_a)  <=  ln (V_a - V^q)/(V_b - V^q)  <=  R_a (t_b - t_a),

an equality once only the slowest mode is left.  lambda is formed anew, of slopes that know nothing of the solver's
(`validation.independent.gaussian`); V and its dissipation are those recorded, so that steps of a wrong length show.

What is left open: terms of third order, ``THIRD`` times sum d y^3 / sum d y^2 of the rate, y = sqrt(2 KL(q_i|p_i)) and
d the visits; and the rounding of V, of which V^q is the last value less dissipation/(2 lambda).
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate, occupancy
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.gaussian_dissipation import members_at
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.gaussian import least_rate

THIRD = 4.0
OPEN = 1e-2  # of the rate
ROUNDINGS, FLOORS = 64.0, 1e3  # of V, in eps; and what is judged, in these
AT_REST = 1e-8  # of V_b - V^q, what the last row may be above the limit
LEAST_FALL = 1.0


@claim(
    "gaussian_late",
    "late V of Gaussian policies falls to that of their limit at twice the least eigenvalue there",
    "linearisation of the steepest descent at a stationary Gaussian policy, where V is stationary among Gaussians",
    needs_problem=True,
    flows=("gaussian",),
)
def judge(evidence: Evidence) -> Judgement:
    """Between the first snapshot that is near the limit and the last row that stands above rounding."""
    mdp, kept, series = evidence.mdp, evidence.run.snapshots, evidence.run.series
    assert mdp is not None
    there = kept is not None and len(kept.time) > 2 and "policy_mean" in kept.parameters
    one = bool(there and kept is not None and "member_mean" not in kept.parameters)
    hypotheses = [
        Hypothesis("a flow that states its dissipation", evidence.dissipates, "natural-gradient steps", scope=True),
        Hypothesis("one Gaussian in every state", one, "weights of mixtures have rates of their own", scope=True),
    ]
    if not all(hypothesis.met for hypothesis in hypotheses):
        return tuple(hypotheses), (), {}
    assert kept is not None
    last = evaluate(mdp, kept.policy_at(-1))
    limit, visits, members = kept.policy_at(-1), occupancy(mdp, last.system), members_at(kept, -1)
    rates = np.full(mdp.states.size, np.inf)
    for i in np.flatnonzero(visits > 0.0):
        rates[i] = least_rate(
            mdp.actions, members.mean[i, 0], members.covariance[i, 0], last.q[i], mdp.temperature, mdp.log_mass
        )
    slowest = int(np.argmin(rates))
    rate = 2.0 * float(rates[slowest])
    strict = Hypothesis("a strict minimum among Gaussians", rate > 0.0, f"least eigenvalue {0.5 * rate:.3g}")
    notes = {"late rate of Gaussians": rate}
    if not strict.met:
        return (*hypotheses, strict), (), notes
    above = series["dissipation"][-1] / rate
    value = series["value_rho"] - (series["value_rho"][-1] - above)
    noise = ROUNDINGS * EPS * float(np.abs(series["value_rho"]).max())
    found: list[Measurement] = []
    usable = np.flatnonzero((value > FLOORS * noise) & (above <= AT_REST * value))
    if usable.size:
        b = int(usable[-1])
        for j, a in enumerate(np.searchsorted(series["time"], kept.time)):  # the first row after each, nearer still
            if a >= b:
                break
            apart = _divergence(limit, kept.policy_at(j))
            size = THIRD * float(np.sqrt(2.0) * (visits @ apart**1.5) / (visits @ apart))
            fall, dt = float(np.log(value[a] / value[b])), float(series["time"][b] - series["time"][a])
            if size > OPEN or fall < LEAST_FALL:
                continue
            local, where = float(series["dissipation"][a] / value[a]), f"t = {series['time'][a]:.4g} to "
            parts = {"theory": size * fall / dt, "rounding": 4.0 / FLOORS / dt}
            place = mdp.states.describe(slowest) or "the only state"
            where += f"{series['time'][b]:.4g}, slowest {place}"
            quantity = "rate of V - V of the limit"
            found = [
                Measurement(f"{quantity}, from below by 2 lambda", fall / dt, rate, ">=", where,
                            slack=fall / dt / rate, **parts),
                Measurement(f"{quantity}, from above by the local rate", fall / dt, local, "<=", where, **parts),
            ]  # fmt: skip
            break
    late = Hypothesis("late: near the limit, and above rounding", bool(found), "no two such snapshots")
    return (*hypotheses, strict, late), tuple(found), notes


def _divergence(q: FloatArray, p: FloatArray) -> FloatArray:
    """KL(q|p) of every state, (S,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(q > 0.0, q * (np.log(q) - np.log(p)), 0.0)
    return np.asarray(np.maximum(terms.sum(axis=1), 0.0))
