"""A search for laws that lift a guaranteed lower bound of the modified log-Sobolev constant above the constant.

    python -m benchmarks.bound_search 100000

Hill climbing: for every bound and every shape of grid many potentials are changed at random, each change being kept
that raises bound/alpha, alpha as small as descent from many starts finds it (an upper bound, so that a ratio of one or
less is what the theorems promise whatever descent has missed).  Prints the largest ratio by shape and bound, and ends
with status 1 if one exceeds 1.  The number of evaluations is shared among shapes and bounds.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.lower_bounds import lower_bounds

SHAPES = ("2", "3", "6", "2o", "3o", "4o", "7o", "2x2", "3x3", "2x5", "3ox3", "4ox3o", "2x2x3", "2x3ox2")
"""Cells of each axis; o: a circle."""
POPULATION = 40
SIZES = (0.01, 0.1, 0.5, 2.0, 6.0)
ROUNDING = 1e-9


def grid_of(shape: str) -> Grid:
    """The grid named so, cells of width one."""
    axes = []
    for k, size in enumerate(shape.split("x")):
        cells, boundary = int(size.rstrip("o")), "periodic" if size.endswith("o") else "no-flux"
        axes.append(uniform_axis(f"a{k}", 0.0, float(cells), cells, boundary))
    return Grid(tuple(axes))


def shares(potential: FloatArray, grid: Grid) -> dict[str, FloatArray]:
    """Each bound over alpha, (S,), of the laws with potentials (S, A)."""
    generators = Generators(grid, potential, np.log(grid.volumes / grid.volumes.sum()), 1.0)
    alpha = minimise_log_sobolev(generators)
    return {name: values / alpha for name, values in lower_bounds(generators).values.items()}


def climb(grid: Grid, evaluations: int, seed: int) -> Iterator[tuple[str, float, FloatArray]]:
    """The largest share of each bound found in so many evaluations for each, and its potential."""
    rng = np.random.default_rng(seed)
    population = min(POPULATION, evaluations)
    start = rng.normal(size=(population, grid.size)) * rng.choice(SIZES, size=(population, 1))
    first = shares(start, grid)
    for name in first:
        potential, best = start.copy(), first[name].copy()
        for _ in range(max(evaluations // population - 1, 0)):
            change = rng.normal(size=start.shape) * rng.choice(SIZES, size=(population, 1))
            few = rng.random(start.shape) < rng.choice([0.2, 0.5, 1.0], size=(population, 1))
            tried = np.clip(
                (potential + change * few) * rng.choice([0.7, 1.0, 1.0, 1.3], size=(population, 1)), -40.0, 40.0
            )
            found = shares(tried, grid)[name]
            better = found > best
            potential[better], best[better] = tried[better], found[better]
        top = int(np.argmax(best))
        yield name, float(best[top]), potential[top]


def search(evaluations: int, tell: Callable[[str], object], shapes: tuple[str, ...] = SHAPES, seed: int = 0) -> float:
    """The largest share found over all shapes and bounds; each is told."""
    largest, each = 0.0, math.ceil(evaluations / (len(shapes) * 6))
    for shape in shapes:
        for name, share, potential in climb(grid_of(shape), each, seed):
            largest = max(largest, share)
            worst = f" at {potential.tolist()}" if share > 1.0 + ROUNDING else ""
            tell(f"{shape:8s} {name:22s} {share:.9f}{worst}")
    return largest


def main() -> int:
    """Search and print; 1 if a bound exceeds alpha."""
    evaluations = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    largest = search(evaluations, lambda line: print(line, flush=True))
    print(f"largest bound/alpha {largest:.12f}")
    return int(largest > 1.0 + ROUNDING)


if __name__ == "__main__":
    sys.exit(main())
