"""What a refinement study found: tables of values, differences and orders, and what the finest levels say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from wpoflow.studies.refinement.orders import Extrapolation
from wpoflow.studies.refinement.plan import Level


@dataclass(frozen=True)
class QuantityStudy:
    """One quantity at one time in one direction.

    Attributes
    ----------
    quantity : str
    time : float or None
        Flow time; None for a function of the whole run.
    values, differences, orders : tuple of float
        One entry a level, coarsest first; the first difference and the first two orders are nan, and so is an order
        from a difference within the noise.
    finest : Extrapolation
        What the three finest levels say.
    noise : float
        Differences no larger say nothing of mesh or step.
    noise_from : str
        Where it comes from: "rounding" or "time error".
    """

    quantity: str
    time: float | None
    values: tuple[float, ...]
    differences: tuple[float, ...]
    orders: tuple[float, ...]
    finest: Extrapolation
    noise: float = 0.0
    noise_from: str = "rounding"


@dataclass(frozen=True)
class DirectionStudy:
    """All quantities in one direction, with the levels they were computed on."""

    name: str
    refined: tuple[str, ...]
    design_order: float
    levels: tuple[Level, ...]
    seconds: tuple[float, ...]
    studies: tuple[QuantityStudy, ...]


@dataclass(frozen=True)
class RefinementStudy:
    """What :func:`refine` returns; ``times_from`` says why these times, where they were not given."""

    title: str
    times: tuple[float, ...]
    factor: float
    scheme: str
    accuracy: float
    directions: tuple[DirectionStudy, ...]
    times_from: str = ""

    def find(self, direction: str, quantity: str, time: float | None = None) -> QuantityStudy:
        """One table; the last time by default.

        Raises
        ------
        KeyError
            There is none.
        """
        times = {self.times[-1], None} if time is None else {time}
        for entry in self.directions:
            for study in entry.studies:
                if (entry.name, study.quantity) == (direction, quantity) and study.time in times:
                    return study
        raise KeyError(f"no study of {quantity} in the direction {direction} at that time")

    def as_dict(self) -> dict[str, Any]:
        """Everything in JSON's types; numbers that cannot be had are None."""
        return {
            "title": self.title,
            "times": list(self.times),
            "times_from": self.times_from,
            "factor": self.factor,
            "scheme": self.scheme,
            "accuracy": self.accuracy,
            "directions": [_direction_dict(entry) for entry in self.directions],
        }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _direction_dict(entry: DirectionStudy) -> dict[str, Any]:
    return {
        "direction": entry.name,
        "refined": list(entry.refined),
        "design_order": entry.design_order,
        "levels": [
            {"cells": dict(level.cells), "step": level.step, "size": level.size, "seconds": seconds}
            for level, seconds in zip(entry.levels, entry.seconds, strict=True)
        ],
        "quantities": [
            {
                "quantity": study.quantity,
                "time": study.time,
                "values": [_number(value) for value in study.values],
                "differences": [_number(value) for value in study.differences],
                "orders": [_number(value) for value in study.orders],
                "behaviour": study.finest.behaviour,
                "order": _number(study.finest.order),
                "extrapolated": _number(study.finest.value),
                "gci": _number(study.finest.gci),
                "noise": _number(study.noise),
                "noise_from": study.noise_from,
            }
            for study in entry.studies
        ],
    }
