r"""Mirror descent contracts a Lyapunov function by max(gamma, 1/(1 + tau eta)) a step, and Q in the sup norm.

**Lyapunov.**  Let nu be stationary under the optimal policy, so that d*_nu = nu, h = nu (V - V*), y = sum nu KL(p*|p).
In the identity of `mirror_identity` for nu in place of rho, KL(p'|p) >= 0 and Delta_i <= V_i - V'_i: by (I1) V - V' is
an average of Delta/(1 - gamma) over the visits from i of p', at least 1 - gamma of which are to i itself, and Delta >=
0 everywhere.  Averaged over nu, sum nu Delta <= h - h', so

    h' + (1 + tau eta) y'/eta <= gamma h + y/eta <= max(gamma, 1/(1 + tau eta)) [h + (1 + tau eta) y/eta].

Judged for single steps from two policies of the run, and where the process never ends: else no law is stationary.

**Sup norm.**  For mixtures of any weight x, x = 1/(1 + tau eta) here,

    |Q^{n+1} - Q*|_sup <= gamma C (gamma + (1 - gamma) x)^n,   C = |Q^0 - Q*|_sup + 2 x tau |ln p* - ln p^0|_sup.

Judged at snapshots of the run.  The rate guaranteed to a run of any rho is that of this bound.

Sources: Lan, arXiv:2102.00135, theorem 1; Cen, Cheng, Chen, Wei & Chi, arXiv:2007.06558, theorem 1, whose step eta'
in their units has x = 1 - eta' tau/(1 - gamma).
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.fisher_rao_identity import best_log
from wpoflow.validation.claims.mirror_identity import steps_of
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement, inflatable
from wpoflow.validation.independent.growth import to_comparator
from wpoflow.validation.independent.policy import PolicyValues
from wpoflow.validation.independent.series import soft_optimal

ENDLESS = 1e-12
MOST_STATES = 1500


@claim(
    "mirror_contraction",
    "h + (1 + tau eta) y/eta contracts by max(gamma, 1/(1 + tau eta)), and |Q - Q*|_sup by gamma + (1 - gamma)x a step",
    "Lan, arXiv:2102.00135; Cen et al., arXiv:2007.06558, on the grid",
    needs_problem=True,
    flows=("mirror",),
)
def judge(evidence: Evidence) -> Judgement:
    """Single steps for the stationary law; snapshots of the run in the sup norm."""
    mdp = evidence.mdp
    assert mdp is not None
    found, notes = _lyapunov(evidence, mdp)
    found += _sup_norm(evidence, mdp)
    kept = 1.0 / (1.0 + mdp.temperature * evidence.number("step"))
    notes["guaranteed factor a step, sup norm"] = mdp.discount + (1.0 - mdp.discount) * kept
    some = Hypothesis("positive policies, and an endless process or snapshots", bool(found), "there are none")
    return (some,), tuple(found), notes


def _stationary(mdp: GridMDP, best: PolicyValues) -> FloatArray | None:
    """The law that the optimal policy leaves as it is, (S,); None where it ends, or for too many states."""
    count = mdp.states.size
    if count > MOST_STATES:
        return None
    rows = best.rows.dense()
    if float(np.abs(rows.sum(axis=1) - 1.0).max()) > ENDLESS:
        return None
    system = np.vstack([rows.T - np.eye(count), np.ones(count)])
    law = np.maximum(np.linalg.lstsq(system, np.append(np.zeros(count), 1.0), rcond=None)[0], 0.0)
    law = law / law.sum()
    return law if float(np.abs(rows.T @ law - law).sum()) <= 64.0 * count * EPS else None


def _lyapunov(evidence: Evidence, mdp: GridMDP) -> tuple[list[Measurement], dict[str, float]]:
    _, log_best, _ = soft_optimal(mdp, evidence.optimum.value)
    best = PolicyValues(mdp, np.exp(log_best))
    law = _stationary(mdp, best)
    found: list[Measurement] = []
    largest = 0.0
    if law is None:
        return found, {}
    for step in steps_of(evidence, mdp):
        after = PolicyValues(mdp, step.stepped)
        weight = (1.0 + mdp.temperature * step.eta) / step.eta
        total = [
            float(law @ (now.value - best.value)) + weight * to_comparator(law, log_best, np.log(policy))
            for now, policy in ((step.now, step.policy), (after, step.stepped))
        ]
        gap = float(law @ (step.now.value - best.value))
        noise = 256.0 * EPS * float(np.abs(step.now.value).max() + np.abs(best.value).max()) / (1.0 - mdp.discount)
        noise += 64.0 * EPS * weight * (1.0 + float(np.abs(np.log(step.stepped)).max()))
        if total[0] <= 16.0 * noise:
            continue
        contraction = max(mdp.discount, 1.0 / (1.0 + mdp.temperature * step.eta))
        sharper = mdp.discount * gap + (total[0] - gap) / (1.0 + mdp.temperature * step.eta)
        largest = max(largest, total[1] / total[0])
        where = f"{step.label} policy, eta = {step.eta:g}"
        for quantity, bound in (("by the factor", contraction), ("part by part", sharper / total[0])):
            found.append(
                Measurement(
                    f"Lyapunov function after a step, {quantity}",
                    total[1] / total[0],
                    bound,
                    "<=",
                    where,
                    rounding=noise / total[0] + 1e-11,
                    slack=inflatable(1.0 - total[1] / total[0], 1.0 - bound),
                )
            )
    return found, {"largest factor of a step": largest}


def _sup_norm(evidence: Evidence, mdp: GridMDP) -> list[Measurement]:
    """The least favourable snapshot after a whole number of steps."""
    snapshots, eta = evidence.run.snapshots, evidence.number("step")
    if snapshots is None or not len(snapshots.time) or mdp.initial_policy.min() <= 0.0:
        return []
    kept, best = 1.0 / (1.0 + mdp.temperature * eta), evidence.optimum.q
    apart = float(np.abs(best_log(evidence) - np.log(snapshots.policy_at(0))).max())
    start = (
        float(np.abs(PolicyValues(mdp, snapshots.policy_at(0)).q - best).max()) + 2.0 * kept * mdp.temperature * apart
    )
    factor = mdp.discount + (1.0 - mdp.discount) * kept
    rounding = 128.0 * EPS * float(np.abs(best).max()) / (1.0 - mdp.discount)
    worst: Measurement | None = None
    for j in np.unique(np.linspace(0, len(snapshots.time) - 1, 6).astype(int)):
        count = round(float(snapshots.time[j]) / eta)
        bound = mdp.discount * start * factor ** (count - 1)
        error = float(np.abs(PolicyValues(mdp, snapshots.policy_at(int(j))).q - best).max())
        if count < 1 or error <= 4.0 * rounding or bound <= 0.0:
            continue
        entry = Measurement(
            "|Q - Q*|_sup over its bound", error / bound, 1.0, "<=", f"step {count}",
            rounding=rounding / bound, slack=inflatable(bound, error),
        )  # fmt: skip
        if worst is None or entry.measured > worst.measured:
            worst = entry
    return [] if worst is None else [worst]
