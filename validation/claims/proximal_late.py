r"""Late proximal steps lower KL in each state by (1 + lambda eta)^{-2} at least, and in its slowest mode by just that.

Linearised at the optimum, x = p/p* - 1 is divided by 1 + eta A_W in a step, A_W symmetric in L2(p*): an implicit Euler
step.  A_W is that of W2 between laws uniform within cells, not of the Scharfetter–Gummel fluxes, from which it differs
to second order in the cells; it is formed, densely, in `validation.independent.transport`, and lambda is its least
eigenvalue above zero.  With w the share of x^2 in the slowest mode at a snapshot a, n steps later

    2 n ln(1 + eta lambda)  <=  fall of ln KL(p_s|p*_s)  <=  2 n ln(1 + eta lambda) - ln w,

up to what size and moving target leave open (`validation.deviations`).  No time error enters.

Source: Ambrosio, Gigli & Savaré, Gradient Flows, chapter 4; linearisation at the optimum, where V is stationary.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.late_rate import above_floor, fall_of, left_open
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.transport import relaxation_times

OPEN = 1e-2
LEAST_FALL = 0.2
LATE = 2e-2
STATES = 8
MOST_CELLS = 400


@claim(
    "proximal_late",
    "late KL falls in each state by (1 + lambda eta)^-2 a proximal step, at least",
    "linearisation at the optimum: an implicit Euler step of a symmetric operator",
    flows=("proximal",),
)
def judge(evidence: Evidence) -> Judgement:
    """A few of the states visited most, between neighbouring late snapshots."""
    snapshots, lines = evidence.run.snapshots, [axis for axis in evidence.run.actions.axes if axis.edges.size > 2]
    count = 0 if snapshots is None else len(snapshots.time)
    enough = Hypothesis("three snapshots", count >= 3, f"{count} in the run")
    small = Hypothesis(
        f"at most {MOST_CELLS} action cells, and more than one",
        bool(lines) and evidence.run.actions.size <= MOST_CELLS,
        f"{evidence.run.actions.size} cells",
    )
    if not (enough.met and small.met):
        return (enough, small), (), {}
    assert snapshots is not None
    eta, found = evidence.number("step"), []
    policies = {float(t): j for j, t in enumerate(snapshots.time)}
    for state in np.argsort(-evidence.optimum.occupancy, kind="stable")[:STATES]:
        law = evidence.optimum.policy[state]
        if evidence.optimum.occupancy[state] == 0.0 or law.min() <= 0.0:
            continue
        matrix = relaxation_times(law, np.log(law), lines[0].edges)
        values, vectors = np.linalg.eigh(matrix)
        rate = evidence.temperature / float(values[-1])
        for a, b in pairwise(evidence.late_deviations):
            fall, opened = float(fall_of(a, b)[state]), float(left_open(a, b)[state])
            if not (above_floor(evidence, b)[state] and fall > LEAST_FALL and opened <= OPEN * fall):
                continue
            z = np.sqrt(law) * (snapshots.policy_at(policies[a.time])[state] / law - 1.0)
            share = float(vectors[:, -1] @ z) ** 2 / float(z @ z)
            owed = 2.0 * round((b.time - a.time) / eta) * float(np.log1p(eta * rate))
            place = evidence.run.states.describe(int(state)) or "the only state"
            where = f"{place}, t = {a.time:.4g} to {b.time:.4g}"
            gap = evidence.temperature / (1.0 - evidence.discount) * float(b.divergence[state])
            noise = float(2.0 * evidence.rounding_share(np.array([gap]))[0])
            found.append(
                Measurement(
                    "fall of ln KL, from below by lambda", fall, owed, ">=", where,
                    theory=opened, rounding=noise, slack=fall / owed,
                )
            )  # fmt: skip
            if share > 0.0 and -np.log(share) <= LATE * fall:
                found.append(
                    Measurement(
                        "fall of ln KL in the slowest mode", fall, owed, "=", where,
                        theory=opened - float(np.log(min(share, 1.0))), rounding=noise,
                    )
                )  # fmt: skip
    late = Hypothesis("late: a state whose deviation is small", bool(found), "large deviations are left to the end")
    return (enough, small, late), tuple(_worst(found)), {}


def _worst(found: list[Measurement]) -> list[Measurement]:
    """The least favourable of each quantity."""
    kept: dict[str, Measurement] = {}
    for entry in found:
        used = (entry.excess - entry.tolerance) / entry.bound
        before = kept.get(entry.quantity)
        if before is None or not used <= (before.excess - before.tolerance) / before.bound:
            kept[entry.quantity] = entry
    return list(kept.values())
