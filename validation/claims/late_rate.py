"""The sharp late-time rate: each state relaxes at its own 2 lambda(s), and the gap as their mixture.

Near the optimum Q^pi - Q* is of second order, so the flow linearised there is the frozen Fokker–Planck flow of p* in
each state: KL(p_s|p*_s) decays like exp(-2 lambda(s) t), and gap = tau/(1-gamma) sum_s d*_s KL(p_s|p*_s) at the local
rate of sum_s w_s exp(-2 lambda(s) t), w_s = d*_s KL_s at some late time.  The least lambda alone is reached only much
later when slow states are few; on a continuum of states the approach is like dim/(2t) (noted, not judged).

Hypothesis: it is late.  With x = p_s/p*_s - 1 = c_1 f_1 + ... in the eigenfunctions of the generator, the part of the
variance of x outside the slowest mode, e = 1 - c_1^2/sum c_k^2, and the size of x decide: faster modes change the
measured rate by at most 2 (lambda_2/lambda_1 - 1) e + |x|_max relatively (each mode decays at its own rate; KL is
half the variance up to |x|_max/3).

Before, where most states are late and some are not, the prediction holds on average; states that are not late are
counted.
"""

from __future__ import annotations

import numpy as np

from grids.arrays import FloatArray, IntArray
from validation.claim import Hypothesis, Measurement, Tolerance
from validation.claims.decays import known_time_error
from validation.claims.registry import Claim, Judgement
from validation.constants.spectral_gap import slow_modes
from validation.evidence import Evidence
from validation.rates import late_rate, mixture_rate

LATE = 1e-3
MIXTURE_LATE = 5e-3
KL_RATE = 1e-3
GAP_RATE = 1e-2
SHARE_OF_WEIGHT = 1e-4


def judge(evidence: Evidence) -> Judgement:
    """KL at the slowest state between two late snapshots; the gap's local rate after the first of them."""
    snapshots = evidence.run.snapshots
    times = np.zeros(0) if snapshots is None else snapshots.time
    enough = Hypothesis("three snapshots", times.size >= 3, f"{times.size} in the run")
    controlled = known_time_error(evidence)
    if not (enough.met and controlled.met) or evidence.accuracy is None:
        controlled = Hypothesis(controlled.name, evidence.accuracy is not None, "late rates need controlled time error")
        return (enough, controlled), (), {}
    assert snapshots is not None
    divergences = {j: evidence.divergence(snapshots.policy_at(j), evidence.optimum.q) for j in range(times.size)}
    state = evidence.slowest
    pair = _late_pair(evidence, times, divergences, state)
    late = Hypothesis(
        "late: the slowest state is in its slowest mode",
        pair is not None,
        "faster modes or large deviations are left until rounding takes over, or until the run ends",
    )
    if pair is None:
        return (enough, controlled, late), (), {"2 lambda of the slowest state": 2.0 * evidence.spectral_gaps[state]}
    a, b, impurity = pair
    dt = float(times[b] - times[a])
    fall = float(np.log(divergences[a][state] / divergences[b][state]))
    sharp = 2.0 * float(evidence.spectral_gaps[state])
    rounding = evidence.rounding_share(np.array([_own_gap(evidence, divergences[b], state)]))
    measurements = [
        Measurement(
            "rate of KL at the slowest state",
            fall / dt,
            sharp,
            "=",
            Tolerance(
                theory=impurity * sharp / max(1.0, fall),
                discretisation=float(evidence.time_error(fall)) / dt,
                rounding=float(2.0 * rounding[0]) / dt,
            ),
            f"{evidence.run.states.describe(state) or 'the only state'}, t = {times[a]:.4g} to {times[b]:.4g}",
        )
    ]
    mixture, notes = _mixture(evidence, times, divergences)
    if mixture is not None:
        measurements.append(mixture)
    last = float(evidence.run.series["time"][-1])
    notes |= {
        "2 lambda of the slowest state": sharp,
        "2 lambda + dim/(2t) at the end": late_rate(sharp / 2.0, evidence.run.states.dim, last) if last else sharp,
        "observed rate at the end": float(evidence.run.series["rate_observed"][-1]),
    }
    return (enough, controlled, late), tuple(measurements), notes


def _own_gap(evidence: Evidence, divergence: FloatArray, state: int) -> float:
    """What a state's KL would be as a suboptimality: for comparison with the floor."""
    return evidence.temperature / (1.0 - evidence.discount) * float(divergence[state])


def _late_pair(
    evidence: Evidence, times: FloatArray, divergences: dict[int, FloatArray], state: int
) -> tuple[int, int, float] | None:
    """The latest two snapshots, some time apart, in which the state is late and above rounding."""
    snapshots = evidence.run.snapshots
    assert snapshots is not None
    chosen = np.array([state])
    for b in range(times.size - 1, 1, -1):
        if _own_gap(evidence, divergences[b], state) < 1e8 * evidence.optimum.gap_floor:
            continue
        for a in range(b - 1, 0, -1):
            if divergences[a][state] > 1.5 * divergences[b][state]:
                impurity = float(_impurity(evidence, snapshots.policy_at(a), chosen)[0])
                if impurity <= LATE:
                    return a, b, impurity
                break
    return None


def _impurity(evidence: Evidence, policy: FloatArray, states: IntArray) -> FloatArray:
    """Relative change of a state's rate of KL that faster modes and the size of the deviation may cause, at most."""
    generators = evidence.optimal_generators.select(states)
    _, modes = slow_modes(generators, 1)
    g = np.exp(generators.log_gibbs)
    # p* from Q* by logarithms, so that x is not a difference of two roundings
    with np.errstate(divide="ignore"):
        deviation = np.where(g > 0.0, np.expm1(np.log(policy[states]) - generators.log_gibbs), 0.0)
    variance = (g * deviation**2).sum(axis=1)
    first = modes[:, 0]
    along = (g * deviation * first).sum(axis=1) ** 2 / np.maximum((g * first**2).sum(axis=1), np.finfo(float).tiny)
    outside = np.clip(1.0 - along / np.maximum(variance, np.finfo(float).tiny), 0.0, 1.0)
    # a mode much faster than the second would be gone already: 20 times the slowest rate covers what may be left
    weighed = np.sqrt((g * np.abs(deviation) ** 3).sum(axis=1) ** 2 / np.maximum(variance, np.finfo(float).tiny) ** 2)
    return np.asarray(20.0 * outside + weighed)


def _mixture(
    evidence: Evidence, times: FloatArray, divergences: dict[int, FloatArray]
) -> tuple[Measurement | None, dict[str, float]]:
    """The gap's local rate against the mixture from all states' spectral gaps, from the first late snapshot on."""
    snapshots, series = evidence.run.snapshots, evidence.run.series
    assert snapshots is not None
    for a in range(1, times.size - 1):
        weights = evidence.optimum.occupancy * divergences[a]
        carrying = np.flatnonzero(weights > SHARE_OF_WEIGHT * weights.max())
        if carrying.size > 4096:
            carrying = np.sort(np.argsort(weights, kind="stable")[-4096:])
        impurity = _impurity(evidence, snapshots.policy_at(a), carrying)
        part = weights[carrying] / np.add.reduce(weights[carrying])
        if float(np.add.reduce(part * impurity)) > MIXTURE_LATE:
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
        tolerance = Tolerance(theory=GAP_RATE * predicted[worst])
        where = f"t = {series['time'][rows][worst]:.4g}, from the weights at t = {times[a]:.4g}"
        return (
            Measurement(
                "local rate of the gap against the mixture",
                float(observed[worst]),
                float(predicted[worst]),
                "=",
                tolerance,
                where,
            ),
            notes,
        )
    return None, {}


CLAIM = Claim(
    name="late_rate",
    statement="late KL decays at 2 lambda in the slowest state, and the gap at the mixture of all states' 2 lambda(s)",
    source="linearisation at the optimum: frozen Fokker–Planck flow in each state; V is stationary at p*",
    judge=judge,
)
