"""Search for measures whose alpha a lower bound exceeds, by making bound/alpha as large as possible.

    python -m tests.validation.constants.search_bounds --evaluations 100000 [programme path circle box]

Rough and convex potentials, double wells, random walks and spikes on a few cells, of equal and unequal widths, are
changed little by little; a change is kept if its share of the new alpha, minimised numerically, is larger.  Many
potentials climb at once on cells of the same widths, as the states of one problem.  A share above one would be a false
certificate: what is minimised is never below alpha.

``programme`` tests one rate an evaluation by dynamic programming, a little above the share that is certified already,
now and then just above alpha; ``path``, ``circle`` and ``box`` take the largest of the bounds of level quick.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.validation.constants.chains import axis_of, chains
from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.validation.constants.bound_dynamic_programming import certifies
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.lower_bounds import lower_bounds

CLIMBERS = 64
MOVES = 120  # after which other cells are taken
PATIENCE = 30  # changes without gain after which a climber starts anew
TIGHTER = 0.5
BEYOND = 1e-8
LARGEST = 200.0  # range of potentials

Trial = Callable[[Generators, FloatArray, FloatArray, np.random.Generator], FloatArray]
"""From generators, their alphas, the shares to exceed and random numbers to new shares, zero where there is none."""


@dataclass
class Found:
    """The largest share, the potential and the widths of the axes that have it, and the number of evaluations."""

    largest: float = 0.0
    potential: FloatArray = field(default_factory=lambda: np.zeros(0))
    widths: tuple[FloatArray, ...] = ()
    evaluations: int = 0


def programmed(generators: Generators, alpha: FloatArray, share: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The share tested, where dynamic programming certifies it."""
    above = rng.random(share.size) < 0.2
    wanted = np.where(above, 1.0 + BEYOND, 1.0 - TIGHTER * (1.0 - np.maximum(share, 0.9)))
    return np.where(certifies(generators, wanted * alpha), wanted, 0.0)


def bounded(generators: Generators, alpha: FloatArray, share: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The share that the best bound has."""
    return np.asarray(lower_bounds(generators).best / alpha)


def _path(rng: np.random.Generator) -> tuple[Axis, ...]:
    return (_axis(rng, int(rng.integers(2, 7)), "a"),)


def _circle(rng: np.random.Generator) -> tuple[Axis, ...]:
    return (_axis(rng, int(rng.integers(2, 9)), "a", circle=True),)


def _box(rng: np.random.Generator) -> tuple[Axis, ...]:
    return tuple(_axis(rng, int(rng.integers(2, 4)), name, circle=rng.random() < 0.25) for name in ("a", "b"))


def _axis(rng: np.random.Generator, cells: int, name: str, *, circle: bool = False) -> Axis:
    unequal = float(rng.random() < 0.5)
    return axis_of(np.exp(unequal * rng.uniform(-1.0, 1.0, cells)), name, periodic=circle)


KINDS: dict[str, tuple[Callable[[np.random.Generator], tuple[Axis, ...]], Trial]] = {
    "programme": (_path, programmed),
    "path": (_path, bounded),
    "circle": (_circle, bounded),
    "box": (_box, bounded),
}


def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """A potential on cells of this shape, flattened."""
    cells = math.prod(shape)
    places = np.meshgrid(*(np.linspace(-1.0, 1.0, n) for n in shape), indexing="ij")
    x, y = places[0].ravel(), places[-1].ravel()
    size = float(10.0 ** rng.uniform(-1.0, 1.8))
    potential = [
        size * rng.normal(size=cells),
        size * (x - rng.uniform(-1.0, 1.0) * y) ** 2 + size * rng.uniform(-1.0, 1.0) * y,
        size * (x**2 - 0.4) ** 2 + 0.3 * rng.normal() * y,
        np.cumsum(rng.normal(size=cells)) * min(size, 5.0),
        size * (rng.random(cells) < 0.3),
    ][int(rng.integers(5))]
    return _within(np.asarray(potential, dtype=np.float64))


def _within(potential: FloatArray) -> FloatArray:
    return np.asarray(np.clip(potential - potential.min(axis=-1, keepdims=True), 0.0, LARGEST))


def search(evaluations: int, seed: int, kind: str = "programme") -> Found:
    """Climb from many potentials; each evaluation minimises alpha once and bounds it, or tests one rate."""
    rng = np.random.default_rng(seed)
    axes_of, trial = KINDS[kind]
    best = Found()
    while best.evaluations < evaluations:
        axes = axes_of(rng)
        shape = tuple(axis.size for axis in axes)
        potential = np.array([drawn(rng, shape) for _ in range(CLIMBERS)])
        share, idle = np.zeros(CLIMBERS), np.zeros(CLIMBERS, dtype=np.int64)
        for _ in range(MOVES):
            tired = idle > PATIENCE
            potential[tired] = [drawn(rng, shape) for _ in range(int(tired.sum()))] or potential[tired]
            share[tired], idle[tired] = 0.0, 0
            size = 10.0 ** rng.uniform(-2.0, 0.7, (CLIMBERS, 1)) * (share > 0.0)[:, None]
            new = _within(potential + size * rng.normal(size=potential.shape))
            generators = chains(axes, new)
            reached = trial(generators, minimise_log_sobolev(generators), share, rng)
            gained = np.asarray(reached > share, dtype=np.bool_)
            _keep(best, gained, reached, new, axes)
            potential[gained], share[gained] = new[gained], reached[gained]
            idle = np.where(gained, 0, idle + 1)
            best.evaluations += CLIMBERS
            if best.evaluations >= evaluations or best.largest > 1.0 + BEYOND / 2.0:
                break
        if best.largest > 1.0 + BEYOND / 2.0:
            break
    return best


def _keep(best: Found, gained: BoolArray, share: FloatArray, potential: FloatArray, axes: tuple[Axis, ...]) -> None:
    top = int(np.argmax(np.where(gained, share, 0.0)))
    if gained[top] and share[top] > best.largest:
        best.largest, best.potential = float(share[top]), potential[top].copy()
        best.widths = tuple(axis.widths for axis in axes)


def main() -> None:
    """Print the largest share found of each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--evaluations", type=int, default=100_000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if unknown := [kind for kind in options.kinds if kind not in KINDS]:
        parser.error(f"{', '.join(unknown)}: choose among {', '.join(KINDS)}")
    for kind in options.kinds or KINDS:
        found = search(options.evaluations, options.seed, kind)
        print(f"{kind}: {found.evaluations} evaluations, largest share of alpha {found.largest:.9f}")
        print("    potential", found.potential.tolist(), "widths", [w.tolist() for w in found.widths], flush=True)


if __name__ == "__main__":
    main()
