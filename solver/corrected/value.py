"""Values corrected by deferred correction: linear interpolation solves, limited cubic interpolation judges.

The grid's own value solves V = T V with expectations P of linear interpolation.  Between nodes that adds to the next
state a noise of variance w(1 - w) h², which a value that bends pays for in every decision: the error is of first order
in h where next states move by less than a cell, and 1/(1 - gamma) times that of one decision.  The corrected value
solves

    V = T_C V,      (T_C V)_i = -tau ln sum_k m_k exp(-(c_ik + gamma E[(C V)(s')])/tau),

C limited cubic interpolation (`grids.cubic`), or for a fixed policy its linear counterpart.  P_C is no Markov kernel;
nothing is claimed of the corrected value but that its residual |T_C V - V| is what is stated and that it converges to V
as the grid is refined, with a higher order where V is smooth.  The certified value is another number, and stays.

    V <- V + (I - gamma P^p)^{-1} (T_C V - V),      p the Gibbs policy of Q_C at V

is Newton's method with the Markov operator in place of its own: it damps what oscillates from node to node and leaves
of smooth errors the share that the noise of interpolation has of I - gamma P (Stetter 1978, doi:10.1007/BF01432879).
Anderson's acceleration takes what is left.  Limits have corners, on coarse grids at many places at once, about which
steps may circle: then those of the best value so far are kept, with which C is linear (Venkatakrishnan 1995,
doi:10.1006/jcph.1995.1084), and the value is the solution with these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from wpoflow.core.arguments import check_not_negative
from wpoflow.core.arrays import BoolArray, FloatArray, real_array, underflow_to_zero
from wpoflow.core.brief import briefly
from wpoflow.core.slabs import RankSlab
from wpoflow.grids.transitions.base import CoarseTransition, Transition
from wpoflow.grids.transitions.cubic import CubicExpectation, cubic_expectation
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.ilu import IncompleteLU
from wpoflow.solver.bellman.improvement import improve
from wpoflow.solver.bellman.linear_solver import choose_linear_solver
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.bellman.system import EPS, BellmanError, DiscountedSystem
from wpoflow.solver.corrected.anderson import Anderson
from wpoflow.solver.entropy import regularised_cost
from wpoflow.solver.mdp import GridMDP, check_problem

MEMORY = 8  # steps that are combined
STAGES = 4  # of the iteration: in all but the first limits are kept as they are at its begin
RESIDUAL = 1e-7  # of the spread of corrected values, unless another residual is asked for
INEXACT = 1e-2  # of the residual, to what a step is solved
PATIENCE = 12  # steps without a smaller residual, after which the next stage begins from the best


@briefly
@dataclass(frozen=True, eq=False)
class CorrectedValue:
    """A value whose expectations are taken by limited cubic interpolation.

    Attributes
    ----------
    value : array (S,)
    q : array (S, A)
        c + gamma E[(C V)(s')].
    policy : array (S, A)
        The policy evaluated, or the Gibbs policy of q.
    residual : float
        Largest absolute entry of T_C V - V: what was reached.
    iterations : int
    limits_kept : bool
        Whether limits circled and were kept as they were; the residual is that with these.
    markov : array (S,)
        The value of the Markov kernel, which has the certificates.
    temperature : float
    """

    value: FloatArray
    q: FloatArray
    policy: FloatArray
    residual: float
    iterations: int
    limits_kept: bool
    markov: FloatArray
    temperature: float


@dataclass(frozen=True, eq=False)
class Corrected:
    """What the iteration needs of a problem, on whatever grid: cost (S, A), log_mass (A,)."""

    cost: FloatArray
    transition: Transition | CoarseTransition
    discount: float
    temperature: float
    log_mass: FloatArray
    cubic: CubicExpectation


@underflow_to_zero
def corrected_value(
    mdp: GridMDP, policy: FloatArray | None = None, *, markov: FloatArray | None = None, residual: float | None = None
) -> CorrectedValue:
    """The value of a policy, or of the optimum, corrected for the noise that linear interpolation adds.

    Parameters
    ----------
    policy : array (S, A), optional
        By default the corrected optimum, whose policy is its own.
    markov : array (S,), optional
        The value of the Markov kernel, of this policy or optimum, where it is known; else it is solved for.
    residual : float, optional
        To be reached; by default 1e-7 of the spread of corrected values.

    Returns
    -------
    CorrectedValue

    Raises
    ------
    ValueError
        The next states are not interpolated, a policy, Markov value or residual that is none, or processes share the
        problem.
    BellmanError
        The residual is not reached; says where it stays.  No value is given then.
    """
    check_problem(mdp)
    if isinstance(mdp.slab, RankSlab):
        raise ValueError("corrected values are computed by one process")
    cubic = cubic_expectation(mdp.transition)
    if policy is not None:
        policy = np.array(real_array(policy, "policy"))
        mdp.check_policy(policy)
    check_not_negative("residual", residual)
    if markov is not None:
        markov = np.array(real_array(markov, "markov"))
        if markov.shape != mdp.rho.shape or not np.all(np.isfinite(markov)):
            raise ValueError(f"markov has shape {markov.shape}; it must be {mdp.rho.shape}, and finite")
    if markov is None:
        markov = solve_optimum(mdp).value if policy is None else evaluate(mdp, policy).value
    parts = mdp.cost, mdp.transition, mdp.discount, mdp.temperature, mdp.log_mass, cubic
    return solve_corrected(Corrected(*parts), markov, policy, residual)


def beyond_costs(mdp: GridMDP, found: CorrectedValue) -> BoolArray:
    """Which states, (S,), have a corrected optimal value that costs do not allow: there the grid is too coarse for it.

    min c / (1 - gamma) <= V* <= max c / (1 - gamma), as the divergence is not negative, and none for the reference
    measure; of a process that may end within its first step, min c and max c are bounds, too.
    """
    ends = mdp.transition.termination is not None
    bounds = [(cost, cost / (1.0 - mdp.discount)) for cost in mdp.cost_range]
    least, most = (choose(pair) if ends else pair[1] for choose, pair in zip((min, max), bounds, strict=True))
    slack = found.residual / (1.0 - mdp.discount)
    return np.asarray(mdp.counted & ((found.value < least - slack) | (found.value > most + slack)))


def solve_corrected(
    problem: Corrected,
    markov: FloatArray,
    policy: FloatArray | None,
    residual: float | None = None,
    relative: float = RESIDUAL,
) -> CorrectedValue:
    """`corrected_value` of a problem's parts, begun at the Markov kernel's value; errors as there.

    Without ``residual`` one of ``relative`` times the spread of values is reached.
    """
    at = _Map(problem, policy, markov.size)
    value, best, least = markov.copy(), markov, np.inf
    anderson, since, iteration, stage = Anderson(MEMORY), 0, 0, 1
    while True:
        left = at.missing(value)
        current = float(np.abs(left).max())
        scale = max(float(np.ptp(value)), EPS * float(np.abs(value).max()))
        wanted = relative * scale if residual is None else residual
        if current <= wanted:
            break
        since = 0 if current < least else since + 1
        if current < least:
            least, best = current, value
        if since >= PATIENCE or not np.isfinite(current):
            if stage == STAGES or not np.isfinite(least):
                raise BellmanError(
                    f"corrected value: its residual stays at {least:.3g} after {iteration} iterations, "
                    f"above {wanted:.3g}; a finer grid bends less from point to point"
                )
            anderson, since, stage, value = Anderson(MEMORY), 0, stage + 1, best
            at.keep_limits(value)
            left = at.missing(value)
            least = float(np.abs(left).max())
        value = anderson.after(value, at.step(left))
        iteration += 1
    return CorrectedValue(value, at.q, at.policy, current, iteration, stage > 1, markov, problem.temperature)


class _Map:
    """V -> T_C V - V, and Newton's step by the Markov operator; q and the policy are those of the last V."""

    def __init__(self, problem: Corrected, policy: FloatArray | None, n_states: int) -> None:
        self._problem = problem
        self._given = policy is not None
        self.q = np.empty_like(problem.cost)
        self.policy = np.empty_like(problem.cost) if policy is None else policy
        self._image = np.empty(n_states)
        self._limits: Any = None
        self._incomplete, self._linear_solver = IncompleteLU(), ""
        self._system: DiscountedSystem | None = None

    def keep_limits(self, value: FloatArray) -> None:
        """From now on interpolate by the limits that hold for this value."""
        self._limits = self._problem.cubic.limits(value)

    def missing(self, value: FloatArray) -> FloatArray:
        """T_C V - V."""
        of = self._problem
        of.cubic.expect(of.discount * value, self.q, self._limits)
        if self._given:
            self.q += of.cost
            regularised_cost(self.policy, self.q, of.log_mass, of.temperature, self._image)
        else:
            improve(of.cost, of.log_mass, of.temperature, self.q, self.policy, self._image)
        return np.asarray(self._image - value)

    def step(self, left: FloatArray) -> FloatArray:
        """(I - gamma P^p)^{-1} of what is missing, to a hundredth."""
        if self._system is None or not self._given:
            operator = self._problem.transition.under(self.policy)
            if not self._linear_solver:
                self._linear_solver = choose_linear_solver(left.size, operator.work, self._problem.discount)
            self._system = DiscountedSystem(operator, self._problem.discount, self._linear_solver, self._incomplete)
        return self._system.approximate(left, INEXACT)
