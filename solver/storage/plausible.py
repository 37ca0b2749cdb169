"""Whether the numbers of a run file can be those of a run: what a checksum does not tell.

Each array is judged when it is read, by whatever reads it, so that nothing that shows or uses a run has to think of
temperatures of zero or of policies that are none.  Series but time are not judged: in a run that failed they may hold
anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.solver.records.series import LEAST_TEMPERATURE

MASS_TOLERANCE = 1e-9
LARGEST = 1e300
"""Absolute value of costs and values, at most: what is made of a few of them is finite."""
LATEST = 1e305
"""Flow time, at most."""

Numbers = Mapping[str, str | int | float]


class ImplausibleError(ValueError):
    """Numbers that no run leaves; the message says which."""


def implausible(run: Run) -> str | None:
    """What cannot be right in the numbers that everything else is judged by, in words; None if nothing is found."""
    return next(_findings(run), None)


def _findings(run: Run) -> Iterator[str]:
    yield from of_attributes(run.attributes)
    given = {"time": run.series["time"], "reference_mass": run.reference_mass, "rho": run.rho}
    if (kept := run.snapshots) is not None:
        given["snapshot/snapshot_time"] = kept.time
    if (best := run.optimum) is not None:
        given |= {f"optimum/{name}": getattr(best, name) for name in ("value", "q", "policy", "occupancy")}
        yield from of_optimum(best)
    for path, array in given.items():
        yield from of_array(path, array)


def of_attributes(attributes: Numbers) -> Iterator[str]:
    """What cannot be right in the attributes of a run."""
    discount, temperature = (attributes.get(name) for name in ("discount", "temperature"))
    if not (isinstance(discount, int | float) and 0.0 < discount < 1.0):
        yield f"the discount is {discount}"
    if not (isinstance(temperature, int | float) and LEAST_TEMPERATURE <= temperature < math.inf):
        yield f"the temperature is {temperature}"
    for name in ("accuracy", "step"):
        if name in attributes and not 0.0 < float(attributes[name]) < math.inf:
            yield f"the {name} is {attributes[name]}"


def of_optimum(best: Optimum) -> Iterator[str]:
    """What cannot be right in the numbers of an optimum besides its arrays."""
    if not (np.isfinite(best.gap_floor) and best.gap_floor >= 0.0 and np.isfinite(best.bellman_residual)):
        yield "the gap floor or the Bellman residual of the optimum is no number"


def of_array(path: str, array: FloatArray) -> Iterator[str]:
    """What cannot be right in a data set, whole or in part, by its path in the file."""
    if path in _RULES:
        right, words = _RULES[path]
        with np.errstate(all="ignore"):
            if not right(np.asarray(array)):
                yield f"{path} {words}"


def is_law(array: FloatArray) -> bool:
    """Whether the last axis holds probabilities."""
    with np.errstate(all="ignore"):
        return bool(np.all(array >= 0.0) and np.all(np.abs(array.sum(axis=-1) - 1.0) <= MASS_TOLERANCE))


def _is_finite(array: FloatArray) -> bool:
    return bool(np.all(np.abs(array) <= LARGEST))


def _is_share(array: FloatArray) -> bool:
    return bool(np.all(array >= 0.0) and np.all(array <= 1.0 + MASS_TOLERANCE))


def _is_times(array: FloatArray) -> bool:
    return bool(np.all(np.diff(array) > 0.0) and np.all(array >= 0.0) and np.all(array <= LATEST))


_FINITE = (_is_finite, f"is not finite, or beyond {LARGEST:g}")
_LAWS = (is_law, "is no probability in every state")
_SHARES = (_is_share, "is no probability of every pair")
_RULES: dict[str, tuple[Callable[[FloatArray], bool], str]] = {
    "time": (_is_times, "is not in order, from 0 on"),
    "snapshot/snapshot_time": (_is_times, "is not in order, from 0 on"),
    "reference_mass": (lambda mass: bool(np.all(mass > 0.0)) and is_law(mass), "is no positive probability"),
    "rho": (is_law, "is no probability"),
    "optimum/value": _FINITE,
    "optimum/q": _FINITE,
    "optimum/policy": _LAWS,
    "optimum/occupancy": (
        lambda law: _is_finite(law) and bool(np.all(law >= 0.0) and np.any(law > 0.0)),
        "is no law of the states",
    ),
    "snapshot/value": _FINITE,
    "snapshot/policy": _LAWS,
    "problem/cost": _FINITE,
    "problem/initial_policy": _LAWS,
    "problem/termination": _SHARES,
    "problem/clamped": _SHARES,
    "problem/transition_data": _SHARES,
}
