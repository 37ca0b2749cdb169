"""Gaussian policies lose what steepest descent loses: (G1), the dissipation by the gradient in the parameters.

V(rho) is a function of the means, covariances and weights of all states, and by the policy gradient theorem its
derivative in those of state i is d_i/(1-gamma) times that of F_i = sum_k p_ik delta_ik with delta frozen,
delta = Q + tau ln(p/m).  The flow is its steepest descent in the metric of Bures and Wasserstein, so

    -dV(rho)/dt = 1/(1-gamma) sum_i d_i sum_c w_c [ |g_m|^2 + 4 tr(G C G) + beta (sum_k delta_k (N^c_k - p_k))^2 ]

exactly on the grid, g_m and G being the derivatives of F_i in mean and covariance of member c, over its weight.  Here
they are formed anew, at the snapshots of the run, from cells and derivatives that know nothing of the solver's
(`validation.independent.gaussian`), and held against the dissipation that the run recorded.  That V falls by it is
judged by `dissipation_identity`; that the stored policies are the projected Gaussians is judged here.

Rounding: logarithms of p and Q are known to a few eps of their size, over tau; their errors weigh as delta does.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate, occupancy
from wpoflow.solver.flows.parametric.moments import Members
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Snapshots
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.gaussian import mixture_cells, squared_gradient

RELATIVE = 1e-10
ABSOLUTE = 1e-13  # of the dissipation at the start: that of a policy at rest is rounding
MOST = 4  # snapshots, the first and the last among them


@claim(
    "gaussian_dissipation",
    "the dissipation of Gaussian policies is the squared gradient of V in their parameters (G1)",
    "policy gradient theorem; Lambert, Chewi, Bach, Bonnabel & Rigollet, arXiv:2205.15902",
    needs_problem=True,
    flows=("gaussian",),
)
def judge(evidence: Evidence) -> Judgement:
    """At snapshots: the recorded dissipation, and the stored cells against the stored Gaussians."""
    mdp, kept = evidence.mdp, evidence.run.snapshots
    assert mdp is not None
    stored = kept is not None and "policy_mean" in kept.parameters
    found = Hypothesis("snapshots of the Gaussians", stored, "the run keeps none")
    smooth = Hypothesis("a flow that states its dissipation", evidence.dissipates, "natural-gradient steps", scope=True)
    if not stored or not evidence.dissipates:
        return (found, smooth), (), {}
    assert kept is not None
    series, beta = evidence.run.series, float(evidence.judged_as.parameters.get("beta", 1.0))
    measurements, start = [], float(np.max(series["dissipation"]))
    chosen = np.unique(np.linspace(0, len(kept.time) - 1, MOST).round().astype(int))
    for index in chosen:
        row = int(np.argmin(np.abs(series["time"] - kept.time[index])))
        if series["time"][row] != kept.time[index]:
            continue
        members, where = members_at(kept, int(index)), f"t = {kept.time[index]:.4g}"
        policy = kept.policy_at(int(index))
        exact, apart = _lost(mdp, members, policy, beta)
        recorded = float(series["dissipation"][row])
        measurements.append(
            Measurement(
                "recorded dissipation against the squared gradient",
                recorded,
                exact,
                "=",
                where,
                rounding=RELATIVE * exact + ABSOLUTE * start,
            )
        )
        measurements.append(
            Measurement("stored cells less those of the Gaussians", apart, 0.0, "<=", where, rounding=1e-12)
        )
    there = Hypothesis("rows at the times of snapshots", bool(measurements), "there are none")
    return (found, smooth, there), tuple(measurements), {}


def members_at(kept: Snapshots, index: int) -> Members:
    """The Gaussians of a snapshot, of one component each or of several."""
    if "member_mean" in kept.parameters:
        return Members(*(kept.parameter(f"member_{name}", index) for name in Members._fields))
    mean, covariance = kept.parameter("policy_mean", index), kept.parameter("policy_covariance", index)
    return Members(np.ones((len(mean), 1)), mean[:, None], covariance[:, None])


def _lost(mdp: GridMDP, members: Members, policy: FloatArray, beta: float) -> tuple[float, float]:
    """The squared gradient of V(rho), and the largest difference of cells from those stored."""
    now = evaluate(mdp, policy)
    visited = occupancy(mdp, now.system)
    total, apart = 0.0, 0.0
    for state in range(mdp.states.size):
        with np.errstate(divide="ignore", invalid="ignore"):
            delta = np.where(
                policy[state] > 0.0, now.q[state] + mdp.temperature * (np.log(policy[state]) - mdp.log_mass), 0.0
            )
        apart = max(apart, float(np.abs(mixture_cells(mdp.actions, members, state)[1] - policy[state]).max()))
        total += visited[state] * squared_gradient(mdp.actions, members, state, delta, beta)
    return float(total) / (1.0 - mdp.discount), apart
