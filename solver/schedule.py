"""When a run records: increasing flow times, finite or endless, merged without losing any."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

Series = Mapping[str, float | Sequence[float]]
SERIES_SHAPES = "{first, per_decade}, {every} or {times}"
DEFAULT_SERIES: Series = {"first": 1e-3, "per_decade": 20}
DEFAULT_SNAPSHOTS = 10
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


def snapshot_times(
    snapshots: int | Mapping[str, Sequence[float]] | Sequence[float] | None, first: float, end: float | None
) -> list[float]:
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
    start = min(first, 0.5 * last)
    count = snapshots - 1
    ladder = [start * (last / start) ** (k / (count - 1)) for k in range(count - 1)] if count > 1 else []
    return [0.0, *ladder, last]


def merge(*schedules: Iterator[float]) -> Iterator[float]:
    """All times of several increasing schedules, in order, each once."""
    previous = -math.inf
    for time in heapq.merge(*schedules):
        if time > previous:
            previous = time
            yield time
