r"""States that rho does not hold and early policies never visit: kappa = inf.

x' = x + 0.8 max(a, 0)^2 on a circle of length 4, a in [-1, 1], no noise, c = 1 + cos(pi x/2) + a^2/10: negative actions
stay, positive ones move on.  The process starts at the worst point, where the first policy lives on a < 0 only: it
stays where it is, d_i = 0 elsewhere, and kappa = max_i d*_i/d_i is infinite.  Later policies charge every action, so
kappa becomes finite.  The share rho_0 of rho that is spread over all states goes to zero: |d*/rho|_inf grows and the
paper's constant collapses like rho_0, and for rho_0 = 0 nothing is certified in the weighted form.  The sup-norm
guarantee needs no concentrability.

Lengths are powers of two, so that a state that stays does so without rounding.  Elsewhere the first policy has 1e-12 on
all actions.  Monitors are looked at from t = 1 on, past the layer of a start whose logarithm is not bounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.claims.static_inequality import HUGE
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Verdict
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
from wpoflow.validation.rates import paper_rate, sup_norm_rate

LENGTH = 4.0
FAINT = 1e-12
LAYER = 1.0
CONCENTRABILITY = ("|d*/rho|", "kappa at 0", "kappa at 1e-3", "kappa at end")
RATES = ("paper", "sup norm", "guaranteed", "observed", "predicted", "2 lambda", "ratio")
JUDGED = ("decay_paper", "decay_weighted", "decay_sup_norm")
SERIES = {"first": 1e-3, "per_decade": 10}
ACCURACY = 1e-3


def one_way(cells: int, share: float) -> GridMDP:
    """The circle, rho = share uniform + (1 - share) at the first point."""
    axis = uniform_axis("x", 0.0, LENGTH, cells, "periodic")
    first = LENGTH / axis.widths[0]
    return build(
        Statement(
            states=Grid((axis,)),
            actions=Grid((uniform_axis("a", -1.0, 1.0, cells),)),
            discount=0.9,
            temperature=0.3,
            cost=lambda x, a: 1.0 + np.cos(0.5 * np.pi * x) + 0.1 * a**2,
            dynamics={"x": lambda x, a: x + 0.8 * np.maximum(a, 0.0) ** 2},
            state_density=lambda x: share + (1.0 - share) * first * (x < axis.edges[1]),
            policy_density=lambda x, a: (
                np.where(a < 0.0, np.sin(np.pi * a) ** 2, 0.0) + np.where(x < axis.edges[1], 0.0, FAINT)
            ),
        )
    )


def _shown(kappa: float) -> float:
    return np.inf if kappa > HUGE else kappa


def share_row(share: float, evidence: Evidence) -> Row:
    """Concentrability, guarantees, rates and verdicts."""
    series, rates = evidence.run.series, decay(evidence)
    now = evidence.alpha_from_now_on.select(np.array([-1]))
    verdicts = {name: str(CLAIMS[name].finding(evidence).verdict) for name in JUDGED}
    return {
        "rho_0": share,
        "|d*/rho|": evidence.density_ratio,
        "kappa at 0": _shown(float(series["occupancy_ratio"][0])),
        "kappa at 1e-3": _shown(float(series["occupancy_ratio"][1])),
        "kappa at end": float(series["occupancy_ratio"][-1]),
        "paper": float(paper_rate(now, evidence.discount, evidence.density_ratio)[0]),
        "sup norm": float(sup_norm_rate(now, evidence.discount)[0]),
        **rates,
        **verdicts,
    }


def _part(table: Table, name: str, columns: Sequence[str]) -> Table:
    rows = tuple({column: row[column] for column in ("rho_0", *columns)} for row in table.rows)
    return Table(f"{name}: {table.title}", rows)


def unreachable(
    shares: Sequence[float] = (1.0, 1e-2, 1e-4, 0.0), cells: int = 64, sizes: Sequence[int] = (32, 64, 128)
) -> Limit:
    """The circle as rho concentrates on its first point."""
    rows = []
    for share in shares:
        evidence = followed(one_way(cells, share), f"rho_0 = {share:g}", gap=1e-10, accuracy=ACCURACY, series=SERIES)
        rows.append(share_row(share, evidence))
    table = Table(f"one way, {cells} x {cells} cells", tuple(rows))
    least = min(shares)
    monitors, growing = monitored(
        f"monitors at rho_0 = {least:g}, t > {LAYER:g}",
        sizes,
        lambda n: followed(one_way(n, least), "one way", gap=1e-5, accuracy=ACCURACY, series=SERIES),
        LAYER,
    )
    last = rows[-1]
    certain = [name for name in JUDGED if last[name] == Verdict.HOLDS]
    uncertain = [name for name in JUDGED if last[name] == Verdict.NOT_CERTIFIED]
    failing = [f"{name} at rho_0 = {row['rho_0']:g}" for row in rows for name in JUDGED if row[name] == Verdict.FAILS]
    observed = table.column("observed")
    deviation = agreement(observed, table.column("predicted"))
    return Limit(
        name="unreachable",
        fails="kappa and |d*/rho|_inf are infinite: the weighted guarantee and the paper's constant are zero",
        tables=(
            _part(table, "concentrability", CONCENTRABILITY),
            _part(table, "rates", RATES),
            _part(table, "verdicts", JUDGED),
            monitors,
        ),
        flow=f"late rates are {', '.join(f'{rate:.4g}' for rate in observed)} as rho_0 falls, the mixture of the "
        f"states' 2 lambda within {100.0 * deviation:.2g} %; kappa at the end {last['kappa at end']:.4g}",
        growing=growing,
        monitors=monitors_sentence(growing),
        conclusion=f"at rho_0 = {last['rho_0']:g} certified: {', '.join(certain) or 'nothing'}; not certified: "
        f"{', '.join(uncertain) or 'nothing'}; failing anywhere: {', '.join(failing) or 'nothing'}; "
        f"{linear(deviation)}, and {certified(table.column('ratio'))}",
    )
