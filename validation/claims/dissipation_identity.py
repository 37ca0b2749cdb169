"""The dissipation is minus the time derivative of V(rho): identity (I4).

At one policy, where the problem is known and the flow is the Wasserstein flow: the derivative of V(rho) in the
direction L p is, by the policy gradient, 1/(1-gamma) sum_i d_i sum_k (L p)_ik (Q_ik + tau ln(p_ik/m_k)), which must
equal minus the dissipation to rounding.

Along a run of error-controlled steps: ln gap falls by the integral of dissipation/gap.  Between rows ln gap is a
smooth function whose slopes -rate are recorded; the trapezoid rule for their integral errs by (dt^3/12) times the
second derivative of the rate, which, by differences of rows, the largest of the row and its two neighbours on either
side (it passes through zero where the rate bends back) and doubled, is the discretisation budget, with the run's own
time error. Rows of infinite dissipation, where a policy has cells of mass zero beside others, have no rate and are
left out; at such a first policy the derivative does not exist.  The same from the first row to every other, where
errors of both signs add up as they come.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate, occupancy
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement

RELATIVE = 1e-11
NEIGHBOURS = 2


@claim(
    "dissipation_identity",
    "the time derivative of V(rho) is minus the dissipation (I4)",
    "Šiška & Zhang, arXiv:2605.22622, energy identity; policy gradient theorem",
)
def judge(evidence: Evidence) -> Judgement:
    """Row by row along controlled runs; exactly at the first policy where the problem is known."""
    measurements = []
    finite = ~np.isinf(evidence.run.series["rate_observed"])
    if not evidence.dissipates:
        return (Hypothesis("a flow that states its dissipation", False, "it states none"),), (), {}
    if evidence.accuracy is not None and np.count_nonzero(evidence.judged & finite) >= 4:
        measurements += _along(evidence)
    if evidence.mdp is not None and evidence.wasserstein and evidence.mdp.initial_policy.min() > 0.0:
        measurements.append(_at_start(evidence, evidence.mdp))
    found = Hypothesis(
        "an error-controlled run, or the problem", bool(measurements), "fixed steps, or cells of mass zero"
    )
    return (found,), tuple(measurements), {}


def _along(evidence: Evidence) -> list[Measurement]:
    series = evidence.run.series
    judged = evidence.judged & ~np.isinf(evidence.run.series["rate_observed"])
    time, gap, rate = (series[name][judged] for name in ("time", "gap", "rate_observed"))
    dt = np.diff(time)
    fall = -np.diff(np.log(gap))
    integral = 0.5 * dt * (rate[1:] + rate[:-1])
    bend = np.abs(np.gradient(np.gradient(rate, time), time))
    largest = np.max(np.lib.stride_tricks.sliding_window_view(np.pad(bend, NEIGHBOURS), 2 * NEIGHBOURS + 1), axis=1)
    quadrature = dt**3 / 12.0 * 2.0 * np.maximum(largest[1:], largest[:-1])
    share = evidence.rounding_share(gap)
    rate_share = evidence.rate_rounding_share(gap, rate)
    slopes = integral * np.maximum(rate_share[1:], rate_share[:-1])

    def least_favourable(
        quantity: str,
        start: FloatArray,
        measured: FloatArray,
        expected: FloatArray,
        rule: FloatArray,
        noise: FloatArray,
    ) -> Measurement:
        discretisation = rule + evidence.time_error(np.abs(measured))
        k = int(np.argmax(np.abs(measured - expected) / (discretisation + noise)))
        where = f"t = {start[k]:.4g} to {time[k + 1]:.4g}"
        return Measurement(
            quantity, measured[k], expected[k], "=", where, discretisation=discretisation[k], rounding=noise[k]
        )

    first = np.full_like(time, time[0])
    total, summed, rule = np.cumsum([fall, integral, quadrature], axis=1)
    between, along = share[1:] + share[:-1] + slopes, share[1:] + share[0] + np.cumsum(slopes)
    return [
        least_favourable("fall of ln gap between rows", time, fall, integral, quadrature, between),
        least_favourable("fall of ln gap from the start", first, total, summed, rule, along),
    ]


def _at_start(evidence: Evidence, mdp: GridMDP) -> Measurement:
    policy = mdp.initial_policy
    now = evaluate(mdp, policy)
    visited = occupancy(mdp, now.system)
    horizon = 1.0 / (1.0 - mdp.discount)
    stated = evidence.followed.dissipation(policy, now.q)
    assert stated is not None
    dissipation = horizon * float(visited @ stated)
    with np.errstate(divide="ignore"):
        gradient = now.q + mdp.temperature * (np.log(policy) - mdp.log_mass)
    exact = size = 0.0
    for rows, block in evidence.generators(now.q).blocks():
        rates, faces = block.rates, block.faces
        p, f = policy[rows], gradient[rows]
        flux = rates.right * p[:, faces.here] - rates.left * p[:, faces.there]
        terms = visited[rows, None] * flux * (f[:, faces.here] - f[:, faces.there])
        exact += float(terms.sum())
        size += float(np.abs(terms).sum() + np.abs(visited[rows, None] * flux * f[:, faces.here]).sum())
    return Measurement(
        "dissipation against the derivative of V(rho) along the generator",
        dissipation,
        horizon * exact,
        "=",
        "t = 0",
        rounding=RELATIVE * horizon * size,
    )
