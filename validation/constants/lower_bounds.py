"""Guaranteed lower bounds of the modified log-Sobolev constant of the grid generators, all that apply.

Every value is a *grid* bound: a rate alpha, temperature included, with D(p) >= 2 alpha KL(p|g) for every policy p on
these very cells, rounding allowed for (`rounding`).  A bound whose hypothesis fails is zero.  Which is best
depends on the state: Bakry–Émery for convex potentials (0.95 of alpha), the sharpened Barthe–Roberto bound for
several wells (0.36–0.76), the convex reference in between, the unit chain for nearly flat ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.bound_holley_stroock import bound_holley_stroock_flat
from wpoflow.validation.constants.bound_product import bound_product
from wpoflow.validation.constants.bounds_one_axis import CIRCLE_BOUNDS, PATH_BOUNDS
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.proven import ProvenBound

Bound = Callable[[Generators], FloatArray]

PRODUCT_BOUNDS: dict[str, Bound] = {"product": bound_product, "holley_stroock_flat": bound_holley_stroock_flat}
SINGLE_CELL = "single_cell"


@dataclass(frozen=True, eq=False)
class LowerBounds:
    """Bounds of alpha by name.

    Attributes
    ----------
    values : dict of arrays (S,)
        Rates; zero where a bound does not apply, infinite if there is one action cell only.
    """

    values: dict[str, FloatArray]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bounds, sorted."""
        return tuple(sorted(self.values))

    @property
    def best(self) -> FloatArray:
        """The largest bound of each state, (S,)."""
        return np.asarray(np.max([self.values[name] for name in self.names], axis=0))

    @property
    def best_name(self) -> tuple[str, ...]:
        """Which bound is the largest in each state, S names; the first by name among equals."""
        names = self.names
        return tuple(names[k] for k in np.argmax([self.values[name] for name in names], axis=0))

    @property
    def proven(self) -> ProvenBound:
        """`best` as what guaranteed rates are made of."""
        return ProvenBound(self.best, self.best_name, "validation/constants/lower_bounds.py and the files it lists")


def lower_bounds(generators: Generators) -> LowerBounds:
    """All guaranteed lower bounds of alpha that apply to these generators.

    Parameters
    ----------
    generators : Generators
        Any number of states, taken in blocks, and of axes.

    Returns
    -------
    LowerBounds
        With one action cell there is nothing to relax and the only value is +inf.
    """
    if not generators.axes:
        return LowerBounds({SINGLE_CELL: np.full(generators.size, np.inf)})
    family = PATH_BOUNDS if generators.is_path else CIRCLE_BOUNDS if generators.is_circle else PRODUCT_BOUNDS
    values = {name: np.empty(generators.size) for name in family}
    for rows, block in generators.blocks():
        for name, bound in family.items():
            values[name][rows] = bound(block)
    return LowerBounds(values)
