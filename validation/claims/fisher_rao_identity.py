r"""The Lyapunov function of the Fisher–Rao flow obeys an identity: dy/dt = -tau y - (1 - gamma) h.

With y = sum_i d*_i KL(p*_i|p_i), d* the occupancy of the optimal policy, h = gap(rho) and delta = Q + tau ln(p/m),

    dy/dt = -sum_i d*_i <p*_i, d/dt ln p_i> = sum_i d*_i (<p*_i, delta_i> - V_i),

by d/dt ln p = -(delta - V).  The performance difference of p and p* is sum_i d*_i (V_i - <p*_i, Q_i + tau ln(p*_i/m)>)
= (1 - gamma) h, and <p*, delta> = <p*, Q + tau ln(p*/m)> - tau KL(p*|p).  No constant but tau and gamma enters, and
nothing is discretised but time.

Judged in two ways.  At the first policy and one of the middle of the run, where the problem is known: y after two short
steps of the flow with Q frozen, of length s and s/2, against the right-hand side by independent values
(`validation.independent`); the two differences are extrapolated, which leaves a term of order s^2.  Along runs of controlled error, from the run alone: with z = e^{tau t} y

    z_b - z_a = -(1 - gamma) int_a^b e^{tau t} h dt

between snapshots that are rows.  The integral is made of the rows' h and of its slope, minus the dissipation, by the
trapezoid rule with end corrections, of order four; what it is off by is estimated by the same rule on every second row,
whose difference is taken in full where a sixteenth would do.

Source: Kerimkulov, Leahy, Šiška, Szpruch & Zhang, arXiv:2310.02951.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.growth import to_comparator
from wpoflow.validation.independent.policy import PolicyValues
from wpoflow.validation.independent.series import soft_optimal

SHORT = 3e-5  # part of the shortest time in which ln p changes by one
LEAST_ROWS = 5


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
        "the problem, or two snapshots that are rows of an error-controlled run",
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
    """The least favourable pair of neighbouring snapshots with enough rows between them."""
    snapshots, series = evidence.run.snapshots, evidence.run.series
    if snapshots is None:
        return []
    time, gap, slope = series["time"], series["gap"], -series["dissipation"]
    rows = [int(np.searchsorted(time, t)) for t in snapshots.time]
    kept = [(j, row) for j, row in enumerate(rows) if row < len(time) and time[row] == snapshots.time[j]]
    kept = [(j, row) for j, row in kept if evidence.judged[row]]
    tau, horizon, floor = evidence.temperature, 1.0 - evidence.discount, lyapunov_floor(evidence)
    worst: Measurement | None = None
    largest = -np.inf
    k = 0
    while k < len(kept):
        j, begin = kept[k]
        ahead = next((n for n in range(k + 1, len(kept)) if kept[n][1] - begin >= LEAST_ROWS - 1), len(kept))
        k += 1
        if ahead == len(kept):
            break
        i, end = kept[ahead]
        y = np.array([lyapunov(evidence, snapshots.policy_at(n)) for n in (j, i)])
        if not np.all(np.isfinite(y)) or y[1] <= 0.0:
            continue
        part = slice(begin, end + 1)
        grown = np.exp(tau * (time[part] - time[end]))
        fine, coarse = _integrals(time[part], grown * gap[part], grown * (slope[part] + tau * gap[part]))
        predicted = y[0] * grown[0] - horizon * fine
        folds = abs(float(np.log(y[0] / y[1])))
        shares = 2.0 * np.sqrt(floor / y) + floor / y
        rate = float(evidence.rounding_share(gap[end : end + 1])[0])
        measured = Measurement(
            "y at a snapshot, from that at an earlier one",
            float(y[1]),
            predicted,
            "=",
            f"t = {time[begin]:.4g} to {time[end]:.4g}",
            theory=horizon * abs(fine - coarse),
            discretisation=float(evidence.time_error(folds)) * (y[0] * grown[0] + horizon * fine),
            rounding=float(shares[0] * y[0] * grown[0] + shares[1] * y[1]) + rate * horizon * fine,
        )
        excess = measured.excess / measured.tolerance if measured.tolerance > 0.0 else np.inf
        if not excess <= largest:
            largest, worst = excess, measured
    return [] if worst is None else [worst]


def _integrals(time: FloatArray, values: FloatArray, slopes: FloatArray) -> tuple[float, float]:
    """By the corrected trapezoid rule on all nodes, and on every second one and the last."""

    def rule(t: FloatArray, f: FloatArray, df: FloatArray) -> float:
        dt = np.diff(t)
        return float((0.5 * dt * (f[1:] + f[:-1]) - dt**2 / 12.0 * np.diff(df)).sum())

    some = np.unique(np.append(np.arange(0, time.size, 2), time.size - 1))
    return rule(time, values, slopes), rule(time[some], values[some], slopes[some])
