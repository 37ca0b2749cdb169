r"""gap(rho) decays at 2 alpha (1 - gamma/theta) up to a factor, whatever rho leaves out: no |d*/rho|_sup is needed.

For theta in (gamma, 1) let nu = (1 - theta) sum_m theta^m rho (P*)^m, P* the transition of the optimal policy.  Then
rho <= nu/(1 - theta), and with d*_nu = (1 - gamma) sum_n gamma^n nu (P*)^n

    d*_nu = (1 - gamma)(1 - theta) sum_k (sum_{n + m = k} gamma^n theta^m) rho (P*)^k,
    sum_{n + m = k} gamma^n theta^m <= theta^k theta/(theta - gamma)   (geometric in gamma/theta),

so |d*_nu/nu|_sup <= (1 - gamma) theta/(theta - gamma).  The paper's theorem for nu in place of rho therefore gives

    gap_rho(t) <= gap_nu(t)/(1 - theta) <= gap_nu(s)/(1 - theta) exp(-2 alpha (1 - gamma/theta)(t - s)),   t >= s,

with the alpha certified from s on.  theta = (1 + gamma)/2 here.  gap_nu(s) = nu (V - V*) is computed without
cancellation at a few snapshots; nu by the Neumann series of its definition.  So is d*_nu by linear equations: the rate
is no larger than the paper's for nu with the ratio of the two themselves.  Source: Šiška & Zhang, arXiv:2605.22622,
main theorem.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate, suboptimality
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.decays import known_time_error
from wpoflow.validation.claims.static_inequality import above_rounding, positive_alpha
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement, inflatable
from wpoflow.validation.independent.policy import PolicyValues
from wpoflow.validation.rates import any_rho_rate, paper_rate

ISSUED = 4
LEFT = 1e-16


@claim(
    "decay_any_rho",
    "gap(rho) decays at the rate 2 alpha (1 - gamma/theta) up to the factor 1/(1 - theta), for every rho",
    "Šiška & Zhang, arXiv:2605.22622, main theorem for the law nu_theta in place of rho",
    needs_problem=True,
)
def judge(evidence: Evidence) -> Judgement:
    """From a few snapshots to all later rows."""
    assert evidence.mdp is not None
    hypotheses = (
        positive_alpha(evidence),
        above_rounding(evidence),
        known_time_error(evidence),
        *any_rho_hypotheses(evidence),
    )
    if not all(hypothesis.met for hypothesis in hypotheses):
        return hypotheses, (), {}
    notes = {"theta": theta_of(evidence), "rate in the end": rate_in_the_end(evidence)}
    return hypotheses, any_rho_measurements(evidence), notes


def theta_of(evidence: Evidence) -> float:
    """theta, half way between gamma and one."""
    return 0.5 * (1.0 + evidence.discount)


def rate_in_the_end(evidence: Evidence) -> float:
    """The rate with alpha of the optimal policy."""
    return float(any_rho_rate(evidence.proven_alpha.least(), evidence.discount, theta_of(evidence)))


def any_rho_hypotheses(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """What this form of the theorem needs besides a positive alpha and a known time error."""
    return (
        Hypothesis(
            "controlled time error",
            evidence.accuracy is not None,
            "fixed steps",
        ),
        Hypothesis("a snapshot before rows above rounding", bool(_issued(evidence))),
    )


def any_rho_measurements(evidence: Evidence) -> tuple[Measurement, ...]:
    """From a few snapshots the least favourable later row of each; the hypotheses must be met, the problem known."""
    mdp, snapshots, series = evidence.mdp, evidence.run.snapshots, evidence.run.series
    assert mdp is not None
    assert snapshots is not None
    theta = theta_of(evidence)
    rates = any_rho_rate(evidence.alpha_from_now_on, evidence.discount, theta)
    law = _law(mdp, evidence.optimum.policy, theta)
    rows = np.flatnonzero(evidence.judged)
    measurements = [_of_the_law(evidence, mdp, law)]
    for j, row in _issued(evidence):
        policy = snapshots.policy_at(j)
        missing = suboptimality(mdp, policy, evidence.optimum.q, evaluate(mdp, policy).system)
        start = float(law @ missing) / (1.0 - theta)
        since = float(snapshots.time[j])
        later = rows[series["time"][rows] > since]
        fall = np.log(start / series["gap"][later])
        elapsed = series["time"][later] - since
        share = evidence.rounding_share(series["gap"][later])
        tolerance = evidence.time_error(fall)
        owed = float(rates[row]) * elapsed
        worst = int(np.argmax(owed - fall - tolerance - share))
        measurements.append(
            Measurement(
                "fall of ln gap(rho) from ln gap(nu)/(1 - theta)",
                float(fall[worst]),
                float(owed[worst]),
                ">=",
                f"t = {since:.4g} to {series['time'][later][worst]:.4g}",
                discretisation=float(tolerance[worst]),
                rounding=float(share[worst]),
                slack=min(inflatable(float(f), float(o)) for f, o in zip(fall, owed, strict=True)),
            )
        )
    return tuple(measurements)


def _of_the_law(evidence: Evidence, mdp: GridMDP, law: FloatArray) -> Measurement:
    """The rate over the paper's for nu itself, whose |d*_nu/nu|_sup is formed: what theta stands for."""
    visits = PolicyValues(mdp, evidence.optimum.policy).transposed((1.0 - mdp.discount) * law)
    charged = law > LEFT * law.max()  # what is less is what the series of nu was cut off at
    ratio = float((visits[charged] / law[charged]).max())
    over = rate_in_the_end(evidence) / float(paper_rate(evidence.proven_alpha.least(), mdp.discount, ratio))
    quantity = "rate over the paper's of nu with its own |d*_nu/nu|_sup"
    return Measurement(quantity, over, 1.0, "<=", rounding=1e-9)  # whether the claim says anything the falls tell


def _issued(evidence: Evidence) -> list[tuple[int, int]]:
    """A few snapshots with later rows above rounding, each with the last row before it: its alpha holds on."""
    snapshots, time = evidence.run.snapshots, evidence.run.series["time"]
    rows = np.flatnonzero(evidence.judged)
    if snapshots is None or rows.size < 2:
        return []
    found = [
        (j, int(np.searchsorted(time, t, side="right")) - 1) for j, t in enumerate(snapshots.time) if t < time[rows[-1]]
    ]
    return [found[k] for k in np.unique(np.linspace(0, len(found) - 1, ISSUED).astype(int))] if found else []


def _law(mdp: GridMDP, policy: FloatArray, theta: float) -> FloatArray:
    """(1 - theta) sum theta^m rho (P*)^m, (S,)."""
    rows = mdp.transition.under(policy)
    total = term = (1.0 - theta) * mdp.rho
    for _ in range(int(np.ceil(np.log(LEFT) / np.log(theta)))):
        term = theta * rows.rmatvec(term)
        total = total + term
    return np.asarray(total)
