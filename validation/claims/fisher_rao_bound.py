r"""The Fisher–Rao flow converges at a rate that knows no constant but tau: three bounds.

By the identity dy/dt = -tau y - (1 - gamma) h (`fisher_rao_identity`), h >= 0, and since h falls,

    y(t) <= e^{-tau t} y(0),
    (1 - gamma) h(t) int_0^t e^{tau s} ds <= y(0) - e^{tau t} y(t) <= y(0),     hence
    h(t) <= tau y(0) / ((1 - gamma)(e^{tau t} - 1)),

the theorem of Kerimkulov et al., on the grid: no log-Sobolev constant, no density ratio, no barrier.  In the sup norm,
where the problem is known,

    |Q_t - Q*|_sup <= gamma e^{-(1 - gamma) tau t} (|Q_0 - Q*|_sup + 2 tau |ln p* - ln p_0|_sup),

the limit of short steps of the bound of `mirror_contraction`.  y(0) must be finite: p_0 > 0 wherever p* is.  The slack
is the factor by which the exponent tau could be larger (y), or the bound smaller (h).

Sources: Kerimkulov, Leahy, Šiška, Szpruch & Zhang, arXiv:2310.02951; Cen, Cheng, Chen, Wei & Chi, arXiv:2007.06558.
"""

from __future__ import annotations

import numpy as np

from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.fisher_rao_identity import best_log, lyapunov, lyapunov_floor
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement, inflatable
from wpoflow.validation.independent.policy import PolicyValues


@claim(
    "fisher_rao_bound",
    "y <= e^{-tau t} y(0) and gap(rho) <= tau y(0)/((1 - gamma)(e^{tau t} - 1))",
    "Kerimkulov et al., arXiv:2310.02951, on the grid; sup norm: Cen et al., arXiv:2007.06558",
    flows=("fisher-rao",),
)
def judge(evidence: Evidence) -> Judgement:
    """h in every row, y and Q at every snapshot."""
    series, snapshots, tau = evidence.run.series, evidence.run.snapshots, evidence.temperature
    controlled = Hypothesis("controlled time error", evidence.accuracy is not None, "fixed steps")
    kept = Hypothesis("a snapshot of the start", snapshots is not None and len(snapshots.time) > 1, "none in the run")
    if not (controlled.met and kept.met):
        return (controlled, kept), (), {}
    assert snapshots is not None
    start = lyapunov(evidence, snapshots.policy_at(0))
    finite = Hypothesis("KL(p*|p) finite at the start", bool(np.isfinite(start)), "p has cells of mass zero")
    later = np.flatnonzero(evidence.judged & (series["time"] > 0.0))
    seen = Hypothesis("rows above the rounding floor", later.size > 0 and start > 0.0, "every gap is rounding")
    if not (finite.met and seen.met):
        return (controlled, kept, finite, seen), (), {}
    time, gap = series["time"][later], series["gap"][later]
    with np.errstate(over="ignore"):
        bound = tau * start / ((1.0 - evidence.discount) * np.expm1(tau * time))
    ratio = gap / np.where(bound > 0.0, bound, np.finfo(np.float64).tiny)
    folds = np.abs(np.log(np.maximum(gap, np.finfo(np.float64).tiny) / series["gap"][0]))
    error, share = evidence.time_error(folds), evidence.rounding_share(gap)
    worst = int(np.argmax(ratio - error - share))
    found = [
        Measurement(
            "gap(rho) over its bound",
            ratio[worst],
            1.0,
            "<=",
            f"t = {time[worst]:.4g}",
            discretisation=float(error[worst]),
            rounding=float(share[worst]),
            slack=inflatable(1.0, float(ratio.max())),
        ),
        *_lyapunov_falls(evidence, start),
        *_sup_norm(evidence),
    ]
    return (controlled, kept, finite, seen), tuple(found), {"y at the start": start, "guaranteed exponent": tau}


def _lyapunov_falls(evidence: Evidence, start: float) -> list[Measurement]:
    snapshots, tau, floor = evidence.run.snapshots, evidence.temperature, lyapunov_floor(evidence)
    assert snapshots is not None
    found = []
    for j in range(1, len(snapshots.time)):
        y, elapsed = lyapunov(evidence, snapshots.policy_at(j)), float(snapshots.time[j] - snapshots.time[0])
        if y < 4.0 * floor or elapsed <= 0.0:
            continue
        fall, owed = float(np.log(start / y)), tau * elapsed
        found.append(
            Measurement(
                "fall of ln y",
                fall,
                owed,
                ">=",
                f"t = {snapshots.time[j]:.4g}",
                discretisation=float(evidence.time_error(abs(fall))),
                rounding=2.0 * np.sqrt(floor / y) + floor / y + 64.0 * EPS,
                slack=inflatable(fall, owed),
            )
        )
    return [min(found, key=lambda entry: (entry.measured + entry.tolerance) / entry.bound)] if found else []


def _sup_norm(evidence: Evidence) -> list[Measurement]:
    """The least favourable snapshot of |Q - Q*|_sup over its bound."""
    mdp, snapshots = evidence.mdp, evidence.run.snapshots
    if mdp is None or snapshots is None or snapshots.policy_at(0).min() <= 0.0:
        return []
    first, best = snapshots.policy_at(0), evidence.optimum.q
    rounding = 128.0 * EPS * float(np.abs(best).max()) / (1.0 - mdp.discount)
    apart = float(np.abs(best_log(evidence) - np.log(first)).max())
    start = float(np.abs(PolicyValues(mdp, first).q - best).max()) + 2.0 * mdp.temperature * apart
    worst: Measurement | None = None
    for j in np.unique(np.linspace(1, len(snapshots.time) - 1, 4).astype(int)):
        elapsed = float(snapshots.time[j] - snapshots.time[0])
        bound = mdp.discount * start * float(np.exp(-(1.0 - mdp.discount) * mdp.temperature * elapsed))
        error = float(np.abs(PolicyValues(mdp, snapshots.policy_at(int(j))).q - best).max())
        if error <= 4.0 * rounding or bound <= 0.0:
            continue
        entry = Measurement(
            "|Q - Q*|_sup over its bound",
            error / bound,
            1.0,
            "<=",
            f"t = {snapshots.time[j]:.4g}",
            discretisation=float(evidence.time_error(abs(np.log(start / error)))),
            rounding=rounding / bound,
            slack=inflatable(bound, error),
        )
        if worst is None or entry.measured > worst.measured:
            worst = entry
    return [] if worst is None else [worst]
