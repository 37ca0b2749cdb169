"""Search for a path whose alpha the dynamic programme exceeds, by making its share of alpha as large as possible.

    python -m tests.validation.constants.search_bounds --evaluations 100000

Rough and convex potentials, double wells, random walks and spikes on a few cells, of equal and unequal widths, are
changed little by little; a change is kept if a larger share of the new alpha, minimised numerically, is certified
still.  A share above one would be a false certificate.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from tests.validation.constants.chains import axis_of, chains
from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.bound_dynamic_programming import certifies
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev

PATIENCE = 40  # changes without gain after which another path is taken
TIGHTER = 0.5


@dataclass
class Found:
    """The largest share certified, the potential and widths that have it, and the number of evaluations."""

    largest: float
    potential: FloatArray
    widths: FloatArray
    evaluations: int


def drawn(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """A potential and widths."""
    cells = int(rng.integers(2, 11))
    x = np.linspace(-1.0, 1.0, cells)
    size = float(10.0 ** rng.uniform(-1.0, 1.8))
    potential = [
        size * rng.normal(size=cells),
        size * (x - rng.uniform(-1.0, 1.0)) ** 2,
        size * (x**2 - 0.4) ** 2 + 0.3 * rng.normal() * x,
        np.cumsum(rng.normal(size=cells)) * min(size, 5.0),
        size * (rng.random(cells) < 0.3),
    ][int(rng.integers(5))]
    unequal = float(rng.random() < 0.5)
    return np.asarray(potential, dtype=np.float64), np.exp(unequal * rng.uniform(-1.0, 1.0, cells))


def search(evaluations: int, seed: int) -> Found:
    """Climb from many paths; each evaluation minimises alpha once and tests one rate."""
    rng = np.random.default_rng(seed)
    best = Found(0.0, np.zeros(0), np.zeros(0), 0)
    while best.evaluations < evaluations:
        potential, widths = drawn(rng)
        share, idle = 0.9, 0
        while idle < PATIENCE and best.evaluations < evaluations:
            new = potential + 10.0 ** rng.uniform(-2.0, 0.7) * rng.normal(size=potential.size) * (idle > 0)
            generators = chains((axis_of(widths),), np.clip(new - new.min(), 0.0, 200.0))
            wanted = 1.0 + 1e-8 if rng.random() < 0.2 else 1.0 - TIGHTER * (1.0 - share)
            best.evaluations += 1
            idle += 1
            if certifies(generators, wanted * minimise_log_sobolev(generators))[0]:
                potential, share, idle = new, wanted, 1
                if share > best.largest:
                    best.largest, best.potential, best.widths = share, new, widths
                if share > 1.0:
                    return best
    return best


def main() -> None:
    """Print the largest share found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = search(options.evaluations, options.seed)
    print(f"{found.evaluations} evaluations, largest share of alpha certified {found.largest:.6f}")
    print("potential", found.potential.tolist(), "widths", found.widths.tolist())


if __name__ == "__main__":
    main()
