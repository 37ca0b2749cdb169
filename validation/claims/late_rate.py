"""The sharp late-time rate: each state relaxes at its own 2 lambda(s); judged at the slowest.

Near the optimum Q^pi - Q* is of second order, so the flow linearised there is the frozen Fokker–Planck flow of p* in
each state: KL(p_s|p*_s) decays like exp(-2 lambda(s) t), and gap = tau/(1-gamma) sum_s d*_s KL(p_s|p*_s) at the local
rate of sum_s w_s exp(-2 lambda(s) t), w_s = d*_s KL_s at some late time.  The least lambda alone is reached only much
later when slow states are few; on a continuum of states the approach is like dim/(2t) (noted, not judged).

Hypothesis: it is late.  With x = p_s/p*_s - 1, its variance Var and Dirichlet form E under the generator of p*_s,
three terms bound what the theory leaves open, relatively:

    faster modes    E/(lambda Var) - 1 >= 0: what the rate of the variance, 2 E/Var, is above 2 lambda, now and, as it
                    only falls in time, at any later time;
    size            |KL - Var/2| <= E_g|x|^3/2, hence |2 KL/Var - 1| <= E_g|x|^3/Var, at either end;
    moving target   g, which p follows, differs from p* by at most gamma |V - V*|_sup/(2 tau) in ln g, which falls at
                    twice the rate of x: it moves |x| by no more than that, and KL by twice as much.

For a single state Q - Q* is a constant and the target rests.  The sum is what a state's lateness is; it must not be
above 1e-3 at the slowest state.  Of the snapshots that are so late the earliest is taken, so that the fall of ln KL
that the rate is read from is long and its errors count little.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.decays import known_time_error
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.rates import late_rate

LATE = 1e-3
RESOLVED = 1e-2
FALLEN = 1.5
FLOORS = 1e8


@claim(
    "late_rate",
    "late KL decays at 2 lambda in the slowest state",
    "linearisation at the optimum: frozen Fokker–Planck flow in each state; V is stationary at p*",
)
def judge(evidence: Evidence) -> Judgement:
    """KL at the slowest state between two late snapshots; the gap's local rate after the first of them."""
    snapshots = evidence.run.snapshots
    times = np.zeros(0) if snapshots is None else snapshots.time
    enough = Hypothesis("three snapshots", times.size >= 3, f"{times.size} in the run")
    controlled = known_time_error(evidence)
    if controlled.met:
        controlled = Hypothesis(
            "controlled time error", evidence.accuracy is not None, "late rates need controlled time error"
        )
    if not (enough.met and controlled.met):
        return (enough, controlled), (), {}
    assert snapshots is not None
    divergences = {j: evidence.divergence(snapshots.policy_at(j), evidence.optimum.q) for j in range(times.size)}
    state = evidence.slowest
    sharp = 2.0 * float(evidence.spectral_gaps[state])
    pair = _late_pair(evidence, times, divergences, state)
    late = Hypothesis(
        "late: the slowest state is in its slowest mode",
        pair is not None,
        "faster modes or large deviations are left until rounding takes over, or until the run ends",
    )
    if pair is None:
        return (enough, controlled, late), (), {"2 lambda of the slowest state": sharp}
    a, b, modes, size = pair
    dt = float(times[b] - times[a])
    fall = float(np.log(divergences[a][state] / divergences[b][state]))
    budget = float(evidence.time_error(fall)) / fall
    resolved = Hypothesis(
        "time error of the rate below a hundredth", budget <= RESOLVED, f"{budget:.2g} of it: ask for a finer accuracy"
    )
    rounding = evidence.rounding_share(np.array([_own_gap(evidence, divergences[b], state)]))
    measurements = [
        Measurement(
            "rate of KL at the slowest state",
            fall / dt,
            sharp,
            "=",
            f"{evidence.run.states.describe(state) or 'the only state'}, t = {times[a]:.4g} to {times[b]:.4g}",
            theory=modes * sharp + size / dt,
            discretisation=float(evidence.time_error(fall)) / dt,
            rounding=float(2.0 * rounding[0]) / dt,
        )
    ]
    last = float(evidence.run.series["time"][-1])
    notes = {
        "2 lambda of the slowest state": sharp,
        "2 lambda + dim/(2t) at the end": late_rate(sharp / 2.0, evidence.run.states.dim, last) if last else sharp,
        "observed rate at the end": float(evidence.run.series["rate_observed"][-1]),
    }
    return (enough, controlled, late, resolved), tuple(measurements), notes


def _own_gap(evidence: Evidence, divergence: FloatArray, state: int) -> float:
    """What a state's KL would be as a suboptimality: for comparison with the floor."""
    return evidence.temperature / (1.0 - evidence.discount) * float(divergence[state])


def _late_pair(
    evidence: Evidence, times: FloatArray, divergences: dict[int, FloatArray], state: int
) -> tuple[int, int, float, float] | None:
    """The latest snapshot above rounding, the earliest before it in which the state is late, and how late."""
    snapshots = evidence.run.snapshots
    assert snapshots is not None
    chosen, policy_at = np.array([state]), snapshots.policy_at
    found: tuple[int, int, float, float] | None = None
    for b in range(times.size - 1, 1, -1):
        if _own_gap(evidence, divergences[b], state) < FLOORS * evidence.optimum.gap_floor:
            continue
        for a in range(b - 1, 0, -1):
            if divergences[a][state] > FALLEN * divergences[b][state]:
                modes, size = (float(part[0]) for part in lateness(evidence, float(times[a]), policy_at(a), chosen))
                if not modes + size <= LATE:
                    break
                found = a, b, modes, size
        if found is not None:
            return found
    return None


def lateness(evidence: Evidence, time: float, policy: FloatArray, states: IntArray) -> tuple[FloatArray, FloatArray]:
    """Faster modes, relative to the rate; size and moving target, relative to KL at both ends.  Infinite if unknown."""
    series = evidence.run.series
    row = int(np.searchsorted(series["time"], time * (1.0 + 1e-12), side="right")) - 1
    moving = 0.0 if evidence.run.states.size == 1 else evidence.discount * series["gap_sup"][row] / evidence.temperature
    modes, size = np.full((2, states.size), np.inf)
    for rows, block in evidence.optimal_generators.select(states).blocks():
        rates, faces = block.rates, block.faces
        g = np.exp(block.log_gibbs)
        # far from the end x may be beyond double precision: that is not late, either
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            # p* from Q* by logarithms, so that x is not a difference of two roundings
            x = np.where(g > 0.0, np.expm1(np.log(policy[states[rows]]) - block.log_gibbs), 0.0)
            variance = (g * x**2).sum(axis=1)
            form = (np.exp(rates.log_conductance) * (x[:, faces.there] - x[:, faces.here]) ** 2).sum(axis=1)
            ratio = form / (evidence.spectral_gaps[states[rows]] * variance)
            third = (g * np.abs(x) ** 3).sum(axis=1) / variance
            modes[rows] = np.maximum(ratio - 1.0, 0.0)
            size[rows] = 2.0 * third + moving / np.sqrt(variance)
    return np.where(np.isnan(modes), np.inf, modes), np.where(np.isnan(size), np.inf, size)
