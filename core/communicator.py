"""Processes that run one flow together, each a *rank*: what they may say to each other, and nothing else.

A communicator is a value.  The command makes one and hands it down; without it there is one process, and nothing is
sent.  MPI is imported where a communicator of it is asked for, and nowhere else.

Numbers are put together in the order of the ranks and never summed on the way: what is computed of them is computed by
every rank alike, by the same code from the same bits, so that all ranks take the same decisions.
"""

from __future__ import annotations

import os
import time
from typing import Any, Protocol

import numpy as np

from wpoflow.core.arrays import AnyArray


class Communicator(Protocol):
    """What ranks need of each other.

    Attributes
    ----------
    rank, size : int
        Number of this process, from 0, and number of all.
    """

    rank: int
    size: int

    def put_together(self, mine: AnyArray, counts: list[int]) -> AnyArray:
        """The one-dimensional arrays of all ranks, one behind the other; ``counts`` are their lengths."""
        ...

    def send(self, array: AnyArray, to: int) -> None:
        """Send a contiguous array to another rank, which receives it."""
        ...

    def receive(self, out: AnyArray, source: int) -> None:
        """Fill a contiguous array with what another rank sends."""
        ...

    def decided(self, value: Any) -> Any:
        """What rank 0 has for ``value``, on all ranks: for whatever depends on a clock, a disk or the user."""
        ...


class MpiCommunicator:
    """The processes that ``mpiexec`` or a batch system started.

    Attributes
    ----------
    rank, size : int
        As of `Communicator`.
    messenger : mpi4py.MPI.Comm
        What messages are sent by.
    messages, sent_bytes : int
        How often this rank has taken part in a message, and how many bytes it has sent to others.
    """

    def __init__(self, world: Any) -> None:
        self.messenger, self._alarm = world, world.Dup()  # what is said of failures crosses no other message
        self.rank, self.size = int(world.Get_rank()), int(world.Get_size())
        self.messages = self.sent_bytes = 0

    def put_together(self, mine: AnyArray, counts: list[int]) -> AnyArray:
        """See `Communicator`."""
        out = np.empty(sum(counts), dtype=mine.dtype)
        self.messenger.Allgatherv(np.ascontiguousarray(mine), [out, counts])
        self._count(mine.nbytes)
        return out

    def send(self, array: AnyArray, to: int) -> None:
        """See `Communicator`."""
        self.messenger.Send(array, dest=to)
        self._count(array.nbytes)

    def receive(self, out: AnyArray, source: int) -> None:
        """See `Communicator`."""
        self.messenger.Recv(out, source=source)

    def decided(self, value: Any) -> Any:
        """See `Communicator`."""
        self._count(0)
        return self.messenger.bcast(value, root=0)

    def all_have_failed(self, patience: float) -> bool:
        """Whether all ranks come here within so many seconds; called by one that can do no more."""
        self._told = [self._alarm.isend(None, other) for other in range(self.size) if other != self.rank]
        together, until = self._alarm.Ibarrier(), time.monotonic() + patience
        while time.monotonic() < until:
            if together.Test():
                return True
            time.sleep(0.01)
        return False

    def earlier_have_failed(self) -> bool:
        """Whether a rank before this one has failed, too."""
        return any(self._alarm.Iprobe(source=other) for other in range(self.rank))

    def abort(self, status: int) -> None:
        """End the processes of all ranks, whatever they wait for."""
        self.messenger.Abort(status)
        os._exit(status)

    def _count(self, sent: int) -> None:
        self.messages += 1
        self.sent_bytes += sent


def world() -> MpiCommunicator:
    """The communicator of all processes started together.

    Raises
    ------
    ImportError
        mpi4py is missing; says how to get it.
    """
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(f'several processes need mpi4py: pip install "wpoflow[mpi]" ({error})') from error
    return MpiCommunicator(MPI.COMM_WORLD)
