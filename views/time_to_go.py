"""How long a run will still take: what is left of its criteria, over the speed of its last steps.

Left are a flow time (until the end time, or until the gap is reached at the rate now observed), a number of steps, or
seconds; the first to run out ends the run.  Flow time passes at the median size of the last steps over the mean time
they took.  Nothing is said while steps still grow, as they do at the start, since any number would then be far too
large; and what is said counts down and moves to new estimates slowly.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from itertools import islice
from statistics import median
from typing import Protocol

FEWEST_STEPS = 6
WINDOW = 10  # steps, and as many before them to compare with
GROWING = 1.5  # of the median step size from window to window
CALM = 5.0  # seconds over which the number told follows the estimate, at least
CALM_SHARE = 0.1  # and as a share of the estimate


class Step(Protocol):
    """What must be known after each step; see `solver.runs.evolve.Progress`."""

    @property
    def time(self) -> float:
        """Flow time."""
        ...

    @property
    def gap(self) -> float:
        """Gap at the last row."""
        ...

    @property
    def rate(self) -> float:
        """Observed rate at the last row."""
        ...

    @property
    def step_size(self) -> float:
        """Last time step."""
        ...

    @property
    def steps(self) -> int:
        """Steps taken."""
        ...

    @property
    def wall_seconds(self) -> float:
        """Seconds since the start."""
        ...


class TimeToGo:
    """Estimates the seconds left; told of every step.

    Parameters
    ----------
    until : mapping
        The stop criteria: any of time, gap, steps, wall.
    """

    def __init__(self, until: Mapping[str, float]) -> None:
        self._until = until
        self._walls: deque[float] = deque(maxlen=2 * WINDOW + 1)
        self._sizes: deque[float] = deque(maxlen=2 * WINDOW)
        self._gap, self._gap_time = math.nan, 0.0
        self._told: float | None = None
        self._told_at = 0.0

    def __call__(self, step: Step) -> float | None:
        """Seconds left after this step; None while nothing sensible can be said."""
        if step.gap != self._gap:  # a new row
            self._gap, self._gap_time = step.gap, step.time
        self._walls.append(step.wall_seconds)
        if step.steps > 0:
            self._sizes.append(step.step_size)
        estimate = self._estimate(step)
        if not math.isfinite(estimate):
            self._told = None
        elif self._told is None:
            self._told, self._told_at = estimate, step.wall_seconds
        else:
            elapsed = step.wall_seconds - self._told_at
            share = 1.0 - math.exp(-elapsed / max(CALM, CALM_SHARE * estimate))
            self._told = max(0.0, (1.0 - share) * (self._told - elapsed) + share * estimate)
            self._told_at = step.wall_seconds
        return self._told

    def _estimate(self, step: Step) -> float:
        """Seconds by the speed of the last steps; infinite if unknown."""
        left = [self._until["wall"] - step.wall_seconds] if "wall" in self._until else []
        count = min(WINDOW, len(self._sizes) // 2)
        if 2 * count >= FEWEST_STEPS:
            recent = median(islice(self._sizes, len(self._sizes) - count, None))
            before = median(islice(self._sizes, len(self._sizes) - 2 * count, len(self._sizes) - count))
            seconds = (self._walls[-1] - self._walls[-1 - count]) / count  # a step
            if "steps" in self._until:
                left.append((self._until["steps"] - step.steps) * seconds)
            if recent <= GROWING * before:
                left.append(self._flow_time_left(step) / recent * seconds)
        return max(0.0, min(left, default=math.inf))

    def _flow_time_left(self, step: Step) -> float:
        left = [self._until["time"] - step.time] if "time" in self._until else []
        if "gap" in self._until and step.gap > 0.0 and step.rate > 0.0:
            folds = math.log(step.gap / self._until["gap"])
            left.append(self._gap_time + folds / step.rate - step.time)
        return max(0.0, min(left, default=math.inf))


def duration_text(seconds: float) -> str:
    """A time in round words: few digits, for what is an estimate."""
    if seconds < 7.5:
        return "a few s"
    for below, unit, name, digits in (
        (57.5, 5.0, "s", 5),
        (5700.0, 60.0, "min", 1),
        (172800.0, 3600.0, "h", 1),
    ):
        if seconds < below:
            return f"{max(1, round(seconds / unit)) * digits} {name}"
    return f"{round(seconds / 86400.0):,} days"
