r"""KL(p'|g) <= KL(p|g)/(1 + 2 alpha dt) for one unsplit backward Euler step.

KL is convex and its first variation along the generator is at least 2 alpha KL, so the implicit step loses at least
dt 2 alpha KL(p'|g).  alpha is a guaranteed lower bound for the Gibbs policy of the step's own Q.

With several action axes the flow's own step is split: solved along one axis after the other, each factor a Markov
kernel that leaves g invariant.  Of it no more holds than KL(p'|g) <= KL(p|g), for along one axis alone nothing relaxes
across the others: that is judged in every state.  The theorem is of the unsplit step, which is judged too: it is
solved by dense elimination, in the states of least alpha and in those visited most, from independent rates
(`validation.independent.generator`).  I - dt L is an M-matrix whose columns sum to one.  Elimination without pivoting,
in which every diagonal entry is one plus what its column still sends to the cells not yet eliminated (Grassmann,
Taksar & Heyman 1985), adds numbers of one sign only, so that p' is right to a few eps times the number of cells in
every entry, however small (O'Cinneide 1993), and so is its KL.

A Wasserstein–Fisher–Rao step is such a step followed by a mixture with g, which lowers KL(.|g) further with the same Q:
the theorem holds of it with the same alpha.

Sources: Bobkov & Tetali 2006, doi:10.1007/s10959-006-0016-3; O'Cinneide, Numer. Math. 65 (1993) 109,
doi:10.1007/BF01385743.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, IntArray
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.decays import of_transport
from wpoflow.validation.claims.theorem_steps import divergence_rounding
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.generator import Frozen, Geometry, implicit_step

STEPS = (1e-2, 1.0, 1e2, 1e6)
MOST_CELLS = 400
DENSE = 16
"""States in which the unsplit step of several axes is solved: half of least alpha at the optimum, half most visited."""


@claim(
    "kl_contraction",
    "an unsplit backward Euler step contracts KL(p|g) by 1/(1 + 2 alpha dt) in every state",
    "modified log-Sobolev inequality; Bobkov & Tetali 2006, doi:10.1007/s10959-006-0016-3",
    needs_problem=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Steps of several sizes from the first policy and from the middle of the run."""
    mdp = evidence.mdp
    assert mdp is not None
    unsplit = Hypothesis(
        f"one action axis, or several of at most {MOST_CELLS} cells together",
        not evidence.split or mdp.actions.size <= MOST_CELLS,
        f"{mdp.actions.size} cells: dense elimination would take too long",
    )
    transport = of_transport(evidence)
    if not transport.met:
        return (transport,), (), {}
    measurements, largest = [], 0.0
    for label, policy in _policies(evidence, mdp):
        q = evaluate(mdp, policy).q
        before = evidence.divergence(policy, q)
        rounding = divergence_rounding(evidence, q)
        meant = ~(before <= 1e6 * rounding)  # what is not a number is judged, and fails
        if not np.any(meant):
            continue
        alpha = lower_bounds(evidence.generators(q)).best if evidence.contracts else np.zeros(len(q))
        for dt in STEPS:
            stepped = evidence.followed.step(policy, q, dt, np.empty_like(q))
            after = evidence.divergence(stepped, q)
            largest = max(largest, float((after[meant] / before[meant]).max()))
            what = "KL(p'|g)/KL(p|g), split step" if evidence.split else "KL(p'|g)/KL(p|g)"
            every = np.arange(len(q))
            measurements.append(
                _ratio(evidence, what, f"{label} policy, step {dt:g}", before, after, meant, alpha, dt, rounding, every)
            )
        if evidence.split and unsplit.met:
            measurements += _dense(evidence, mdp, label, policy, q, before, meant, rounding)
    return (unsplit,), tuple(measurements), {"largest ratio": largest}


def _ratio(
    evidence: Evidence,
    what: str,
    where: str,
    before: FloatArray,
    after: FloatArray,
    meant: BoolArray,
    alpha: FloatArray,
    dt: float,
    rounding: float,
    states: IntArray,
) -> Measurement:
    """The least favourable state; slack where there is an alpha."""
    allowed = 1.0 / (1.0 + 2.0 * alpha * dt)
    known = np.where(meant, before, 1.0)
    ratio = after / known
    noise = 2.0 * np.sqrt(rounding * after) / known + rounding / known + 64.0 * EPS
    worst = int(np.argmax(np.where(meant, ratio - allowed - noise, -np.inf)))
    slack = None
    if np.any(alpha[meant] > 0.0):
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            room = np.where(alpha > 0.0, (1.0 / ratio - 1.0) / (2.0 * alpha * dt), np.inf)
        slack = float(room[meant].min())
    place = _state(evidence, int(states[worst]))
    return Measurement(
        what, ratio[worst], allowed[worst], "<=", f"{where}, {place}", rounding=noise[worst], slack=slack
    )


def _dense(
    evidence: Evidence,
    mdp: GridMDP,
    label: str,
    policy: FloatArray,
    q: FloatArray,
    before: FloatArray,
    meant: BoolArray,
    rounding: float,
) -> list[Measurement]:
    """Unsplit steps in a few states, each against its own alpha."""
    usable = np.flatnonzero(meant)
    least = usable[np.argsort(evidence.bounds.best[usable], kind="stable")[: DENSE // 2]]
    visited = usable[np.argsort(-evidence.optimum.occupancy[usable], kind="stable")[: DENSE // 2]]
    states = np.union1d(least, visited)
    alpha = lower_bounds(evidence.generators(q[states])).best
    frozen = Frozen.of(Geometry.of(mdp.actions), q[states], mdp.reference_mass, mdp.temperature)
    generators = [frozen.matrix(k) for k in range(states.size)]
    measurements = []
    for dt in STEPS:
        stepped = policy.copy()
        for k, state in enumerate(states):
            stepped[state] = implicit_step(generators[k], policy[state], dt)
        after = evidence.divergence(stepped, q)[states]
        measurements.append(
            _ratio(
                evidence,
                "KL(p'|g)/KL(p|g), unsplit step",
                f"{label} policy, step {dt:g}",
                before[states],
                after,
                meant[states],
                alpha,
                dt,
                rounding,
                states,
            )
        )
    return measurements


def _policies(evidence: Evidence, mdp: GridMDP) -> list[tuple[str, FloatArray]]:
    found, snapshots = [("first", mdp.initial_policy)], evidence.run.snapshots
    if snapshots is not None and len(snapshots.time):
        found.append(("middle", snapshots.policy_at(len(snapshots.time) // 2)))
    return found


def _state(evidence: Evidence, state: int) -> str:
    return evidence.run.states.describe(state) or "the only state"
