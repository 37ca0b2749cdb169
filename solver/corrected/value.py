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
Anderson's acceleration takes what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray, real_array, underflow_to_zero
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
MOST_ITERATIONS = 200
RESIDUAL = 1e-7  # of the spread of corrected values, unless another residual is asked for
INEXACT = 1e-2  # of the residual, to what a step is solved
PATIENCE = 25  # steps without a smaller residual
GROWTH = 4.0  # of the residual over the least, at which what was learned of the map is forgotten


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
        Largest |T_C V - V|: what was reached.
    iterations : int
    markov : array (S,)
        The value of the Markov kernel, which has the certificates.
    temperature : float
    """

    value: FloatArray
    q: FloatArray
    policy: FloatArray
    residual: float
    iterations: int
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
        The next states are not interpolated, a policy that is none, or processes share the problem.
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
    if markov is None:
        markov = solve_optimum(mdp).value if policy is None else evaluate(mdp, policy).value
    parts = mdp.cost, mdp.transition, mdp.discount, mdp.temperature, mdp.log_mass, cubic
    return solve_corrected(Corrected(*parts), markov, policy, residual)


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
    q, gibbs, image = np.empty_like(problem.cost), np.empty_like(problem.cost), np.empty_like(markov)

    def missing(value: FloatArray) -> FloatArray:
        problem.cubic.expect(problem.discount * value, q)
        if policy is None:
            improve(problem.cost, problem.log_mass, problem.temperature, q, gibbs, image)
        else:
            q.__iadd__(problem.cost)
            regularised_cost(policy, q, problem.log_mass, problem.temperature, image)
        return np.asarray(image - value)

    value, best = markov.copy(), markov
    least, since = np.inf, 0
    anderson, incomplete = Anderson(MEMORY), IncompleteLU()
    system: DiscountedSystem | None = None
    linear_solver = ""
    iteration = 0
    while True:
        left = missing(value)
        current = float(np.abs(left).max())
        if current < least:
            least, best, since = current, value, 0
        else:
            since += 1
        wanted = (
            residual if residual is not None else relative * max(float(np.ptp(value)), EPS * float(np.abs(value).max()))
        )
        if current <= wanted or since >= PATIENCE or iteration >= MOST_ITERATIONS or not np.isfinite(current):
            break
        if current > GROWTH * least:
            anderson.forget()
            value = best
            left = missing(value)
        if system is None or policy is None:
            operator = problem.transition.under(gibbs if policy is None else policy)
            if not linear_solver:
                linear_solver = choose_linear_solver(value.size, operator.work, problem.discount)
            system = DiscountedSystem(operator, problem.discount, linear_solver, incomplete)
        value = anderson.after(value, system.approximate(left, INEXACT))
        iteration += 1
    if not current <= wanted:
        raise BellmanError(
            f"corrected value: its residual stays at {least:.3g} after {iteration} iterations, above {wanted:.3g}"
        )
    return CorrectedValue(
        value, q, gibbs if policy is None else policy, current, iteration, markov, problem.temperature
    )
