"""Whether the numbers of a run file can be those of a run: what a checksum does not tell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.records.run import Run

MASS_TOLERANCE = 1e-9


def implausible(run: Run) -> str | None:
    """What cannot be right in the numbers that everything else is judged by, in words; None if nothing is found."""
    return next(_findings(run), None)


def _findings(run: Run) -> Iterator[str]:
    discount, temperature = (run.attributes.get(name) for name in ("discount", "temperature"))
    if not (isinstance(discount, int | float) and 0.0 < discount < 1.0):
        yield f"the discount is {discount}"
    if not (isinstance(temperature, int | float) and 0.0 < temperature < np.inf):
        yield f"the temperature is {temperature}"
    for name in ("accuracy", "step"):
        try:
            float(run.attributes.get(name, 0.0))
        except ValueError:
            yield f"the {name} is {run.attributes[name]!r}"
    if not np.all(run.reference_mass > 0.0) or not is_law(run.reference_mass):
        yield "reference_mass is no positive probability"
    if not is_law(run.rho):
        yield "rho is no probability"
    if not np.all(np.diff(run.series["time"]) > 0.0):
        yield "the rows of the series are not in order of time"
    best = run.optimum
    if best is None:
        return
    for what, array in (("value", best.value), ("q", best.q), ("occupancy", best.occupancy)):
        if not np.all(np.isfinite(array)):
            yield f"optimum/{what} is not finite"
    if not is_law(best.policy):
        yield "optimum/policy is no probability in every state"
    if not (np.all(best.occupancy >= 0.0) and np.any(best.occupancy > 0.0)):
        yield "optimum/occupancy is no law of the states"
    if not (np.isfinite(best.gap_floor) and best.gap_floor >= 0.0 and np.isfinite(best.bellman_residual)):
        yield "the gap floor or the Bellman residual of the optimum is no number"


def is_law(array: FloatArray) -> bool:
    """Whether the last axis holds probabilities."""
    with np.errstate(all="ignore"):
        return bool(np.all(array >= 0.0) and np.all(np.abs(array.sum(axis=-1) - 1.0) <= MASS_TOLERANCE))
