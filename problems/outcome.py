"""One of finitely many ways the next state of a statement may come about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wpoflow.core.brief import briefly
from wpoflow.problems.pairs import Value


@briefly
@dataclass(frozen=True, eq=False)
class Outcome:
    """One of finitely many ways the next state may come about.

    Parameters
    ----------
    probability : number or function of (states..., actions...)
    dynamics : mapping of state axis to number or function of (states..., actions...)
        Next state before noise.
    noise : mapping of state axis to number or function of (states..., actions...)
        Standard deviations; an axis left out has none.
    """

    probability: Value
    dynamics: Mapping[str, Value]
    noise: Mapping[str, Value] = field(default_factory=dict)
