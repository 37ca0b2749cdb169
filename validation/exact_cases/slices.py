"""The numerical flow at a few times, through the same door as every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve_to_the_end


@dataclass(frozen=True, eq=False)
class Slice:
    """Policy (S, A), value (S,) and gap(rho) at one flow time."""

    time: float
    policy: FloatArray
    value: FloatArray
    gap: float


def follow(mdp: GridMDP, times: Sequence[float], **settings: Any) -> list[Slice]:
    """Slices at increasing times > 0; ``settings`` go to `evolve` (scheme, step, accuracy, flow).

    Raises
    ------
    RuntimeError
        The run ended early.
    """
    times = list(times)
    run = evolve_to_the_end(mdp, until=times[-1], series={"times": times}, snapshots=times, **settings)
    if run.status != "complete" or run.snapshots is None:
        raise RuntimeError(f"{mdp.title or 'run'} ended early: {run.stop_reason}")
    rows = zip(times, run.snapshots.policy, run.snapshots.value, run.series["gap"][1:], strict=True)
    return [Slice(time, policy, value, float(gap)) for time, policy, value, gap in rows]


def peclet(mdp: GridMDP, q: FloatArray, policy: FloatArray, mass: float = 1e-3) -> float:
    """Largest cell Peclet number |Phi_{k+1} - Phi_k| on one action axis where both cells hold some mass."""
    phi = q / mdp.temperature - mdp.log_reference_density
    held = np.minimum(policy[:, 1:], policy[:, :-1]) > mass
    return float(np.max(np.abs(np.diff(phi, axis=1)), where=held, initial=0.0))
