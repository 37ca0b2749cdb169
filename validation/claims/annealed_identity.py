r"""While the temperature falls the Lyapunov function of the Fisher–Rao flow obeys an identity, whatever the schedule.

With q the best deterministic policy of the unregularised problem, d^q its occupancy, y(p) = sum_i d^q_i KL(q_i|p_i) and
mu the reference measure, (1) of claim ``annealed_cost`` is

    dy/dt = -tau y - (1 - gamma) X,      X = V(rho) - cost(q)(rho) - tau y(mu)/(1 - gamma),

V at tau(t), and therefore, with A the integral of tau from a to b,

    y(b) = e^{-A} y(a) - (1 - gamma) int_a^b e^{-(A(b) - A(r))} X(r) dr.

Nothing is left open in it: a temperature, a weight e^{-A} or a V of another time is seen, where bounds have room.

Measured: y at successive snapshots, tau and V(rho) as recorded in the rows between them, joined by cubic splines.  What
that leaves open is taken to be the difference to splines through every second row; the time error is that of A e-folds,
relative to the terms on the right.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.annealed_cost import annealed_fisher_rao
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement

LEAST_ROWS = 8
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
RESOLVED = 1e-3  # of the terms: an interval whose splines leave more open is not judged


@claim(
    "annealed_identity",
    "dy/dt = -tau y - (1 - gamma)(V - V^q) at the temperature of the moment, for y = sum d^q KL(q|p)",
    "performance difference; Kerimkulov et al., arXiv:2310.02951, with a temperature that falls",
    needs_problem=True,
    any_temperature=True,
    annealed=True,
)
def judge(evidence: Evidence) -> Judgement:
    """From snapshot to snapshot."""
    mdp, snapshots = evidence.mdp, evidence.run.snapshots
    assert mdp is not None
    hypotheses = annealed_fisher_rao(evidence)
    if not all(hypothesis.met for hypothesis in hypotheses):
        return hypotheses, (), {}
    measurements = [] if snapshots is None else _between_snapshots(evidence, mdp)
    resolved = Hypothesis("snapshots with rows close enough between them", bool(measurements), "none")
    return (*hypotheses, resolved), tuple(measurements), {}


def _between_snapshots(evidence: Evidence, mdp: GridMDP) -> list[Measurement]:
    """The least favourable pair of successive snapshots."""
    series, snapshots = evidence.run.series, evidence.run.snapshots
    assert snapshots is not None
    best = solve_optimum(mdp, temperature=0.0)
    visited, chosen = best.occupancy, best.policy.argmax(axis=1)
    met = visited > 0.0
    to_reference = float(visited @ -mdp.log_mass[chosen])
    time, tau = series["time"], series["temperature"]
    least = float(mdp.rho @ best.value)
    apart = series["value_rho"] - least - tau * to_reference / (1.0 - mdp.discount)
    if time.size < LEAST_ROWS:
        return []
    with np.errstate(divide="ignore"):
        y = [
            float(visited[met] @ -np.log(snapshots.policy_at(j)[met, chosen[met]])) for j in range(len(snapshots.time))
        ]
    size = float(np.abs(best.value).max() + np.abs(series["value_rho"]).max())
    worst: tuple[float, Measurement] | None = None
    for j, (start, end) in enumerate(zip(snapshots.time[:-1].tolist(), snapshots.time[1:].tolist(), strict=True)):
        folds, gained = _passed(time, tau, apart, start, end)
        other_folds, other_gained = _passed(time[::2], tau[::2], apart[::2], start, min(end, float(time[::2][-1])))
        if not (np.isfinite(y[j]) and end <= time[::2][-1]):
            continue
        kept, gained = float(np.exp(-folds)) * y[j], (1.0 - mdp.discount) * gained
        terms = abs(kept) + abs(gained)
        coarse = abs((1.0 - mdp.discount) * other_gained - gained) + abs(float(np.exp(-other_folds)) * y[j] - kept)
        if coarse > RESOLVED * terms:
            continue
        found = Measurement(
            "y from snapshot to snapshot", y[j + 1], kept - gained, "=", f"t = {start:.4g} to {end:.4g}",
            discretisation=coarse + float(evidence.time_error(folds)) * terms,
            rounding=best.gap_floor + 64.0 * EPS * (terms + size * (end - start)),
        )  # fmt: skip
        excess = (found.excess - found.tolerance) / terms
        if worst is None or not excess <= worst[0]:
            worst = excess, found
    return [] if worst is None else [worst[1]]


def _passed(time: FloatArray, tau: FloatArray, apart: FloatArray, start: float, end: float) -> tuple[float, float]:
    """A, and the integral of e^{-(A(end) - A(r))} X(r), from splines through rows."""
    total, difference = CubicSpline(time, tau).antiderivative(), CubicSpline(time, apart)
    knots = np.concatenate([[start], time[(time > start) & (time < end)], [end]])
    half, middle = 0.5 * np.diff(knots), 0.5 * (knots[1:] + knots[:-1])
    inside = middle[:, None] + half[:, None] * NODES
    weighed = np.exp(total(inside) - total(end)) * difference(inside)
    return float(total(end) - total(start)), float((half[:, None] * WEIGHTS * weighed).sum())
