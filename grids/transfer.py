"""A policy on one product of grids carried over to another on the same boxes.

    p'[s', k'] = Σ_s Σ_k I[s', s] p[s, k] O[k, k'],        O[k, k'] = |cell k ∩ cell k'| / |cell k|

The mass of an action cell goes to the new cells in proportion to what they share of it, axis by axis, so that mass is
kept exactly and stays positive; I interpolates linearly between the state points, constant beyond the first and the
last and around a periodic axis, and its rows are non-negative and sum to one.  Axes that are the same are left alone:
between equal grids the policy is carried over bit for bit.  Labels must be the same, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.grid import Grid


def differences(kind: str, old: Grid, new: Grid) -> str:
    """Why nothing on one grid can be carried over to another, in words; empty if it can."""
    names = [", ".join(axis.name for axis in grid.axes) or "none" for grid in (old, new)]
    if names[0] != names[1]:
        return f"its {kind} axes are {names[0]}, those of the problem {names[1]}"
    for before, after in zip(old.axes, new.axes, strict=True):
        if before.boundary != after.boundary:
            return f"its {kind} axis {after.name} is {before.boundary}, that of the problem {after.boundary}"
        if before.labels != after.labels:
            given = [", ".join(axis.labels) for axis in (before, after)]
            return f"its {kind} axis {after.name} has the labels {given[0]}; that of the problem {given[1]}"
        ends = [f"[{axis.lower:.17g}, {axis.upper:.17g}]" for axis in (before, after)]
        if ends[0] != ends[1]:
            return f"its {kind} axis {after.name} lies on {ends[0]}, that of the problem on {ends[1]}"
    return ""


def transferred_policy(
    policy: FloatArray, old_states: Grid, old_actions: Grid, states: Grid, actions: Grid
) -> FloatArray:
    """Carry a policy over to other grids.

    Parameters
    ----------
    policy : array (S, A)
        Cell probabilities on the old grids.
    old_states, old_actions, states, actions : Grid
        Old and new grids, whose axes have the same names, boundaries and boxes.

    Returns
    -------
    array (S', A')
        Cell probabilities on the new grids, rows summing to one to rounding.

    Raises
    ------
    ValueError
        Axes that differ in more than their points.
    """
    for kind, old, new in (("state", old_states, states), ("action", old_actions, actions)):
        if wrong := differences(kind, old, new):
            raise ValueError(wrong)
    tensor = _carried(policy.reshape(*old_states.shape, *old_actions.shape), _interpolation, old_states, states, 0)
    tensor = _carried(tensor, _overlap, old_actions, actions, states.dim)
    return np.ascontiguousarray(tensor).reshape(states.size, actions.size)


def interpolated_rows(rows: FloatArray, old: Grid, new: Grid) -> FloatArray:
    """Numbers of every state, (S, n), carried over to states on the same boxes by I, (S', n)."""
    tensor = _carried(rows.reshape(*old.shape, -1), _interpolation, old, new, 0)
    return np.ascontiguousarray(tensor).reshape(new.size, -1)


def _carried(
    tensor: FloatArray, matrix: Callable[[Axis, Axis], sp.csr_array], old: Grid, new: Grid, first: int
) -> FloatArray:
    """Multiplied along the axes of a grid, of which the first is that of this number, where they are not the same."""
    for place, (before, after) in enumerate(zip(old.axes, new.axes, strict=True), start=first):
        if not np.array_equal(before.edges, after.edges):
            moved = np.moveaxis(tensor, place, 0)
            carried = matrix(before, after) @ np.ascontiguousarray(moved).reshape(before.size, -1)
            tensor = np.moveaxis(carried.reshape(after.size, *moved.shape[1:]), 0, place)
    return tensor


def _interpolation(old: Axis, new: Axis) -> sp.csr_array:
    """Weights of the old points at the new ones, (new, old)."""
    nodes, owner = old.points, np.arange(old.size)
    if old.periodic:
        nodes = np.concatenate(([nodes[-1] - old.length], nodes, [nodes[0] + old.length]))
        owner = np.concatenate((owner[-1:], owner, owner[:1]))
    right = np.clip(np.searchsorted(nodes, new.points), 1, max(1, nodes.size - 1))
    left, right = right - 1, np.minimum(right, nodes.size - 1)
    gap = np.where(right > left, nodes[right] - nodes[left], 1.0)
    share = np.clip((new.points - nodes[left]) / gap, 0.0, 1.0)
    rows = np.tile(np.arange(new.size), 2)
    entries = (np.concatenate((1.0 - share, share)), (rows, np.concatenate((owner[left], owner[right]))))
    return sp.csr_array(sp.coo_array(entries, shape=(new.size, old.size)))


def _overlap(old: Axis, new: Axis) -> sp.csr_array:
    """Which share of each old cell lies in each new one, (new, old); columns sum to one to rounding."""
    edges = np.union1d(old.edges, new.edges)
    middle = edges[:-1] + 0.5 * np.diff(edges)
    source, target = (
        np.clip(np.searchsorted(axis.edges, middle, side="right") - 1, 0, axis.size - 1) for axis in (old, new)
    )
    share = np.diff(edges) / old.widths[source]
    return sp.csr_array(sp.coo_array((share, (target, source)), shape=(new.size, old.size)))
