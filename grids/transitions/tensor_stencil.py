"""Stencils that are tensor products: two axes with noise, whose next coordinates look at different action axes.

Where the next row depends on the state and on k_1 alone, the next column on the state and on k_2 alone, action
k = k_1 K_2 + k_2, the weights of a pair are products of those of (i, k_1) and of (i, k_2).  Held so they take next to
no memory, and expectations and rows of a policy factorise (grids/transitions/tensor_plane_kernels.py).  Whether it is
so is read off the next states themselves: they must be equal to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray
from wpoflow.core.slabs import Slab
from wpoflow.grids.interpolation import NextPoints, Places, Stencil, state_chunks


@dataclass(frozen=True, eq=False)
class TensorStencil:
    """Corners and weights of all pairs on a plane of nodes, axis by axis.

    Attributes
    ----------
    rows, columns : int32 arrays (S, K_1), (S, K_2)
        The lowest of three nodes on the first axis and on the second.
    row_steps, column_steps : arrays (S, K_1, 2), (S, K_2, 2)
        Probabilities of one step to the next node and of another (`Places`).
    stride : int
        Nodes on the second axis.
    """

    rows: IndexArray
    columns: IndexArray
    row_steps: FloatArray
    column_steps: FloatArray
    stride: int

    @property
    def pairs(self) -> tuple[int, int]:
        """Numbers of states and of actions."""
        return int(self.rows.shape[0]), int(self.rows.shape[1] * self.columns.shape[1])

    @property
    def places(self) -> tuple[IndexArray, FloatArray, IndexArray, FloatArray, int]:
        """What the kernels take, in their order."""
        return self.rows, self.row_steps, self.columns, self.column_steps, self.stride

    @property
    def offsets(self) -> IndexArray:
        """Flat node numbers of three by three nodes minus that of the lowest, (9,)."""
        three = np.arange(3, dtype=np.int32)
        return np.ravel(np.add.outer(np.int32(self.stride) * three, three))

    def corners(self) -> IndexArray:
        """Flat node number (S, A) of the lowest corner of every pair, a new array."""
        corners = self.rows[:, :, None] * np.int32(self.stride) + self.columns[:, None, :]
        return np.ascontiguousarray(corners.reshape(self.pairs))


def inner_actions(points: NextPoints, n_actions: int, slab: Slab) -> int:
    """The number K_2 of actions the second next coordinate depends on; 0 where the two do not factorise.

    ``points(start, stop)`` gives the two mean next coordinates, (stop - start, A) each, for states of the slab; the
    answer is that of all ranks together.
    """
    inner = n_actions
    for start, stop in state_chunks(slab.stop, n_actions, slab.start):
        first, _ = points(start, stop)
        changes = np.flatnonzero((first[:, 1:] != first[:, :-1]).any(axis=0)) + 1
        inner = int(np.gcd.reduce(changes, initial=inner))
        if inner == 1:
            break
    inner = math.gcd(*slab.counts(inner))
    if inner == 1:
        return 0
    chunks = (points(start, stop) for start, stop in state_chunks(slab.stop, n_actions, slab.start))
    alike = all(_factorises(first, second, inner) for first, second in chunks)
    return 0 if slab.total(not alike) else inner


def _factorises(first: FloatArray, second: FloatArray, inner: int) -> bool:
    """Whether the first coordinate is constant over inner actions, and the second over outer ones."""
    shape = (first.shape[0], -1, inner)
    of_rows, of_columns = first.reshape(shape), second.reshape(shape)
    return bool((of_rows == of_rows[:, :, :1]).all() and (of_columns == of_columns[:, :1]).all())


def empty_tensor_stencil(n_states: int, outer: int, inner: int, stride: int) -> TensorStencil:
    """Stencil of zeros to be filled chunk by chunk."""
    rows, columns = np.zeros((n_states, outer), np.int32), np.zeros((n_states, inner), np.int32)
    return TensorStencil(rows, columns, np.zeros((n_states, outer, 2)), np.zeros((n_states, inner, 2)), stride)


def fill_tensor_stencil(stencil: TensorStencil, which: slice, places: Sequence[Places | None]) -> None:
    """Take over the places of some states among the rows, (states, K_1), and among the columns, (states, K_2)."""
    parts = ((stencil.rows, stencil.row_steps), (stencil.columns, stencil.column_steps))
    for (lowest, steps), place in zip(parts, places, strict=True):
        if place is not None:
            lowest[which] = place.lowest
            steps[which, :, 0], steps[which, :, 1] = place.first, place.second


def expanded(stencil: TensorStencil) -> Stencil:
    """The same stencil with weights for every pair."""
    (n_states, n_actions), (outer, inner) = stencil.pairs, (stencil.rows.shape[1], stencil.columns.shape[1])
    offsets = np.zeros(1, dtype=np.int32)
    for step in (stencil.stride, stencil.stride, 1, 1):
        offsets = (offsets[:, None] + np.array([0, step], dtype=np.int32)).ravel()
    fraction = np.empty((n_states, outer, inner, 4))
    fraction[..., :2], fraction[..., 2:] = stencil.row_steps[:, :, None], stencil.column_steps[:, None]
    return Stencil(stencil.corners(), fraction.reshape(n_states, n_actions, 4), offsets)
