"""What of a statement must be the same in the mirror of its reflection: all that its grid problem is made of.

Next states and costs, or those of whole decisions; noise and outcomes, each of itself; what ends and what that costs;
the reference measure and the first policy.  The initial law need not be: the half has the masses of both images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.problems.mirrored import MirroredPairs
from wpoflow.problems.outcome import Outcome
from wpoflow.problems.pairs import Value


def check_branches(mirror: MirroredPairs, outcomes: Sequence[Outcome], numbered: bool, cost: Value) -> None:
    """Refuse outcomes, whose keys may be numbered, and a cost of single steps that are not mirrored.

    Raises
    ------
    ValueError
        Naming what is not, the pair of state and action, and the difference.
    """
    for number, outcome in enumerate(outcomes):
        prefix = f"outcome.{number}." if numbered else ""
        mirror.check_value(f"{prefix}probability", outcome.probability)
        mirror.check_dynamics(prefix, outcome.dynamics)
        for name, sigma in outcome.noise.items():
            mirror.check_value(f"{prefix}noise.{name}", sigma)
    mirror.check_value("cost", cost)


def check_decisions(mirror: MirroredPairs, steps: Callable[..., FloatArray]) -> None:
    """Refuse decisions (:mod:`problems.held`) that are not mirrored; errors as of `check_branches`."""
    here, there = (steps(*states.T, *actions.T) for states, actions in (mirror.points, mirror.images))
    for j, axis in enumerate(mirror.whole.axes):
        mirror.check_next(f"dynamics.{axis.name} of a decision", j, here[:, j], there[:, j])
    mirror.check_equal("cost of a decision", here[:, -2], there[:, -2])


def check_gaussians(mirror: MirroredPairs, what: str, given: Value | Mapping[str, Value] | None, order: int) -> None:
    """Refuse means (order 1) or covariances (2) of a first policy that are not mirrored; as `check_branches`."""
    for name, value, sign in _entries(mirror, given, order):
        mirror.check_value(f"{what}.{name}", value, sign, of="states")


def _entries(
    mirror: MirroredPairs, given: Value | Mapping[str, Value] | None, order: int
) -> Iterator[tuple[str, Value, float]]:
    """Entries along action axes by name, with the sign that each has in the mirror."""
    if given is None:
        return
    whole = ",".join([mirror.actions.axes[0].name] * order)  # of one action axis the entry alone may be given
    assert mirror.half.reflection is not None
    for key, value in (given if isinstance(given, Mapping) else {whole: given}).items():
        names = [name.strip() for name in key.split(",")]
        yield key, value, float(np.prod(mirror.half.reflection.signs(names)))
