r"""How far from its target each state is at a snapshot: what linearisation at the optimum leaves open, measured.

With x = p_s/p*_s - 1, Var its variance under p*_s, E its Dirichlet form under the generator of p*_s, R = E/Var its
Rayleigh quotient, the frozen flow of p* moves x by exp(-A t) with a symmetric A in L2(p*): Var falls at the rate 2R,
and R >= lambda falls in time.  Two terms bound what that leaves open of KL(p_s|p*_s):

    size      ln(1+x)(1+x) - x = x^2/2 + r, |r| <= |x|^3/2 for x >= -1, hence |2 KL/Var - 1| <= E|x|^3/Var = `third`;
    moving    p follows g, the Gibbs policy of its own Q, and not p*: to first order dx/dt = -A (x - e), e = g/p* - 1,
              whose modes are x_k(t) = exp(-A_k t) x_k(0) + int A_k exp(-A_k (t-s)) e_k(s) ds, so that what is moved is
              in norm at most that of e.  Values fall pointwise: 0 <= Q^m - Q* <= Q^n - Q* for m >= n, so at all later
              times ln g - ln p* ranges over at most max_a (Q^n - Q*)_s/tau = `drift`, and the deviation of what lies in
              such a range is at most half of it.  ln Var is off by twice the share that moved: drift/sqrt(Var).

A run file alone gives drift = gamma |V - V*|_sup/tau, the same for all states, which rarely visited ones make large.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate, occupancy
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.validation.constants.generators import Generators

LATEST = 16
"""Snapshots looked at, from the last backwards."""


class _Case(Protocol):
    """What is needed of the evidence (`validation.evidence.Evidence`)."""

    @property
    def run(self) -> Run: ...
    @property
    def mdp(self) -> GridMDP | None: ...
    @property
    def optimum(self) -> Optimum: ...
    @property
    def discount(self) -> float: ...
    @property
    def temperature(self) -> float: ...
    @property
    def gap_floor(self) -> float: ...
    @property
    def largest_gap(self) -> FloatArray: ...
    @property
    def optimal_generators(self) -> Generators: ...
    def generators(self, q: FloatArray) -> Generators: ...
    def divergence(self, policy: FloatArray, q: FloatArray) -> FloatArray: ...


@dataclass(frozen=True, eq=False)
class Deviations:
    """All states at one snapshot.

    Attributes
    ----------
    time : float
    row : int
        The last row of the series not later.
    variance, form, third, divergence : arrays (S,)
        Var, E, E|x|^3/Var and KL(p|p*).
    production : array (S,)
        sum_f c dx d ln(1+x): what KL(p|p*) loses by the frozen flow of p*.
    drift : array (S,)
        Bound of the range of ln(g/p*), now and at all later times.
    moved : array (S,)
        Dirichlet form of g/p* - 1, zero if unknown.
    visits : array (S,) or None
        Occupancy of the policy; None if unknown.
    """

    time: float
    row: int
    variance: FloatArray
    form: FloatArray
    third: FloatArray
    divergence: FloatArray
    production: FloatArray
    drift: FloatArray
    moved: FloatArray
    visits: FloatArray | None


def late_deviations(evidence: _Case) -> tuple[Deviations, ...]:
    """Of the latest snapshots, in the order of time; those of the start left out."""
    snapshots = evidence.run.snapshots
    count = 0 if snapshots is None else len(snapshots.time)
    return tuple(_deviations(evidence, j) for j in range(max(1, count - LATEST), count))


def _deviations(evidence: _Case, j: int) -> Deviations:
    snapshots, series = evidence.run.snapshots, evidence.run.series
    assert snapshots is not None
    policy, time = snapshots.policy_at(j), float(snapshots.time[j])
    row = int(np.searchsorted(series["time"], time * (1.0 + 1e-12), side="right")) - 1
    count = evidence.run.states.size
    visits, q = None, None
    if evidence.mdp is not None:
        now = evaluate(evidence.mdp, policy)
        q, visits = now.q, occupancy(evidence.mdp, now.system)
        drift = np.maximum(q - evidence.optimum.q, 0.0).max(axis=1) / evidence.temperature
        drift = drift + 2.0 * evidence.gap_floor / evidence.temperature
    else:
        drift = np.full(count, evidence.discount * evidence.largest_gap[row] / evidence.temperature)
    if count == 1:
        drift = np.zeros(1)  # Q - Q* is a constant: the target rests
    variance, form, third, production, moved = np.zeros((5, count))
    for rows, block in evidence.optimal_generators.blocks():
        faces, log_g = block.faces, block.log_gibbs
        conductance, g = np.exp(block.rates.log_conductance), np.exp(log_g)
        # far from the end x may be beyond double precision: that is not small, and so not judged
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            # p* from Q* by logarithms, so that x is not a difference of two roundings
            log_x = np.log(policy[rows]) - log_g
            x = np.where(g > 0.0, np.expm1(log_x), 0.0)
            rise, steeper = x[:, faces.there] - x[:, faces.here], log_x[:, faces.there] - log_x[:, faces.here]
            variance[rows] = (g * x**2).sum(axis=1)
            form[rows] = (conductance * rise**2).sum(axis=1)
            third[rows] = (g * np.abs(x) ** 3).sum(axis=1) / variance[rows]
            production[rows] = np.where(conductance > 0.0, conductance * rise * steeper, 0.0).sum(axis=1)
            if q is not None:
                target = np.expm1(evidence.generators(q[rows]).log_gibbs - log_g)
                moved[rows] = (conductance * (target[:, faces.there] - target[:, faces.here]) ** 2).sum(axis=1)
    divergence = evidence.divergence(policy, evidence.optimum.q)
    return Deviations(time, row, variance, form, third, divergence, production, drift, moved, visits)
