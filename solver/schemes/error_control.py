"""How large a time step's error may be: relative to what is left, not to the policy.

As the flow settles p hardly changes; an error relative to p would let the step grow without bound,
and late-time rates would be fiction although every step still descends.  Errors are measured in

    ||e||_i^2 = sum_k e_ik^2 / (p_ik + g_ik + p'_ik + |e_ik|)      (chi-square near the Gibbs policy g)

per state, where p' is the new policy, and over states both in the mean (weights: optimal occupancy
and rho) and in the maximum.  |e| counts only where none of the other three carries mass: there the
weight would underflow, and the error of an empty tail weigh infinitely much.
A step is accepted when, in both,

    ||error|| <= accuracy * ||p' - p|| + floor.

The allowance is proportional to the progress of the step itself, so that the errors of a run add up
to about ``accuracy`` times the number of e-folds of p - g, whatever the time scale of the problem and
however short the steps.  The floor is rounding: Bellman equations are solved to two roundings, so
that ln g, which p follows, is known to 2 eps max|Q| / tau and no better,

    floor = max(3e-14, 2 eps max(|V|, |Q|, tau) / tau, gamma osc(noise of V) / (2 tau)).

The last is measured where it shows (see `solver.schemes.multistep`).  The largest floor of a run is recorded: below
it, accuracy is not what errors are held to.
(With half of it a third of the late steps of a regulator at discount 0.999 were rejected, with it one in
thirty.)  What the horizon 1/(1 - gamma) adds to the errors of V is nearly constant over states that
communicate well and cancels in g; between the substeps of one step it cancels in full
(`solver.bellman.differences`).  Late rates stay right down to the floor, which matters only once p - g
itself nears it, and so the gap its own floor.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, IntArray
from wpoflow.solver.arithmetic.combination import combination_squared
from wpoflow.solver.arithmetic.extremes import error_ratios, largest_entry, mean_and_maximum
from wpoflow.solver.bellman.evaluation import Evaluation
from wpoflow.solver.bellman.system import EPS, SOUGHT
from wpoflow.solver.entropy import distance_squared, gibbs_policy
from wpoflow.solver.mdp import GridMDP

ROUNDING_FLOOR = 3e-14
BELLMAN_SHARE = 1e-3  # of the allowed error, spent on inexact values between substeps
LEAST_STEP = 1e-14  # of the shortest time scale: errors are of second order in it, far below rounding


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
        self._squares = np.empty(mdp.states.size)
        self._errors = self._squares
        self._floor = ROUNDING_FLOOR
        self.counted: BoolArray = mdp.counted
        self._base: Evaluation | None = None
        self._tolerance = 0.0

    @cached_property
    def gibbs(self) -> FloatArray:
        """Holds the Gibbs policy that errors are weighed by, (S, A), of schemes that `start` is called for."""
        return np.empty_like(self._mdp.cost)

    def start(self, p: FloatArray, evaluation: Evaluation) -> float:
        """Note the policy a step starts from, its values, and how far it is from the Gibbs policy of its Q; once each.

        Returns the Bellman residual that suffices between substeps: an error of V by e moves the Gibbs
        policy by e/tau, and a residual of (1 - gamma) e bounds the error of V by e.
        """
        if evaluation is self._base:
            return self._tolerance
        mdp, q = evaluation.mdp, evaluation.q
        gibbs_policy(q, mdp.log_mass, mdp.temperature, self.gibbs)
        highest, lowest = mdp.slab.largest(float(q.max()), -float(q.min()))
        largest = max(float(np.abs(evaluation.value).max()), highest, lowest, mdp.temperature)
        self._floor = max(ROUNDING_FLOOR, SOUGHT * EPS * largest / mdp.temperature)
        left, _ = self.distance(p, self.gibbs, p)
        allowed = self._accuracy * left + self._floor
        self._base, self._tolerance = evaluation, BELLMAN_SHARE * allowed * mdp.temperature * (1.0 - mdp.discount)
        return self._tolerance

    def distance(self, a: FloatArray, b: FloatArray, p: FloatArray) -> tuple[float, float]:
        """Mean and maximum over states of ||a - b||, weighted around p, a and the Gibbs policy."""
        part = self._mdp.slab.part(self._squares)
        distance_squared(a, b, p, self.gibbs, part)
        self._mdp.slab.gather((self._squares, part))
        return self._norms()

    def ratio(self, new: FloatArray, other: FloatArray, p: FloatArray) -> float:
        """||new - other|| over what is allowed of it; at most one for a step from p that may be accepted."""
        return self._ratio(self.distance(new, other, p), new, p)

    def combined_ratio(self, weights: FloatArray, slots: IntArray, parts: FloatArray, p: FloatArray) -> float:
        """The same for the error sum_j weights[j] parts[slots[j]], weights summing to zero; the last of them is new."""
        part = self._mdp.slab.part(self._squares)
        combination_squared(weights, slots, parts, p, self.gibbs, part)
        self._mdp.slab.gather((self._squares, part))
        return self._ratio(self._norms(), parts[slots[-1]], p)

    def _ratio(self, error: tuple[float, float], new: FloatArray, p: FloatArray) -> float:
        self._errors = self._squares.copy()
        progress = self.distance(new, p, p)
        allowed = [self._accuracy * made + self._floor for made in progress]
        return max(error[0] / allowed[0], error[1] / allowed[1])

    def _norms(self) -> tuple[float, float]:
        """Mean and maximum over the states that count, of the square roots of squares per state."""
        self._squares[~self.counted] = 0.0
        return float(np.sqrt(np.add.reduce(self._weights * self._squares))), float(np.sqrt(self._squares.max()))

    def step_ratios(
        self, squares: FloatArray, constants: FloatArray, share: float, norms: FloatArray, out: FloatArray
    ) -> bool:
        """Errors of three orders over accuracy (||p' - p|| + share ||p' - g||) + floor; whether all norms are finite.

        Parameters
        ----------
        squares : array (5, S)
            Of the differences of p' to three predictions, to p and to g; the second is that of the step.
        constants : array (3,)
            What the differences are multiplied by; infinite where there is no such order.
        norms, out : arrays (5, 2), (3,)
            Filled with the norms, in the mean and in the maximum, and with the ratios.
        """
        mean_and_maximum(squares, self._weights, self.counted, norms)
        self._errors = squares[1]
        return error_ratios(norms, constants, self._accuracy, share, self._floor, out)

    def mean(self, squares: FloatArray) -> float:
        """Mean over the states of squares (S,), as a square root."""
        norms = np.empty((1, 2))
        mean_and_maximum(squares[None], self._weights, self.counted, norms)
        return float(norms[0, 0])

    def measured(self, squares: FloatArray) -> float:
        """Errors, squares[0], over what is allowed where the progress is that of squares[1].  Array (2, S).

        Not a number where they are not.
        """
        norms = np.empty((2, 2))
        mean_and_maximum(squares, self._weights, self.counted, norms)
        self._errors = squares[0]
        return float((norms[0] / (self._accuracy * norms[1] + self._floor)).max())

    def allowed(self, progress: float) -> float:
        """What is allowed of an error, in the mean of the states, given the progress made in the mean."""
        return self._accuracy * progress + self._floor

    @property
    def accuracy(self) -> float:
        """Local error relative to p - g per unit of relative progress."""
        return self._accuracy

    @property
    def floor(self) -> float:
        """What is allowed of an error besides, which is rounding."""
        return self._floor

    def note_scale(self, value: FloatArray, temperature: float, noise: float = 0.0) -> None:
        """Set the floor for values of this size and a temperature; |Q| is at most max |c| + gamma max |V|.

        ``noise`` is the oscillation of the rounding of V over the states, in roundings of its largest entry.
        """
        mdp = self._mdp
        size = largest_entry(value)
        largest = max(size, mdp.largest_cost + mdp.discount * size, temperature)
        moved = max(SOUGHT * largest, 0.5 * mdp.discount * noise * size)
        self._floor = max(ROUNDING_FLOOR, EPS * moved / temperature)

    def least_step(self, q: FloatArray) -> float:
        """1e-14 of the shortest time scale there is with this Q: h^2 / (tau + span of Q) of the narrowest cell."""
        narrowest = min(float(axis.widths.min()) for axis in self._mdp.actions.axes)
        highest, lowest = self._mdp.slab.largest(float(q.max()), -float(q.min()))
        return LEAST_STEP * narrowest**2 / (self._mdp.temperature + (highest + lowest))

    def worst(self) -> str:
        """The state with the largest error of the last attempt, in words."""
        state = int(np.argmax(self._errors))
        return f"state {state} ({self._mdp.states.describe(state)})"
