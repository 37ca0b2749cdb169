"""When a run records: increasing flow times, finite or endless, merged without losing any.

Two times within 1e-12 of each other, relatively, are one: 0.3 and 3 * 0.1 differ by rounding, and a step between them
would mean nothing.  With error control every time is landed on.  With a fixed step the step is not cut for geometric
schedules: rows and snapshots are taken at the first step at or after their time; times that are listed or equally
spaced, and the end, are landed on.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

Series = Mapping[str, float | Sequence[float]]
SnapshotTimes = int | Mapping[str, Sequence[float]] | Sequence[float] | None
SERIES_SHAPES = "{first, per_decade}, {every} or {times}"
DEFAULT_SERIES: Series = {"first": 1e-3, "per_decade": 20}
DEFAULT_SNAPSHOTS = 10
SAME = 1e-12  # times closer than this, relatively, are one
OPEN_ENDED_DECADES = 6  # covered by the snapshots of a run whose end time is not known


def _positive(name: str, number: float) -> float:
    if not (math.isfinite(number) and number > 0.0):
        raise ValueError(f"{name} = {number} must be positive and finite")
    return float(number)


def _listed(name: str, times: object) -> list[float]:
    if not isinstance(times, Sequence) or isinstance(times, str):
        raise ValueError(f"{name}: times must be a list of flow times")
    for time in times:
        if not (math.isfinite(time) and time >= 0.0):
            raise ValueError(f"{name}: time {time} must be finite and not negative")
    return sorted(float(time) for time in times)


def series_times(series: Series | None) -> Iterator[float]:
    """Times of the rows of the series; the start and the stop are rows as well.

    Parameters
    ----------
    series : mapping, optional
        ``{"first": t, "per_decade": n}``, ``{"every": dt}`` or ``{"times": [...]}``.

    Raises
    ------
    ValueError
        Any other shape, or numbers that are not positive.
    """
    series = DEFAULT_SERIES if series is None else series
    keys = set(series)
    if keys == {"times"}:
        return iter(_listed("series", series["times"]))
    numbers = {
        key: _positive(f"series {key}", float(value))
        for key, value in series.items()
        if not isinstance(value, Sequence)
    }
    if keys == set(numbers) == {"every"}:
        return (numbers["every"] * k for k in itertools.count(1))
    if keys == set(numbers) == {"first", "per_decade"}:
        return _geometric(numbers["first"], 1.0 / numbers["per_decade"])
    raise ValueError(f"series must be {SERIES_SHAPES}, not {{{', '.join(sorted(keys))}}}")


def _geometric(first: float, decades: float) -> Iterator[float]:
    for k in itertools.count():
        exponent = k * decades
        if exponent > 300.0:
            return
        yield first * 10.0**exponent


def snapshot_times(snapshots: SnapshotTimes, first: float, end: float | None) -> list[float]:
    """Times of the snapshots; the stop is one as well.

    Parameters
    ----------
    snapshots : int, list of times, or {"times": [...]}, optional
        A number n gives the start and n - 1 times in geometric progression from ``first`` to ``end``;
        where the end is not known they cover six decades.
    first : float
        First positive time.
    end : float, optional
        End of the run.

    Raises
    ------
    ValueError
        A negative number, or times that are negative or not finite.
    """
    snapshots = DEFAULT_SNAPSHOTS if snapshots is None else snapshots
    if isinstance(snapshots, Mapping):
        if set(snapshots) != {"times"}:
            raise ValueError("snapshots must be a number or {times}")
        return _listed("snapshots", snapshots["times"])
    if not isinstance(snapshots, int):
        return _listed("snapshots", list(snapshots))
    if snapshots < 0:
        raise ValueError(f"snapshots = {snapshots} must not be negative")
    if snapshots < 2:
        return [0.0][:snapshots]
    last = first * 10.0**OPEN_ENDED_DECADES if end is None else end
    start = max(min(first, 0.5 * last), last * 1e-300, 5e-324)
    count = snapshots - 1
    ladder = [start * (last / start) ** (k / (count - 1)) for k in range(count - 1)] if count > 1 else []
    return [0.0, *ladder, last]


def reached(time: float, target: float) -> bool:
    """Whether a flow time is at or after a target, up to rounding of the target."""
    return time >= target * (1.0 - SAME)


def landings(
    series: Series | None, snapshots: SnapshotTimes, end: float | None, *, fixed_step: bool
) -> Iterator[float]:
    """Times that steps are cut to meet, in order: all with error control, the listed ones with a fixed step.

    Raises
    ------
    ValueError
        As `series_times` and `snapshot_times`.
    """
    rows, kept = series_times(series), iter(snapshot_times(snapshots, first_time(series), end))
    if fixed_step and (series is None or "per_decade" in series):
        rows = iter(())
    if fixed_step and (snapshots is None or isinstance(snapshots, int)):
        kept = iter(())
    return merge(iter(() if end is None else (end,)), kept, rows)


def first_time(series: Series | None) -> float:
    """The first positive time of a series, 1e-3 where it lists none."""
    return next((time for time in series_times(series) if time > 0.0), 1e-3)


def merge(*schedules: Iterator[float]) -> Iterator[float]:
    """All times of several increasing schedules, in order; of times that are the same, the one named first."""
    ranked = heapq.merge(*(_ranked(schedule, rank) for rank, schedule in enumerate(schedules)))
    start, chosen = -math.inf, (math.inf, 0.0)
    for time, rank in ranked:
        if math.isinf(start) or not reached(start, time):
            if math.isfinite(start):
                yield chosen[1]
            start, chosen = time, (rank, time)
        else:
            chosen = min(chosen, (rank, time))
    if math.isfinite(start):
        yield chosen[1]


def _ranked(schedule: Iterator[float], rank: int) -> Iterator[tuple[float, int]]:
    return ((time, rank) for time in schedule)
