"""Values of a policy p' near another one p whose values V, Q are known, by differences.

With g the Gibbs policy of Q, identity (I3) for both policies gives, state by state,

    T^{p'} V - V = tau [ KL(p'|g) - KL(p|g) ],

so that the change of the values solves a discounted system with a right-hand side that is small where the change is:

    V' - V = (I - gamma P^{p'})^{-1} tau [ KL(p'|g) - KL(p|g) ],        Q' = Q + gamma P (V' - V).

V itself is known to some eps max|V| only, enlarged by the horizon of the problem, and g moves by that over tau.
Here the rounding of V and Q is common to p and to all p' and drops out of what is compared with each other: the
error estimate of a time step sees the policies' differences, not the rounding of their values.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import Evaluation, NotFiniteError, divergence_of
from wpoflow.solver.bellman.ilu import IncompleteLU
from wpoflow.solver.bellman.system import DiscountedSystem
from wpoflow.solver.mdp import GridMDP


class ValueDifferences:
    """Changes of the values against those of one policy, the base.

    Parameters
    ----------
    mdp : GridMDP
    linear_solver : {"dense", "sparse", "krylov"}
    incomplete : IncompleteLU
        Preconditioner shared with the evaluations of nearby policies.
    """

    def __init__(self, mdp: GridMDP, linear_solver: str, incomplete: IncompleteLU) -> None:
        self._linear_solver, self._incomplete = linear_solver, incomplete
        self._base: Evaluation | None = None
        self._base_divergence, self._rhs = np.empty((2, mdp.states.size))
        self._q = np.empty((0, 0))

    def set_base(self, policy: FloatArray, evaluation: Evaluation) -> None:
        """Note the base policy (S, A) and its values, unless it is the base already."""
        if evaluation is not self._base:
            self._base = evaluation
            divergence_of(evaluation.mdp, policy, evaluation.q, self._base_divergence)

    def q(self, policy: FloatArray, guess: FloatArray, tolerance: float) -> tuple[FloatArray, FloatArray]:
        """Q' (S, A) in a buffer of this object, and V' - V (S,).

        Parameters
        ----------
        policy : array (S, A)
            p'.
        guess : array (S,)
            Warm start for V' - V.
        tolerance : float
            Residual that suffices; V' - V is then within it over (1 - gamma).

        Raises
        ------
        BellmanError
            The linear system could not be solved.
        NotFiniteError
            The policy is not finite; names the state and cell.
        """
        base = self._base
        assert base is not None
        mdp = base.mdp
        divergence_of(mdp, policy, base.q, self._rhs)
        self._rhs -= self._base_divergence
        self._rhs *= mdp.temperature
        if not np.all(np.isfinite(self._rhs)):
            state = int(np.argmin(np.isfinite(self._rhs)))

            def words(row: int) -> str:
                cell = int(np.argmin(np.isfinite(policy[row]) & (policy[row] >= 0.0)))
                return (
                    f"policy not a finite probability at state {state} ({mdp.states.describe(state)}), "
                    f"cell {cell} ({mdp.actions.describe(cell)})"
                )

            raise NotFiniteError(mdp.slab.told(state, words))
        system = DiscountedSystem(mdp.transition.under(policy), mdp.discount, self._linear_solver, self._incomplete)
        change, _ = system.solve(self._rhs, guess, tolerance)
        if self._q.size == 0:
            self._q = np.empty_like(policy)
        q = mdp.transition.expect(change, self._q)
        q *= mdp.discount
        q += base.q
        return q, change
