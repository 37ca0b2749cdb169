"""The dissipation is minus the time derivative of V(rho): identity (I4).

At one policy, where the problem is known and the flow is continuous: the derivative of V(rho) in the direction p' of
its equation is, by the policy gradient, 1/(1-gamma) sum_i d_i sum_k p'_ik delta_ik, delta = Q + tau ln(p/m), which must
equal minus the dissipation to rounding.  Transport has p' = L p, and growth p' = -p (delta - V), which gives

    dV(rho)/dt = -1/(1-gamma) sum_i d_i Var_{p_i}(delta_i)                            (Fisher–Rao)

and, for Wasserstein–Fisher–Rao, that of transport less beta times this sum.

Along a run of error-controlled steps: ln gap falls by the integral of r = dissipation/gap, which rows know at their
times. Where r is convex or concave over an interval and its neighbours it lies between its chord and the continuations
of the chords of the intervals beside it, so that its integral is the trapezoid rule's but for the triangle between
them: a bound, not an estimate.  With slopes s_-, s, s_+ of the three chords the triangle has the area

    (dt^2/2) d_- d_+/(d_- + d_+),   d_- = |s - s_-|,  d_+ = |s_+ - s|.

r counts as convex (concave) there if the slopes of chords rise (fall) at all four nodes from the one before the
interval to the one after it; other intervals, and the first and last two of a run, are left out and counted: there the
rows say nothing.  The run's own time error comes on top.  Rows of infinite dissipation, where a policy has cells of
mass zero beside others, have no rate and are left out; at such a first policy the derivative does not exist.  The same
for all intervals together, where errors of both signs add up as they come.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.solver.bellman.evaluation import evaluate, occupancy
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.growth import centred_advantage

RELATIVE = 1e-11


@claim(
    "dissipation_identity",
    "the time derivative of V(rho) is minus the dissipation (I4)",
    "Šiška & Zhang, arXiv:2605.22622, energy identity; policy gradient theorem",
)
def judge(evidence: Evidence) -> Judgement:
    """Row by row along controlled runs; exactly at the first policy where the problem is known."""
    measurements: list[Measurement] = []
    notes: dict[str, Any] = {}
    finite = ~np.isinf(evidence.run.series["rate_observed"])
    if not evidence.dissipates:
        return (Hypothesis("a flow that states its dissipation", False, "it states none", scope=True),), (), {}
    if evidence.accuracy is not None and np.count_nonzero(evidence.judged & finite) >= 4:
        measurements, notes["intervals left out"] = _along(evidence)
    weights = evidence.judged_as.weights
    if evidence.mdp is not None and weights is not None and evidence.mdp.initial_policy.min() > 0.0:
        measurements.append(_at_start(evidence, evidence.mdp, *weights))
    found = Hypothesis(
        "an error-controlled run, or the problem", bool(measurements), "fixed steps, or cells of mass zero"
    )
    return (found,), tuple(measurements), notes


def _along(evidence: Evidence) -> tuple[list[Measurement], int]:
    """Between rows, and over all intervals so far; and how many intervals are left out."""
    series = evidence.run.series
    judged = evidence.judged & ~np.isinf(evidence.run.series["rate_observed"])
    time, gap, rate = (series[name][judged] for name in ("time", "gap", "rate_observed"))
    dt = np.diff(time)
    fall = -np.diff(np.log(gap))
    integral = 0.5 * dt * (rate[1:] + rate[:-1])
    triangle, known = _triangles(dt, rate)
    share = evidence.rounding_share(gap)
    rate_share = evidence.rate_rounding_share(gap, rate)
    slopes = integral * np.maximum(rate_share[1:], rate_share[:-1])
    if not np.any(known):
        return [], 0

    def least_favourable(
        quantity: str,
        where: FloatArray,
        measured: FloatArray,
        expected: FloatArray,
        rule: FloatArray,
        noise: FloatArray,
    ) -> Measurement:
        discretisation = rule + evidence.time_error(np.abs(measured))
        k = int(np.argmax(np.abs(measured - expected) / (discretisation + noise)))
        return Measurement(
            quantity,
            measured[k],
            expected[k],
            "=",
            f"t = {where[k]:.4g} to {time[1:][known][k]:.4g}",
            discretisation=discretisation[k],
            rounding=noise[k],
        )

    start, fall, integral, triangle = time[:-1][known], fall[known], integral[known], triangle[known]
    noise = (share[1:] + share[:-1] + slopes)[known]
    together = np.cumsum([fall, integral, triangle, noise], axis=1)
    return [
        least_favourable("fall of ln gap between rows", start, fall, integral, triangle, noise),
        least_favourable("fall of ln gap in all these intervals so far", np.full_like(start, start[0]), *together),
    ], int(np.count_nonzero(~known))


def _triangles(dt: FloatArray, rate: FloatArray) -> tuple[FloatArray, BoolArray]:
    """The most by which the trapezoid rule errs in each interval, and where that is known."""
    turns = np.pad(np.diff(np.diff(rate) / dt), 2, constant_values=np.nan)
    nodes = np.lib.stride_tricks.sliding_window_view(turns, 4)[: dt.size]  # from the one before the interval
    known = np.all(nodes >= 0.0, axis=1) | np.all(nodes <= 0.0, axis=1)
    known |= np.isnan(rate[1:]) | np.isnan(rate[:-1])  # not left out: what is not a number fails
    before, after = np.abs(nodes[:, 1]), np.abs(nodes[:, 2])
    share = before * after / np.where(before + after > 0.0, before + after, 1.0)
    return 0.5 * dt**2 * np.where(known, share, 0.0), known


def _at_start(evidence: Evidence, mdp: GridMDP, transport: float, growth: float) -> Measurement:
    policy = mdp.initial_policy
    now = evaluate(mdp, policy)
    visited = occupancy(mdp, now.system)
    horizon = 1.0 / (1.0 - mdp.discount)
    stated = evidence.followed.dissipation(policy, now.q)
    assert stated is not None
    dissipation = horizon * float(visited @ stated)
    with np.errstate(divide="ignore"):
        gradient = now.q + mdp.temperature * (np.log(policy) - mdp.log_mass)
    centred = centred_advantage(mdp, policy, now.q)
    grown = growth * visited[:, None] * policy * centred * centred
    exact, size = float(grown.sum()), growth * float(np.abs(visited[:, None] * policy * centred * gradient).sum())
    for rows, block in evidence.generators(now.q).blocks() if transport else ():
        rates, faces = block.rates, block.faces
        p, f = policy[rows], gradient[rows]
        flux = rates.right * p[:, faces.here] - rates.left * p[:, faces.there]
        terms = visited[rows, None] * flux * (f[:, faces.here] - f[:, faces.there])
        exact += float(terms.sum())
        size += float(np.abs(terms).sum() + np.abs(visited[rows, None] * flux * f[:, faces.here]).sum())
    return Measurement(
        "dissipation against the derivative of V(rho) along the flow",
        dissipation,
        horizon * exact,
        "=",
        "t = 0",
        rounding=RELATIVE * horizon * size,
    )
