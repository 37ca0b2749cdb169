"""Slabs of states: which rows of arrays of pairs a process holds, and how vectors over states are made whole.

    rank r of R holds the states   r S // R  ...  (r + 1) S // R - 1

Arrays of pairs (S, A) are *local*: a process has the rows of its states and no others.  Vectors over states (S,) are
*whole* on every rank, of the same bits.  A kernel that makes a number of every row fills the slab's part of a vector,
and the parts are gathered: one writer for each number, whatever the number of ranks, and every sum over states is taken
of the whole vector by the same code.  So results do not depend on the number of ranks, to the last bit.

    part = slab.part(out)           a kernel fills it
    slab.gather((out, part))        then ``out`` is whole

Numbers of which the largest is wanted are compared by `Slab.largest`; numbers that are counts are added by
`Slab.total`; nothing else is ever reduced.  A process that is alone has a `Slab` of all states, whose methods hand back
what they are given.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from wpoflow.core.arrays import AnyArray, FloatArray
from wpoflow.core.communicator import Communicator

AT_ONCE = 1 << 17  # numbers that are read, written or sent at once


class Slab:
    """All states in one process.

    Parameters
    ----------
    n_states : int
        Number of states S.

    Attributes
    ----------
    n_states, start, stop : int
        All states, the first one of the slab, and the first one behind it.
    ranks : int
        Number of processes.
    root : bool
        Whether this process is the one that speaks, reads and writes.
    """

    ranks = 1
    root = True

    def __init__(self, n_states: int) -> None:
        self.n_states = n_states
        self.start, self.stop = 0, n_states

    @property
    def rows(self) -> int:
        """Number of states of the slab."""
        return self.stop - self.start

    def part(self, whole: AnyArray) -> AnyArray:
        """What is to be filled for the slab's states of an array (..., S): a contiguous one (..., rows)."""
        return whole

    def gather(self, *filled: tuple[AnyArray, AnyArray]) -> None:
        """Make arrays whole of the parts that all ranks have filled, in one message: pairs (whole, part)."""

    def whole(self, part: AnyArray) -> AnyArray:
        """The vector (S,) of which every rank has its part (rows,)."""
        return part

    def of(self, whole: AnyArray) -> AnyArray:
        """The entries (rows,) of a vector (S,) for the slab's states."""
        return whole[self.start : self.stop]

    def largest(self, *numbers: float) -> tuple[float, ...]:
        """The largest of each number over all ranks; not a number if one of them is none."""
        return numbers

    def counts(self, count: int) -> list[int]:
        """A count of every rank."""
        return [count]

    def total(self, count: int) -> int:
        """The sum of a count over all ranks."""
        return count

    def decided(self, value: Any) -> Any:
        """What the root has for ``value``, on all ranks."""
        return value

    def told(self, state: int, words: Callable[[int], str]) -> str:
        """What the owner of a state says of it, on all ranks; ``words`` is given the number of its row."""
        return words(state)

    def spread(self, local: FloatArray) -> FloatArray | Spread:
        """An array of pairs as it is stored: whole, of the rows of all ranks."""
        return local

    def shared(self, content: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """What the root has read, on all ranks, of arrays of pairs (those of two dimensions) the slab's rows."""
        return None if content is None else dict(content)


class RankSlab(Slab):
    """The slab of one rank among several.

    Parameters
    ----------
    n_states : int
    communicator : Communicator

    Raises
    ------
    ValueError
        There are more ranks than states.
    """

    def __init__(self, n_states: int, communicator: Communicator) -> None:
        super().__init__(n_states)
        rank, ranks = communicator.rank, communicator.size
        if ranks > n_states:
            raise ValueError(f"{ranks} ranks share {n_states} states: start at most {n_states}")
        self.communicator, self.rank, self.ranks, self.root = communicator, rank, ranks, rank == 0
        self.bounds = [r * n_states // ranks for r in range(ranks + 1)]
        self.start, self.stop = self.bounds[rank], self.bounds[rank + 1]
        self._counts = np.diff(self.bounds).tolist()

    def part(self, whole: AnyArray) -> AnyArray:
        """See `Slab`."""
        mine = whole[..., self.start : self.stop]
        return mine if whole.ndim == 1 else np.empty(mine.shape, dtype=whole.dtype)

    def gather(self, *filled: tuple[AnyArray, AnyArray]) -> None:
        """See `Slab`."""
        # all are of eight bytes a number, and travel as such
        packed = np.concatenate([part.reshape(-1, self.rows).view(np.int64) for _, part in filled])
        lines = packed.shape[0]
        found = self.communicator.put_together(packed.reshape(-1), [lines * count for count in self._counts])
        for first, last in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            block = found[lines * first : lines * last].reshape(lines, last - first)
            line = 0
            for whole, part in filled:
                own = part.size // self.rows
                whole[..., first:last] = block[line : line + own].view(whole.dtype).reshape(*whole.shape[:-1], -1)
                line += own

    def whole(self, part: AnyArray) -> AnyArray:
        """See `Slab`."""
        return self.communicator.put_together(np.ascontiguousarray(part), self._counts)

    def largest(self, *numbers: float) -> tuple[float, ...]:
        """See `Slab`."""
        mine = np.array(numbers, dtype=np.float64)
        found = self.communicator.put_together(mine, [mine.size] * self.ranks).reshape(self.ranks, -1)
        return tuple(found.max(axis=0).tolist())

    def counts(self, count: int) -> list[int]:
        """See `Slab`."""
        found: list[int] = self.communicator.put_together(np.array([count], dtype=np.int64), [1] * self.ranks).tolist()
        return found

    def total(self, count: int) -> int:
        """See `Slab`."""
        return sum(self.counts(count))

    def decided(self, value: Any) -> Any:
        """See `Slab`."""
        return self.communicator.decided(value)

    def told(self, state: int, words: Callable[[int], str]) -> str:
        """See `Slab`."""
        mine = words(state - self.start) if self.start <= state < self.stop else ""
        letters = np.frombuffer(mine.encode(), dtype=np.uint8)
        return bytes(self.communicator.put_together(letters, self.counts(letters.size))).decode()

    def spread(self, local: FloatArray) -> Spread:
        """See `Slab`."""
        return Spread(local, self)

    def shared(self, content: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """See `Slab`."""
        alike = None
        if content is not None:
            alike = {name: value.shape[1] if _of_pairs(value) else _Alike(value) for name, value in content.items()}
        told: dict[str, Any] | None = self.decided(alike)
        if told is None:
            return None
        found = {}
        for name, value in told.items():
            if isinstance(value, _Alike):
                found[name] = value.value
            else:
                found[name] = self._dealt(None if content is None else content[name], value)
        return found

    def _dealt(self, array: Any, actions: int) -> FloatArray:
        """The rows of this rank, of an array (S, A) that the root has."""
        own = np.empty((self.rows, actions))
        if not self.root:
            for first, last in _blocks(self.start, self.stop, actions):
                self.communicator.receive(own[first - self.start : last - self.start], 0)
            return own
        read = array.read if isinstance(array, StoredRows) else lambda first, last: array[first:last]
        for rank in range(1, self.ranks):
            for first, last in _blocks(self.bounds[rank], self.bounds[rank + 1], actions):
                self.communicator.send(np.ascontiguousarray(read(first, last)), rank)
        for first, last in _blocks(self.start, self.stop, actions):
            own[first:last] = read(first, last)
        return own


class _Alike(NamedTuple):
    """What is the same on all ranks."""

    value: Any


def _of_pairs(value: Any) -> bool:
    return getattr(value, "ndim", 0) == 2


def _blocks(start: int, stop: int, actions: int) -> Iterator[tuple[int, int]]:
    """The rows start ... stop - 1 in blocks of at most `AT_ONCE` numbers, of one row at least."""
    rows = max(1, AT_ONCE // actions)
    for first in range(start, stop, rows):
        yield first, min(first + rows, stop)


class RowBlocks:
    """An array of pairs (S, A) that no process has in memory; it is gone through block by block, once.

    Parameters
    ----------
    shape : tuple of int
    """

    ndim = 2
    dtype = np.dtype(np.float64)

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape, self.size = shape, shape[0] * shape[1]

    def blocks(self) -> Iterator[tuple[int, FloatArray]]:
        """Rows in order, with the number of the first state of each block."""
        raise NotImplementedError


class StoredRows(RowBlocks):
    """An array of pairs that is in a file.

    Parameters
    ----------
    shape : tuple of int
    read : callable
        Gives the rows of the states first ... last - 1.
    """

    def __init__(self, shape: tuple[int, int], read: Callable[[int, int], FloatArray]) -> None:
        super().__init__(shape)
        self.read = read

    def blocks(self) -> Iterator[tuple[int, FloatArray]]:
        """See `RowBlocks`."""
        for first, last in _blocks(0, *self.shape):
            yield first, self.read(first, last)


class Spread(RowBlocks):
    """An array of pairs (S, A) of which every rank holds its rows; the root goes through it block by block.

    All ranks must go through the same ones in the same order: the others send where the root looks.  The blocks are
    those of `StoredRows`, whatever the number of ranks, and no more than one of them is added to what the root holds.

    Parameters
    ----------
    local : array (rows, A)
    slab : RankSlab
    """

    def __init__(self, local: FloatArray, slab: RankSlab) -> None:
        super().__init__((slab.n_states, int(local.shape[1])))
        self.local, self._slab = np.ascontiguousarray(local), slab

    def blocks(self) -> Iterator[tuple[int, FloatArray]]:
        """On the root the rows of all ranks in order, with the number of their first state; elsewhere none."""
        slab = self._slab
        for first, last in _blocks(0, *self.shape):
            if slab.root:
                yield first, self._block(first, last)
            elif first < slab.stop and slab.start < last:
                slab.communicator.send(self._mine(first, last), 0)

    def _mine(self, first: int, last: int) -> FloatArray:
        """What this rank has of some rows."""
        start, stop = self._slab.start, self._slab.stop
        return self.local[max(first, start) - start : min(last, stop) - start]

    def _block(self, first: int, last: int) -> FloatArray:
        """Some rows, of the root's own and of those that have the others."""
        bounds, rank = self._slab.bounds, 0
        if last <= bounds[1]:
            return self._mine(first, last)
        block = np.empty((last - first, self.shape[1]))
        if first < bounds[1]:
            block[: bounds[1] - first] = self._mine(first, last)
        else:
            rank = bisect_right(bounds, first) - 1
        for other in range(max(1, rank), self._slab.ranks):
            begun, ended = max(first, bounds[other]), min(last, bounds[other + 1])
            if begun >= ended:
                break
            self._slab.communicator.receive(block[begun - first : ended - first], other)
        return block


def send_rows(array: Any) -> None:
    """Send this process's rows of an array that is spread over several to the root, which goes through it."""
    if isinstance(array, Spread):
        for _ in array.blocks():
            raise AssertionError("the root has others' rows, and sends none")


def boxes(shape: tuple[int, ...], first: int, last: int) -> Iterator[tuple[slice, ...]]:
    """The states first ... last - 1 of a grid, numbered in C order, as boxes of it, in that order."""
    if not shape:
        yield ()
        return
    inner = math.prod(shape[1:])
    while first < last:
        row, inside = divmod(first, inner)
        if len(shape) > 1 and (inside or last - first < inner):
            end = min(last, (row + 1) * inner)
            for box in boxes(shape[1:], inside, end - row * inner):
                yield slice(row, row + 1), *box
        else:
            end = last - last % inner
            yield slice(row, end // inner), *(slice(0, size) for size in shape[1:])
        first = end


def slab_of(n_states: int, communicator: Communicator | None) -> Slab:
    """The slab of this process of so many states."""
    if communicator is None or communicator.size == 1:
        return Slab(n_states)
    return RankSlab(n_states, communicator)
