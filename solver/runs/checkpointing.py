"""When checkpoints are written.

The first is due after five seconds, so that it is there within ten, and further ones when all of them together, the
next included, take at most a fiftieth of the run's time.  Optimum and snapshots are large and do not change: each is
written once, with the first checkpoint after it.  A state with a number that is not finite is not written: the last
good one stays.
"""

from __future__ import annotations

import time as clock
from dataclasses import replace
from typing import Any

import numpy as np

from wpoflow.core.slabs import Slab, Spread
from wpoflow.solver.runs.recorder import Recorder
from wpoflow.solver.storage.checkpoints import AnyFolder, Checkpoint, CheckpointFolder

FIRST = 5.0  # seconds
SHARE = 0.02  # of the run's time


class Checkpoints:
    """Writes the checkpoints of one run.

    Parameters
    ----------
    folder : CheckpointFolder
    recorder : Recorder
        Holds the snapshots and the optimum.
    interval : float, optional
        Seconds between checkpoints; by default as often as costs little.
    last : Checkpoint, optional
        The one a run goes on from, whose snapshots are kept already.
    slab : Slab, optional
        Of several processes, all of which keep their rows when the root has decided to.
    """

    def __init__(
        self,
        folder: AnyFolder,
        recorder: Recorder,
        interval: float | None,
        last: Checkpoint | None,
        slab: Slab | None = None,
    ) -> None:
        self._folder, self._recorder, self._interval = folder, recorder, interval
        self._slab = Slab(0) if slab is None else slab
        self._holds_optimum = self._slab.decided(isinstance(folder, CheckpointFolder) and folder.holds_optimum)
        self._number, self._kept = (0, 0) if last is None else (last.number, last.snapshots)
        self._started = self._last = clock.monotonic()
        self._written, self._seconds = 0, 0.0

    def due(self) -> bool:
        """Whether it is time for another one."""
        return bool(self._slab.decided(self._due()))

    def _due(self) -> bool:
        now = clock.monotonic()
        if self._interval is not None:
            return now - self._last >= self._interval
        if now - self._last < FIRST:
            return False
        each = self._seconds / max(1, self._written)
        return self._written == 0 or self._seconds + each <= SHARE * (now - self._started)

    def write(self, checkpoint: Checkpoint) -> bool:
        """Write one, under the next number, unless it holds one that is not finite; whether it was written.

        Raises
        ------
        OSError
            It cannot be written; the last one stays.
        """
        begun, recorder = clock.monotonic(), self._recorder
        finite = all(np.all(np.isfinite(_of_here(value))) for value in checkpoint.arrays.values())
        if self._slab.total(not finite):
            return False
        if self._slab.root and not self._holds_optimum and (optimum := recorder.kept_optimum()) is not None:
            self._folder.keep_optimum(optimum)
            self._holds_optimum = True
        while self._kept < checkpoint.snapshots:
            if self._slab.root:
                self._folder.keep_snapshot(self._kept, *recorder.kept_snapshot(self._kept))
            self._kept += 1
        self._number += 1
        self._folder.keep_state(replace(checkpoint, number=self._number))
        self._last = clock.monotonic()
        self._written, self._seconds = self._written + 1, self._seconds + self._last - begun
        return True


def _of_here(value: Any) -> Any:
    """What this process has of a number or an array."""
    return value.local if isinstance(value, Spread) else value
