r"""The gap's late local rate: the mixture of all states' own rates, 2 lambda(s) in the end.

Linearised at the optimum, gap = tau/(1-gamma) sum_s d*_s KL(p_s|p*_s) falls at the local rate

    2 sum_s d*_s Var_s R_s / sum_s d*_s Var_s,

R = E/Var the Rayleigh quotient of p_s/p*_s - 1 for the generator of p*_s, at every instant whose deviations are small,
faster modes left or not.  What that leaves open is measured, link by link and relative to the two sums: 2 KL for Var
and the entropy production for E (where third moments are above 5e-3 of Var, KL and production themselves take their
place), the visits d of the policy for d*, and the Gibbs policy g that p follows for p*: by the triangle inequality of
the root of sum_s d*_s E_s, 2 sqrt(sum d* E(g/p*) / sum d* E(p/p*)).  Hypothesis: all together at most 5e-3, and states
of small deviations carry half of the gap at least.  The recorded rate is then judged to 1e-2, at snapshots that lie at
a row, or between rows whose rates differ by no more than that.  Needs the problem.

Once the states that carry the gap are in their slowest modes (modes and left open at most 5e-3, in their weighted
mean) the rates at later rows are predicted from lambda alone: sum_s w_s exp(-2 lambda(s) t), w_s = d*_s KL_s at that
snapshot. So are those of rows by which other states carry the gap, if what they left open was as little: a slow state
that follows a moving target is not in its slowest mode, however little of the gap it carries at first. Judged to
1e-2, besides the time error of one e-fold and rounding.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.deviations import Deviations
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.judged_flow import NO_MIXTURE
from wpoflow.validation.rates import mixture_rate

MIXTURE_LATE = 5e-3
GAP_RATE = 1e-2
SMALL = 5e-3
LEAST_SHARE = 0.5


@claim(
    "late_mixture",
    "the gap's late local rate is the mixture of all states' rates: Rayleigh quotients, in the end 2 lambda(s)",
    "linearisation at the optimum: frozen Fokker–Planck flow in each state; V is stationary at p*",
)
def judge(evidence: Evidence) -> Judgement:
    """The local rate at snapshots of small deviations; at every row after the first in which slowest modes are left."""
    snapshots = evidence.run.snapshots
    count = 0 if snapshots is None else len(snapshots.time)
    enough = Hypothesis("three snapshots", count >= 3, f"{count} in the run")
    if not evidence.wasserstein:
        reason = evidence.judged_as.without(NO_MIXTURE)
        return (Hypothesis("the Wasserstein flow", False, reason, scope=True),), (), {}
    accuracy = evidence.accuracy
    controlled = Hypothesis(
        "time error of a rate below a hundredth",
        accuracy is not None and float(evidence.time_error(1.0)) <= GAP_RATE,
        f"accuracy {accuracy:g}: ask for a finer one" if accuracy is not None else "fixed steps",
    )
    if not (enough.met and controlled.met):
        return (enough, controlled), (), {}
    measurements, notes = _from_lambda(evidence)
    measurements += _from_quotients(evidence)
    late = Hypothesis(
        "late: the states that carry the gap have small deviations",
        bool(measurements),
        "large deviations are left until rounding takes over, or until the run ends",
    )
    return (enough, controlled, late), tuple(measurements), notes


def _from_quotients(evidence: Evidence) -> list[Measurement]:
    """The least favourable snapshot, against Rayleigh quotients."""
    worst: tuple[float, Measurement] | None = None
    for at in evidence.late_deviations:
        predicted, recorded = _quotients(evidence, at), _recorded(evidence, at)
        if predicted is None or recorded is None:
            continue
        rate, between, rounding = recorded
        found = Measurement(
            "local rate of the gap against Rayleigh quotients",
            rate,
            predicted,
            "=",
            f"t = {at.time:.4g}",
            theory=GAP_RATE * predicted,
            discretisation=between,
            rounding=rounding * predicted,
        )
        excess = (found.excess - found.tolerance) / predicted
        if worst is None or not excess <= worst[0]:
            worst = excess, found
    return [] if worst is None else [worst[1]]


def _quotients(evidence: Evidence, at: Deviations) -> float | None:
    """The rate predicted at a snapshot; None if more is left open than is allowed."""
    if at.visits is None:
        return None
    visits, small = evidence.optimum.occupancy, at.third <= SMALL
    with np.errstate(all="ignore"):
        lost = visits * np.where(small, at.form, at.production)
        held = visits * np.where(small, at.variance, 2.0 * at.divergence)
        fall, carried = np.add.reduce(lost), np.add.reduce(held)
        size = np.add.reduce(visits[small] * np.abs(2.0 * at.divergence - at.variance)[small]) / carried
        size += np.add.reduce(visits[small] * np.abs(at.form - at.production)[small]) / fall
        moving = 2.0 * np.sqrt(np.add.reduce(visits * at.moved) / fall)
        other = np.abs(at.visits - visits)
        seen = np.add.reduce(other * 2.0 * at.divergence) / carried + np.add.reduce(other * at.production) / fall
        late = size + moving + seen <= MIXTURE_LATE and np.add.reduce(held[small]) >= LEAST_SHARE * carried
    return 2.0 * float(fall / carried) if late else None


def _recorded(evidence: Evidence, at: Deviations) -> tuple[float, float, float] | None:
    """The rate at a snapshot, what interpolation leaves open, and its relative rounding; None if unknown.

    That of its row or between two; where it changes too much from row to row, that of the snapshot's policy itself.
    """
    series, row = evidence.run.series, at.row
    time, rate = series["time"], series["rate_observed"]
    if not evidence.judged[row]:
        return None
    share = float(evidence.rate_rounding_share(series["gap"][row : row + 1], rate[row : row + 1])[0])
    if share > GAP_RATE:
        return None
    if np.isclose(time[row], at.time, rtol=1e-9) or row + 1 == time.size:
        return float(rate[row]), 0.0, share
    change = float(rate[row + 1] - rate[row])
    if not evidence.judged[row + 1] or abs(change) > GAP_RATE * float(rate[row]):
        own = [one.observed for one in evidence.certificates if one.time == at.time and np.isfinite(one.observed)]
        return (own[0], 0.0, share) if own and evidence.judged[row + 1] else None
    part = float((at.time - time[row]) / (time[row + 1] - time[row]))
    return float(rate[row]) + part * change, 0.5 * abs(change), share


def _from_lambda(evidence: Evidence) -> tuple[list[Measurement], dict[str, float]]:
    """The local rate against the mixture from all states' spectral gaps, from the first late snapshot on."""
    series, lam = evidence.run.series, evidence.spectral_gaps
    for at in evidence.late_deviations:
        weights = evidence.optimum.occupancy * at.divergence
        carrying = weights > 0.0
        with np.errstate(all="ignore"):
            open_part = at.form / (lam * at.variance) - 1.0 + 2.0 * at.third + at.drift / np.sqrt(at.variance)
        if not _left_open(evidence, weights, open_part, carrying, 0.0) <= MIXTURE_LATE:
            continue
        rows = np.flatnonzero(evidence.judged & (series["time"] >= at.time))
        observed, gap = series["rate_observed"][rows], series["gap"][rows]
        share = evidence.rate_rounding_share(gap, observed)
        # what carries the gap by then must have been late, too
        elapsed = series["time"][rows] - at.time
        late = [_left_open(evidence, weights, open_part, carrying, float(dt)) <= MIXTURE_LATE for dt in elapsed]
        known = ~(share > GAP_RATE) & np.array(late, dtype=np.bool_)
        rows, observed, share = rows[known], observed[known], share[known]
        if rows.size == 0:
            continue
        predicted = np.array([mixture_rate(weights, lam, float(t - at.time)) for t in series["time"][rows]])
        worst = int(np.argmax(np.abs(observed / predicted - 1.0)))
        rate = float(predicted[worst])
        notes = {
            "mixture predicted from t": at.time,
            "rows predicted": int(rows.size),
            "largest deviation of the local rate": float(abs(observed[worst] / predicted[worst] - 1.0)),
        }
        where = f"t = {series['time'][rows][worst]:.4g}, from the weights at t = {at.time:.4g}"
        found = Measurement(
            "local rate of the gap against the mixture",
            observed[worst],
            rate,
            "=",
            where,
            theory=GAP_RATE * rate,
            discretisation=float(evidence.time_error(1.0)) * rate,
            rounding=float(share[worst]) * rate,
        )
        return [found], notes
    return [], {}


def _left_open(evidence: Evidence, weights: FloatArray, open_part: FloatArray, carrying: BoolArray, dt: float) -> float:
    """The mean of what is left open in the states that carry the gap at dt past the time of the weights.

    No number where none does.
    """
    if not carrying.any():
        return float("nan")
    lam = evidence.spectral_gaps[carrying]
    decayed = weights[carrying] * np.exp(-2.0 * (lam - lam.min()) * dt)
    return float(np.add.reduce(decayed * open_part[carrying]) / np.add.reduce(decayed))
