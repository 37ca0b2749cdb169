r"""The Lyapunov function of the Fisher–Rao flow obeys an identity: dy/dt = -tau y - (1 - gamma) h.

With y = sum_i d*_i KL(p*_i|p_i), d* the occupancy of the optimal policy, h = gap(rho) and delta = Q + tau ln(p/m),

    dy/dt = -sum_i d*_i <p*_i, d/dt ln p_i> = sum_i d*_i (<p*_i, delta_i> - V_i),

by d/dt ln p = -(delta - V).  The performance difference of p and p* is sum_i d*_i (V_i - <p*_i, Q_i + tau ln(p*_i/m)>)
= (1 - gamma) h, and <p*, delta> = <p*, Q + tau ln(p*/m)> - tau KL(p*|p).  No constant but tau and gamma enters, and
nothing is discretised but time.

Judged in two ways.  At the first policy and one of the middle of the run, where the problem is known: y after two short
steps of the flow with Q frozen, of length s and s/2, against the right-hand side by independent values
(`validation.independent`); the two differences are extrapolated, which leaves a term of order s^2.  Along runs of
controlled error, from the run alone: with z = e^{tau t} y

    z_b - z_a = -(1 - gamma) int_a^b e^{tau t} h dt

between snapshots.  In it ln h is the cubic that has the rows' values and slopes, minus the observed rates: of order
four; what that leaves open is estimated by the cubics through every second row, whose difference is taken in full where
a sixteenth would do.

Source: Kerimkulov, Leahy, Šiška, Szpruch & Zhang, arXiv:2310.02951.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.growth import to_comparator
from wpoflow.validation.independent.policy import PolicyValues
from wpoflow.validation.independent.series import soft_optimal

SHORT = 3e-5  # part of the shortest time in which ln p changes by one
LEAST_ROWS = 8
FALL = 0.3
RESOLVED = 5e-3
FLOORS = 1e6


@claim(
    "fisher_rao_identity",
    "dy/dt = -tau y - (1 - gamma) gap(rho) for y = sum d* KL(p*|p)",
    "performance difference; Kerimkulov et al., arXiv:2310.02951, on the grid",
    flows=("fisher-rao",),
)
def judge(evidence: Evidence) -> Judgement:
    """Short steps where the problem is known; between snapshots of controlled runs."""
    measurements = []
    if evidence.mdp is not None:
        measurements += _short_steps(evidence, evidence.mdp)
    if evidence.accuracy is not None:
        measurements += _between_snapshots(evidence)
    some = Hypothesis(
        "the problem, or an error-controlled run with snapshots",
        bool(measurements),
        "fixed steps, too few snapshots, or cells of mass zero",
    )
    return (some,), tuple(measurements), {}


def lyapunov(evidence: Evidence, policy: FloatArray) -> float:
    """y of a policy; infinite where it has a cell of mass zero."""
    with np.errstate(divide="ignore"):
        return to_comparator(evidence.optimum.occupancy, best_log(evidence), np.log(policy))


def best_log(evidence: Evidence) -> FloatArray:
    """ln p*, from Q*, (S, A)."""
    exponent = evidence.log_mass - evidence.optimum.q / evidence.temperature
    exponent = exponent - exponent.max(axis=1, keepdims=True)
    return np.asarray(exponent - np.log(np.exp(exponent).sum(axis=1, keepdims=True)))


def lyapunov_floor(evidence: Evidence) -> float:
    """Rounding floor of y: that of the gap, of which y is a share of (1 - gamma)/tau."""
    return (1.0 - evidence.discount) / evidence.temperature * evidence.gap_floor


def _short_steps(evidence: Evidence, mdp: GridMDP) -> list[Measurement]:
    snapshots = evidence.run.snapshots
    policies = [("first", mdp.initial_policy)]
    if snapshots is not None and len(snapshots.time):
        policies.append(("middle", snapshots.policy_at(len(snapshots.time) // 2)))
    _, log_best, _ = soft_optimal(mdp, evidence.optimum.value)
    best = PolicyValues(mdp, np.exp(log_best))
    tau, horizon = mdp.temperature, 1.0 - mdp.discount
    found = []
    for label, policy in policies:
        if policy.min() <= 0.0:
            continue
        now = PolicyValues(mdp, policy)
        y = to_comparator(best.occupancy, log_best, np.log(policy))
        gap = float(mdp.rho @ (now.value - best.value))
        spread = 1.0 + float(np.ptp(now.q, axis=1).max()) / tau + float(np.abs(np.log(policy)).max())
        length = SHORT / (tau * spread)
        slopes = []
        for part in (1.0, 0.5):
            stepped = evidence.followed.step(policy, now.q, part * length, np.empty_like(policy))
            slopes.append((to_comparator(best.occupancy, log_best, np.log(stepped)) - y) / (part * length))
        values = 64.0 * EPS * float(np.abs(now.value).max() + np.abs(best.value).max())
        found.append(
            Measurement(
                "dy/dt by short steps",
                2.0 * slopes[1] - slopes[0],
                -tau * y - horizon * gap,
                "=",
                f"{label} policy",
                theory=SHORT**2 * tau * spread**2,
                rounding=values + 256.0 * EPS * (spread + y) / length,
            )
        )
    return found


def _between_snapshots(evidence: Evidence) -> list[Measurement]:
    """The least favourable pair of snapshots between which ln y falls by `FALL` or a little more."""
    snapshots, series, rows = evidence.run.snapshots, evidence.run.series, evidence.judged
    if snapshots is None or np.count_nonzero(rows) < LEAST_ROWS or not evidence.dissipates:
        return []
    time, log_gap, slope = series["time"][rows], np.log(series["gap"][rows]), -evidence.local_rate[rows]
    if not (np.all(np.isfinite(log_gap)) and np.all(np.isfinite(slope))):
        return []
    some = np.unique(np.append(np.arange(0, time.size, 2), time.size - 1))
    fine, coarse = (CubicHermiteSpline(time[part], log_gap[part], slope[part]) for part in (slice(None), some))
    tau, horizon, floor = evidence.temperature, 1.0 - evidence.discount, lyapunov_floor(evidence)
    inside = [j for j, t in enumerate(snapshots.time) if time[0] <= t <= time[-1]]
    levels = {j: lyapunov(evidence, snapshots.policy_at(j)) for j in inside}
    worst: Measurement | None = None
    largest = -np.inf
    for k, j in enumerate(inside):
        y = levels[j]
        i = next((n for n in inside[k + 1 :] if levels[n] <= y * np.exp(-FALL)), None)
        if i is None or not np.isfinite(y) or levels[i] <= FLOORS * floor:
            continue
        begin, end = float(snapshots.time[j]), float(snapshots.time[i])
        lost, again = (horizon * _integral(line, begin, end, tau, time) for line in (fine, coarse))
        left = y * float(np.exp(-tau * (end - begin))) - lost
        fall = float(np.log(y / levels[i]))
        shares = float(2.0 * np.sqrt(floor / y) + 2.0 * np.sqrt(floor / levels[i]))
        if abs(lost - again) > RESOLVED * levels[i] * fall:
            continue
        measured = Measurement(
            "fall of ln y between snapshots",
            fall,
            float(np.log(y / left)) if left > 0.0 else np.inf,
            "=",
            f"t = {begin:.4g} to {end:.4g}",
            theory=abs(lost - again) / levels[i],
            discretisation=float(evidence.time_error(fall)),
            rounding=shares + 64.0 * EPS,
        )
        excess = measured.excess / measured.tolerance
        if not excess <= largest:
            largest, worst = excess, measured
    return [] if worst is None else [worst]


def _integral(log_gap: CubicHermiteSpline, begin: float, end: float, tau: float, rows: FloatArray) -> float:
    """int e^{-tau (end - t)} h dt, by Gauss' rule between the rows."""
    cuts = np.concatenate(([begin], rows[(rows > begin) & (rows < end)], [end]))
    nodes, weights = np.polynomial.legendre.leggauss(6)
    half = 0.5 * np.diff(cuts)
    times = 0.5 * (cuts[1:] + cuts[:-1])[:, None] + half[:, None] * nodes
    return float((half[:, None] * weights * np.exp(log_gap(times) - tau * (end - times))).sum())
