"""Guaranteed lower bounds of the modified log-Sobolev constant of the grid generators, all that apply.

Every value is a *grid* bound: a rate alpha, temperature included, with D(p) >= 2 alpha KL(p|g) for every policy p on
these very cells, rounding allowed for (`rounding`).  A bound whose hypothesis fails is zero.  Which is best depends
on the state: Bakry–Émery for convex potentials (0.95 of alpha), the sharpened Barthe–Roberto bound for several wells
(0.36–0.76), the convex reference in between, the unit chain for nearly flat ones.

Bounds have a price.  Those of level ``quick`` are evaluated in all states.  Level ``full`` adds the costly ones, on
paths dynamic programming (0.99 of alpha), with several axes two scales with the log-Sobolev constants of each axis by
dynamic programming (0.5 to 0.95), where the least bound is decided: in the state that has it, then, with this
state's new bound as all that is asked for, in the states whose bound is below it, and so on until the state of least
bound is one of these.  The rest cannot lower the minimum, and keep their quick bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.validation.constants.bound_holley_stroock import bound_holley_stroock_flat
from wpoflow.validation.constants.bound_product import bound_product
from wpoflow.validation.constants.bound_two_scale import bound_two_scale
from wpoflow.validation.constants.bound_weighted_gap import bound_weighted_gap
from wpoflow.validation.constants.bounds_one_axis import CIRCLE_BOUNDS, COSTLY_PATH_BOUNDS, PATH_BOUNDS
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev_sharp import log_sobolev_sharp
from wpoflow.validation.constants.proven import ProvenBound

Bound = Callable[[Generators], FloatArray]

PRODUCT_BOUNDS: dict[str, Bound] = {
    "product": bound_product,
    "holley_stroock_flat": bound_holley_stroock_flat,
    "two_scale": bound_two_scale,
    "weighted_gap": bound_weighted_gap,
}
CostlyBound = Callable[[Generators, float], FloatArray]
"""Of generators, and a rate above which it need not look."""


def two_scale_sharp(generators: Generators, at_most: float) -> FloatArray:
    """Two scales, the constants of paths in them by dynamic programming, (S,)."""
    return bound_two_scale(generators, log_sobolev_sharp)


COSTLY_PRODUCT_BOUNDS: dict[str, CostlyBound] = {"two_scale_sharp": two_scale_sharp}
SINGLE_CELL = "single_cell"
LABELLED = "labels"
LEVELS = ("quick", "full")
BATCH = 64
"""Most states in which a costly bound is evaluated at a time."""


@dataclass(frozen=True, eq=False)
class LowerBounds:
    """Bounds of alpha by name.

    Attributes
    ----------
    values : dict of arrays (S,)
        Rates; zero where a bound does not apply or was not asked for, infinite if there is one action cell only.
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


def lower_bounds(generators: Generators, level: str = "quick", counted: BoolArray | None = None) -> LowerBounds:
    """All guaranteed lower bounds of alpha that apply to these generators.

    Parameters
    ----------
    generators : Generators
        Any number of states, taken in blocks, and of axes.
    level : str
        ``quick`` or ``full``: whether bounds that take long are evaluated too where the minimum is decided.
    counted : array (S,) of bool, optional
        The states whose minimum it is; all by default.

    Returns
    -------
    LowerBounds
        With one action cell there is nothing to relax and the only value is +inf; with labels nothing relaxes, and it
        is zero.

    Raises
    ------
    ValueError
        There is no such level, or ``counted`` is not one flag for each state.
    """
    if level not in LEVELS:
        raise ValueError(f"level of bounds {level!r}; choose {' or '.join(LEVELS)}")
    counts = np.ones(generators.size, dtype=np.bool_) if counted is None else np.asarray(counted)
    if counts.shape != (generators.size,) or counts.dtype != np.bool_:
        raise ValueError(
            f"counted: {counts.dtype} of shape {counts.shape}; it must be bool, of {generators.size} states"
        )
    if generators.severed:
        return LowerBounds({LABELLED: np.zeros(generators.size)})
    if not generators.axes:
        return LowerBounds({SINGLE_CELL: np.full(generators.size, np.inf)})
    family: Mapping[str, Bound]
    costly: Mapping[str, CostlyBound]
    if generators.is_path:
        family, costly = PATH_BOUNDS, COSTLY_PATH_BOUNDS
    elif generators.is_circle:
        family, costly = CIRCLE_BOUNDS, {}
    else:
        family, costly = PRODUCT_BOUNDS, COSTLY_PRODUCT_BOUNDS
    values = {name: np.empty(generators.size) for name in family}
    for rows, block in generators.blocks():
        for name, bound in family.items():
            values[name][rows] = bound(block)
    bounds = LowerBounds(values)
    if level == "full" and costly:
        return _refined(bounds, generators, counts, costly)
    return bounds


def _refined(
    bounds: LowerBounds, generators: Generators, counted: BoolArray, costly: Mapping[str, CostlyBound]
) -> LowerBounds:
    """With the costly bounds of the states that decide the minimum over those counted."""
    values = {name: np.zeros(generators.size) for name in costly}
    best = np.where(counted, bounds.best, np.inf)
    refined = ~counted
    least, batch = np.inf, 1
    while True:
        open_states = np.flatnonzero(~refined & (best < least))
        if not open_states.size:
            return LowerBounds({**bounds.values, **values})
        chosen = open_states[np.argsort(best[open_states], kind="stable")[:batch]]
        block = generators.select(chosen)
        for name, bound in costly.items():
            values[name][chosen] = bound(block, least)
            best[chosen] = np.maximum(best[chosen], values[name][chosen])
        refined[chosen] = True
        least, batch = float(best[refined].min()), BATCH
