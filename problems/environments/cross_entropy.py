"""A short plan by the cross-entropy method, with the value of the grid at its end.

A plan is a sequence of n actions in a box, each held.  From a normal law of mean μ and standard deviations σ, entry by
entry, sequences are drawn, cut to the box, and judged (:mod:`problems.environments.planning`); μ and σ become those of
the best share of them, and so on for some iterations (Rubinstein, Methodology and Computing in Applied Probability 1,
1999, doi:10.1023/A:1010091220143).  What is kept is the best sequence ever judged, and among those judged are

    the actions of the policy, followed from the present state by the model,
    the plan made before, moved on by the time that has passed since, around which the next one is drawn,
    in later iterations their mean, and the best so far.

So a plan is judged no worse than the policy, nor than going on with the plan before.

Sequences of independent actions hardly move what has inertia: their pushes cancel.  With ``colour`` c > 0 the noise of
a sequence has the spectrum 1/f^c (Pinneri et al., Sample-efficient cross-entropy method for real-time planning, CoRL
2020, arXiv:2008.06389): one of unit variance whose neighbours are alike.

Every episode has a generator of its own, of the plan's seed and its own, and nothing is summed across episodes: an
episode's plans have the same bits alone as among others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, IntArray
from wpoflow.core.brief import briefly
from wpoflow.problems.environments.planning import Decisions, Plan
from wpoflow.problems.hold import MOST_STEPS

MOST_SAMPLES, MOST_DRAWN = 1_000_000, 100_000_000  # of an iteration: sequences, and actions
MOST_COLOUR, MOST_SEED = 100.0, 2**63 - 1
_CHUNK = 1 << 17  # sequences judged at once


@briefly
@dataclass(frozen=True)
class CrossEntropy(Plan):
    """Act by the first action of a plan of the cross-entropy method.

    Parameters
    ----------
    horizon : int
        Actions of a plan.
    samples, iterations : int
        Sequences drawn in each iteration, and iterations; two samples at least.
    elite : float
        Share of the sequences that the next law is made of, above 0 and below 1; two of them at least.
    spread : float
        Standard deviation that every plan begins with, as a share of half the width of the box of actions.
    colour : float
        Exponent of the spectrum of a sequence's noise; 0 is white.
    seed : int
        Of all that is drawn, with the seed of the episode.
    hold, repeat, model
        As in `LookAhead`.

    Raises
    ------
    ValueError
        A number out of range; named.
    """

    horizon: int = 16
    samples: int = 200
    iterations: int = 3
    elite: float = 0.1
    spread: float = 1.0
    colour: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers = {
            "horizon": (1, MOST_STEPS),
            "samples": (2, MOST_SAMPLES),
            "iterations": (1, MOST_STEPS),
            "seed": (0, MOST_SEED),
        }
        for name, (fewest, largest) in numbers.items():
            number = getattr(self, name)
            whole = isinstance(number, Integral) and not isinstance(number, bool)
            if not whole or not fewest <= number <= largest:
                raise ValueError(f"{name} = {number!r} must be a whole number from {fewest} to {largest}")
        if self.horizon * self.samples > MOST_DRAWN:
            raise ValueError(
                f"horizon = {self.horizon} with samples = {self.samples}: an iteration draws their product, which must "
                f"be at most {MOST_DRAWN}"
            )
        for name, valid, least, most in (
            ("elite", "above 0 and below 1", 0.0, 1.0),
            ("spread", "positive and finite", 0.0, np.inf),
            ("colour", f"not negative and below {MOST_COLOUR:g}", -5e-324, MOST_COLOUR),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not least < float(value) < most:
                raise ValueError(f"{name} = {value!r} must be {valid}")

    @property
    def elites(self) -> int:
        """Number of sequences that the next law is made of."""
        return min(max(2, round(self.elite * self.samples)), self.samples)


class Plans:
    """The plans of some episodes, and where their random numbers come from."""

    def __init__(self, settings: CrossEntropy, seeds: Sequence[int] | IntArray, dim: int) -> None:
        self.settings = settings
        self._sequences = np.zeros((len(seeds), settings.horizon, dim))
        self._made: BoolArray = np.zeros(len(seeds), dtype=np.bool_)
        self._random = [np.random.default_rng([settings.seed, int(seed)]) for seed in seeds]
        self._filter = _spectrum(settings.horizon, settings.colour)

    def first(self, who: IntArray) -> BoolArray:
        """Whether episodes have no plan yet."""
        return np.asarray(~self._made[who])

    def moved_on(self, who: IntArray, decisions: float) -> FloatArray:
        """The plans of episodes (n, horizon, d) so many decisions later; the last action is gone on with.

        Within an action the new ones overlap two of the old, and are their mean by the time they share with them.
        """
        whole = int(decisions)
        part, last = decisions - whole, self.settings.horizon - 1
        now = np.minimum(np.arange(last + 1) + whole, last)
        old = self._sequences[who]
        return np.asarray((1.0 - part) * old[:, now] + part * old[:, np.minimum(now + 1, last)])

    def made(
        self,
        who: IntArray,
        states: FloatArray,
        decisions: Decisions,
        low: FloatArray,
        high: FloatArray,
        policy: FloatArray,
        before: FloatArray,
    ) -> FloatArray:
        """New plans of episodes, (n, horizon, d), from their states (n, dim).

        Parameters
        ----------
        low, high : arrays (d,)
            The box.
        policy, before : arrays (n, horizon, d)
            Sequences that are judged besides; plans are drawn around the latter.
        """
        mean, deviation = before, np.broadcast_to(self.settings.spread * (high - low) / 2.0, before.shape)
        best, cost = policy, judged(decisions, states, policy[:, None])[:, 0]
        rows = np.arange(len(who))
        for iteration in range(self.settings.iterations + 1):
            last = iteration == self.settings.iterations
            drawn = mean[:, None]
            if not last:
                noise = np.stack([self.noise(self._random[i], mean.shape[2]) for i in who])
                around = np.clip(mean[:, None] + deviation[:, None] * noise, low, high)
                drawn = np.concatenate([drawn, best[:, None], around], axis=1)
            costs = judged(decisions, states, drawn)
            order = np.argsort(costs, axis=1, kind="stable")[:, : self.settings.elites]
            least = order[:, 0]
            better = costs[rows, least] < cost
            best = np.where(better[:, None, None], drawn[rows, least], best)
            cost = np.where(better, costs[rows, least], cost)
            if not last:
                mean, deviation = _law_of(drawn[rows[:, None], order])
        self.keep(who, best)
        return np.asarray(best)

    def keep(self, who: IntArray, sequences: FloatArray) -> None:
        """Take sequences (n, horizon, d) for the plans of episodes."""
        self._sequences[who], self._made[who] = sequences, True

    def noise(self, random: np.random.Generator, dim: int) -> FloatArray:
        """Sequences (samples, horizon, d) of unit variance."""
        white = random.standard_normal((self.settings.samples, dim, self.settings.horizon))
        if self._filter is not None:
            white = np.fft.irfft(self._filter * np.fft.rfft(white), n=self.settings.horizon)
        return np.moveaxis(white, 1, 2)


def judged(decisions: Decisions, states: FloatArray, sequences: FloatArray) -> FloatArray:
    """Costs (n, m) of m sequences of actions from each state: (n, m, horizon, d) from (n, dim)."""
    n, m, horizon, d = sequences.shape
    flat, found = sequences.reshape(n * m, horizon, d), np.empty(n * m)
    for start in range(0, n * m, _CHUNK):
        part = slice(start, start + _CHUNK)
        found[part] = _costs(decisions, states[np.arange(n * m)[part] // m], flat[part])
    return found.reshape(n, m)


def _costs(decisions: Decisions, states: FloatArray, sequences: FloatArray) -> FloatArray:
    cost, weight, going = np.zeros(len(states)), 1.0, np.arange(len(states))
    for j in range(sequences.shape[1]):
        if not going.size:
            return cost
        found = decisions.step(states, np.ascontiguousarray(sequences[going, j]))
        cost[going] -= weight * found.reward
        weight *= decisions.discount
        states, going = found.state[~found.terminated], going[~found.terminated]
    cost[going] += weight * decisions.value(states)
    return cost


def _law_of(elite: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means and standard deviations over the second axis, summed in order: the same bits for any number of rows."""
    count = elite.shape[1]
    mean = sum(elite[:, k] for k in range(count)) / count
    variance = sum((elite[:, k] - mean) ** 2 for k in range(count)) / count
    return mean, np.sqrt(variance)


def _spectrum(horizon: int, colour: float) -> FloatArray | None:
    """Factors by which the frequencies of white noise make one of spectrum 1/f^c and unit variance; None for white."""
    if colour == 0.0 or horizon == 1:
        return None
    frequency = np.maximum(np.fft.rfftfreq(horizon), 1.0 / horizon)
    factor = frequency ** (-colour / 2.0)
    twice = np.full(factor.size, 2.0)  # frequencies whose negatives are others
    twice[0] = 1.0
    if horizon % 2 == 0:
        twice[-1] = 1.0
    return np.asarray(factor * np.sqrt(horizon / (twice * factor**2).sum()))
