r"""gamma -> 1: the guarantees collapse with the horizon, the flow does not.

In the sup norm the guaranteed rate is 2 alpha (1 - gamma), the paper's is 2 alpha (1 - gamma)/|d*_rho/rho|_inf.  The
factor 1 - gamma pays for the worst case in which p' and p* visit other states; it is lost even where alpha is bounded
below, as it is here: Q - min Q stays bounded for a process that forgets its start.  Near the optimum occupancies agree,
kappa -> 1, and both the weighted guarantee 2 alpha/kappa and the observed rates tend to limits.

What does suffer is arithmetic: the rounding floor of the gap is about tau/(2 (1 - gamma)) (eps |Q|/tau)^2 with
|Q| ~ 1/(1 - gamma), hence grows like (1 - gamma)^-3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from wpoflow.validation.limits.measures import (
    agreement,
    certified,
    decay,
    followed,
    linear,
    monitored,
    monitors_sentence,
)
from wpoflow.validation.limits.study import Limit, Row, Table
from wpoflow.validation.limits.systems import circle
from wpoflow.validation.rates import paper_rate, sup_norm_rate

SERIES = {"first": 1e-2, "per_decade": 20}


def discount_row(gamma: float, cells: int) -> Row:
    """Guarantees and rates at one discount."""
    evidence = followed(circle(cells, discount=gamma), f"gamma {gamma:g}", gap=1e-8, accuracy=1e-3, series=SERIES)
    series, rates = evidence.run.series, decay(evidence)
    now = evidence.alpha_from_now_on.select(np.array([-1]))
    fall = math.log(series["gap_sup"][-3] / series["gap_sup"][-1]) / float(series["time"][-1] - series["time"][-3])
    return {
        "gamma": gamma,
        "paper": float(paper_rate(now, gamma, evidence.density_ratio)[0]),
        "sup norm": float(sup_norm_rate(now, gamma)[0]),
        "2 alpha/kappa": rates["guaranteed"],
        "rate of sup": fall,
        "observed": rates["observed"],
        "predicted": rates["predicted"],
        "2 lambda": rates["2 lambda"],
        "kappa at 0": float(series["occupancy_ratio"][0]),
        "gap floor": evidence.optimum.gap_floor,
        "ratio": rates["ratio"],
    }


def discount(
    discounts: Sequence[float] = (0.9, 0.99, 0.999, 0.9999), cells: int = 48, sizes: Sequence[int] = (24, 48, 96)
) -> Limit:
    """The circle at growing discount."""
    rows = tuple(discount_row(gamma, cells) for gamma in discounts)
    table = Table(f"circle, {cells} x {cells} cells: gamma -> 1", rows)
    monitors, growing = monitored(
        "monitors at gamma = 0.99",
        sizes,
        lambda n: followed(circle(n, discount=0.99), "circle", gap=1e-6, accuracy=1e-3, series=SERIES),
    )
    first, before, last = table.rows[0], table.rows[-2], table.rows[-1]
    loss = float(last["sup norm"]) / float(first["sup norm"])
    change = float(last["2 lambda"]) / float(first["2 lambda"])
    horizon = (1.0 - discounts[-1]) / (1.0 - discounts[0])
    power = -math.log(float(last["gap floor"]) / float(first["gap floor"])) / math.log(horizon)
    deviation = agreement(table.column("observed"), table.column("predicted"))
    return Limit(
        name="discount",
        fails="the guaranteed rates 2 alpha (1 - gamma) and the paper's vanish like 1 - gamma",
        tables=(table, monitors),
        flow=f"from gamma = {discounts[0]:g} to {discounts[-1]:g} the sup-norm guarantee changes by a factor "
        f"{loss:.2g} (1 - gamma: {horizon:.2g}), 2 lambda by {change:.3g}, 2 alpha/kappa at the end by "
        f"{float(last['2 alpha/kappa']) / float(first['2 alpha/kappa']):.3g}; late rates agree with the mixture of the "
        f"states' 2 lambda within {100.0 * deviation:.2g} %; the gap's floor grows like (1 - gamma)^-{power:.2f}",
        growing=growing,
        monitors=monitors_sentence(growing),
        conclusion=f"{linear(deviation)}; from gamma = {discounts[-2]:g} to {discounts[-1]:g} the sup-norm guarantee "
        f"changes by a factor {float(last['sup norm']) / float(before['sup norm']):.3g}, 2 lambda by "
        f"{float(last['2 lambda']) / float(before['2 lambda']):.3g}; at gamma = {discounts[-1]:g} the "
        f"sup-norm guarantee is {float(last['rate of sup']) / float(last['sup norm']):.2g} times too small; "
        f"{certified(table.column('ratio'))}",
    )
