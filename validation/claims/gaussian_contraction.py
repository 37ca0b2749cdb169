"""Where Phi = Q + tau U is convex in the action, Gaussian policies go to the best of them at a rate: (G2).

F_p(q) = <Q^p, q> + tau KL(q|mu) is kappa-convex along Bures–Wasserstein geodesics if Phi^p is kappa-convex, as
Gaussians are a geodesically convex set on which the entropy is convex (Lambert, Chewi, Bach, Bonnabel & Rigollet,
arXiv:2205.15902, appendix).  So in every state, for *any* Gaussian q,

    F_p(p_i) - F_p(q_i) <= |grad F_p|^2 / (2 kappa),

and by the performance difference V^p(rho) - V^q(rho) = sum_i d^q_i (F_p(p_i) - F_p(q_i))/(1-gamma)

    -dV^p(rho)/dt >= (2 kappa/kappa_q) (V^p(rho) - V^q(rho)),     kappa_q = max_i d^q_i/d^p_i:

the decay of the gap with the optimal policy replaced by the best Gaussian one.  Both are measured at the snapshots, q
being the last of them, the first with gradients that know nothing of the solver's (`validation.independent.gaussian`),
the second with the dissipation that was recorded.  Without convexity there may be several limits, and nothing is
claimed.

kappa is the least second difference quotient of Phi over cells that p or q visits, on one action axis.  Gaussians that
reach beyond the box are cut off there, and are none any more: states where p or q has mass outside are left out of the
first, and the second is judged where there is no such state.  On the grid both hold to second order in the cells: a
Gaussian's cells have the variance C + h^2/12, and the budget is that share, twice.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.solver.bellman.evaluation import evaluate, occupancy
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.gaussian_dissipation import members_at
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.gaussian import mass_outside, squared_gradient

VISITED = 1e-12  # probability of a cell
INSIDE = 1e-6  # mass outside of a Gaussian that is taken for whole
MOST = 4  # snapshots beside the last
ABOVE = 1e6  # times rounding, from which differences are judged


@claim(
    "gaussian_contraction",
    "with convex Q + tau U Gaussian policies approach the best of them at the rate of its curvature (G2)",
    "geodesic convexity of F, arXiv:2205.15902; performance difference, Kakade & Langford 2002",
    needs_problem=True,
    flows=("gaussian",),
)
def judge(evidence: Evidence) -> Judgement:
    """At snapshots, against the last one."""
    mdp, kept = evidence.mdp, evidence.run.snapshots
    assert mdp is not None
    lines = [axis for axis in mdp.actions.axes if axis.size > 2]
    there = kept is not None and len(kept.time) > 1 and "policy_mean" in kept.parameters
    one = bool(there and kept is not None and "member_mean" not in kept.parameters)
    hypotheses = [
        Hypothesis("a flow that states its dissipation", evidence.dissipates, "natural-gradient steps", scope=True),
        Hypothesis("one Gaussian in every state", one, "mixtures are no convex set", scope=True),
        Hypothesis("one action axis of cells", len(lines) == 1 and mdp.actions.dim == 1, "curvature of one axis"),
    ]
    if not all(hypothesis.met for hypothesis in hypotheses):
        return tuple(hypotheses), (), {}
    assert kept is not None
    axis, tau, horizon = lines[0], mdp.temperature, 1.0 / (1.0 - mdp.discount)
    last = evaluate(mdp, kept.policy_at(-1))
    visits_q, q = occupancy(mdp, last.system), kept.policy_at(-1)
    measurements: list[Measurement] = []
    least, series, some = np.inf, evidence.run.series, np.zeros(2, dtype=np.bool_)
    beyond = mass_outside(mdp.actions, members_at(kept, -1))
    for index in np.unique(np.linspace(0, len(kept.time) - 2, MOST).round().astype(int)):
        p, where = kept.policy_at(int(index)), f"t = {kept.time[index]:.4g}"
        now, members = evaluate(mdp, p), members_at(kept, int(index))
        curvature = _curvature(axis, now.q - tau * mdp.log_reference_density, np.maximum(p, q))
        least = min(least, float(curvature.min()))
        whole = np.maximum(beyond, mass_outside(mdp.actions, members)) <= INSIDE
        fit = (curvature > 0.0) & whole
        some |= np.array([np.any(curvature > 0.0), np.any(fit)])
        share = axis.widths.max() ** 2 / (6.0 * members.covariance[:, 0, 0, 0])
        delta = now.q + tau * (_log(p) - mdp.log_mass)
        costs = (p * delta).sum(axis=1) - (q * (now.q + tau * (_log(q) - mdp.log_mass))).sum(axis=1)
        noise = 64.0 * EPS * (np.abs(p * delta).sum(axis=1) + np.abs(now.q).max())
        lost = np.array([squared_gradient(mdp.actions, members, i, delta[i], 1.0) for i in range(mdp.states.size)])
        judged = fit & (costs > ABOVE * noise)
        if np.any(judged):
            ratio = (2.0 * curvature * costs)[judged] / lost[judged]
            worst = int(np.argmax(ratio - share[judged]))
            place = mdp.states.describe(int(np.flatnonzero(judged)[worst])) or "the only state"
            measurements.append(
                Measurement(
                    "2 kappa (F(p) - F(q)) over the squared gradient",
                    ratio[worst],
                    1.0,
                    "<=",
                    f"{where}, {place}",
                    discretisation=float(share[judged][worst]),
                    rounding=2.0 / ABOVE,
                    slack=1.0 / float(ratio[worst]),
                )
            )
        visits = occupancy(mdp, now.system)
        met = visits_q > 0.0
        density = float((visits_q[met] / np.maximum(visits[met], np.finfo(float).tiny)).max())
        difference = horizon * float(visits_q @ costs)
        row = int(np.argmin(np.abs(series["time"] - kept.time[index])))
        there = bool(np.all(fit)) and series["time"][row] == kept.time[index]
        if there and difference > ABOVE * horizon * float(visits_q @ noise):
            bound = 2.0 * float(curvature.min()) / density * difference
            recorded = float(series["dissipation"][row])
            measurements.append(
                Measurement(
                    "dissipation against (2 kappa/kappa_q) (V^p - V^q)",
                    recorded,
                    bound,
                    ">=",
                    where,
                    discretisation=float(share.max()) * bound,
                    rounding=2.0 * bound / ABOVE,
                    slack=recorded / bound,
                )
            )
    convex = Hypothesis("a state where Q + tau U is convex", bool(some[0]), f"least curvature {least:.3g}")
    inside = Hypothesis(
        "a state where they are within the box, too", bool(some[1] or not some[0]), f"{beyond.min():.2g} beyond it"
    )
    moved = Hypothesis("policies apart from the last", bool(measurements or not some[1]), "differences are rounding")
    return (*hypotheses, convex, inside, moved), tuple(measurements), {"least curvature": least}


def _curvature(axis: Axis, phi: FloatArray, visited: FloatArray) -> FloatArray:
    """Least second difference quotient of every state, (S,), over inner cells that are visited."""
    slopes = np.diff(phi, axis=1) / axis.distances[: axis.size - 1]
    apart = 0.5 * (axis.distances[1 : axis.size - 1] + axis.distances[: axis.size - 2])
    seconds = np.diff(slopes, axis=1) / apart
    return np.asarray(np.where(visited[:, 1:-1] > VISITED, seconds, np.inf).min(axis=1))


def _log(p: FloatArray) -> FloatArray:
    """ln p, zero where p is, which is then multiplied by zero."""
    return np.log(np.where(p > 0.0, p, 1.0))
