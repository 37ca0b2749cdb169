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
    growth,
    linear,
    suprema,
)
from wpoflow.validation.limits.study import Limit, Row, Table
from wpoflow.validation.limits.systems import DISCOUNT, circle, interval

NOISES = (0.3, 0.1, 0.03, 0.0)
SIZES = (24, 48, 96)
PUSHES = (1.0, 0.5, 0.0)
EXPANSION_SIZES = (48, 96, 192)
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


def _rows_of(rows: Sequence[Row], key: str, value: float) -> list[Row]:
    return [row for row in rows if row[key] == value]


def deterministic(
    noises: Sequence[float] = NOISES,
    sizes: Sequence[int] = SIZES,
    pushes: Sequence[float] = PUSHES,
    expansion_sizes: Sequence[int] = EXPANSION_SIZES,
) -> Limit:
    """Noise that falls to none at a clamped boundary, and an expanding map without noise."""
    rows = [clamped_row(noise, n) for noise in noises for n in sizes]
    by_noise = {noise: _rows_of(rows, "sigma", noise) for noise in noises}
    growing = {noise: growing_monitors(found) for noise, found in by_noise.items()}  # type: ignore[arg-type]
    growths = Table(
        "clamped: p in monitor ~ h^-p on the two finest grids",
        tuple(
            {
                "sigma": noise,
                **{name: growth([float(row[name]) for row in found]) for name in MONITORS},
                "growing": ", ".join(growing[noise]) or "none",
            }
            for noise, found in by_noise.items()
        ),
    )
    keys = ("sigma", "cells", *MONITORS)
    monitors = Table("clamped: monitors", tuple({key: row[key] for key in keys} for row in rows))
    rates = Table(
        f"clamped: rates on {sizes[-1]} cells",
        tuple(
            {key: found[-1][key] for key in ("sigma", "guaranteed", "observed", "predicted", "2 lambda", "ratio")}
            for found in by_noise.values()
        ),
    )
    expanding = Table(
        "expanding: optimum of s' = 2 s + push a",
        tuple(expanding_row(push, n) for push in pushes for n in expansion_sizes),
    )
    exponents = {
        push: {
            name: growth([float(row[name]) for row in _rows_of(expanding.rows, "push", push)])
            for name in ("slope of Q in a", "curvature of Q in a", "slope of V in s")
        }
        for push in pushes
    }
    expansion = Table(
        "expanding: p in quantity ~ h^-p on the two finest grids",
        tuple({"push": push, **found} for push, found in exponents.items()),
    )
    quietest, free = min(noises), min(pushes)
    deviation = agreement([float(row["observed"]) for row in rows], [float(row["predicted"]) for row in rows])
    slowest = [f"{row['2 lambda']:.4g} at sigma = {row['sigma']:g}" for row in rates.rows]
    return Limit(
        name="deterministic",
        fails="V and Q need not be smooth without noise: Q has kinks in the action where next states are clamped, "
        "V no derivative in the state where the dynamics expand and the action does not reach",
        tables=(growths, rates, expansion, monitors, expanding),
        flow=f"{linear(deviation)} (the mixture of the states' 2 lambda, at every noise and on every grid); 2 "
        f"lambda is {', '.join(slowest)}",
        growing=growing[quietest],
        monitors="growing under refinement: "
        + "; ".join(f"sigma = {noise:g}: {', '.join(found) or 'none'}" for noise, found in growing.items()),
        conclusion=f"at sigma = {quietest:g} the curvature of Q grows like h^-"
        f"{growth([float(row['q_curvature_max']) for row in by_noise[quietest]]):.2f} and its slope like h^-"
        f"{growth([float(row['q_slope_max']) for row in by_noise[quietest]]):.2f}; with push = {free:g} the slope of V "
        f"in s grows like h^-{exponents[free]['slope of V in s']:.2f} (Weierstrass: {WEIERSTRASS:.2f}) and that of Q "
        f"in a like h^-{exponents[free]['slope of Q in a']:.2f}; {linear(deviation)}, and "
        f"{certified([float(row['ratio']) for row in rows])}",
    )
