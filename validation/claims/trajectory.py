"""The run follows the flow: independent code, started from its snapshots, arrives where it arrives, at the same time.

Single steps of several sizes from the first policy are held against dense elimination of I - dt L, axis by axis, L the
generators made from the edges of the cells (`validation.independent`): every cell of mass above 1e-12 to 1e-9.  In
runs of controlled error the flow is integrated from one snapshot to the next by a general stiff solver (Radau, order
five) twice, early and in the middle, and the fall of ln gap compared: to the run's own time error.  In runs of such
Euler steps, and of mirror descent, in which two snapshots lie one step apart the independent step from the one must
give the other.  A flow that runs at another speed than its equation says is seen here, and nowhere as sharply.

Steps of other flows: mixtures of logarithms in plain NumPy (Fisher–Rao, mirror descent), the Gibbs policy (policy
iteration), a dense transport step and then a mixture (Wasserstein–Fisher–Rao), and of proximal steps the optimality
condition at the cells above 1e-6, with W2 from quantile functions (`validation.independent.transport`): the minimum is
unique, so what meets it is the step.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.registry import FLOWS
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.generator import Frozen, Geometry
from wpoflow.validation.independent.growth import mixture, mixture_weights
from wpoflow.validation.independent.policy import PolicyValues, relative_entropy
from wpoflow.validation.independent.series import soft_optimal
from wpoflow.validation.independent.trajectory import flow_to
from wpoflow.validation.independent.transport import slopes_of_distance
from wpoflow.validation.judged_flow import UNKNOWN

STEPS = (1e-2, 1.0, 1e4)
STATES = 16
ENTRIES = 1e-9
SIGNIFICANT = 1e-12
MOST_CELLS = 2000
ENOUGH = 1e9  # cubes of cells
MOST_PAIRS = 200
LEAST_FALL = 0.1
BULK, BALANCED, FINE = 1e-6, 1e-6, 1e-3
"""Cells in which a proximal step is judged; to what part of its terms, or of this part of the range of tau ln g."""

OF_PARAMETERS = "it moves parameters; gaussian_dissipation forms their derivatives again"


@claim(
    "trajectory",
    "steps and runs are those of the flow's own equation, as independent code solves it",
    "the flow's equation and its flux: theory, sections 1 to 3 and 5; Hairer & Wanner, Solving ODEs II (Radau)",
    needs_problem=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Dense steps, and the flow between snapshots."""
    mdp = evidence.mdp
    assert mdp is not None
    name = evidence.judged_as.name
    flow = Hypothesis("a flow whose equation is known", name in FLOWS, f"{name}: {UNKNOWN}")
    own = Hypothesis("a flow of p itself", not evidence.judged_as.kind.parametric, OF_PARAMETERS, scope=True)
    if not flow.met or not own.met:
        return (flow, own), (), {}
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


def _step(evidence: Evidence, mdp: GridMDP, policy: FloatArray, q: FloatArray, dt: float, at: IntArray) -> FloatArray:
    """A step of the flow that is judged, in the states chosen; of any but the proximal one."""
    name, out = evidence.judged_as.name, policy[at]
    if evidence.transports:
        out = _dense_step(mdp, policy, q, dt, at)
    if evidence.wasserstein:
        return out
    if name == "policy-iteration":
        return np.asarray(np.exp(Frozen.of(Geometry.of(mdp.actions), q[at], mdp.reference_mass, mdp.temperature).log_g))
    share = dt * evidence.judged_as.parameters.get("beta", 1.0)
    weights = mixture_weights(name, mdp.temperature, share)
    frozen = Frozen.of(Geometry.of(mdp.actions), q[at], mdp.reference_mass, mdp.temperature)
    with np.errstate(divide="ignore"):
        return np.exp(mixture(np.log(out), frozen.log_g, *weights))


def _step_of(evidence: Evidence, mdp: GridMDP, policy: FloatArray, dt: float) -> FloatArray:
    return _step(evidence, mdp, policy, PolicyValues(mdp, policy).q, dt, np.arange(mdp.states.size))


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
        if evidence.judged_as.name == "proximal":
            found.append(_unbalanced(mdp, policy, stepped, q, dt, states))
            continue
        expected = _step(evidence, mdp, policy, q, dt, states)
        found.append(_difference("cell of a step against independent code", stepped[states], expected, dt))
    return found


def _unbalanced(
    mdp: GridMDP, policy: FloatArray, stepped: FloatArray, q: FloatArray, eta: float, states: IntArray
) -> Measurement:
    """How far a proximal step is from its optimality condition, relative to the terms of it, in the worst state."""
    lines = [axis for axis in mdp.actions.axes if axis.edges.size > 2]
    worst, place = 0.0, ""
    frozen = Frozen.of(Geometry.of(mdp.actions), q[states], mdp.reference_mass, mdp.temperature)
    for state, log_g in zip(states, frozen.log_g, strict=True) if lines else ():
        law = stepped[state]
        with np.errstate(all="ignore"):
            pulled = -np.diff(mdp.temperature * (np.log(law) - log_g))
        pushed = slopes_of_distance(law, policy[state], lines[0].edges) / eta
        seen = np.minimum(law[1:], law[:-1]) > BULK
        size = max(float(np.abs(pulled[seen]).max(initial=0.0)), float(np.abs(pushed[seen]).max(initial=0.0)))
        # ln g is known to eps of the exponents it is made of
        size = max(size, FINE * mdp.temperature * float(np.ptp(log_g)))
        error = float(np.abs(pulled - pushed)[seen].max(initial=0.0)) / size if size > 0.0 else 0.0
        if not error <= worst:
            worst, place = error, mdp.states.describe(int(state))
    where = f"step {eta:.4g}" + (f", {place}" if place else "")
    return Measurement("optimality condition of a proximal step", worst, 0.0, "<=", where, rounding=BALANCED)


def _between_snapshots(evidence: Evidence, mdp: GridMDP) -> list[Measurement]:
    snapshots, series = evidence.run.snapshots, evidence.run.series
    if snapshots is None or len(snapshots.time) < 3:
        return []
    if evidence.euler_steps or evidence.judged_as.name in ("mirror", "policy-iteration"):
        apart = np.diff(snapshots.time)
        single = [j for j in range(len(apart)) if np.any(np.isclose(series["step_size"], apart[j], rtol=1e-9))][:3]
        return [
            _difference(
                "cell after a step of the run",
                snapshots.policy_at(j + 1),
                _step_of(evidence, mdp, snapshots.policy_at(j), float(apart[j])),
                float(apart[j]),
            )
            for j in single
        ]
    weights = evidence.judged_as.weights
    if evidence.accuracy is None or weights is None:
        return []
    found = []
    _, best_log, _ = soft_optimal(mdp, evidence.optimum.value)
    gaps = [_gap(mdp, snapshots.policy_at(j), best_log) for j in range(len(snapshots.time))]
    # with one action there is no gap at all
    falls = [j for j in range(len(gaps) - 1) if gaps[j + 1] > 0.0 and np.log(gaps[j] / gaps[j + 1]) > LEAST_FALL]
    for j in sorted({falls[0], falls[len(falls) // 2]}) if falls else []:
        begin, end = (float(snapshots.time[k]) for k in (j, j + 1))
        arrived = flow_to(mdp, snapshots.policy_at(j), end - begin, weights)
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
