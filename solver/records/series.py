"""The scalar series of a run: one name, one meaning, in one place.

Every row of a run holds every series; one that a file of an earlier schema does not hold is nan.  The run file, the
terminal and later readers take names and their meaning from here; all are dimensionless (unit "1"), flow time included.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MAX_ROWS = 1_000_000
"""Of a run, which hold 0.2 GB; its start and its stop are rows besides."""
MAX_SNAPSHOTS = 100_000
"""Of a run; its stop is one besides."""
LEAST_TEMPERATURE = 1e-150
"""Of a run; below it, squares of costs over temperatures are no floats."""

SERIES: dict[str, str] = {
    "time": "flow time",
    "value_rho": "value of the policy averaged over rho",
    "gap": "value minus optimal value, averaged over rho, by the cancellation-free identity",
    "gap_sup": "largest value minus optimal value over the states",
    "dissipation": "minus the time derivative of the value averaged over rho, of the semi-discrete flow",
    "rate_observed": "dissipation divided by gap",
    "kl_sup": "largest relative entropy of the policy to the optimal policy over the states",
    "occupancy_ratio": "largest ratio of the optimal occupancy to the policy's occupancy over the states",
    "bellman_residual": "largest soft Bellman residual |V - TV| over the states",
    "entropy": "relative entropy of the policy to the reference measure, averaged over the occupancy",
    "step_size": "size of the last time step",
    "mass_error": "largest deviation of a state's total probability from one, also of the substeps since the last row",
    "density_min": "least density of the policy with respect to the reference measure",
    "density_max": "largest density of the policy with respect to the reference measure",
    "score_max": "largest slope of the logarithm of the density along an action axis",
    "q_slope_max": "largest slope of Q along an action axis",
    "q_curvature_max": "largest second difference quotient of Q along an action axis",
    "end_mass": "largest probability of a state in the end cells of no-flux action axes",
    "clamped_mass": "probability under the occupancy that clamping moved the next state",
    "descent_defect": "largest increase of a state's value in a step since the last row",
    "kl_ratio_excess": "largest excess over one of the ratio of relative entropies in a step since the last row",
    "occupancy_ratio_largest": "bound of occupancy_ratio in this row and at the ends of the steps since the last row",
    "limited_cells": "cells whose face fluxes were limited since the last row",
    "bellman_evaluations": "Bellman evaluations since the last row",
    "temperature": "temperature, which values, gaps and entropies are at",
    "cost_rho": "discounted expected cost of the policy, without the entropy, averaged over rho",
}

SINCE = dict.fromkeys(("occupancy_ratio_largest", "temperature", "cost_rho"), 3)
"""The schema since which run files hold a series, of those that came later than the first."""


def later_series(entropy: Any, value_rho: Any, temperature: float, discount: float) -> dict[str, Any]:
    """The series of `SINCE` in rows of earlier versions, numbers or arrays: their temperature was constant."""
    return {
        "occupancy_ratio_largest": math.nan * entropy,
        "temperature": 0.0 * entropy + temperature,
        "cost_rho": value_rho - temperature / (1.0 - discount) * entropy,
    }


FURTHER_SERIES: dict[str, str] = {
    "cost_gap": "cost_rho minus the least there is, by a sum of what is lost; of runs whose temperature falls",
    "outside_mass": "largest probability that the Gaussians of a state lay outside the box, had it no ends",
}
"""Series that only some runs have: all rows of a run, or none."""


def names_of(row: Mapping[str, Any]) -> list[str]:
    """The series in a row, in order; ValueError unless it has all that every row has, and no others."""
    names = [*SERIES, *(name for name in FURTHER_SERIES if name in row)]
    if row.keys() != set(names):
        wrong = ", ".join(sorted(row.keys() ^ set(names)))
        raise ValueError(f"a row of the series must have exactly the names of SERIES; missing or unknown: {wrong}")
    return names
