r"""What is known of one policy of a run, as bounds that hold for all later ones.

From the run file alone, with e = |V - V*|_sup:

    reference g = p*,   drift = gamma e/tau >= max_a (Q - Q*)/tau,   value gap <= e in every state.

Where the problem is at hand the policy is evaluated:

    reference g = Gibbs policy of its own Q,   drift_s = gamma max_a sum_j P(j|s,a) (V - V*)_j/tau,   (V - V*)_s itself,

by (I2), without cancellation.  Since values fall along the run, and Q* <= Q^m <= Q^n for m >= n, both hold for ever
after, and so do, by Holley and Stroock's lemma (osc (Q^m - Q*), osc (Q^n - Q^m) <= tau drift),

    alpha(Gibbs of Q^m) >= e^-drift max(alpha(p*), alpha(Gibbs of Q^n)),        likewise lambda.

The constants of the present Q are worth something where the optimum is far and drift is large.

**Rounding.**  (I2) is known to the floor F of the optimum: the square root of a suboptimality errs by sqrt(F) at most
(`Evidence.rounding_share`), hence the bounds (sqrt y + sqrt F)^2.  ln(p/g) errs by the error of Q over tau, for which
the residual of its Bellman equation over 1 - gamma stands, and by a few eps of ln p and ln g; the sum is added to
drift.

Sources: Holley & Stroock, J. Stat. Phys. 46 (1987) 1159, doi:10.1007/BF01011161.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.solver.bellman.evaluation import evaluate, occupancy, suboptimality
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum
from wpoflow.validation.certificate.entropy import relative_entropy_density
from wpoflow.validation.certificate.reach import later_means
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.constants.proven import ProvenBound
from wpoflow.validation.constants.verified_gap import proven_gap

EPS = float(np.finfo(np.float64).eps)
ROUNDINGS = 64.0
MOST_WORK = 3e9  # states times cubed actions: beyond, constants of the present Q would take minutes


@dataclass(frozen=True, eq=False)
class Constants:
    """Proven lower bounds of alpha and of lambda in every state, (S,)."""

    alpha: ProvenBound
    gap: ProvenBound

    @classmethod
    def of(cls, generators: Generators) -> Constants:
        """Those of some generators."""
        return cls(lower_bounds(generators).proven, proven_gap(generators))

    def or_better(self, other: Constants) -> Constants:
        """The larger of both, state by state."""
        return Constants(self.alpha.or_better(other.alpha), self.gap.or_better(other.gap))

    def lowered(self, factor: FloatArray) -> Constants:
        """Both multiplied by a factor of at most one."""
        return Constants(self.alpha.lowered(factor), self.gap.lowered(factor))


@dataclass(frozen=True, eq=False)
class Instant:
    """A policy, and what bounds it from then on.

    Attributes
    ----------
    time : float
    policy, gibbs, log_ratio : arrays (S, A)
        p, the reference g, and ln(p/g), -inf where p is zero.
    drift : array (S,)
        At least max_a (Q - Q*)/tau, and the error of ``log_ratio``.
    gaps : array (S,)
        At least (V - V*)_s.
    largest, gap : float
        At least max_s (V - V*)_s, and V(rho) - V*(rho).
    counted : array (S,) of bool
        States that suprema are taken over.
    reach, along : float
        At least the root of the mean of drift^2 under the occupancy of every later policy: from any state, from rho.
    constants : Constants
        Proven bounds of alpha and lambda of all later Gibbs policies.
    """

    time: float
    policy: FloatArray
    gibbs: FloatArray
    log_ratio: FloatArray
    drift: FloatArray
    gaps: FloatArray
    largest: float
    gap: float
    counted: BoolArray
    reach: float
    along: float
    constants: Constants


@dataclass(frozen=True, eq=False)
class Evaluated(Instant):
    """An instant of a problem at hand.

    Attributes
    ----------
    present : Constants
        Proven bounds of alpha and lambda of the present Gibbs policy itself.
    visits, divergence : arrays (S,)
        Occupancy d_rho of the policy, and KL(p|g).
    dissipation : float
        Of V(rho), actual.
    rounding : array (S,)
        Error of ``log_ratio``.
    """

    present: Constants
    visits: FloatArray
    divergence: FloatArray
    dissipation: float
    rounding: FloatArray


def above_rounding(suboptimality: FloatArray | float, floor: float) -> FloatArray:
    """(sqrt y + sqrt F)^2, enlarged by the rounding of its sum: an upper bound; what is negative is no number."""
    known = np.where(np.asarray(suboptimality) >= 0.0, suboptimality, np.nan)
    return np.asarray((np.sqrt(known) + np.sqrt(floor)) ** 2 * (1.0 + 1e-10))


def _log_ratio(policy: FloatArray, log_gibbs: FloatArray) -> FloatArray:
    """ln(p/g), -inf where p is zero."""
    return np.log(policy, where=policy > 0.0, out=np.full_like(policy, -np.inf)) - log_gibbs


def _log_rounding(generators: Generators, residual: float, discount: float) -> FloatArray:
    """Error of ln(p/g) that the error of Q and the logarithms make, (S,)."""
    scale = np.abs(generators.q).max(axis=1) / generators.temperature + np.abs(generators.log_mass).max() + 1.0
    spread = np.abs(generators.log_gibbs).max(axis=1)
    return np.asarray(ROUNDINGS * EPS * (scale + spread) + 2.0 * residual / ((1.0 - discount) * generators.temperature))


def instant_of_file(
    time: float, policy: FloatArray, largest: float, gap: float, optimum: Optimum, generators: Generators,
    constants: Constants, discount: float,
) -> Instant:  # fmt: skip
    """An instant from the run file alone.

    Parameters
    ----------
    time : float
    policy : array (S, A)
    largest, gap : float
        At least |V - V*|_sup and gap(rho).
    optimum : Optimum
    generators : Generators
        Of the optimal policy.
    constants : Constants
        Of these.
    discount : float
    """
    log_gibbs, states = generators.log_gibbs, generators.size
    rounding = _log_rounding(generators, optimum.bellman_residual, discount)
    drift = discount * largest / generators.temperature + rounding
    return Instant(
        time=time,
        policy=policy,
        gibbs=np.exp(log_gibbs),
        log_ratio=_log_ratio(policy, log_gibbs),
        drift=drift,
        gaps=np.full(states, largest),
        largest=largest,
        gap=gap,
        counted=np.ones(states, dtype=np.bool_),
        reach=float(drift.max()),
        along=float(drift.max()),
        constants=constants.lowered(np.exp(-drift)),
    )


def instant_of_problem(
    time: float, policy: FloatArray, optimum: Optimum, floor: float, constants: Constants, mdp: GridMDP
) -> Evaluated:
    """An instant of a problem at hand: the policy is evaluated.

    Parameters
    ----------
    time : float
    policy : array (S, A)
    optimum : Optimum
    floor : float
        Of suboptimalities, by rounding.
    constants : Constants
        Of the optimal policy.
    mdp : GridMDP
    """
    known = evaluate(mdp, policy)
    gaps = above_rounding(suboptimality(mdp, policy, optimum.q, known.system), floor)
    generators = Generators.of(mdp, known.q)
    log_gibbs = generators.log_gibbs
    residual = max(known.residual, optimum.bellman_residual)
    rounding = _log_rounding(generators, residual, mdp.discount)
    nearby = mdp.transition.expect(mdp.discount * np.where(mdp.counted, gaps, 0.0))
    drift = nearby.max(axis=1) / mdp.temperature * (1.0 + 1e-10) + rounding
    kept = constants.lowered(np.exp(-drift))
    affordable = generators.is_path or generators.size * float(generators.actions.size) ** 3 <= MOST_WORK
    present = kept.or_better(Constants.of(generators)) if affordable else kept
    visits = occupancy(mdp, known.system)
    dissipated = WassersteinFlow(mdp).dissipation(policy, known.q)
    log_ratio, gibbs = _log_ratio(policy, log_gibbs), np.exp(log_gibbs)
    means = later_means(np.where(mdp.counted, drift, 0.0) ** 2, gaps, optimum.policy, mdp)
    divergence = relative_entropy_density(np.where(policy > 0.0, log_ratio, 0.0), policy, gibbs).sum(axis=1)
    return Evaluated(
        time=time,
        policy=policy,
        gibbs=gibbs,
        log_ratio=log_ratio,
        drift=drift,
        gaps=gaps,
        largest=float(gaps[mdp.counted].max()),
        gap=float(above_rounding(float(mdp.rho @ gaps), 0.0)),
        counted=np.broadcast_to(mdp.counted, gaps.shape),
        reach=math.sqrt(float(means[mdp.counted].max())),
        along=math.sqrt(float(mdp.rho @ means) * (1.0 + 1e-10)),
        constants=kept.or_better(present.lowered(np.exp(-drift))),
        present=present,
        visits=visits,
        divergence=divergence,
        dissipation=float(visits @ dissipated) / (1.0 - mdp.discount),
        rounding=rounding,
    )
