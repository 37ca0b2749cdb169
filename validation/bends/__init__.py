"""Where the theory bends: studies of problems in which a hypothesis fails or a constant collapses.

Each study says which, what the flow does there, whether the monitors of regularity grow under refinement, and whether
the decay is still linear; its numbers are computed on request (``wpoflow bend``) and are deterministic.
"""

from __future__ import annotations

from collections.abc import Callable

from validation.bends.bend import Bend
from validation.bends.deterministic import deterministic
from validation.bends.discount import discount
from validation.bends.heavy_tails import heavy_tails
from validation.bends.jump_cost import jump_cost
from validation.bends.metastability import metastability
from validation.bends.unreachable import unreachable

BENDS: dict[str, Callable[[], Bend]] = {
    "metastability": metastability,
    "jump_cost": jump_cost,
    "deterministic": deterministic,
    "heavy_tails": heavy_tails,
    "discount": discount,
    "unreachable": unreachable,
}
