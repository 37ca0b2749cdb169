r"""A cost with a jump.

In the action (c + J 1[a > a0]): Q(s, .) jumps as well, grad_a Q is no function, and the flow has no strong solution
in the paper's sense; the Gibbs density jumps by exp(-J/tau).  On cells of width h with a0 on a face the slopes are
J/h + O(1) and the second difference quotients J/h^2 + O(1/h).  The constants do not notice: changing a potential by
at most J changes lambda and alpha by at most a factor exp(J/tau) (Holley–Stroock), and x = p/g stays continuous.

In the state (c + J 1[s in an interval]): for given s the cost is smooth in a, and Q(s, .) = c + gamma E V(f(s, a) +
sigma xi) is smooth as long as there is noise.  Without noise Q(s, .) jumps wherever a next state crosses V's jump.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.exact_cases.bandits import Bandit
from wpoflow.validation.limits.measures import (
    MONITORS,
    agreement,
    at_time,
    certified,
    decay,
    followed,
    growing_monitors,
    growths,
    linear,
    order,
    suprema,
)
from wpoflow.validation.limits.study import Limit, Row, Table
from wpoflow.validation.limits.systems import circle, smooth_cost

JUMP = 1.0
PLACE = 0.5
TIME = 1.0
RATES = ("guaranteed", "observed", "predicted", "2 lambda", "ratio")
SERIES = {"first": 1e-2, "per_decade": 10}


def jump_in_action(s: FloatArray, a: FloatArray) -> FloatArray:
    """The smooth cost, one more for a > 1/2; the jump is at a face if the number of cells divides by eight."""
    return np.asarray(smooth_cost(s, a) + JUMP * (a > PLACE))


def jump_in_state(s: FloatArray, a: FloatArray) -> FloatArray:
    """The smooth cost, one more for s in (pi/2, 3 pi/2); jumps at faces if the number of cells divides by four."""
    return np.asarray(smooth_cost(s, a) + JUMP * ((s > 0.5 * np.pi) & (s < 1.5 * np.pi)))


def bandit(cells: int, jump: float = JUMP) -> GridMDP:
    """One state, c = a^2/2 + jump 1[a > 1/2] on [-2, 2], tau = 0.5."""
    return Bandit(
        cost=lambda a: np.asarray(0.5 * a**2 + jump * (a > PLACE)),
        potential=0.0,
        density=lambda a: np.exp(0.5 * a),
        lower=-2.0,
        upper=2.0,
        temperature=0.5,
    ).grid(cells)


VARIANTS: dict[str, tuple[Callable[[int], GridMDP], bool]] = {
    "one state, smooth": (lambda n: bandit(n, 0.0), True),
    "one state, jump in a": (bandit, True),
    "circle, jump in a": (lambda n: circle(n, cost=jump_in_action), False),
    "circle, jump in s": (lambda n: circle(n, cost=jump_in_state), False),
    "circle, jump in s, no noise": (lambda n: circle(n, cost=jump_in_state, noise=0.0), False),
}


def grid_row(name: str, cells: int, make: Callable[[int], GridMDP]) -> Row:
    """Monitors, constants and rates on one grid."""
    evidence = followed(make(cells), name, gap=1e-8, accuracy=1e-4, series=SERIES)
    run, rates = evidence.run, decay(evidence)
    row = at_time(run, TIME)
    return {
        "cells": cells,
        **suprema(run),
        "V(rho) at 1": float(run.series["value_rho"][row]),
        "gap at 1": float(run.series["gap"][row]),
        "alpha": evidence.alpha,
        **rates,
    }


def _listed(orders: Table, problem: str) -> str:
    """Orders of V, gap and lambda of a problem, or a dash."""
    rows = [row for row in orders.rows if row["problem"] == problem]
    return ", ".join(f"{value:.2f}" for key, value in rows[0].items() if key != "problem") if rows else "-"


def jump_cost(
    bandit_sizes: Sequence[int] = (128, 256, 512, 1024),
    circle_sizes: Sequence[int] = (24, 48, 96),
    variants: Sequence[str] = tuple(VARIANTS),
) -> Limit:
    """The same problem with a smooth cost, a jump in the action, and a jump in the state."""
    tables: dict[str, Table] = {}
    orders: list[Row] = []
    growing: dict[str, tuple[str, ...]] = {}
    for name in variants:
        make, one_state = VARIANTS[name]
        table = Table(name, tuple(grid_row(name, n, make) for n in (bandit_sizes if one_state else circle_sizes)))
        tables[name] = table
        growing[name] = growing_monitors(table.rows)  # type: ignore[arg-type]
        if one_state:
            columns = {"V": "V(rho) at 1", "gap": "gap at 1", "lambda": "2 lambda"}
            found = {f"order of {short}": order(table.column(column)) for short, column in columns.items()}
            orders.append({"problem": name, **found})
    rates = [{"problem": table.title, **{key: table.rows[-1][key] for key in RATES}} for table in tables.values()]
    first = growths("growth: p in monitor ~ h^-p on the two finest grids", "problem", tables, MONITORS)
    second = Table("orders of convergence, one state", tuple(orders))
    third = Table("rates on the finest grids", tuple(rates))
    grids = [
        Table(table.title, tuple({key: row[key] for key in row if key not in RATES[1:]} for row in table.rows))
        for table in tables.values()
    ]
    worst = agreement(third.column("observed"), third.column("predicted"))
    rough = [name for name in variants if growing[name]]
    smooth = [name for name in variants if not growing[name]]
    sentence = "; ".join(f"{name}: {', '.join(growing[name])}" for name in rough) or "none"
    return Limit(
        name="jump_cost",
        fails="grad_a Q is unbounded (jump in the action, or in the state without noise): the assumed regularity fails",
        tables=(first, second, third, *grids),
        flow=f"{linear(worst)} (the mixture of the states' 2 lambda, on the finest grids); orders of V, gap and lambda "
        f"for the jump of one state: {_listed(second, 'one state, jump in a')}, without jump "
        f"{_listed(second, 'one state, smooth')}",
        growing=tuple(name for name in MONITORS if any(name in found for found in growing.values())),
        monitors=f"growing under refinement: {sentence}; none for {', '.join(smooth) or 'no problem'}",
        conclusion=f"regularity fails for {', '.join(rough) or 'no problem'}; {linear(worst)}; "
        f"{certified([float(row['ratio']) for table in tables.values() for row in table.rows])}",
    )
