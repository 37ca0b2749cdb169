r"""How far rounding alone moves the numbers of a run: differences below that have no order.

Q is known to delta Q, the relative error of policies is r = delta Q/tau, and both follow from the rounding floor F of
the gap that the optimum states (`solver.bellman.optimum`),

    F = 2 tau/(1 - gamma) r^2,     r = sqrt((1 - gamma) F/(2 tau)).

Runs that differ in their steps alone scatter by up to about a dozen times these errors; sixteen times them is taken
for rounding here.  A value adds up errors of Q over the horizon: delta Q/(1 - gamma).  Gap, relative entropy to the
optimum and dissipation are squared norms of a deviation that is known to r: one of size x, whose own floor is f, moves
by 2 sqrt(f x) + f.  The dissipation weighs that error by up to the generator's largest eigenvalue.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum

SCATTER = 16.0
EPS = float(np.finfo(np.float64).eps)
VALUES = ("value_rho", "bellman_residual", "descent_defect")
GAPS = ("gap", "gap_sup")


class Rounding:
    """Rounding errors of the series of runs of one grid problem, absolute.

    Parameters
    ----------
    mdp : GridMDP
    optimum : Optimum
        Of it.
    """

    def __init__(self, mdp: GridMDP, optimum: Optimum) -> None:
        horizon = 1.0 - mdp.discount
        self.relative = SCATTER * math.sqrt(0.5 * horizon * optimum.gap_floor / mdp.temperature)
        self._value = mdp.temperature * self.relative / horizon
        self._gap_floor = SCATTER * optimum.gap_floor
        narrowest = [float(axis.widths.min()) for axis in mdp.actions.axes if axis.size > 1]
        self._largest_rate = sum(4.0 * mdp.temperature / width**2 for width in narrowest)

    def of(self, name: str, row: Mapping[str, float]) -> float:
        """Rounding error of a series in a row that holds all of them."""
        value = abs(row[name])
        summed = SCATTER * EPS * value
        if name in VALUES:
            return max(self._value, summed)
        if name in GAPS:
            return max(_of_square(value, self._gap_floor), summed)
        if name == "kl_sup":
            return max(_of_square(value, 0.5 * self.relative**2), summed)
        if name == "dissipation":
            return max(_of_square(value, self._largest_rate * self._gap_floor), summed)
        if name == "rate_observed":
            gap, flow = abs(row["gap"]), abs(row["dissipation"])
            shares = [self.of(part, row) / size for part, size in (("gap", gap), ("dissipation", flow)) if size > 0.0]
            return value * sum(shares) if len(shares) == 2 else math.inf
        if name in ("mass_error", "kl_ratio_excess"):
            return SCATTER * EPS + self.relative
        return max(self.relative * value, summed)


def _of_square(value: float, floor: float) -> float:
    return 2.0 * math.sqrt(floor * value) + floor
