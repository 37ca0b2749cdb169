"""What claims are judged on: a run with its constants, and, where the problem is known, the problem itself.

A run file alone is enough for everything that speaks of its series, optimum and snapshots: the generators follow from
its action axes, reference masses and Q*.  With the problem at hand claims may also evaluate policies and take steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.solver.corrected.value import CorrectedValue, corrected_value
from wpoflow.solver.entropy import relative_entropy_to_gibbs
from wpoflow.solver.flows.flow import Flow, as_flow
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.solver.registry import FLOWS
from wpoflow.studies.refinement.plan import RefinedAxis
from wpoflow.studies.refinement.problem_grids import coarsened
from wpoflow.validation.certificate.instant import above_rounding
from wpoflow.validation.certificate.issue import CertifiedRates, Issued, certified_along_rho, certified_sup_norm, issue
from wpoflow.validation.constants.coefficients import density_ratio
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.lower_bounds import LowerBounds, lower_bounds
from wpoflow.validation.constants.proven import ProvenBound
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.validation.constants.verified_gap import proven_gap
from wpoflow.validation.deviations import Deviations, late_deviations
from wpoflow.validation.followed_flow import FollowedFlow
from wpoflow.validation.rates import future_bound, static_rate

EPS = float(np.finfo(np.float64).eps)
LARGEST_ROUNDING_SHARE = 0.5
STEP_ROUNDINGS = 302.0  # sum of the absolute weights of extrapolation of order six


class EvidenceError(ValueError):
    """The run does not hold what validation needs."""


@dataclass(frozen=True, eq=False)
class Family:
    """A problem on any grid: how to make it, and its axes."""

    make_mdp: Callable[[Mapping[str, int]], GridMDP]
    axes: Sequence[RefinedAxis]

    def coarsened(self, most_pairs: float) -> list[RefinedAxis]:
        """The axes with so few points that there are about ``most_pairs`` pairs, at most."""
        cells = coarsened(self.axes, most_pairs)
        return [replace(axis, points=cells.get(axis.name, axis.points)) for axis in self.axes]


@dataclass(frozen=True, eq=False)
class Evidence(FollowedFlow):
    """One case.

    Parameters
    ----------
    name : str
        What the case is called in tables.
    run : Run
    mdp : GridMDP, optional
        The problem, for claims that evaluate policies or take steps.
    flow : Flow, optional
        The flow that is judged; that of the run by default.
    family : Family, optional
        The problem on other grids, for claims about refinement.
    own_grid : mapping of axis to int, optional
        Points of the axes as the problem states them, where it is judged on a coarser grid; else those of the run.
    bounds_level : str
        Level of the lower bounds of alpha, as for `lower_bounds`; the costly ones are evaluated where the least of the
        states the optimal policy visits is decided.
    """

    name: str
    run: Run
    mdp: GridMDP | None = None
    flow: Flow | None = None
    family: Family | None = None
    own_grid: Mapping[str, int] | None = None
    bounds_level: str = "quick"

    def __post_init__(self) -> None:
        if self.run.optimum is None:
            raise EvidenceError(f"{self.name}: the run ended before its optimum was known; nothing can be judged")
        if len(self.run.series["time"]) == 0:
            raise EvidenceError(f"{self.name}: the run holds no rows")

    @property
    def grid(self) -> dict[str, int]:
        """Points of the axes of the run."""
        return {axis.name: axis.size for axis in (*self.run.states.axes, *self.run.actions.axes)}

    @cached_property
    def optimum(self) -> Optimum:
        """The soft optimum the run was measured against."""
        assert self.run.optimum is not None
        return self.run.optimum

    def corrected(self) -> CorrectedValue:
        """The corrected optimum of the problem.

        Raises
        ------
        ValueError, BellmanError
            As `corrected_value`.
        """
        assert self.mdp is not None
        return corrected_value(self.mdp, markov=self.optimum.value)

    @cached_property
    def log_mass(self) -> FloatArray:
        """ln of the reference masses, (A,)."""
        return np.log(self.run.reference_mass)

    def when(self, row: int) -> str:
        """The time of a row, in words."""
        return f"t = {self.run.series['time'][row]:.4g}"

    @cached_property
    def sharp_rate(self) -> float:
        """The rate at which the gap falls in the end, in the slowest state; not a number of a flow not known.

        Nor where the temperature falls, and the optimum moves.
        """
        if self.annealing is not None:
            return math.nan
        return self.judged_as.late_rate(float(self.spectral_gaps[self.slowest]))

    def generators(self, q: FloatArray) -> Generators:
        """The frozen generators for a Q of shape (S, A)."""
        return Generators(self.run.actions, q, self.log_mass, self.temperature)

    @cached_property
    def optimal_generators(self) -> Generators:
        """The generators of the optimal policy."""
        return self.generators(self.optimum.q)

    @cached_property
    def spectral_gaps(self) -> FloatArray:
        """lambda of the optimal policy in every state, (S,)."""
        return spectral_gap(self.optimal_generators)

    @cached_property
    def bounds(self) -> LowerBounds:
        """Guaranteed lower bounds of alpha of the optimal policy in every state."""
        return lower_bounds(self.optimal_generators, self.bounds_level, self.reached)

    @cached_property
    def proven_alpha(self) -> ProvenBound:
        """Proven lower bound of alpha of the optimal policy in every state, (S,)."""
        return self.bounds.proven

    @cached_property
    def proven_gap(self) -> ProvenBound:
        """Proven lower bound of lambda of the optimal policy in every state, (S,)."""
        return proven_gap(self.optimal_generators)

    @property
    def alpha(self) -> float:
        """Proven lower bound of alpha of the optimal policy over all states."""
        return float(self.proven_alpha.least().value)

    @cached_property
    def largest_gap(self) -> FloatArray:
        """Upper bound of |V - V*|_sup in every row, its rounding floor included, (rows,); nan where there is none."""
        return above_rounding(self.run.series["gap_sup"], self.gap_floor)

    @cached_property
    def alpha_from_now_on(self) -> ProvenBound:
        """For every row a bound of alpha(Gibbs policy of Q^p), valid then and for all later times, (rows,).

        Zero of a flow that is not known to dissipate as much as the Wasserstein flow: nothing is guaranteed of it so.
        """
        return self._of_transport if self.transports else self._of_transport.lowered(0.0)

    @cached_property
    def _of_transport(self) -> ProvenBound:
        """What it is of the Wasserstein flow."""
        return future_bound(self.proven_alpha.least(), self.largest_gap, self.discount, self.temperature)

    @property
    def alpha_now(self) -> FloatArray:
        """The numbers of `alpha_from_now_on`."""
        return self.alpha_from_now_on.value

    @cached_property
    def certificates(self) -> tuple[Issued, ...]:
        """What is guaranteed from each snapshot on."""
        with np.errstate(all="ignore"):  # a policy far from its target overflows, and certifies nothing
            return issue(self)

    @cached_property
    def certified(self) -> CertifiedRates:
        """Rate of |V - V*|_sup guaranteed from each row on, and the level down to which it is."""
        return certified_sup_norm(self)

    @cached_property
    def certified_rho(self) -> CertifiedRates:
        """Likewise of gap(rho); needs the problem, else zero."""
        return certified_along_rho(self)

    @cached_property
    def late_deviations(self) -> tuple[Deviations, ...]:
        """How far from their targets the states are at the latest snapshots."""
        return late_deviations(self)

    @cached_property
    def reached(self) -> BoolArray:
        """States the optimal policy visits, (S,)."""
        return self.optimum.occupancy > 0.0

    @cached_property
    def slowest(self) -> int:
        """State of least spectral gap among those visited."""
        return int(np.argmin(np.where(self.reached, self.spectral_gaps, np.inf)))

    @cached_property
    def density_ratio(self) -> float:
        """|d*_rho/rho|_sup; infinite where a state is visited that rho does not hold."""
        return density_ratio(self.optimum.occupancy, self.run.rho)

    def divergence(self, policy: FloatArray, q: FloatArray) -> FloatArray:
        """KL(p | Gibbs policy of Q) in every state, (S,)."""
        out = np.empty(len(q))
        relative_entropy_to_gibbs(policy, q, self.log_mass, self.temperature, out)
        return out

    @cached_property
    def followed(self) -> Flow:
        """The flow that is judged; needs the problem.

        Raises
        ------
        EvidenceError
            The run followed a flow that was an object, which is not given here.
        """
        assert self.mdp is not None
        if self.flow is None and self.flow_name not in FLOWS:
            raise EvidenceError(f"{self.name}: its flow was a {self.flow_name}; give it to judge its steps")
        return as_flow(self.mdp, self.flow_name, self.flow_parameters) if self.flow is None else self.flow

    @property
    def descends(self) -> bool:
        """Whether the steps of its flow are descent steps; of particles and natural-gradient ones they are not."""
        parameters = self.judged_as.parameters
        return (
            self.judged_as.descends
            and "trust_region" not in parameters
            and parameters.get("entropy", True) is not False
        )

    @cached_property
    def first_policy(self) -> FloatArray:
        """The policy (S, A) that the flow begins with: of a flow of parameters the one they make."""
        assert self.mdp is not None
        flow, policy = self.followed, self.mdp.initial_policy
        return flow.projected(flow.begin(policy)) if isinstance(flow, ParametricFlow) else policy

    def step_from_start(self, q: FloatArray, dt: float) -> FloatArray:
        """The policy (S, A) after one step of the flow from the first one, with Q frozen."""
        assert self.mdp is not None
        flow, out = self.followed, np.empty_like(q)
        if not isinstance(flow, ParametricFlow):
            return flow.step(self.mdp.initial_policy, q, dt, out)
        parameters = flow.begin(self.mdp.initial_policy)
        return flow.advance(parameters, q, dt, np.empty_like(parameters), out, 0)

    @cached_property
    def gap_floor(self) -> float:
        """Rounding floor of suboptimalities: that of the optimum, and of the policies' own masses.

        A policy whose probabilities sum to 1 + e is no law; whatever it is compared with, KL is off by about e^2/2, and
        hundreds of steps leave an e of a few 1e-15.
        """
        mass = float(np.max(self.run.series["mass_error"], initial=0.0))
        return self.optimum.gap_floor + self.temperature / (1.0 - self.discount) * mass * mass

    def fall_rounding(self, gap: FloatArray) -> FloatArray:
        """Relative rounding error of suboptimalities as those of the policies that exact steps would lead to, (rows,).

        Besides that of what they are of the policies as they are: substeps err by about eps of every probability, and
        combining them by weights of both signs enlarges that by up to the sum of their absolute values.  A relative
        error r of p is a KL of r^2/2, and errors of earlier steps relax as everything else does.
        """
        stepped = 0.5 * (STEP_ROUNDINGS * EPS) ** 2 * self.temperature / (1.0 - self.discount)
        ratio = stepped / np.maximum(gap, np.finfo(np.float64).tiny)
        return np.asarray(self.rounding_share(gap) + 2.0 * np.sqrt(ratio) + ratio)

    def rounding_share(self, gap: FloatArray) -> FloatArray:
        """Relative rounding error of suboptimalities, (rows,).

        Rounding moves Q by some e and so ln(p/p*) by about e/tau, which by itself is a suboptimality of the size of
        the floor F.  Near equilibrium KL is half a squared norm, so the square root of the gap moves by at most
        that of F (triangle inequality): a relative error of 2 sqrt(F/gap) + F/gap, and that of summing.
        """
        ratio = self.gap_floor / np.maximum(gap, np.finfo(np.float64).tiny)
        return np.asarray(2.0 * np.sqrt(ratio) + ratio + 8.0 * EPS * self.run.actions.size)

    def rate_rounding_share(self, gap: FloatArray, rate: FloatArray) -> FloatArray:
        """Relative rounding error of dissipation/gap, (rows,).

        The dissipation is a squared norm, too, in which the same error of ln(p/p*) weighs up to the generator's largest
        eigenvalue times as much as in the gap, while the dissipation itself is only ``rate`` times the gap: the same
        triangle inequality gives 2 sqrt(F/gap) sqrt(largest/rate) + (F/gap) (largest/rate).
        """
        floor = self.gap_floor * self.largest_eigenvalue
        # with one action the guaranteed rate is infinite, and the gap zero
        ratio = floor / np.maximum(gap * np.where(gap == 0.0, 0.0, rate), np.finfo(np.float64).tiny)
        return np.asarray(self.rounding_share(gap) + 2.0 * np.sqrt(ratio) + ratio)

    @cached_property
    def largest_eigenvalue(self) -> float:
        """Bound of the largest eigenvalue of the flow linearised at the optimum.

        Of the optimal generators twice the largest total rate out of a cell; of growth twice its one rate.
        """
        transport, growth = self.judged_as.weights or (1.0, 0.0)
        largest = 0.0
        if not transport:
            return 2.0 * growth * self.temperature
        for _, block in self.optimal_generators.blocks():
            rates, faces = block.rates, block.faces
            for state in range(block.size):
                out = np.bincount(faces.here, rates.right[state], minlength=self.run.actions.size)
                out += np.bincount(faces.there, rates.left[state], minlength=self.run.actions.size)
                largest = max(largest, 2.0 * float(out.max()))
        return largest + 2.0 * growth * self.temperature

    @cached_property
    def judged(self) -> BoolArray:
        """Rows whose gap and rate stand far enough above rounding to be judged, (rows,).

        The rate counts as at least the guaranteed one, so that a dissipation that is too small, or negative, is
        judged and not taken for rounding; and a row that is not a number is judged, too, and fails.
        """
        gap = self.run.series["gap"]
        least = static_rate(self._of_transport, self.run.series["occupancy_ratio"])
        share = self.rate_rounding_share(gap, np.maximum(self.local_rate, least))
        return np.asarray(~(gap <= 0.0) & ~(share > LARGEST_ROUNDING_SHARE))

    @cached_property
    def local_rate(self) -> FloatArray:
        """dissipation/gap in every row, (rows,); zero where the gap is, or where the flow states no dissipation."""
        gap = self.run.series["gap"]
        if not self.dissipates:
            return np.zeros_like(gap)
        return np.asarray(np.where(gap == 0.0, 0.0, self.run.series["dissipation"] / np.where(gap == 0.0, 1.0, gap)))

    @cached_property
    def guaranteed_rate(self) -> FloatArray:
        """2 alpha/kappa in every row, alpha certified from that row on, (rows,)."""
        return static_rate(self.alpha_from_now_on, self.run.series["occupancy_ratio"])

    def time_error(self, folds: FloatArray | float) -> FloatArray:
        """Relative time error of the gap after it fell by so many e-folds, for error-controlled runs.

        Each step's error is at most ``accuracy`` times its progress, in the norm of which KL is half a square, so it
        moves ln gap by at most 2 accuracy times the step's own fall of ln gap; the factor two more covers the
        equivalence of the norm (chi-square with p + g for weight) with KL away from equilibrium.  The one beside the
        folds is for progress that hardly lowers the gap, of modes faster than those that carry it: all such modes
        together move p once by no more than what is left.
        """
        accuracy = self.accuracy or 0.0
        return np.asarray(4.0 * accuracy * (1.0 + np.asarray(folds)))
