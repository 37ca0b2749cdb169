"""A first policy that is Gaussian in every state, stated by its means and covariances.

Flows of Gaussians begin with these numbers; all others with their projection onto the cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.slabs import Slab
from wpoflow.core.text import did_you_mean
from wpoflow.grids.grid import Grid
from wpoflow.problems.pairs import Value, evaluate
from wpoflow.solver.flows.flow import check_suitable, flow_class
from wpoflow.solver.flows.parametric.gaussian_cells import project_gaussians
from wpoflow.solver.flows.parametric.moments import action_cells, gaussians


class GaussianStart(NamedTuple):
    """Means (S, d), covariances (S, d, d), and the cell probabilities (S, A) that they make."""

    mean: FloatArray
    covariance: FloatArray
    policy: FloatArray


def initial_gaussians(
    states: Grid,
    actions: Grid,
    mean: Value | Mapping[str, Value] | None,
    covariance: Value | Mapping[str, Value] | None,
    slab: Slab,
) -> GaussianStart | None:
    """The Gaussians of a statement, evaluated at its state points; None where it states none.

    Raises
    ------
    ValueError
        An entry is missing, of no action axis, or not finite; a covariance is not positive definite, naming the state;
        an action axis has no two ends.
    """
    if mean is None or covariance is None:
        return None
    check_suitable(flow_class("gaussian"), "gaussian", actions)
    names = [axis.name for axis in actions.axes]
    rows, dim = slab.rows, actions.dim
    means, covariances = np.zeros((rows, dim)), np.zeros((rows, dim, dim))
    for (j,), (key, value) in entries("policy_mean", mean, names, 1).items():
        means[:, j] = _at_states(states, value, key, slab)
    for (i, j), (key, value) in entries("policy_covariance", covariance, names, 2).items():
        covariances[:, i, j] = covariances[:, j, i] = _at_states(states, value, key, slab)
    numbers = gaussians(states, slab, means, covariances)
    policy = np.empty((rows, actions.size))
    project_gaussians(numbers, 1, *action_cells(actions), policy)
    return GaussianStart(means, covariances, policy)


def entries(
    key: str, given: Value | Mapping[str, Value], names: list[str], indices: int
) -> dict[tuple[int, ...], tuple[str, Value]]:
    """Entries of a mean (one index) or covariance (two) by the numbers of their axes, with the keys they stand under.

    Raises
    ------
    ValueError
        One is of no action axis, is given twice, or is missing: means and variances must be given.
    """
    if not isinstance(given, Mapping):
        if len(names) > 1:
            raise ValueError(f"{key}: there are {len(names)} action axes; give a table with {wanted(names, indices)}")
        return {(0,) * indices: (key, given)}
    found: dict[tuple[int, ...], tuple[str, Value]] = {}
    for name, value in given.items():
        parts = [part.strip() for part in name.split(",")]
        if len(parts) != indices or not set(parts) <= set(names):
            raise ValueError(f"{key}: {name!r} is no entry; give {wanted(names, indices)}{did_you_mean(name, names)}")
        place = tuple(sorted(names.index(part) for part in parts))
        if place in found:
            raise ValueError(f"{key}: {name!r} is given twice")
        found[place] = (f"{key}.{name}", value)
    missing = [name for j, name in enumerate(names) if (j,) * indices not in found]
    if missing:
        raise ValueError(f"{key}: {','.join([missing[0]] * indices)} is missing; give {wanted(names, indices)}")
    return found


def wanted(names: list[str], indices: int) -> str:
    """The keys that such a table has, in words."""
    if indices == 1:
        return ", ".join(names)
    pairs = [f"{first},{second}" for first, second in pairwise(names)]
    own = ", ".join(f'"{name},{name}"' for name in names)
    return own + (f', and pairs as "{pairs[0]}"' if pairs else "")


def _at_states(states: Grid, value: Value, what: str, slab: Slab) -> FloatArray:
    columns = [column[slab.start : slab.stop] for column in states.points.T]
    found = evaluate(value, (slab.rows,), columns, what)
    if not np.all(np.isfinite(found)):
        row = int(np.argmin(np.isfinite(found)))
        place = states.describe(slab.start + row) or "the one state"
        raise ValueError(f"{what} is {found[row]} at {place}")
    return found
