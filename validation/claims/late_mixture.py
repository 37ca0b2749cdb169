"""The gap's late local rate: the mixture of all states' own rates 2 lambda(s).

Late in a run gap = tau/(1-gamma) sum_s d*_s KL(p_s|p*_s) falls at the local rate of sum_s w_s exp(-2 lambda(s) t),
w_s = d*_s KL_s at some late time; the least lambda alone is reached only much later when slow states are few.

Hypothesis: the states that carry the gap are late, weighted by w_s (`validation.claims.late_rate.lateness`), to 5e-3.
The prediction is then judged to 1e-2, as an instantaneous rate is off by up to twice the lateness, besides the run's
time error and rounding.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.late_rate import lateness
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.rates import mixture_rate

MIXTURE_LATE = 5e-3
GAP_RATE = 1e-2
SHARE_OF_WEIGHT = 1e-4
MOST_STATES = 4096


@claim(
    "late_mixture",
    "the gap's late local rate is the mixture of all states' 2 lambda(s)",
    "linearisation at the optimum: frozen Fokker–Planck flow in each state; V is stationary at p*",
)
def judge(evidence: Evidence) -> Judgement:
    """The local rate at every row after the first late snapshot."""
    snapshots = evidence.run.snapshots
    times = np.zeros(0) if snapshots is None else snapshots.time
    enough = Hypothesis("three snapshots", times.size >= 3, f"{times.size} in the run")
    accuracy = evidence.accuracy if evidence.wasserstein else None
    controlled = Hypothesis(
        "time error of a rate below a hundredth",
        accuracy is not None and float(evidence.time_error(1.0)) <= GAP_RATE,
        "fixed steps, or another flow" if accuracy is None else f"accuracy {accuracy:g}: ask for a finer one",
    )
    if not (enough.met and controlled.met):
        return (enough, controlled), (), {}
    assert snapshots is not None
    divergences = {j: evidence.divergence(snapshots.policy_at(j), evidence.optimum.q) for j in range(times.size)}
    mixture, notes = _mixture(evidence, times, divergences)
    late = Hypothesis(
        "late: the states that carry the gap are in their slowest modes",
        mixture is not None,
        "faster modes or large deviations are left until rounding takes over, or until the run ends",
    )
    return (enough, controlled, late), () if mixture is None else (mixture,), notes


def _mixture(
    evidence: Evidence, times: FloatArray, divergences: dict[int, FloatArray]
) -> tuple[Measurement | None, dict[str, float]]:
    """The gap's local rate against the mixture from all states' spectral gaps, from the first late snapshot on."""
    snapshots, series = evidence.run.snapshots, evidence.run.series
    assert snapshots is not None
    for a in range(1, times.size - 1):
        weights = evidence.optimum.occupancy * divergences[a]
        carrying = np.flatnonzero(weights > SHARE_OF_WEIGHT * weights.max())
        if carrying.size > MOST_STATES:
            carrying = np.sort(np.argsort(weights, kind="stable")[-MOST_STATES:])
        modes, size = lateness(evidence, float(times[a]), snapshots.policy_at(a), carrying)
        part = weights[carrying] / np.add.reduce(weights[carrying])
        if not float(np.add.reduce(part * (modes + size))) <= MIXTURE_LATE:
            continue
        rows = np.flatnonzero(evidence.judged & (series["time"] >= times[a]))
        observed, gap = series["rate_observed"][rows], series["gap"][rows]
        share = evidence.rate_rounding_share(gap, observed)
        rows, observed = rows[share <= GAP_RATE], observed[share <= GAP_RATE]
        if rows.size == 0:
            return None, {}
        predicted = np.array(
            [mixture_rate(weights, evidence.spectral_gaps, float(t - times[a])) for t in series["time"][rows]]
        )
        worst = int(np.argmax(np.abs(observed / predicted - 1.0)))
        notes = {
            "mixture predicted from t": float(times[a]),
            "rows predicted": int(rows.size),
            "largest deviation of the local rate": float(abs(observed[worst] / predicted[worst] - 1.0)),
        }
        rate = float(predicted[worst])
        where = f"t = {series['time'][rows][worst]:.4g}, from the weights at t = {times[a]:.4g}"
        return (
            Measurement(
                "local rate of the gap against the mixture",
                observed[worst],
                rate,
                "=",
                where,
                theory=GAP_RATE * rate,
                discretisation=float(evidence.time_error(1.0)) * rate,
                rounding=share[share <= GAP_RATE][worst] * rate,
            ),
            notes,
        )
    return None, {}
