"""Numbers that all studies of the theory's edge read off their runs.

Growth under refinement: where the mesh size is halved, a monitor M grows like h^-p with p = log2(M_h/M_2h).  It is
said to keep growing if p exceeds a quarter on the finest pair of grids and three quarters of what it was on the pair
before.  A monitor that converges at first order halves its p from pair to pair, one that grows like a power keeps it.
A verdict from three grids is evidence, no proof.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.limits.study import Table
from wpoflow.validation.rates import mixture_rate

MONITORS = ("density_max", "score_max", "q_slope_max", "q_curvature_max")
GROWTH = 0.25
SETTLING = 0.75
ACCURACY = 1e-4
LINEAR = 0.02  # of deviation from the predicted late rate
STEPS = 6000
FLOORS = 1e9


def followed(mdp: GridMDP, name: str, *, gap: float, time: float = math.inf, **settings: Any) -> Evidence:
    """A run to a gap, a time or so many steps, whichever comes first, with error-controlled steps.

    Parameters
    ----------
    gap : float
        Goal, raised to ``FLOORS`` rounding floors if it lies below.
    settings
        Go to `evolve`: series, accuracy, snapshots.
    """
    optimum = solve_optimum(mdp)
    until = {"gap": max(gap, FLOORS * optimum.gap_floor), "steps": STEPS}
    if math.isfinite(time):
        until["time"] = time
    run = evolve_to_the_end(mdp, until=until, optimum=optimum, **{"accuracy": ACCURACY, "snapshots": 1, **settings})
    return Evidence(name, run, mdp)


def decay(evidence: Evidence) -> dict[str, float]:
    """Rates of a run.

    Returns
    -------
    dict
        ``guaranteed`` 2 alpha/kappa and ``observed`` dissipation/gap at the end; ``predicted`` there, the mixture
        sum w_s 2 lambda_s with w_s proportional to d*_s KL(p_s|p*_s); ``2 lambda`` of the slowest state visited; and
        ``ratio``, the largest of guaranteed over observed in all rows above rounding: at most one if the theory is
        right, infinite if an observed rate is zero, negative or not a number, and not a number if a guarantee is none.
    """
    series = evidence.run.series
    guaranteed = evidence.guaranteed_rate
    observed = series["rate_observed"]
    judged = evidence.judged
    seen = np.where(observed > 0.0, observed, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(seen > 0.0, guaranteed / seen, np.where(np.isnan(guaranteed), np.nan, np.inf))
    weights = evidence.optimum.occupancy * evidence.divergence(evidence.run.policy, evidence.optimum.q)
    return {
        "guaranteed": float(guaranteed[-1]),
        "observed": float(observed[-1]),
        "predicted": mixture_rate(weights, evidence.spectral_gaps, 0.0),
        "2 lambda": 2.0 * float(evidence.spectral_gaps[evidence.slowest]),
        "ratio": float(np.max(ratios[judged])),
    }


def at_time(run: Run, time: float) -> int:
    """The row at a time that is one of the run's, or the last row if the run ended before."""
    return min(int(np.searchsorted(run.series["time"], time * (1.0 - 1e-12))), len(run.series["time"]) - 1)


def suprema(run: Run, since: float = 0.0) -> dict[str, float]:
    """The largest value of every monitor after a time; a start that is not smooth needs a layer to be left out."""
    later = run.series["time"] > since
    return {name: float(run.series[name][later].max()) for name in MONITORS}


def growth(values: Sequence[float]) -> float:
    """p in M ~ h^-p from the two finest grids."""
    return math.log2(values[-1] / values[-2]) if values[-2] > 0.0 else 0.0


def keeps_growing(values: Sequence[float]) -> bool:
    """Whether a monitor keeps growing as the mesh size is halved, by three grids or more."""
    return growth(values) > max(GROWTH, SETTLING * growth(values[:-1]))


def order(values: Sequence[float]) -> float:
    """log2 of the ratio of the last two differences, mesh sizes halved; not a number where they change sign."""
    before, after = values[-2] - values[-3], values[-1] - values[-2]
    return math.log2(before / after) if before * after > 0.0 else math.nan


def growing_monitors(grids: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """Names of the monitors that keep growing, from those of every grid, coarsest first."""
    return tuple(name for name in MONITORS if keeps_growing([grid[name] for grid in grids]))


def monitored(
    title: str, sizes: Sequence[int], follow: Callable[[int], Evidence], since: float = 0.0
) -> tuple[Table, tuple[str, ...]]:
    """Suprema of the monitors on several grids: one row a monitor, with the exponent of its growth; those that grow."""
    grids = [suprema(follow(size).run, since) for size in sizes]
    growing = growing_monitors(grids)
    rows = []
    for name in MONITORS:
        values = [grid[name] for grid in grids]
        row: dict[str, float | str] = {"monitor": name}
        row |= {f"{size} cells": value for size, value in zip(sizes, values, strict=True)}
        rows.append(row | {"p in h^-p": growth(values), "grows": "yes" if name in growing else "no"})
    return Table(title, tuple(rows)), growing


def growths(title: str, key: str, tables: Mapping[Any, Table], names: Sequence[str]) -> Table:
    """One row a table of several grids: the exponents of growth of its columns."""
    return Table(
        title,
        tuple({key: of, **{name: growth(table.column(name)) for name in names}} for of, table in tables.items()),
    )


def monitors_sentence(growing: Sequence[str]) -> str:
    """The growing monitors in words."""
    if not growing:
        return "no monitor grows under refinement"
    return f"growing under refinement: {', '.join(growing)}"


def certified(ratios: Sequence[float]) -> str:
    """Whether the guaranteed rate was below the observed one everywhere, in words."""
    worst = float(np.max(ratios))
    if math.isnan(worst):
        return "WHETHER THE GUARANTEED RATE IS BELOW THE OBSERVED ONE IS NOT KNOWN: a ratio is not a number"
    return (
        f"the guaranteed rate is never above the observed one (largest ratio {worst:.2g})"
        if worst <= 1.0
        else f"THE GUARANTEED RATE IS ABOVE THE OBSERVED ONE, by a factor of {worst:.6g}"
    )


def linear(deviation: float) -> str:
    """Whether late rates are those predicted for a linear decay, in words."""
    if math.isnan(deviation):
        return "WHETHER THE DECAY ENDS LINEAR IS NOT KNOWN: a rate is not a number"
    percent = f"{100.0 * deviation:.2g} %"
    return (
        f"the decay ends linear, late rates as predicted within {percent}"
        if deviation <= LINEAR
        else f"THE DECAY IS NOT SEEN TO END LINEAR, late rates are off the predicted ones by {percent}"
    )


def agreement(observed: Sequence[float], predicted: Sequence[float]) -> float:
    """Largest relative deviation of observed from predicted rates; not a number if one of them is none."""
    return float(np.max([abs(seen / told - 1.0) for seen, told in zip(observed, predicted, strict=True)]))
