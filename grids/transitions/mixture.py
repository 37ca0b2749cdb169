"""Finite mixtures of transitions, and Gauss-Hermite quadrature as one of them.

    P(j | i, k) = Σ_o w_o(i, k) P_o(j | i, k),      Σ_o w_o(i, k) = 1

Noise whose size depends on state and action on several axes becomes a mixture of deterministic outcomes
f + σ x_q, x_q and w_q the nodes and weights of Gauss-Hermite quadrature, exact for polynomials of degree
2·nodes - 1 in the noise on every axis.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from wpoflow.core.arrays import FloatArray, real_array, underflow_to_zero
from wpoflow.core.brief import briefly
from wpoflow.core.slabs import Slab
from wpoflow.grids.coarsening import Coarsening
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import NextPoints, chunked, state_chunks
from wpoflow.grids.transitions.base import (
    Resolution,
    StateFunction,
    StateSet,
    Transition,
    checked_weights,
    resolution_of,
    resolutions,
)
from wpoflow.grids.transitions.coarse_sum import CoarseSum, coarse_sum, weighted_sum
from wpoflow.grids.transitions.interpolated import interpolated_transition
from wpoflow.grids.transitions.policy_rows import PolicySum

SUM_TOLERANCE = 8.0 * float(np.finfo(np.float64).eps)  # for each outcome: an expression of a few operations


@briefly
class MixtureTransition:
    """Outcomes with probabilities; build it with ``mixture_transition``."""

    def __init__(
        self,
        outcomes: Sequence[tuple[FloatArray, Transition]],
        description: str,
        resolution: Sequence[Resolution] = (),
    ) -> None:
        self.outcomes = tuple(outcomes)
        first = self.outcomes[0][1]
        self.n_states, self.n_actions = first.n_states, first.n_actions
        self._shape = self.outcomes[0][0].shape  # of all pairs, or of those of a slab of states
        self.description = description
        self.resolution = (*resolution, *(one for _, outcome in outcomes for one in resolutions(outcome)))

    @property
    def termination(self) -> FloatArray | None:
        """Probability (S, A) that the pair terminates; None if none ever does."""
        return self._mean([outcome.termination for _, outcome in self.outcomes])

    @property
    def clamped(self) -> FloatArray | None:
        """Probability (S, A) that clamping moved the next state; None if it never does."""
        return self._mean([outcome.clamped for _, outcome in self.outcomes])

    def expect(self, value: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """E[V(s') | s, a], (S, A), from V, (S,)."""
        out = np.empty(self._shape) if out is None else out
        return weighted_sum(self.outcomes, value, out)

    def under(self, policy: FloatArray) -> PolicySum:
        """P^p for non-negative weights p, (S, A)."""
        weights = checked_weights(policy, self._shape)
        return PolicySum(tuple(outcome.under(weights * weight) for weight, outcome in self.outcomes))

    def coarser(self, coarsening: Coarsening) -> CoarseSum | None:
        """See `Transition`."""
        return coarse_sum(self.outcomes, coarsening)

    def terminal_expectation(self, function: StateFunction) -> FloatArray:
        """E[h(s'); terminated], (S, A), for a vectorised function h of the state coordinates."""
        total = np.zeros(self._shape)
        for weight, outcome in self.outcomes:
            total += weight * outcome.terminal_expectation(function)
        return total

    def _mean(self, values: Sequence[FloatArray | None]) -> FloatArray | None:
        total: FloatArray | None = None
        for (weight, _), value in zip(self.outcomes, values, strict=True):
            if value is not None:
                total = weight * value if total is None else total + weight * value
        return total


@underflow_to_zero
def mixture_transition(
    outcomes: Sequence[tuple[FloatArray, Transition]], slab: Slab | None = None
) -> MixtureTransition:
    """Transition that follows outcome o with probability w_o(s, a).

    Parameters
    ----------
    outcomes : sequence of (array (S, A), Transition)
        Probabilities, which sum to one over the outcomes, and transitions of the same sizes.
    slab : Slab, optional
        The states of whose pairs they hold the arrays; all by default.

    Raises
    ------
    ValueError
        No outcome, different sizes, probabilities negative or not summing to one; names the pair.
    """
    if not outcomes:
        raise ValueError("a mixture needs at least one outcome")
    sizes = (outcomes[0][1].n_states, outcomes[0][1].n_actions)
    slab = Slab(sizes[0]) if slab is None else slab
    shape = (slab.rows, sizes[1])
    total = np.zeros(shape)
    checked: list[tuple[FloatArray, Transition]] = []
    for number, (given, outcome) in enumerate(outcomes):
        weight = np.array(real_array(given, f"outcome {number}: probabilities"))  # a copy: the caller's may change
        if weight.shape != shape or (outcome.n_states, outcome.n_actions) != sizes:
            found = f"{weight.shape} and ({outcome.n_states}, {outcome.n_actions})"
            raise ValueError(f"outcome {number}: sizes of probability and transition are {found}; expected {sizes}")
        wrong = ~(np.isfinite(weight) & (weight >= 0.0))
        if wrong.any():
            i, k = (int(n) for n in np.argwhere(wrong)[0])
            raise ValueError(f"outcome {number}, state {slab.start + i}, action {k}: probability is {weight[i, k]}")
        total += weight
        checked.append((weight, outcome))
    off = np.abs(total - 1.0)
    if off.max() > SUM_TOLERANCE * len(checked):
        i, k = (int(n) for n in np.unravel_index(off.argmax(), shape))
        what = f"probabilities of the outcomes sum to {total[i, k]:.17g}, not to one"
        raise ValueError(f"state {slab.start + i}, action {k}: {what}; divide them by their sum")
    kinds = list(dict.fromkeys(outcome.description for _, outcome in checked))
    return MixtureTransition(checked, f"mixture of {len(checked)} outcomes: {'; '.join(kinds)}")


@underflow_to_zero
def gauss_hermite_transition(
    states: Grid,
    next_points: FloatArray | NextPoints,
    sigma: FloatArray | NextPoints,
    nodes: int = 7,
    terminal: StateSet | None = None,
    *,
    n_actions: int | None = None,
    slab: Slab | None = None,
) -> MixtureTransition:
    """Transition s' = boundary(f + sigma ξ), sigma depending on state and action on any number of axes.

    Parameters
    ----------
    states : Grid
    next_points, sigma : array (S, A, dim) or callable
        Mean next state and standard deviations; ``f(start, stop)`` gives for a range of states one array
        (stop - start, A) per axis.
    nodes : int
        Quadrature nodes per axis with noise; memory grows as nodes ** (axes with noise).
    terminal : callable, optional
        Vectorised function of the state coordinates, true where the process ends; judged at every node.
    n_actions : int, optional
        Number of action cells; needed only with a callable and no state axis.
    slab : Slab, optional
        The states of whose pairs it is to hold the arrays; all by default.

    Raises
    ------
    ValueError
        Values that are not finite, negative standard deviations, wrong shapes; names state, action and axis.
    """
    mean, actions = chunked(states, next_points, n_actions)
    spread, _ = chunked(states, sigma, actions, "noise of")
    slab = Slab(states.size) if slab is None else slab
    smallest = np.full(states.dim, np.inf)
    for start, stop in state_chunks(slab.stop, actions, slab.start):
        for j, values in enumerate(spread(start, stop)):
            smallest[j] = min(smallest[j], values[values > 0.0].min(initial=np.inf))
            if values.min() < 0.0:
                i, k = (int(n) for n in np.argwhere(values < 0.0)[0])
                where = f"state {start + i} ({states.describe(start + i)}), action {k}"
                raise ValueError(f"noise of {states.axes[j].name} is {values[i, k]} from {where}")
    least = [np.array([-s])[np.isfinite([s])] for s in slab.largest(*(-smallest).tolist())]
    noisy = [bool(s.size) for s in least]
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    rule = [list(zip(x, w / w.sum(), strict=True)) if n else [(0.0, 1.0)] for n in noisy]
    outcomes: list[tuple[FloatArray, Transition]] = []
    for chosen in itertools.product(*rule):

        def moved(start: int, stop: int, shifts: Sequence[float] = tuple(c[0] for c in chosen)) -> list[FloatArray]:
            f, s = mean(start, stop), spread(start, stop)
            return [a + shift * b for a, shift, b in zip(f, shifts, s, strict=True)]

        weight = np.broadcast_to(np.prod([c[1] for c in chosen]), (slab.rows, actions))
        outcomes.append((weight, interpolated_transition(states, moved, None, terminal, n_actions=actions, slab=slab)))
    names = ", ".join(axis.name for axis, n in zip(states.axes, noisy, strict=True) if n)
    mixed = mixture_transition(outcomes, slab)
    found = [one for axis, s in zip(states.axes, least, strict=True) for one in resolution_of(axis, s, kept=False)]
    return MixtureTransition(outcomes, f"Gauss-Hermite, {nodes} nodes on {names}", found) if names else mixed
