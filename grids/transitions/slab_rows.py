"""A transition whose pairs are spread over ranks, each of which holds those of its slab of states.

Expectations are local, (rows, A).  The operator P^p of a policy is one of whole vectors, of the bits it has in one
process, in one of two ways that depend on sizes alone:

* where its rows M have few entries they are *gathered*: every rank then has all of P^p, and all solvers;
* else a product is made of the local rows and gathered, and a transposed product is summed as one process sums it, in
  blocks of states: a block that slabs cut is handed on, half summed, to the rank that has the rest of it.
"""

from __future__ import annotations

from typing import TypeGuard

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import FloatArray
from wpoflow.core.slabs import RankSlab, Slab
from wpoflow.grids.coarsening import Coarsening
from wpoflow.grids.interpolation import Stencil
from wpoflow.grids.smoothing import Smoothing
from wpoflow.grids.transitions.base import (
    PolicyTransition,
    Resolution,
    StateFunction,
    Transition,
    described_ends,
    resolutions,
)
from wpoflow.grids.transitions.policy_pairs import PolicyPairs
from wpoflow.grids.transitions.policy_rows import SMALL, Pattern, PolicyRows, PolicySum, are_long

GATHERED = 64
"""Entries to a row up to which all are gathered: as many as incomplete factors, which need them, are made of."""

Local = PolicyRows | PolicyPairs


class SlabTransition:
    """A transition of all states, of which this rank holds the pairs of its slab.

    Parameters
    ----------
    local : Transition
        Built for the slab: its arrays of pairs have the rows of these states.
    slab : RankSlab
    """

    def __init__(self, local: Transition, slab: RankSlab) -> None:
        self.slab, self._local = slab, local
        self.n_states, self.n_actions = slab.n_states, local.n_actions
        self.description = local.description
        self.resolution: tuple[Resolution, ...] = resolutions(local)
        self.termination, self.clamped = (self._anywhere(array) for array in (local.termination, local.clamped))
        self.ends = ""
        if self.termination is not None:
            count, (largest,) = slab.total(int((self.termination > 0.0).sum())), slab.largest(self.termination.max())
            self.ends = described_ends(count, slab.n_states * local.n_actions, largest)
        self._shared: dict[int, _SharedPattern] = {}
        self._reaches: dict[int, tuple[int, int]] = {}  # stencils are the transition's own, and stay

    def _anywhere(self, array: FloatArray | None) -> FloatArray | None:
        """An array of pairs that is None on ranks where it would be zero, and only None if it is so on all."""
        if self.slab.total(array is not None) == 0:
            return None
        return np.zeros((self.slab.rows, self.n_actions)) if array is None else array

    def expect(self, value: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """E[V(s') | s, a], (rows, A), from V, (S,)."""
        return self._local.expect(value, out)

    def under(self, policy: FloatArray) -> PolicyTransition:
        """P^p on whole vectors, for non-negative weights p, (rows, A)."""
        return self._whole(self._local.under(policy))

    def coarser(self, coarsening: Coarsening) -> None:
        """None: there is no coarse grid of the states of a slab."""

    def terminal_expectation(self, function: StateFunction) -> FloatArray:
        """E[h(s'); terminated], (rows, A)."""
        return self._local.terminal_expectation(function)

    def _whole(self, local: PolicyTransition) -> PolicyTransition:
        if isinstance(local, PolicySum):
            return PolicySum(tuple(self._whole(part) for part in local.parts))
        if isinstance(local, PolicyRows):
            shared = self._shared.get(id(local.pattern))
            if shared is None:
                shared = self._shared[id(local.pattern)] = _SharedPattern(local.pattern, self.slab)
            if shared.gathers:
                return shared.gathered(local)
            return SlabOperator(local, shared.entries, shared.reach, self.slab, by_runs=shared.by_runs)
        if isinstance(local, PolicyPairs):
            reach = self._reaches.get(id(local.stencil))
            if reach is None:
                reach = self._reaches[id(local.stencil)] = _reach_of(local.stencil)
            return SlabOperator(local, self.slab.n_states * self.n_actions, reach, self.slab)
        raise TypeError(f"{type(local).__name__} cannot be spread over ranks")


class _SharedPattern:
    """How the rows of all ranks are put together, for one pattern of local ones."""

    def __init__(self, local: Pattern, slab: RankSlab) -> None:
        self.local, self._slab = local, slab  # which also keeps the pattern that it is found by
        self._counts = slab.counts(local.indices.size)
        self.entries = sum(self._counts)
        self.reach = (int(local.indices.min()), int(local.indices.max()) + 1) if local.indices.size else (0, 0)
        self.by_runs = are_long(slab.total(local.run_count), self.entries)
        self.gathers = self.entries <= max(SMALL, GATHERED * slab.n_states)
        self._pattern: Pattern | None = None

    def gathered(self, local: PolicyRows) -> PolicyRows:
        world = self._slab.communicator
        if self._pattern is None:
            lengths = self._slab.whole(np.diff(self.local.indptr))
            indptr = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)))
            self._pattern = Pattern(indptr, world.put_together(self.local.indices, self._counts), self.local.columns)
        return PolicyRows(self._pattern, world.put_together(local.data, self._counts), local.smoothing)


class SlabOperator:
    """P^p on whole vectors by the rows of each rank.

    Parameters
    ----------
    local : PolicyRows or PolicyPairs
        Of the slab's states.
    entries : int
        How many entries, or weights of pairs, all ranks have.
    reach : tuple of int
        The first node that the slab's next states lean on, and the first one behind them: smoothing stops there.
    slab : RankSlab
    by_runs : bool
        Of rows, whether products go by runs of neighbouring columns: a matter of the rows of all ranks.
    """

    def __init__(
        self, local: Local, entries: int, reach: tuple[int, int], slab: RankSlab, *, by_runs: bool = False
    ) -> None:
        self._local, self._entries, self._reach, self._slab = local, entries, reach, slab
        self._by_runs = by_runs
        self.n_states, self.nodes = slab.n_states, local.smoothing.size
        corners = local.stencil.offsets.size if _over_pairs(local) else 1
        self.work = entries * corners + local.smoothing.work

    @property
    def state_axes(self) -> int:
        """See `PolicyTransition`."""
        return self._local.state_axes

    @property
    def thins(self) -> bool:
        """See `PolicyTransition`."""
        return self._local.thins

    def thinned(self) -> PolicyRows | None:
        """The thinned rows of all ranks."""
        rows = self._local.thinned()
        return None if rows is None else _SharedPattern(rows.pattern, self._slab).gathered(rows)

    def matvec(self, x: FloatArray) -> FloatArray:
        """P^p x, (S,)."""
        out = np.empty(self.n_states)
        part = self._slab.part(out)
        if isinstance(self._local, PolicyRows):
            self._local.multiply(self._nodes(x), part, by_runs=self._by_runs)
        else:
            self._local.multiply(self._nodes(x), part)
        self._slab.gather((out, part))
        return out

    def _nodes(self, x: FloatArray) -> FloatArray:
        smoothing = self._local.smoothing
        if smoothing.identity:
            return np.ascontiguousarray(x)
        return smoothing.apply_to(x, *self._reach) if isinstance(smoothing, Smoothing) else smoothing.apply(x)

    def rmatvec(self, x: FloatArray) -> FloatArray:
        """(P^p)ᵀ x, (S,)."""
        slab, world, local = self._slab, self._slab.communicator, self._local
        blocks = min(local.blocks(self._entries), self.n_states)  # none is empty
        bounds = np.arange(blocks + 1) * self.n_states // blocks
        first = int(np.searchsorted(bounds, slab.start, side="right")) - 1
        last = int(np.searchsorted(bounds, slab.stop, side="left"))
        cuts = np.clip(bounds[first : last + 1], slab.start, slab.stop) - slab.start
        parts = np.zeros((last - first, local.smoothing.size))
        begun_before, goes_on = bounds[first] < slab.start, bounds[last] > slab.stop
        mine = x[slab.start : slab.stop]
        if begun_before:  # what does not wait for another rank comes first, and is handed on
            local.scatter(mine, cuts[1:], parts[1:])
        else:
            local.scatter(mine, cuts, parts)
        alone = begun_before and last - first == 1
        if goes_on and not alone:
            world.send(parts[-1], slab.rank + 1)
        if begun_before:
            world.receive(parts[0], slab.rank - 1)
            local.scatter(mine, cuts[:2], parts[:1])
        if goes_on and alone:
            world.send(parts[-1], slab.rank + 1)
        done = np.diff(np.searchsorted(bounds, slab.bounds, side="right") - 1)  # blocks that end on each rank
        own = parts[: len(parts) - goes_on].reshape(-1)
        found = world.put_together(own, [int(count) * parts.shape[1] for count in done])
        return local.added(found.reshape(blocks, -1))

    def dense(self) -> FloatArray:
        """P^p as an array (S, S)."""
        return self._gathered().dense()

    def sparse(self) -> sp.csr_array:
        """P^p in compressed rows."""
        return self._gathered().sparse()

    def _gathered(self) -> PolicyRows:
        local = self._local
        rows = local.rows(local.weights) if _over_pairs(local) else local
        assert isinstance(rows, PolicyRows)
        return _SharedPattern(rows.pattern, self._slab).gathered(rows)


def _over_pairs(local: Local) -> TypeGuard[PolicyPairs]:
    return isinstance(local, PolicyPairs)


def _reach_of(stencil: Stencil) -> tuple[int, int]:
    """First and last node, and one more, that pairs which go on lean on; none if all end."""
    nodes = stencil.base[stencil.base >= 0]
    if not nodes.size:
        return 0, 0
    return int(nodes.min()), int(nodes.max() + stencil.offsets.max()) + 1


def spread_over(local: Transition, slab: Slab) -> Transition:
    """A transition that was built for a slab as one of all states."""
    return SlabTransition(local, slab) if isinstance(slab, RankSlab) else local
