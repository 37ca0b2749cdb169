"""When checkpoints are written, and what goes into one.

The first is due after five seconds, so that it is there within ten, and further ones when all of them together, the
next included, take at most a fiftieth of the run's time.  Optimum and snapshots are large and do not change: each is
written once, with the first checkpoint after it.  A state with a number that is not finite is not written: the last
good one stays.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from wpoflow.solver.runs.checkpoint_files import CheckpointFolder
from wpoflow.solver.runs.recorder import Recorder

FIRST = 5.0  # seconds
SHARE = 0.02  # of the run's time


class Checkpoints:
    """Writes the checkpoints of one run.

    Parameters
    ----------
    folder : CheckpointFolder
    recorder : Recorder
        Holds the rows, the snapshots and the optimum.
    interval : float, optional
        Seconds between checkpoints; by default as often as costs little.
    spending : callable, optional
        Gives what the run has taken so far, in seconds, to be kept too.
    number, snapshots : int
        Of the checkpoint a run goes on from, and of its snapshots, which are kept already.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        recorder: Recorder,
        interval: float | None = None,
        spending: Callable[[], Mapping[str, float]] = dict,
        number: int = 0,
        snapshots: int = 0,
    ) -> None:
        self._folder, self._recorder, self._interval, self._spending = folder, recorder, interval, spending
        self._number, self._kept = number, snapshots
        self._started = self._last = clock.monotonic()
        self.written, self.seconds = 0, 0.0

    def due(self) -> bool:
        """Whether it is time for another one."""
        now = clock.monotonic()
        if self._interval is not None:
            return now - self._last >= self._interval
        if now - self._last < FIRST:
            return False
        each = self.seconds / max(1, self.written)
        return self.written == 0 or self.seconds + each <= SHARE * (now - self._started)

    def write(self, memory: Callable[[], dict[str, Any]]) -> bool:
        """Write one, unless it holds a number that is not finite; whether it was written.

        Raises
        ------
        OSError
            It cannot be written; the last one stays.
        """
        begun, recorder, content = clock.monotonic(), self._recorder, memory()
        if not all(np.all(np.isfinite(value)) for value in content.values()):
            return False
        if recorder.kept_optimum is not None:
            self._folder.keep_optimum(recorder.kept_optimum)
        while self._kept < recorder.snapshots:
            self._folder.keep_snapshot(self._kept, *recorder.kept_snapshot(self._kept))
            self._kept += 1
        self._number += 1
        self._folder.keep_state(self._number, {**content, **self._spending(), "snapshots": self._kept}, recorder.rows)
        self._last = clock.monotonic()
        self.written, self.seconds = self.written + 1, self.seconds + self._last - begun
        return True
