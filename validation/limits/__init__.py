"""Limits of the theory: studies of problems in which a hypothesis fails or a constant collapses.

Each study says which, what the flow does there, whether the monitors of regularity grow under refinement, and whether
the decay is still linear; its numbers are computed on request (``wpoflow limits``) and are deterministic.
"""

from __future__ import annotations

from collections.abc import Callable

from wpoflow.validation.limits.deterministic import deterministic
from wpoflow.validation.limits.discount import discount
from wpoflow.validation.limits.heavy_tails import heavy_tails
from wpoflow.validation.limits.jump_cost import jump_cost
from wpoflow.validation.limits.metastability import metastability
from wpoflow.validation.limits.study import Limit
from wpoflow.validation.limits.unreachable import unreachable

LIMITS: dict[str, Callable[[], Limit]] = {
    "metastability": metastability,
    "jump_cost": jump_cost,
    "deterministic": deterministic,
    "heavy_tails": heavy_tails,
    "discount": discount,
    "unreachable": unreachable,
}
