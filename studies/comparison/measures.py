"""What a run took to each gap, and where it stalled: from its series, and the processor time noted beside it.

A gap counts as reached at the first row at or below it: evaluations and processor time are those until then; flow time
is interpolated between the rows, in which ln gap is taken as linear.

A **stall** is a stretch of flow time, after the gap has begun to fall, in which it falls by less than a tenth while the
time passes that is a tenth of the whole run or more, and the run is not within a hundred rounding floors.  The longest
is told.  Barriers that a flow crosses in exponentially long times show so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray

FALLEN, SHARE, FLOORS = 0.9, 0.1, 100.0


@dataclass(frozen=True)
class Reached:
    """What it took to a gap; not a number where it was not reached, or not noted."""

    gap: float
    time: float
    evaluations: float
    cpu_seconds: float


@dataclass(frozen=True)
class Stall:
    """From when to when, and at which gap."""

    begin: float
    end: float
    gap: float


def reached(gap: float, times: FloatArray, gaps: FloatArray, evaluations: FloatArray, cpu: FloatArray) -> Reached:
    """What it took to ``gap``; arrays are (rows,), evaluations those since the start."""
    below = np.flatnonzero(gaps <= gap)
    if not below.size:
        return Reached(gap, np.nan, np.nan, np.nan)
    row = int(below[0])
    time = float(times[row])
    if row and gaps[row] > 0.0:
        share = np.log(gaps[row - 1] / gap) / np.log(gaps[row - 1] / gaps[row])
        time = float(times[row - 1] + share * (times[row] - times[row - 1]))
    return Reached(gap, time, float(evaluations[row]), float(cpu[row]))


def levels(gaps: Sequence[FloatArray], most: int = 15) -> list[float]:
    """Powers of ten from 0.1 on that some run started above and reached."""
    found = [10.0**-k for k in range(1, most + 1)]
    return [level for level in found if any(g.size and g[0] > level >= g.min() for g in gaps)]


def stall(times: FloatArray, gaps: FloatArray, floor: float) -> Stall | None:
    """The longest one; None if there is none."""
    begun = np.flatnonzero(gaps <= FALLEN * gaps[0])
    if not begun.size:
        # nothing has happened at all
        return Stall(float(times[0]), float(times[-1]), float(gaps[-1])) if times[-1] > 0.0 < gaps[0] else None
    longest: Stall | None = None
    for a in range(int(begun[0]), times.size):
        if gaps[a] <= FLOORS * floor:
            break
        fallen = np.flatnonzero(gaps[a:] <= FALLEN * gaps[a])
        b = a + int(fallen[0]) - 1 if fallen.size else times.size - 1
        length = float(times[b] - times[a])
        if length >= SHARE * times[-1] and (longest is None or length > longest.end - longest.begin):
            longest = Stall(float(times[a]), float(times[b]), float(gaps[a]))
    return longest


def observed_rate(times: FloatArray, gaps: FloatArray, rates: FloatArray, floor: float) -> float:
    """The local rate of the last row that is clear of rounding; from two rows where none is recorded."""
    clear = np.flatnonzero(gaps > FLOORS * floor)
    if not clear.size:
        return float("nan")
    row = int(clear[-1])
    if np.isfinite(rates[row]):
        return float(rates[row])
    before = np.flatnonzero(times[:row] < times[row])
    if not before.size:
        return float("nan")
    last = int(before[-1])
    return float(np.log(gaps[last] / gaps[row]) / (times[row] - times[last]))
