"""What a transition is: the small interface behind which every kind of Markov kernel stands.

A transition P(j | i, k) moves state i under action k.  Rows are non-negative and sum to one, or to
one minus the probability that the pair terminates.  The solver needs expectations
E[V(s') | s, a] = Σ_j P(j | i, k) V_j and, for a policy p, the matrix P^p[i, j] = Σ_k p[i, k] P(j | i, k).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.coarsening import Coarsening
from wpoflow.grids.grid import Grid

StateFunction = Callable[..., FloatArray]
StateSet = Callable[..., BoolArray]
MOST_CELLS = 1_000_000  # of an axis, that are spoken of


class PolicyTransition(Protocol):
    """The linear operator P^p of a policy on functions of state."""

    @property
    def n_states(self) -> int:
        """Number of states S."""
        ...

    @property
    def work(self) -> int:
        """Multiply-adds of one product."""
        ...

    def matvec(self, x: FloatArray) -> FloatArray:
        """P^p x, (S,): the same bits for any number of threads."""
        ...

    def rmatvec(self, x: FloatArray) -> FloatArray:
        """(P^p)ᵀ x, (S,): the same bits for any number of threads."""
        ...

    @property
    def state_axes(self) -> int:
        """Number of state axes with more than one point; 0 where it is not known."""
        ...

    @property
    def thins(self) -> bool:
        """Whether incomplete factors are made of thinned rows: no others are held, and no noise spreads them."""
        ...

    def thinned(self) -> PolicyTransition | None:
        """An operator near this one, of the same row sums, as few entries to a row; None where there is none."""
        ...

    def dense(self) -> FloatArray:
        """P^p as an array (S, S)."""
        ...

    def sparse(self) -> sp.csr_array:
        """P^p in compressed rows, indices ascending, in arrays that nothing else uses."""
        ...


class CoarseTransition(Protocol):
    """What is known of a transition on a coarser grid: see `grids.coarsening`."""

    def expect(self, value: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """E[V(s') | s, a], (S', A), from V, (S',)."""
        ...

    def under(self, policy: FloatArray) -> PolicyTransition:
        """P^p for non-negative weights p, (S', A)."""
        ...

    def coarser(self, coarsening: Coarsening) -> CoarseTransition | None:
        """See `Transition`."""
        ...


class Transition(Protocol):
    """Markov kernel from pairs of state and action to states."""

    @property
    def n_states(self) -> int:
        """Number of states S."""
        ...

    @property
    def n_actions(self) -> int:
        """Number of action cells A."""
        ...

    @property
    def description(self) -> str:
        """One line on the kind of transition."""
        ...

    @property
    def termination(self) -> FloatArray | None:
        """Probability (S, A) that the pair terminates; None if none ever does."""
        ...

    @property
    def clamped(self) -> FloatArray | None:
        """Probability (S, A) that clamping moved the next state; None if it never does."""
        ...

    def expect(self, value: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """E[V(s') | s, a], (S, A), from V, (S,); what terminates contributes zero."""
        ...

    def under(self, policy: FloatArray) -> PolicyTransition:
        """P^p for non-negative weights p, (S, A)."""
        ...

    def terminal_expectation(self, function: StateFunction) -> FloatArray:
        """E[h(s'); terminated], (S, A), for a vectorised function h of the state coordinates."""
        ...

    def coarser(self, coarsening: Coarsening) -> CoarseTransition | None:
        """The pairs of the states kept, on functions of the coarser grid; None where the pairs are not all here."""
        ...


def states_outside(states: Grid, terminal: StateSet | None) -> BoolArray:
    """Which points, (S,), lie outside the terminal set (a vectorised function of the coordinates)."""
    if terminal is None:
        return np.ones(states.size, dtype=np.bool_)
    dead = np.asarray(terminal(*states.points.T), dtype=np.bool_)
    return ~np.broadcast_to(dead, states.size)


def checked_weights(policy: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Policy weights as a contiguous array.

    Raises
    ------
    ValueError
        A wrong shape.
    """
    if policy.shape != shape:
        raise ValueError(f"policy has shape {policy.shape}; expected {shape}")
    return np.ascontiguousarray(policy, dtype=np.float64)


def ends_in_words(termination: FloatArray | None) -> str:
    """How many pairs can end, and the largest probability of it; empty where none can."""
    if termination is None or not termination.any():
        return ""
    return described_ends(int(np.count_nonzero(termination)), termination.size, float(termination.max()))


def described_ends(count: int, pairs: int, largest: float) -> str:
    """That so many of all pairs can end, and the largest probability of it."""
    return f"{count:,} of {pairs:,} pairs can end, with probability at most {largest:.3g}"


class Resolution(NamedTuple):
    """How the noise on an axis stands to its points.

    Attributes
    ----------
    axis : str
    ratio : float
        Largest distance of neighbouring points over the least standard deviation above zero.
    kept : bool
        Whether the variance of a step is kept wherever the grid allows it, which it does up to a ratio of 2; otherwise
        interpolation adds up to a quarter of the squared spacing, and 1/2 is little enough.
    intervals : int
        Distances of neighbouring points, one less than cells where the ends of the box are points.
    ends : bool
        Whether they are.
    """

    axis: str
    ratio: float
    kept: bool
    intervals: int = 1
    ends: bool = False

    @property
    def allowed(self) -> float:
        """The largest ratio at which the variance of the noise is right."""
        return 2.0 if self.kept else 0.5

    @property
    def enough(self) -> float:
        """Least number of cells, alike or graded as these are, at which the ratio is allowed; perhaps infinite."""
        finer = self.intervals * (self.ratio / self.allowed) * (1.0 - 1e-12)
        return math.ceil(finer) + self.ends if math.isfinite(finer) else math.inf

    @property
    def in_words(self) -> str:
        """The ratio, and if it is too large how many cells would do."""
        said = f"spacing/sigma of {self.axis} {self.ratio:.3g}"
        if self.ratio <= self.allowed:
            return said
        most = f"{self.enough:,.0f}" if self.enough <= MOST_CELLS else f"more than {MOST_CELLS:,}"
        return f"{said}, above {'2' if self.kept else '1/2'}: {most} cells would do"


def resolution_of(axis: Axis, sigma: FloatArray, *, kept: bool) -> tuple[Resolution, ...]:
    """The resolution of standard deviations (any shape) on an axis; none without noise, or on an axis of one point."""
    noisy = sigma[sigma > 0.0]
    if axis.size == 1 or not noisy.size:
        return ()
    with np.errstate(over="ignore"):
        ratio = float(axis.distances.max() / noisy.min())
    ends = axis.boundary == "clamp"
    return (Resolution(axis.name, ratio, kept, axis.size - ends, ends),)


def resolutions(transition: Transition) -> tuple[Resolution, ...]:
    """The resolution of the noise on every noisy axis, the coarsest of all outcomes; none for tables."""
    found: dict[str, Resolution] = {}
    for one in getattr(transition, "resolution", ()):
        if one.axis not in found or one.ratio > found[one.axis].ratio:
            found[one.axis] = one
    return tuple(found.values())


def in_words(transition: Transition) -> str:
    """A transition's description, how its noise is resolved, and what of it can end."""
    # where the pairs are spread over processes, it has counted them on all
    ends = transition.ends if hasattr(transition, "ends") else ends_in_words(transition.termination)
    parts = [transition.description, *(one.in_words for one in resolutions(transition))]
    if ends and not transition.description.endswith(ends):
        parts.append(ends)
    return "; ".join(parts)
