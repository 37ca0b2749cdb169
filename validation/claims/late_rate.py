"""The sharp late-time rate: each state relaxes at its own 2 lambda(s), and the slowest at its 2 lambda in the end.

Near the optimum Q^pi - Q* is of second order, so the flow linearised there is the frozen Fokker–Planck flow of p* in
each state.  With x = p_s/p*_s - 1, its variance Var, Dirichlet form E and Rayleigh quotient R = E/Var under the
generator of p*_s, Var falls at 2R, R falls in time, and R >= lambda.  Hence between two snapshots a and b dt apart

    2 lambda(s) dt  <=  fall of ln KL(p_s|p*_s)  <=  2 R_a dt,

up to what the size of x and the movement of the target leave open (`validation.deviations`): third_a + third_b +
drift_a/sqrt(Var_b), and up to the time error of the run.  No mode need be left before: in every state in which all
these are at most a hundredth of the fall both sides are judged, between neighbouring snapshots, of which the pair that
leaves least open is taken.

Time error of one state: a step's error in a state s is at most ``accuracy`` times the progress of the state that moves
most, and times 1/sqrt(w_s) of the weighted mean progress, w of d* + rho; but not of its own
(`solver.schemes.error_control`).  With y = sqrt(2 KL) for the norm, a state's speed is y times production/(2 KL), y at
most sqrt(2), as the controller's norm is.  Either speed P(t), the largest or the mean over sqrt(w_s), is made of
log-convex functions of time, hence below its geometric interpolation between the snapshots, and an error made at t has
decayed by exp(-lambda (b - t)) at b.  So y_b is off by at most accuracy I, I = int P(t) exp(-lambda (b - t)) dt, and
ln KL by twice I/y_b of it; the factor two more, and the one beside the e-folds, are those of `Evidence.time_error`:
4 accuracy (1 + max(fall, 2 I/y_b)).

Other flows have the same targets, which move likewise, and other rates (`Flow.late_rate`, in place of 2 lambda and 2R):
Fisher–Rao d x/dt = -tau (x - e), hence 2 tau in every state and on both sides; Wasserstein–Fisher–Rao the sum of both,
2 (lambda + beta tau) and 2 (R + beta tau), for growth does not change R; mirror descent x' = (x + tau eta e)/(1 + tau
eta), hence the ratio (1 + tau eta)^{-2} a step, without time error.  Growth adds beta tau to the speed of a state and
to the rate at which its errors decay.  Proximal steps are those of W2 between uniform cells, whose spectral gap is not
lambda but differs by terms of second order in the cells: `proximal_late`.

In the slowest state visited KL falls at 2 lambda itself, once faster modes are left too: R_a/lambda - 1, and the above,
at most 1e-3 together.  Of the snapshots that are so late the earliest is taken, so that the fall of ln KL that
the rate is read from is long and its errors count little.  Where the run ends before, this third measurement is left
out.  For a single state Q - Q* is a constant and the target rests.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, IntArray
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.deviations import Deviations
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.judged_flow import UNKNOWN
from wpoflow.validation.rates import late_rate

NO_RATE = {
    "gaussian": " tends to a limit of its own, not to the optimum; gaussian_late judges its approach",
    "proximal": " has lambda of W2 between cells, not of fluxes; proximal_late judges it",
    "policy-iteration": " converges quadratically, which policy_iteration judges",
}
LATE = 1e-3
OPEN = 1e-2
RESOLVED = 1e-2
FALLEN = 1.5
FLOORS = 1e8


@claim(
    "late_rate",
    "late KL decays in each state between 2 lambda and twice its Rayleigh quotient; at 2 lambda in the slowest; "
    "with growth at 2 beta tau more, by Fisher-Rao at 2 tau, by mirror descent by (1 + tau eta)^-2 a step",
    "linearisation at the optimum: frozen flow in each state; V is stationary at p*",
)
def judge(evidence: Evidence) -> Judgement:
    """All states of small deviations; KL at the slowest state between two late snapshots."""
    snapshots = evidence.run.snapshots
    count = 0 if snapshots is None else len(snapshots.time)
    enough = Hypothesis("three snapshots", count >= 3, f"{count} in the run")
    controlled = _known_rate(evidence)
    if not (enough.met and controlled.met):
        return (enough, controlled), (), {}
    budget = float(evidence.time_error(1.0))
    resolved = Hypothesis(
        "time error of the rate below a hundredth", budget <= RESOLVED, f"{budget:.2g} of it: ask for a finer accuracy"
    )
    sharp = evidence.sharp_rate
    measurements = _sides(evidence)
    late = Hypothesis(
        "late: a state whose deviation is small",
        bool(measurements),
        "large deviations are left until rounding takes over, or until the run ends",
    )
    last = float(evidence.run.series["time"][-1])
    notes = {
        "late rate of the slowest state": sharp,
        "late rate + dim/(2t) at the end": late_rate(sharp / 2.0, evidence.run.states.dim, last) if last else sharp,
        "observed rate at the end": float(evidence.run.series["rate_observed"][-1]),
        "states judged": int(np.count_nonzero(np.isfinite(_best(evidence)[0]))),
    }
    if not (resolved.met and late.met):
        return (enough, controlled, resolved, late), (), notes
    slowest = _slowest(evidence, sharp)
    return (enough, controlled, resolved, late), (*measurements, *slowest), notes


def _known_rate(evidence: Evidence) -> Hypothesis:
    """A flow whose late rate is known, followed with controlled error, or by steps that are its own."""
    flow = evidence.judged_as
    if flow.weights is None and flow.name != "mirror":
        return Hypothesis(
            "a late rate known on the grid",
            False,
            f"{flow.name}{NO_RATE.get(flow.name, f': {UNKNOWN}')}",
            scope=True,
        )
    known = evidence.accuracy is not None or flow.kind.own_step
    return Hypothesis("controlled time error", known, "late rates need controlled time error")


def left_open(a: Deviations, b: Deviations) -> FloatArray:
    """What size and moving target leave open of ln KL_a - ln KL_b, (S,); no number if unknown."""
    with np.errstate(all="ignore"):
        return np.asarray(a.third + b.third + a.drift / np.sqrt(b.variance))


def _speeds(evidence: Evidence, at: Deviations) -> FloatArray:
    """Speed of every state, in the norm that a step's error is held to, (S,); zero in states that do not count."""
    counted = np.ones(evidence.run.states.size, dtype=np.bool_) if evidence.mdp is None else evidence.mdp.counted
    with np.errstate(all="ignore"):
        transport, growth = evidence.judged_as.weights or (1.0, 0.0)
        own = transport * at.production / (2.0 * at.divergence) + growth * evidence.temperature
        speeds = np.minimum(np.sqrt(2.0 * at.divergence), np.sqrt(2.0)) * own
    return np.where(counted & (at.divergence > 0.0), speeds, 0.0)


def _time_error(evidence: Evidence, a: Deviations, b: Deviations) -> FloatArray:
    """Of ln KL_a - ln KL_b in every state, (S,)."""
    accuracy, dt = evidence.accuracy or 0.0, b.time - a.time
    weights = evidence.optimum.occupancy + evidence.run.rho
    weights = weights / np.add.reduce(weights)
    first, last = _speeds(evidence, a), _speeds(evidence, b)
    transport, growth = evidence.judged_as.weights or (1.0, 0.0)
    decay = transport * evidence.spectral_gaps + growth * evidence.temperature
    with np.errstate(all="ignore"):
        errors = []
        for begin, end in (
            (np.fmax.reduce(first), np.fmax.reduce(last)),
            (np.sqrt(np.add.reduce(weights * first**2) / weights), np.sqrt(np.add.reduce(weights * last**2) / weights)),
        ):
            excess = np.log(begin / end) - decay * dt
            grown = np.where(np.abs(excess) < 1e-8, 1.0, np.expm1(excess) / excess)
            errors.append(end * dt * grown / np.sqrt(2.0 * b.divergence))
        own = np.fmin(*errors)
        return np.asarray(4.0 * accuracy * (1.0 + np.maximum(np.abs(fall_of(a, b)), 2.0 * own)))


def fall_of(a: Deviations, b: Deviations) -> FloatArray:
    """ln KL_a - ln KL_b in every state, (S,)."""
    with np.errstate(all="ignore"):
        return np.asarray(np.log(a.divergence / b.divergence))


def above_floor(evidence: Evidence, at: Deviations) -> BoolArray:
    """Where KL, as a suboptimality, is far above the floor, (S,) of bool."""
    own = evidence.temperature / (1.0 - evidence.discount) * at.divergence
    return np.asarray(own >= FLOORS * evidence.gap_floor)


def _best(evidence: Evidence) -> tuple[FloatArray, IntArray]:
    """What is left open in every state, relative to the fall, by its best pair, and which that is; infinite if none."""
    late = evidence.late_deviations
    best, which = np.full(evidence.run.states.size, np.inf), np.zeros(evidence.run.states.size, dtype=np.int64)
    for k, (a, b) in enumerate(pairwise(late)):
        fall = fall_of(a, b)
        with np.errstate(all="ignore"):
            share = (left_open(a, b) + _time_error(evidence, a, b)) / np.abs(fall)
        usable = evidence.reached & above_floor(evidence, b) & (np.abs(fall) > np.log(FALLEN)) & (share <= OPEN)
        better = usable & (share < best)
        best[better], which[better] = share[better], k
    return best, which


def _sides(evidence: Evidence) -> list[Measurement]:
    """The least favourable state from below, against lambda, and from above, against the Rayleigh quotient."""
    late = evidence.late_deviations
    best, which = _best(evidence)
    below: tuple[float, Measurement] | None = None
    above: tuple[float, Measurement] | None = None
    errors = [_time_error(evidence, a, b) for a, b in pairwise(late)]
    for state in np.flatnonzero(np.isfinite(best)):
        a, b = late[which[state]], late[which[state] + 1]
        dt, fall = b.time - a.time, float(fall_of(a, b)[state])
        least = evidence.judged_as.late_rate(float(evidence.spectral_gaps[state]))
        most = evidence.judged_as.late_rate(float(a.form[state] / a.variance[state]))
        gap = evidence.temperature / (1.0 - evidence.discount) * float(b.divergence[state])
        parts = {
            "theory": float(left_open(a, b)[state]) / dt,
            "discretisation": float(errors[which[state]][state]) / dt,
            "rounding": float(2.0 * evidence.rounding_share(np.array([gap]))[0]) / dt,
        }
        place = evidence.run.states.describe(int(state)) or "the only state"
        where = f"{place}, t = {a.time:.4g} to {b.time:.4g}"
        rate = fall / dt
        low = Measurement("rate of KL, from below by lambda", rate, least, ">=", where, slack=rate / least, **parts)
        high = Measurement("rate of KL, from above by E/Var", rate, most, "<=", where, **parts)
        if below is None or not (low.excess - low.tolerance) / least <= below[0]:
            below = (low.excess - low.tolerance) / least, low
        if above is None or not (high.excess - high.tolerance) / most <= above[0]:
            above = (high.excess - high.tolerance) / most, high
    return [found[1] for found in (below, above) if found is not None]


def _slowest(evidence: Evidence, sharp: float) -> list[Measurement]:
    """KL of the slowest state from the earliest late snapshot to the latest above rounding."""
    late, state = evidence.late_deviations, evidence.slowest
    for j in range(len(late) - 1, 0, -1):
        b = late[j]
        if not above_floor(evidence, b)[state]:
            continue
        for a in late[:j]:
            fall, dt = float(fall_of(a, b)[state]), b.time - a.time
            modes = max(0.0, evidence.judged_as.late_rate(float(a.form[state] / a.variance[state])) / sharp - 1.0)
            size, error = float(left_open(a, b)[state]), float(_time_error(evidence, a, b)[state])
            if not (fall > np.log(FALLEN) and modes + size <= LATE and error <= RESOLVED * fall):
                continue
            gap = evidence.temperature / (1.0 - evidence.discount) * float(b.divergence[state])
            place = evidence.run.states.describe(state) or "the only state"
            return [
                Measurement(
                    "rate of KL at the slowest state",
                    fall / dt,
                    sharp,
                    "=",
                    f"{place}, t = {a.time:.4g} to {b.time:.4g}",
                    theory=modes * sharp + size / dt,
                    discretisation=float(_time_error(evidence, a, b)[state]) / dt,
                    rounding=float(2.0 * evidence.rounding_share(np.array([gap]))[0]) / dt,
                )
            ]
    return []
