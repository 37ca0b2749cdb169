"""The annealed Fisher–Rao flow reaches the unregularised optimum, at a rate that knows of no barriers.

*Claim.*  With A = int_0^t tau, B = int_0^t e^{-(A(t) - A(r))} dr, any policy q with occupancy d^q, y(p) = sum_i d^q_i
KL(q_i|p_i), and mu a probability,

    cost(p_t) - cost(q)  <=  [ (1 - e^{-A}) y(mu) + e^{-A} y(p_0) ] / ((1 - gamma) B)       averaged over rho,

on the grid.  Of q the best deterministic policy KL(q_i|mu) = ln 1/m_k, k its action.  B is about 1/(tau + the rate at
which tau falls): of the harmonic schedule it grows like t, and the gap closes like 1/t.

*Proof.*  Along d/dt p = -p (delta - V) at temperature tau(t), d/dt ln p = V - delta, so that

    y' = sum_i d^q_i ( <q_i, delta_i> - V_i ),       delta = Q + tau ln(p/m),       Q and V of p at tau(t).

<q, ln(p/m)> = KL(q|mu) - KL(q|p), and the performance difference sum_i d^q_i (<q_i, Q_i> + tau KL(q_i|mu) - V_i) =
(1 - gamma)(V^q - V^p)(rho) at tau(t) give

    y' = -tau y - (1 - gamma)(V^p - V^q)(rho).                                                     (1)

Multiply by e^{A}, integrate from 0 to t, and let X(r) = (V^p - V^q)(rho) at time r and tau(r):

    (1 - gamma) int_0^t e^{-(A(t) - A(r))} X(r) dr  =  e^{-A(t)} y(0) - y(t)  <=  e^{-A(t)} y(0).

V^p at tau(r) falls in r (claim ``annealed_descent``), and V^q at tau(r) is cost(q) + tau(r) y(mu)/(1 - gamma), as
(1 - gamma) H^q(rho) = sum d^q KL(q|mu).  So X(r) >= V^p_t - cost(q) - tau(r) y(mu)/(1 - gamma), V^p_t that at time
t, which is at least cost(p_t).  Since int e^{-(A(t) - A(r))} tau(r) dr = 1 - e^{-A(t)},

    (1 - gamma) B (V^p_t - cost(q))  <=  e^{-A} y(0) + (1 - e^{-A}) y(mu),

which is the claim, of V and not of the cost alone.  (Kerimkulov, Leahy, Šiška, Szpruch & Zhang, arXiv:2310.02951, have
(1) at constant temperature.)

Of the Wasserstein flow nothing like it holds: where tau falls faster than E/ln t it freezes in a well of depth E.

Measured: V(rho), which the rows have at tau(t), and the cost, with A and B of the schedule and q by policy iteration.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.arithmetic.annealing import Annealing
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.fisher_rao import FisherRaoFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement, inflatable
from wpoflow.validation.independent.policy import PolicyValues


@claim(
    "annealed_cost",
    "the cost of the annealed Fisher–Rao flow comes down to the least one like 1/B",
    "identity y' = -tau y - (1 - gamma)(V - V^q), and the fall of V: see the claim's text",
    needs_problem=True,
    any_temperature=True,
    annealed=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Every row after the first."""
    mdp, series, annealing = evidence.mdp, evidence.run.series, evidence.annealing
    assert mdp is not None
    hypotheses = annealed_fisher_rao(evidence)
    if annealing is None or not all(hypothesis.met for hypothesis in hypotheses):
        return hypotheses, (), {}
    best = solve_optimum(mdp, temperature=0.0)
    bound, passed = cost_bound(mdp, best, annealing, series["time"][1:])
    finite = Hypothesis("a first policy that gives mass to the best actions", bool(np.all(np.isfinite(bound))), "none")
    if not (finite.met and bound.size):
        return (*hypotheses, finite), (), {}
    least = float(mdp.rho @ best.value)
    size = float(np.abs(best.value).max() + np.abs(series["value_rho"]).max())
    rounding = best.gap_floor + 64.0 * EPS * size / (1.0 - mdp.discount)
    error = evidence.time_error(passed)
    measurements = []
    for quantity, gap in (
        ("cost above the least one", series["cost_gap"][1:]),
        ("V at tau(t) above the least cost", series["value_rho"][1:] - least),
    ):
        worst = int(np.argmax(gap / bound))
        measurements.append(
            Measurement(
                quantity,
                gap[worst],
                bound[worst],
                "<=",
                evidence.when(worst + 1),
                discretisation=float(error[worst] * bound[worst]),
                rounding=rounding,
                slack=inflatable(float(bound[worst]), float(gap[worst])),
            )
        )
    measurements += _recomputed(evidence, mdp, best.value, rounding)
    notes = {"least cost": least, "last cost gap": float(series["cost_gap"][-1]), "last bound": float(bound[-1])}
    return (*hypotheses, finite), tuple(measurements), notes


def _recomputed(evidence: Evidence, mdp: GridMDP, least: FloatArray, rounding: float) -> list[Measurement]:
    """cost_gap and cost_rho of the last snapshot that is a row, by dense elimination."""
    series, snapshots = evidence.run.series, evidence.run.snapshots
    shared = [] if snapshots is None else [j for j, t in enumerate(snapshots.time) if np.any(series["time"] == t)]
    if snapshots is None or not shared:
        return []
    row, policy = int(np.flatnonzero(series["time"] == snapshots.time[shared[-1]])[0]), snapshots.policy_at(shared[-1])
    cost = float(mdp.rho @ PolicyValues(mdp, policy).solve((policy * mdp.cost).sum(axis=1)))
    numbers = {"cost_gap": cost - float(mdp.rho @ least), "cost_rho": cost}
    return [
        Measurement(f"{name} of a policy", float(series[name][row]), number, "=", evidence.when(row), rounding=rounding)
        for name, number in numbers.items()
    ]


def annealed_fisher_rao(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """What a run must be that the theory of the annealed flow speaks of."""
    return (
        Hypothesis("a temperature that falls", evidence.annealing is not None, "it is constant"),
        Hypothesis(
            "the Fisher–Rao flow", _fisher_rao(evidence), "another flow, which may freeze at barriers", scope=True
        ),
        Hypothesis("controlled time error", evidence.accuracy is not None, "fixed steps"),
        Hypothesis(
            "the problem's own first policy", "initial" not in evidence.run.attributes, "the run began from another one"
        ),
    )


def cost_bound(mdp: GridMDP, best: Optimum, annealing: Annealing, times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The bound of the claim at the times (n,), and how many e-folds A the past has decayed by; q of ``best``."""
    chosen, visited = best.policy.argmax(axis=1), best.occupancy
    met = visited > 0.0
    with np.errstate(divide="ignore"):
        first = -np.log(mdp.initial_policy[np.arange(chosen.size), chosen])
    to_reference = float(visited @ -mdp.log_mass[chosen])
    to_first = float(visited[met] @ first[met])
    bound, passed = np.empty_like(times), np.empty_like(times)
    for j, time in enumerate(times):
        temperature, length = annealing.decaying(0.0, float(time))
        passed[j] = temperature * length
        forgotten = -np.expm1(-passed[j])
        grown = forgotten / temperature
        bound[j] = (forgotten * to_reference + np.exp(-passed[j]) * to_first) / ((1.0 - mdp.discount) * grown)
    return bound, passed


def _fisher_rao(evidence: Evidence) -> bool:
    """Whether the run followed the flow, or one that is judged as if it were."""
    if evidence.flow is not None:
        return isinstance(evidence.flow, FisherRaoFlow)
    return evidence.flow_name == FisherRaoFlow.name
