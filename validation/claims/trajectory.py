"""The run follows the flow: independent code, started from its snapshots, arrives where it arrives, at the same time.

Single steps of several sizes from the first policy are held against dense elimination of I - dt L, axis by axis, L the
generators made from the edges of the cells (`validation.independent`): every cell of mass above 1e-12 to 1e-9.  In
runs of controlled error the flow is integrated from one snapshot to the next by a general stiff solver (Radau, order
five) twice, early and in the middle, and the fall of ln gap compared: to the run's own time error.  In runs of such
Euler steps in which two snapshots lie one step apart the dense step from the one must give the other.  A flow that
runs at another speed than its equation says is seen here, and nowhere as sharply.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.generator import Frozen, Geometry
from wpoflow.validation.independent.policy import PolicyValues, relative_entropy
from wpoflow.validation.independent.series import soft_optimal
from wpoflow.validation.independent.trajectory import flow_to

STEPS = (1e-2, 1.0, 1e4)
STATES = 16
ENTRIES = 1e-9
SIGNIFICANT = 1e-12
MOST_CELLS = 2000
ENOUGH = 1e9  # cubes of cells
MOST_PAIRS = 200
LEAST_FALL = 0.1


@claim(
    "trajectory",
    "steps and runs are those of the flow's own equation, as independent code solves it",
    "the flow's equation and its flux: theory, sections 1 to 3; Hairer & Wanner, Solving ODEs II (Radau)",
    needs_problem=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Dense steps, and the flow between snapshots."""
    mdp = evidence.mdp
    assert mdp is not None
    flow = Hypothesis("the Wasserstein flow", evidence.wasserstein, "another flow")
    if not flow.met:
        return (flow,), (), {}
    measurements = []
    if mdp.actions.size <= MOST_CELLS:
        measurements += _single_steps(evidence, mdp)
    if mdp.states.size * mdp.actions.size <= MOST_PAIRS:
        measurements += _between_snapshots(evidence, mdp)
    some = Hypothesis(
        f"at most {MOST_CELLS} action cells",
        bool(measurements),
        f"{mdp.actions.size}: dense elimination would take too long",
    )
    return (flow, some), tuple(measurements), {}


def _dense_step(mdp: GridMDP, policy: FloatArray, q: FloatArray, dt: float, states: IntArray) -> FloatArray:
    """The product over the axes of (I - dt L_j)^{-1}, applied to the policy in the states chosen."""
    frozen = Frozen.of(Geometry.of(mdp.actions), q[states], mdp.reference_mass, mdp.temperature)
    cells, out = np.eye(mdp.actions.size), policy[states].copy()
    for k in range(len(states)):
        for axis in np.unique(frozen.geometry.axis):
            out[k] = np.linalg.solve(cells - dt * frozen.matrix(k, int(axis)), out[k])
    return out


def _step_of(mdp: GridMDP, policy: FloatArray, dt: float) -> FloatArray:
    return _dense_step(mdp, policy, PolicyValues(mdp, policy).q, dt, np.arange(mdp.states.size))


def _difference(quantity: str, found: FloatArray, expected: FloatArray, dt: float) -> Measurement:
    seen = expected > SIGNIFICANT
    error = float(np.abs(found[seen] / expected[seen] - 1.0).max())
    return Measurement(quantity, error, 0.0, "<=", f"step {dt:.4g}", rounding=ENTRIES)


def _single_steps(evidence: Evidence, mdp: GridMDP) -> list[Measurement]:
    count = max(1, min(STATES, int(ENOUGH / mdp.actions.size**3)))
    states = np.unique(np.linspace(0, mdp.states.size - 1, count).astype(np.int64))
    policy = mdp.initial_policy
    q = PolicyValues(mdp, policy).q
    found = []
    for dt in STEPS:
        stepped = evidence.followed.step(policy, q, dt, np.empty_like(policy))
        dense = _dense_step(mdp, policy, q, dt, states)
        found.append(_difference("cell of a step against dense elimination", stepped[states], dense, dt))
    return found


def _between_snapshots(evidence: Evidence, mdp: GridMDP) -> list[Measurement]:
    snapshots, series = evidence.run.snapshots, evidence.run.series
    if snapshots is None or len(snapshots.time) < 3:
        return []
    if evidence.euler_steps:
        apart = np.diff(snapshots.time)
        single = [j for j in range(len(apart)) if np.any(np.isclose(series["step_size"], apart[j], rtol=1e-9))][:3]
        return [
            _difference(
                "cell after a step of the run",
                snapshots.policy_at(j + 1),
                _step_of(mdp, snapshots.policy_at(j), float(apart[j])),
                float(apart[j]),
            )
            for j in single
        ]
    if evidence.accuracy is None:
        return []
    found = []
    _, best_log, _ = soft_optimal(mdp, evidence.optimum.value)
    gaps = [_gap(mdp, snapshots.policy_at(j), best_log) for j in range(len(snapshots.time))]
    # with one action there is no gap at all
    falls = [j for j in range(len(gaps) - 1) if gaps[j + 1] > 0.0 and np.log(gaps[j] / gaps[j + 1]) > LEAST_FALL]
    for j in sorted({falls[0], falls[len(falls) // 2]}) if falls else []:
        begin, end = (float(snapshots.time[k]) for k in (j, j + 1))
        arrived = flow_to(mdp, snapshots.policy_at(j), end - begin)
        fall, expected = (float(np.log(gaps[j] / gap)) for gap in (gaps[j + 1], _gap(mdp, arrived, best_log)))
        found.append(
            Measurement(
                "fall of ln gap between snapshots",
                fall,
                expected,
                "=",
                f"t = {begin:.4g} to {end:.4g}",
                discretisation=float(evidence.time_error(fall)),
                rounding=1e-6 + float(evidence.rounding_share(np.array([gaps[j + 1]]))[0]),
            )
        )
    return found


def _gap(mdp: GridMDP, policy: FloatArray, best_log: FloatArray) -> float:
    now = PolicyValues(mdp, policy)
    return float(mdp.rho @ now.solve(mdp.temperature * relative_entropy(policy, best_log)))
