"""When a run records: increasing flow times, finite or endless, merged without losing any.

Two times within 1e-12 of each other, relatively, are one: 0.3 and 3 * 0.1 differ by rounding, and a step between them
would mean nothing.  With error control every time is landed on.  With a fixed step the step is not cut for geometric
schedules: rows and snapshots are taken at the first step at or after their time; times that are listed or equally
spaced, and the end, are landed on.  A step that belongs to the flow is not cut for any of them: what is due is taken at
the first step at or after its time.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator

from wpoflow.solver.records.series import MAX_ROWS
from wpoflow.solver.records.settings import RecordTable, SeriesTable, Settings

SAME = 1e-12  # times closer than this, relatively, are one
OPEN_ENDED_DECADES = 6  # covered by the snapshots of a run whose end time is not known


def series_times(series: SeriesTable) -> Iterator[float]:
    """Times of the rows of the series, at most `MAX_ROWS`; the start and the stop are rows as well."""
    return itertools.islice(_all_times(series), MAX_ROWS)


def _all_times(series: SeriesTable) -> Iterator[float]:
    if series.times is not None:
        return iter(series.times)
    if series.every is not None:
        return (series.every * k for k in itertools.count(1))
    assert series.first is not None
    assert series.per_decade is not None
    return _geometric(series.first, 1.0 / series.per_decade)


def _geometric(first: float, decades: float) -> Iterator[float]:
    for k in itertools.count():
        exponent = k * decades
        if exponent > 300.0:
            return
        yield first * 10.0**exponent


def snapshot_times(record: RecordTable, end: float | None) -> list[float]:
    """Times of the snapshots; the stop is one as well.

    A number n gives the start and n - 1 times in geometric progression from the first row to ``end``; where the end is
    not known they cover six decades.
    """
    snapshots, first = record.snapshots, _first_time(record.series)
    if not isinstance(snapshots, int):
        return snapshots.times
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


def landings(settings: Settings) -> Iterator[float]:
    """Times that steps are cut to meet, in order: all with error control, the listed ones with a fixed step."""
    record, end, fixed = settings.record, settings.flow.until.time, settings.flow.step is not None
    rows, kept = series_times(record.series), iter(snapshot_times(record, end))
    if fixed and record.series.per_decade is not None:
        rows = iter(())
    if fixed and isinstance(record.snapshots, int):
        kept = iter(())
    return merge(iter(() if end is None else (end,)), kept, rows)


def _first_time(series: SeriesTable) -> float:
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
