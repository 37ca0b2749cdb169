r"""The certificate of gap(rho): rarely visited states set apart, no concentrability.  And the guarantee of an instant.

**From now on.**  u = V - V*, o_s = max_a (Q - Q*)_sa/tau now; D >= 2 beta_s (Ent - T_s) in every state
from now on (`constants_now`); v a bound of occupancies: d^m f <= v f + w max f for every later policy p^m and every
f >= 0 (below).  Let B be any set of states, beta the least beta_s outside it,

    b^2 = tau/(8 (1 - gamma)) (v.o^2 + w max o^2),   or rho.h in place of the bracket, h the bound of means of `reach`,
    L   = ( sum_B v_s u_s + w max_B u + tau (sum v_s T_s + w max T) )/(1 - gamma).

Then for any r in (0, 1) gap(rho) falls according to (`statement`) share = 1 - r, excess = b^2/r + L,
along the flow and in backward Euler steps alike.

*Proof, flow.*  By (I4) -dy/dt >= 2 beta tau/(1 - gamma) sum_s d_s (KL_s - T_s - [s in B] KL_s), KL_s = KL(p_s|g_s) <=
u_s/tau, which only falls (`constants_now`).  The proof of `sup_norm` for rho in place of a state, with o_s in place
of gamma e/tau, gives tau/(1 - gamma) sum d_s KL_s >= (sqrt(y) - b)_+^2, also for later y and the present b, as o_s
falls.  And (sqrt(y) - b)^2 >= (1 - r) y - b^2/r + b^2; where y is to
be worth most r = b/sqrt(y) is best.

*In later rows.*  b is of the instant of issue, and y falls faster than b^2 would have to: r (1 - level/y) soon is zero,
until the next snapshot.  But beta, T, v, w and B hold for ever, and o_s <= gamma e/tau with the e = |V - V*|_sup of a
later row, which runs record.  There the local rate is at least

    2 beta [ (1 - b/sqrt(y))_+^2 - L/y ],      b^2 the smaller of that of the issue and
                                                tau/(8 (1 - gamma)) (sum v + w) (gamma e/tau)^2,

and of all certificates issued until then the best counts.  The largest number that any row had so far is *not* a bound
of later local rates: y may come near L or b^2.  What never falls from row to row is the bound for a given pair of y
and e, since no certificate is ever withdrawn; for L = 0 and b/sqrt(y) -> 0, as at the end of a run, that is 2 beta.

*Steps.*  By (I1) y - y' >= theta tau/(1 - gamma) sum_s d'_s (KL_s - T_s - [B] KL_s), d' the occupancy of p'.  The sum
of KL_s is at least y + d'(gamma (P' - P*) u)/(1 - gamma), where |gamma (P' - P*) u|_s <= (tau o_s/2) |p'_s - p*_s|_1;
by Pinsker, Cauchy and (I2) for p' it is at least y - 2 b sqrt(y'), and 2 b sqrt(y') <= r y + b^2/r.  Both end in (1 -
r) y - b^2/r - L.

*Occupancies.*  For eta > 0 with gamma' = gamma (1 + eta) < 1 let v = (1 - gamma) rho (I - gamma' P*)^-1 and R_s >=
the mass of p^m_s above (1 + eta) p*_s.  P^m <= (1 + eta) P* + R row by row, so d^m (I - gamma' P*) <= (1 - gamma) rho
+ gamma d^m R, and as rows of (I - gamma' P*)^-1 sum to 1/(1 - gamma') at most, w = gamma/(1 - gamma') sum_s d^m_s
R_s.  This sum is itself at most v.R + w max R, hence w <= q/(1 - q max R) v.R, q = gamma/(1 - gamma'), if q max R <
1.  R: sum_k (p - (1 + eta) e^-o g)_+ of the present policy.  For p* >= g^m e^-(TV^m - V*)/tau; (x - c)_+ is convex
and vanishes at 0, so that sum g (p/g - c)_+ falls in a Markov step and in g, and the numbers of `entropy` add up to
(TV^n - V*)/tau <= o.  Of several eta the best is taken.  v does not depend on the policy: one linear system for each
eta, for which the problem must be at hand.  Without it, and early, v = 0 and w = 1 will do, as d^m f <= max f; then
no state is worth setting apart.

**At this instant**, any scheme: dissipation(rho) >= 2 tau/(1 - gamma) sum_s d_s beta_s KL(p_s|g_s), beta_s the larger
of alpha of the present Gibbs policy and lambda (1 + m)/K(M) (1 - T/Ent) with the present x = p/g
(`entropy.present_share`).  Over the gap it is a guaranteed rate.

**Rounding.**  v is enlarged by the sum of its positive residuals over 1 - gamma', by which no entry of it can be too
small.  KL(p|g) counts at an instant less what the error of ln(p/g) may make of it: a state that has come to g up to
rounding is worth nothing beside one that stands still.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.bellman.system import DiscountedSystem
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum
from wpoflow.validation.certificate.constants_now import Decided, decided
from wpoflow.validation.certificate.entropy import ENLARGED, present_share
from wpoflow.validation.certificate.instant import EPS, Evaluated, Instant
from wpoflow.validation.certificate.statement import ALONG_RHO, MARGIN, TARGETS, Certificate
from wpoflow.validation.constants.proven import ProvenBound, proven

ROOM = (0.5, 0.1, 0.02, 0.004)  # eta in units of 1/gamma - 1
LATER = (1e-6, 1e-8)  # further targets, for the rows up to the next snapshot


@dataclass(frozen=True, eq=False)
class Visits:
    """v of one eta, (S,): what later occupancies stay below, up to w."""

    eta: float
    bound: FloatArray


def later_visits(mdp: GridMDP, optimum: Optimum) -> tuple[Visits, ...]:
    """v for every eta tried."""
    under = mdp.transition.under(optimum.policy)
    source = (1.0 - mdp.discount) * mdp.rho
    found = []
    for room in ROOM:
        eta = room * (1.0 / mdp.discount - 1.0)
        discount = mdp.discount * (1.0 + eta)
        solution, _ = DiscountedSystem(under, discount, linear_solver_of(mdp)).solve_transposed(source, None)
        bound = np.maximum(solution, 0.0)
        lacking = np.maximum(source + discount * under.rmatvec(bound) - bound, 0.0).sum()
        lacking += 4.0 * EPS * bound.size * float(bound.max())
        found.append(Visits(eta, (bound + lacking / (1.0 - discount)) * ENLARGED))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class LaterRate:
    """What a snapshot guarantees of the local rate of gap(rho) in a later row, of which |V - V*|_sup is known.

    Attributes
    ----------
    beta : ProvenBound
        Of shape ().
    square, weight, beyond : float
        b^2 at the snapshot, sum v + w, and L.
    """

    beta: ProvenBound
    square: float
    weight: float
    beyond: float

    def squares(self, largest: FloatArray, discount: float, temperature: float) -> FloatArray:
        """b^2 in rows with these |V - V*|_sup, (rows,)."""
        own = self.weight * (discount * largest) ** 2 / (8.0 * (1.0 - discount) * temperature) * ENLARGED
        return np.minimum(self.square, own)

    def rates(self, gap: FloatArray, squares: FloatArray) -> FloatArray:
        """Of rows with these gaps > 0, (rows,); below zero where nothing is said."""
        share = np.maximum(1.0 - np.sqrt(squares / gap), 0.0) ** 2 - self.beyond / gap
        return np.asarray(2.0 * float(proven(self.beta)) * share)

    def levels(self, squares: FloatArray) -> FloatArray:
        """Below which nothing is said, (rows,)."""
        return np.asarray((np.sqrt(squares) + math.sqrt(self.beyond)) ** 2)


@dataclass(frozen=True, eq=False)
class AlongRho:
    """What is guaranteed of gap(rho) from an instant on: certificates, and rates of later rows."""

    certificates: tuple[Certificate, ...] = ()
    later: tuple[LaterRate, ...] = ()


@dataclass(frozen=True, eq=False)
class _Sums:
    """For sets B of the states of least beta, one more in each: beta outside, L; and b^2, sum v + w."""

    order: IntArray
    beta: FloatArray
    beyond: FloatArray
    square: float
    weight: float


def along_rho(instant: Instant, visits: tuple[Visits, ...], discount: float, temperature: float) -> AlongRho:
    """What is guaranteed of gap(rho), for one level after the other: each the best over eta and the sets B.

    Parameters
    ----------
    instant : Instant
    visits : tuple of Visits
        By `later_visits`; empty where the problem is not at hand, or the reference is not the policy's own.
    discount, temperature : float

    Returns
    -------
    AlongRho
        Without certificates where the policy is too far from the optimal one.
    """
    gap = instant.gap
    if not (math.isfinite(gap) and gap > 0.0 and np.all(np.isfinite(instant.drift))):
        return AlongRho()
    everywhere = np.zeros_like(instant.drift)
    reached = [entry for entry in (_reach(instant, one, discount) for one in visits) if entry is not None]
    found, later = [], []
    known: list[Decided] = []
    for target in (*TARGETS, *LATER):
        part = 0.5 * MARGIN * target * gap * (1.0 - discount) / temperature
        allowed = [np.full_like(everywhere, part)]
        if reached:
            allowed.append(part * np.maximum(1.0, 1.0 / (len(everywhere) * np.maximum(visits[-1].bound, 1e-300))))
        # without tails a smaller allowance changes nothing
        known = [
            before if before is not None and not before.tails.any() else decided(instant, one, temperature)
            for before, one in zip_longest(known, allowed)
        ]
        level = min(target, 1.0) * gap
        for state_by_state, pairs in zip(known, ([(everywhere, 1.0)], reached), strict=False):
            sums = [_sums(instant, state_by_state, *pair, discount, temperature) for pair in pairs]
            later += [entry for entry in (_later(state_by_state, one, level) for one in sums) if entry is not None]
            if target in TARGETS:
                entries = [_certificate(instant, state_by_state, one, level) for one in sums]
                found += [(level, entry) for entry in entries if entry is not None]
    best = {level: max((e for at, e in found if at == level), key=lambda e: e.worth(level)) for level, _ in found}
    return AlongRho(tuple(best.values()), tuple(later))


def _reach(instant: Instant, visits: Visits, discount: float) -> tuple[FloatArray, float] | None:
    """v and w of one eta."""
    ceiling = ((1.0 + visits.eta) * np.exp(-instant.drift))[:, None] * instant.gibbs
    spilt = np.where(instant.counted, np.maximum(instant.policy - ceiling, 0.0).sum(axis=1), 0.0) * ENLARGED
    factor = discount / (1.0 - discount * (1.0 + visits.eta))
    lost = factor * float(spilt.max())
    if not lost < 1.0:
        return None
    return visits.bound, factor / (1.0 - lost) * float(visits.bound @ spilt) * ENLARGED


def _sums(
    instant: Instant, known: Decided, visits: FloatArray, wide: float, discount: float, temperature: float
) -> _Sums:
    counted, beta, tails = instant.counted, proven(known.beta), known.tails
    seen, drift, gaps = (np.where(counted, values, 0.0) for values in (visits, instant.drift, instant.gaps))
    largest = float(drift.max())  # squared as a product, which may be infinite: powers of Python's floats raise
    mean = min(float(seen @ drift**2) + wide * largest * largest, instant.along * instant.along)
    square = temperature / (8.0 * (1.0 - discount)) * mean
    order = np.argsort(beta, kind="stable")
    apart = np.concatenate([[0.0], np.cumsum((seen * gaps)[order])[:-1]])
    highest = np.concatenate([[0.0], np.maximum.accumulate(gaps[order])[:-1]])
    beyond = apart + wide * highest + temperature * (float(seen @ tails) + wide * float(tails.max()))
    weight = (float(seen.sum()) + wide) * ENLARGED
    return _Sums(order, beta[order], beyond / (1.0 - discount) * ENLARGED, square * ENLARGED, weight)


def _chosen(worth: FloatArray) -> int | None:
    """Where something is worth most; None if nothing is worth anything."""
    best = int(np.argmax(np.where(np.isfinite(worth), worth, -np.inf)))
    return best if worth[best] > 0.0 else None


def _later(known: Decided, sums: _Sums, level: float) -> LaterRate | None:
    """That of the set B which is worth most at a level, whatever b will be."""
    chosen = _chosen(sums.beta * (1.0 - sums.beyond / level))
    if chosen is None:
        return None
    beta = known.beta.select(sums.order[chosen : chosen + 1]).least()
    return LaterRate(beta, sums.square, sums.weight, float(sums.beyond[chosen]))


def _certificate(instant: Instant, known: Decided, sums: _Sums, level: float) -> Certificate | None:
    """That of the set B which is worth most at a level; None if it is worth nothing there."""
    square = sums.square
    lost = math.sqrt(square / level) * ENLARGED if level > 0.0 else math.inf
    if not lost < 1.0:
        return None
    excess = (sums.beyond + lost * level) * ENLARGED
    chosen = _chosen(sums.beta * ((1.0 - lost) - excess / level))
    if chosen is None:
        return None
    return Certificate(
        quantity=ALONG_RHO,
        time=instant.time,
        now=instant.gap,
        beta=known.beta.select(sums.order[chosen : chosen + 1]).least(),
        share=1.0 - lost,
        share_of_steps=1.0 - lost,
        excess=float(excess[chosen]),
        state=int(sums.order[chosen]),
        set_apart=chosen,
    )


def instantaneous_rate(instant: Evaluated, discount: float, temperature: float) -> float:
    """Guaranteed dissipation(rho)/gap(rho) of the instant's own policy; no number where its gap is zero."""
    share = np.minimum(present_share(instant.policy, instant.gibbs, instant.log_ratio, instant.rounding), 1.0)
    beta: ProvenBound = instant.present.alpha.or_better(instant.present.gap.lowered(share))
    # an error r of f = ln(p/g) moves KL = sum p (f - 1 + e^-f) by r sum p |f| + r^2 at most, where the sum of p f^2 is
    # at most 2 (1 + max f) KL: with c as below by c sqrt(KL)/2 + c^2/8
    most = np.maximum(np.where(instant.policy > 0.0, instant.log_ratio, 0.0).max(axis=1), 0.0)
    error = 2.0 * instant.rounding * np.sqrt(2.0 * (1.0 + most))
    known = np.maximum(np.sqrt(instant.divergence) - error, 0.0) ** 2
    weighed = instant.visits * proven(beta) * known
    total = float(np.where(instant.visits * known > 0.0, weighed, 0.0).sum())
    if not instant.gap > 0.0:
        return math.nan
    return 2.0 * temperature / (1.0 - discount) * total / instant.gap / ENLARGED
