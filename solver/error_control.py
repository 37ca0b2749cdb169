"""How large a time step's error may be: relative to what is left, not to the policy.

As the flow settles p hardly changes; an error relative to p would let the step grow without bound,
and late-time rates would be fiction although every step still descends.  Errors are measured in

    ||e||_i^2 = sum_k e_ik^2 / (p_ik + g_ik)           (chi-square near the Gibbs policy g, bounded far from it)

per state, and over states both in the mean (weights: optimal occupancy and rho) and in the maximum.
A step is accepted when, in both,

    ||error|| <= accuracy * ||p' - p|| + floor.

The allowance is proportional to the progress of the step itself, so that the errors of a run add up
to about ``accuracy`` times the number of e-folds of p - g, whatever the time scale of the problem and
however short the steps; the floor is rounding.
"""

from __future__ import annotations

import numpy as np

from grids.arrays import FloatArray
from solver.entropy import distance_squared, gibbs_policy
from solver.mdp import GridMDP

ROUNDING_FLOOR = 3e-14
BELLMAN_SHARE = 1e-3  # of the allowed error, spent on inexact values between substeps


class ErrorControl:
    """Measures errors of a step against the progress it makes.

    Parameters
    ----------
    mdp : GridMDP
    accuracy : float
        Local error relative to p - g per unit of relative progress.
    weights : array (S,), optional
        Weights of the mean over states; rho by default.
    """

    def __init__(self, mdp: GridMDP, accuracy: float, weights: FloatArray | None = None) -> None:
        self._mdp = mdp
        self._accuracy = accuracy
        weights = mdp.rho if weights is None else weights
        self._weights = weights / weights.sum()
        self.gibbs = np.empty_like(mdp.initial_policy)
        self._squares = np.empty(mdp.states.size)

    def start(self, p: FloatArray, q: FloatArray) -> float:
        """Note the policy a step starts from and how far it is from the Gibbs policy of its Q.

        Returns the Bellman residual that suffices between substeps: an error of V by e moves the Gibbs
        policy by e/tau, and a residual of (1 - gamma) e bounds the error of V by e.
        """
        gibbs_policy(q, self._mdp.log_mass, self._mdp.temperature, self.gibbs)
        mdp = self._mdp
        left, _ = self.distance(p, self.gibbs, p)
        return BELLMAN_SHARE * self._accuracy * left * mdp.temperature * (1.0 - mdp.discount)

    def distance(self, a: FloatArray, b: FloatArray, p: FloatArray) -> tuple[float, float]:
        """Mean and maximum over states of ||a - b||, weighted around p and the Gibbs policy."""
        distance_squared(a, b, p, self.gibbs, self._squares)
        return self.norms(self._squares)

    def norms(self, squares: FloatArray) -> tuple[float, float]:
        """Mean and maximum over the states that are alive, of squares per state."""
        if self._mdp.alive is not None:
            squares = np.where(self._mdp.alive, squares, 0.0)
        return float(np.sqrt(np.add.reduce(self._weights * squares))), float(np.sqrt(squares.max()))

    def ratio(self, error: tuple[float, float], progress: tuple[float, float]) -> float:
        """Error over what is allowed; at most one for a step that may be accepted."""
        allowed = [self._accuracy * made + ROUNDING_FLOOR for made in progress]
        return max(error[0] / allowed[0], error[1] / allowed[1])
