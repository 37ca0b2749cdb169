"""Why a run stopped."""

from __future__ import annotations

from enum import Enum


class StopKind(Enum):
    """Why a run stopped: a criterion of its settings, a failure, or somebody's wish."""

    TIME = "time"
    GAP = "gap"
    STEPS = "steps"
    WALL = "wall"
    STAGNATED = "stagnated"
    NOT_FINITE = "not finite"
    STEP_VANISHED = "step vanished"
    MASS = "mass not kept"
    INTERRUPTED = "interrupted"


FAILURES = (StopKind.NOT_FINITE, StopKind.STAGNATED, StopKind.STEP_VANISHED, StopKind.MASS)
