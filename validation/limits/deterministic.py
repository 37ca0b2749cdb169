r"""Dynamics without noise.

Without noise next states are f(s, a) and nothing but the action itself smooths values.  Three effects, apart:

*Clamping.*  s' = clamp(s + a/2 + sigma xi).  For sigma = 0 Q(s, .) has a kink at the action that reaches the boundary:
slopes are bounded, second difference quotients grow like 1/h.  With noise they stop at about 1/sigma.

*Expansion.*  s' = 2 s + push a modulo 2 pi.  With push = 0 the states are not controlled and V(s) = sum gamma^n
r(2^n s), r the mean cost, as in Weierstrass' function: for 2 gamma > 1 it is only Hölder continuous, with exponent
theta = ln(1/gamma)/ln 2, and its difference quotients grow like h^-(1 - theta).  Q depends on the action through
the cost alone then, and keeps its regularity.

*Smoothing by the action.*  Where the action does move the state, V^pi(s) holds the integral of gamma V^pi(f(s, a))
pi(da|s), an average over next states: V is smooth again, at the width of push times the width of the policy.

Source: Hardy, Trans. Amer. Math. Soc. 17 (1916) 301, doi:10.1090/S0002-9947-1916-1501044-1 (Weierstrass' function).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.validation.constants.coefficients import curvatures, slopes
from wpoflow.validation.limits.measures import (
    MONITORS,
    agreement,
    certified,
    decay,
    followed,
    growing_monitors,
    growths,
    linear,
    suprema,
)
from wpoflow.validation.limits.study import Limit, Row, Table
from wpoflow.validation.limits.systems import DISCOUNT, circle, interval

SERIES = {"first": 1e-2, "per_decade": 10}
WEIERSTRASS = 1.0 - math.log(1.0 / DISCOUNT) / math.log(2.0)


def clamped_row(noise: float, cells: int) -> Row:
    """Monitors along the flow of the clamped problem, and its rates."""
    evidence = followed(interval(cells, noise=noise), f"sigma {noise:g}", gap=1e-8, accuracy=1e-3, series=SERIES)
    return {"sigma": noise, "cells": cells, **suprema(evidence.run), **decay(evidence)}


def expanding_row(push: float, cells: int) -> Row:
    """The optimum of the expanding map: regularity of Q in the action, and of V in the state."""
    mdp = circle(cells, stretch=2.0, noise=0.0, push=push)
    optimum = solve_optimum(mdp)
    q, distance = optimum.q, float(mdp.states.axes[0].distances[0])
    least, largest = curvatures(q, mdp.actions)
    around = np.append(optimum.value, optimum.value[0])
    return {
        "push": push,
        "cells": cells,
        "slope of Q in a": float(slopes(q, mdp.actions).max()),
        "curvature of Q in a": float(max(largest.max(), -least.min())),
        "slope of V in s": float(np.abs(np.diff(around)).max()) / distance,
    }


def deterministic(
    noises: Sequence[float] = (0.3, 0.1, 0.03, 0.0),
    sizes: Sequence[int] = (24, 48, 96),
    pushes: Sequence[float] = (1.0, 0.5, 0.0),
    expansion_sizes: Sequence[int] = (48, 96, 192),
) -> Limit:
    """Noise that falls to none at a clamped boundary, and an expanding map without noise."""
    clamped = {noise: Table("", tuple(clamped_row(noise, n) for n in sizes)) for noise in noises}
    rows = [row for table in clamped.values() for row in table.rows]
    growing = {noise: growing_monitors(table.rows) for noise, table in clamped.items()}  # type: ignore[arg-type]
    found = growths("clamped: p in monitor ~ h^-p on the two finest grids", "sigma", clamped, MONITORS)
    growing_rows = ({**row, "growing": ", ".join(growing[row["sigma"]]) or "none"} for row in found.rows)  # type: ignore[index]
    growing_table = Table(found.title, tuple(growing_rows))
    keys = ("sigma", "cells", *MONITORS)
    monitors = Table("clamped: monitors", tuple({key: row[key] for key in keys} for row in rows))
    keys = ("sigma", "guaranteed", "observed", "predicted", "2 lambda", "ratio")
    rates = Table(
        f"clamped: rates on {sizes[-1]} cells",
        tuple({key: table.rows[-1][key] for key in keys} for table in clamped.values()),
    )
    free_maps = {push: Table("", tuple(expanding_row(push, n) for n in expansion_sizes)) for push in pushes}
    expanding = Table(
        "expanding: optimum of s' = 2 s + push a", tuple(row for table in free_maps.values() for row in table.rows)
    )
    expansion = growths(
        "expanding: p in quantity ~ h^-p on the two finest grids",
        "push",
        free_maps,
        ("slope of Q in a", "curvature of Q in a", "slope of V in s"),
    )
    quietest, free = min(noises), min(pushes)
    silent, uncontrolled = found.row(sigma=quietest), expansion.row(push=free)
    deviation = agreement([float(row["observed"]) for row in rows], [float(row["predicted"]) for row in rows])
    slowest = [f"{row['2 lambda']:.4g} at sigma = {row['sigma']:g}" for row in rates.rows]
    return Limit(
        name="deterministic",
        fails="V and Q need not be smooth without noise: Q has kinks in the action where next states are clamped, "
        "V no derivative in the state where the dynamics expand and the action does not reach",
        tables=(growing_table, rates, expansion, monitors, expanding),
        flow=f"{linear(deviation)} (the mixture of the states' 2 lambda, at every noise and on every grid); 2 "
        f"lambda is {', '.join(slowest)}",
        growing=growing[quietest],
        monitors="growing under refinement: "
        + "; ".join(f"sigma = {noise:g}: {', '.join(names) or 'none'}" for noise, names in growing.items()),
        conclusion=f"at sigma = {quietest:g} the curvature of Q grows like h^-"
        f"{silent['q_curvature_max']:.2f} and its slope like h^-"
        f"{silent['q_slope_max']:.2f}; with push = {free:g} the slope of V "
        f"in s grows like h^-{uncontrolled['slope of V in s']:.2f} (Weierstrass: {WEIERSTRASS:.2f}) and that of Q "
        f"in a like h^-{uncontrolled['slope of Q in a']:.2f}; {linear(deviation)}, and "
        f"{certified([float(row['ratio']) for row in rows])}",
    )
