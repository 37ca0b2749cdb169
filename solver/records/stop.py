"""When a run stops, and why: criteria of which the first one met counts, and kinds of endings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

CRITERIA = ("time", "gap", "steps", "wall")


class StopKind(Enum):
    """Why a run stopped."""

    TIME = "time"
    GAP = "gap"
    STEPS = "steps"
    WALL = "wall"
    STAGNATED = "stagnated"
    NOT_FINITE = "not finite"
    STEP_VANISHED = "step vanished"
    MASS = "mass not kept"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class StopCriteria:
    """Where a run stops; at least one of the four is given.

    Raises
    ------
    ValueError
        None given, or one that is not positive.
    """

    time: float | None = None
    gap: float | None = None
    steps: int | None = None
    wall: float | None = None

    @staticmethod
    def of(until: float | Mapping[str, float]) -> StopCriteria:
        """From a flow time, or from a mapping with keys time, gap, steps, wall."""
        criteria = dict(until) if isinstance(until, Mapping) else {"time": until}
        unknown = set(criteria) - set(CRITERIA)
        if unknown or not criteria:
            given = ", ".join(sorted(unknown)) or "nothing"
            raise ValueError(f"until: {given} given; a run needs at least one of {', '.join(CRITERIA)}")
        for name, number in criteria.items():
            if not (math.isfinite(number) and number > 0):
                raise ValueError(f"until: {name} = {number} must be positive and finite")
        steps = criteria.get("steps")
        if steps is not None and steps != int(steps):
            raise ValueError(f"until: steps = {steps} must be a whole number")
        return StopCriteria(
            criteria.get("time"), criteria.get("gap"), None if steps is None else int(steps), criteria.get("wall")
        )

    @property
    def has_goal(self) -> bool:
        """Whether a time or a gap is to be reached, of which a limit on steps or wall time may fall short."""
        return self.time is not None or self.gap is not None
