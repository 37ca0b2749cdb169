"""Soft Bellman equations of a fixed policy: value, Q, occupancy, and the suboptimality without cancellation.

    V = r + gamma P^pi V,    r_i = sum_k p_ik (c_ik + tau ln(p_ik/m_k)),    Q = c + gamma P V
    d = (1 - gamma) rho + gamma (P^pi)^T d                                   (occupancy, a probability)
    V - V* = tau (I - gamma P^pi)^{-1} KL(p | p*)                            (identity I2, state by state)

The last line (Kerimkulov et al., arXiv:2310.02951, lemma on performance differences) gives the
suboptimality as a sum of non-negative terms: it is meaningful down to 1e-28, where V - V* itself is
lost in rounding at 1e-14.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np

from wpoflow.core.arrays import FloatArray, underflow_to_zero
from wpoflow.core.slabs import RankSlab
from wpoflow.solver.arithmetic.extremes import largest_entry
from wpoflow.solver.bellman.ilu import IncompleteLU
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.bellman.system import EPS, BellmanError, DiscountedSystem
from wpoflow.solver.entropy import (
    regularised_cost,
    relative_entropy_to_gibbs,
    relative_entropy_to_reference,
    soft_minimum,
)
from wpoflow.solver.mdp import GridMDP

OCCUPANCY_SWEEPS = 50
ROUNDINGS = 64.0  # over 1 - gamma, of the largest occupancy: what an accepted solve may be wrong by


class NotFiniteError(ArithmeticError):
    """A policy or a cost stopped being a finite number."""


class Evaluation:
    """Value functions of one policy; Q is computed when it is first asked for.

    Parameters
    ----------
    mdp : GridMDP
    value : array (S,)
    residual : float
    system : DiscountedSystem
    out : array (S, A), optional
        Receives Q; not to be used for anything else while this object lives.
    reward : array (S,), optional
        Right-hand side r, for `refined`.
    entropy : array (S,), optional
        KL(p | m) of the policy, for `at`.

    Attributes
    ----------
    mdp : GridMDP
        At the temperature that V is of.
    value : array (S,)
        V^pi; its distance to the exact one is at most ``residual / (1 - gamma)``.
    q : array (S, A)
        Q^pi.
    residual : float
        Maximum of |r - (I - gamma P^pi) V|.
    exact : bool
        Whether it was computed to rounding, so that `refined` is itself.
    system : DiscountedSystem
        I - gamma P^pi, for further right-hand sides.
    """

    def __init__(
        self,
        mdp: GridMDP,
        value: FloatArray,
        residual: float,
        system: DiscountedSystem,
        out: FloatArray | None = None,
        reward: FloatArray | None = None,
        entropy: FloatArray | None = None,
    ) -> None:
        self.mdp = mdp
        self.value = value
        self.residual = residual
        self.system = system
        self._out, self._reward, self._entropy = out, reward, entropy
        self.exact = False
        self._refined: Evaluation | None = None  # never itself: arrays go as soon as it is let go of

    def refined(self) -> Evaluation:
        """The same to rounding, computed once; errors as `evaluate`."""
        if self.exact:
            return self
        if self._refined is None:
            assert self._reward is not None
            value, residual = self.system.solve(self._reward, self.value)
            found = Evaluation(self.mdp, value, residual, self.system, None, self._reward, self._entropy)
            self._refined = found.taken_as_exact()
        return self._refined

    def at(self, mdp: GridMDP) -> Evaluation:
        """Of the same policy at the temperature tau' of ``mdp``: V + (tau' - tau) H, where H = KL(p|m) + gamma P^pi H.

        Raises
        ------
        BellmanError
            As `evaluate`, of the first call at another temperature.
        """
        change = mdp.temperature - self.mdp.temperature
        if change == 0.0:
            return self
        discounted, residual = self._discounted_entropy
        return Evaluation(
            mdp, self.value + change * discounted, self.residual + abs(change) * residual, self.system
        ).taken_as_exact()

    @cached_property
    def _discounted_entropy(self) -> tuple[FloatArray, float]:
        assert self._entropy is not None
        return self.system.solve(self._entropy)

    def taken_as_exact(self) -> Evaluation:
        """Itself, as one that was computed to rounding."""
        self.exact = True
        return self

    @cached_property
    def q(self) -> FloatArray:
        """Q^pi, (S, A)."""
        return q_of_value(self.mdp, self.value, self._out)

    def let_go_of_q(self) -> None:
        """Free the array of Q; it is computed anew, of the same bits, if it is asked for again."""
        self.__dict__.pop("q", None)


def q_of_value(mdp: GridMDP, value: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Q = c + gamma P V, (S, A)."""
    q = mdp.transition.expect(mdp.discount * value, out)
    q += mdp.cost
    return q


@underflow_to_zero
def evaluate(
    mdp: GridMDP,
    policy: FloatArray,
    guess: FloatArray | None = None,
    linear_solver: str | None = None,
    out: FloatArray | None = None,
    incomplete: IncompleteLU | None = None,
    tolerance: float = 0.0,
    temperatures: bool = False,
) -> Evaluation:
    """Soft evaluation of a policy.

    Parameters
    ----------
    policy : array (S, A)
    guess : array (S,), optional
        Warm start for V.
    linear_solver : str, optional
        "dense", "sparse" or "krylov"; by default the cheapest for these sizes.
    out : array (S, A), optional
        Receives Q when it is first asked for.
    incomplete : IncompleteLU, optional
        Arrays of the preconditioner, to be shared with other evaluations.
    tolerance : float
        Residual that suffices where it lies above rounding; V is then within it over (1 - gamma).
    temperatures : bool
        Whether it will be asked for at other temperatures (`Evaluation.at`).

    Raises
    ------
    BellmanError
        The linear system could not be solved to rounding.
    NotFiniteError
        The policy's cost is not finite, as of a negative or infinite entry; names the state and cell.
    """
    reward = reward_of(mdp, policy)
    if not math.isfinite(largest_entry(reward)):
        state = int(np.argmin(np.isfinite(reward)))

        def words(row: int) -> str:
            cell = int(np.argmin(np.isfinite(policy[row] * mdp.cost[row]) & (policy[row] >= 0.0)))
            return (
                f"policy {policy[row, cell]:.3g} with cost {mdp.cost[row, cell]:.3g} is not finite and non-negative "
                f"at state {state} ({mdp.states.describe(state)}), "
                f"cell {cell} ({mdp.actions.describe(cell)})"
            )

        raise NotFiniteError(mdp.slab.told(state, words))
    transition = mdp.transition.under(policy)
    if linear_solver is None:
        linear_solver = linear_solver_of(mdp)
    system = DiscountedSystem(transition, mdp.discount, linear_solver, incomplete)
    value, residual = system.solve(reward, guess, tolerance)
    entropy = entropy_of(mdp, policy) if temperatures else None
    return Evaluation(mdp, value, residual, system, out, reward, entropy)


def reward_of(mdp: GridMDP, policy: FloatArray) -> FloatArray:
    """r, the cost of a policy (S, A) with its entropy, (S,)."""
    found = np.empty(mdp.states.size)
    part = mdp.slab.part(found)
    regularised_cost(policy, mdp.cost, mdp.log_mass, mdp.temperature, part)
    mdp.slab.gather((found, part))
    return found


def entropy_of(mdp: GridMDP, policy: FloatArray) -> FloatArray:
    """KL(p | m) in every state, (S,)."""
    found = np.empty(mdp.states.size)
    part = mdp.slab.part(found)
    relative_entropy_to_reference(policy, mdp.log_mass, part)
    mdp.slab.gather((found, part))
    return found


def divergence_of(mdp: GridMDP, policy: FloatArray, q: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """KL(p | Gibbs policy of Q) in every state, (S,), of arrays (S, A)."""
    found = np.empty(mdp.states.size) if out is None else out
    part = mdp.slab.part(found)
    relative_entropy_to_gibbs(policy, q, mdp.log_mass, mdp.temperature, part)
    mdp.slab.gather((found, part))
    return found


def occupancy(mdp: GridMDP, system: DiscountedSystem, guess: FloatArray | None = None) -> FloatArray:
    """Discounted occupancy d_rho of the states, (S,); its mass is one (less where pairs terminate).

    An iterative solve leaves errors of rounding size *relative to the largest entry*; fixed-point
    sweeps, each a contraction by gamma, carry them away from rarely visited states until
    d >= (1 - gamma) rho everywhere.  They start from the absolute values: where the exact occupancy is
    zero, in a class of states never reached, an error of either sign is an error of the same size, and
    from a non-negative start every sweep stays non-negative.

    Raises
    ------
    BellmanError
        The solution is negative beyond rounding; names the state.
    """
    source = (1.0 - mdp.discount) * mdp.rho
    d, _ = system.solve_transposed(source, guess)
    if not d.min() >= -ROUNDINGS * EPS / (1.0 - mdp.discount) * d.max():
        state = int(np.argmin(d))
        raise BellmanError(f"occupancy is {d[state]:.3g} at state {state} ({mdp.states.describe(state)})")
    for _ in range(OCCUPANCY_SWEEPS):
        if np.all(d >= source * (1.0 - 8.0 * EPS)):
            break
        d = source + mdp.discount * system.transition.rmatvec(np.abs(d))
    return d


def deferred_occupancy(mdp: GridMDP, system: DiscountedSystem) -> FloatArray | Callable[[], FloatArray]:
    """`occupancy`, or what makes it: not every user of an optimum asks, and it takes as long as some Newton steps.

    What is kept of the system is the operator alone.  Of several processes all make it now, as they must together.
    """
    if isinstance(mdp.slab, RankSlab):
        return occupancy(mdp, system)
    kept = system.transition, system.discount, system.linear_solver
    return lambda: occupancy(mdp, DiscountedSystem(*kept))


def suboptimality(mdp: GridMDP, policy: FloatArray, optimal_q: FloatArray, system: DiscountedSystem) -> FloatArray:
    """V^pi - V* in every state by (I2), (S,), without cancellation."""
    gap, _ = system.solve(mdp.temperature * divergence_of(mdp, policy, optimal_q))
    return gap


def bellman_residual(mdp: GridMDP, evaluation: Evaluation) -> float:
    """Maximum of |V - T V|, T the soft Bellman optimality operator; ||V - V*|| <= it / (1 - gamma)."""
    improved = np.empty(mdp.states.size)
    part = mdp.slab.part(improved)
    soft_minimum(evaluation.q, mdp.log_mass, mdp.temperature, part)
    mdp.slab.gather((improved, part))
    return float(np.abs(evaluation.value - improved).max())
