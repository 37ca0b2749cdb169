"""What happens between two rows of the series: worst and counted quantities of the steps taken."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wpoflow.solver.entropy import relative_entropies_to_gibbs
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.trajectory import FlowState

KL_FLOOR = 1e-26  # below this a relative entropy is rounding, and ratios of two of them mean nothing


@dataclass
class StepStatistics:
    """Worst and counted quantities of the steps since the last row."""

    descent_defect: float = 0.0
    kl_ratio_excess: float = -1.0
    occupancy_ratio: float = 0.0
    limited_cells: int = 0
    bellman_evaluations: int = 0
    mass_drift: float = 0.0

    def row(self) -> dict[str, float]:
        """The same as entries of a row of the series."""
        return {
            "descent_defect": self.descent_defect,
            "kl_ratio_excess": self.kl_ratio_excess,
            "limited_cells": float(self.limited_cells),
            "bellman_evaluations": float(self.bellman_evaluations),
        }


@dataclass
class StepMonitor:
    """Compares each state of the flow with the one before."""

    mdp: GridMDP
    statistics: StepStatistics = field(default_factory=StepStatistics)

    def __post_init__(self) -> None:
        self._before = np.empty(self.mdp.states.size)
        self._after = np.empty(self.mdp.states.size)

    def observe(self, before: FlowState, after: FlowState, occupancy_ratio: float) -> None:
        """Take one step into account; the policy of ``before`` is still in its buffer.

        ``occupancy_ratio`` is that of ``after``, or a bound of it.
        """
        mdp, now = before.evaluation.mdp, self.statistics
        rise = (after.value - before.value)[self.mdp.counted]
        now.descent_defect = max(now.descent_defect, float(rise.max()))
        filled = [(whole, mdp.slab.part(whole)) for whole in (self._before, self._after)]
        relative_entropies_to_gibbs(
            before.policy, after.policy, before.q, mdp.log_mass, mdp.temperature, filled[0][1], filled[1][1]
        )
        mdp.slab.gather(*filled)
        meaningful = self.mdp.counted & (self._before > KL_FLOOR)
        if np.any(meaningful):
            ratio = float((self._after[meaningful] / self._before[meaningful]).max())
            now.kl_ratio_excess = max(now.kl_ratio_excess, ratio - 1.0)
        now.occupancy_ratio = max(now.occupancy_ratio, occupancy_ratio)
        now.limited_cells += after.limited_cells - before.limited_cells
        now.mass_drift = max(now.mass_drift, after.mass_drift)
        now.bellman_evaluations += after.bellman_evaluations - before.bellman_evaluations

    def take(self) -> StepStatistics:
        """The statistics since the last call."""
        statistics, self.statistics = self.statistics, StepStatistics()
        return statistics
