r"""Heavy tails: reference measures without spectral gap, on growing boxes.

The cost -exp(-a^2/2) is bounded, so the Gibbs policy inherits the tails of mu (tau = 1, one state, box [-R, R]):

    logarithmic   U = k ln(1 + a^2), k = 3/2:    density ~ |a|^-2k; no Poincaré inequality on the line, and
                  R^2 lambda -> j^2, j = 3.8317.. the first zero of J_1 (for k = 3/2: the slow mode is a^2 J_2(j a/R))
    root          U = 2 (1 + a^2)^(1/4):         density ~ exp(-2 sqrt|a|); no Poincaré inequality on the line

On the line started from a light-tailed policy the flow must carry mass into tails that it reaches only slowly, and

    gap(t) ~ mu(|a| > r(t)),   r ~ t^(1/2) by diffusion (logarithmic),  r ~ t^(2/3) by the drift U' of x = p/g (root),

hence gap ~ t^-(k - 1/2), local rate (k - 1/2)/t; respectively ln gap ~ -C t^(1/3), local rate ~ t^(-2/3): decay slower
than any exponential.  In the box this lasts until r(t) = R; afterwards the rate is 2 lambda(R) > 0.

Sources: Röckner & Wang, Weak Poincaré inequalities and L2-convergence rates of Markov semigroups, J. Funct. Anal. 185
(2001) 564, doi:10.1006/jfan.2001.3776; Bakry, Cattiaux & Guillin, J. Funct. Anal. 254 (2008) 727,
doi:10.1016/j.jfa.2007.11.002.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import sinh_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.limits.measures import (
    LINEAR,
    certified,
    decay,
    followed,
    monitored,
    monitors_sentence,
)
from wpoflow.validation.limits.study import Entry, Limit, Row, Table

POWER = 1.5
PER_DECADE = 4
SERIES = {"first": 1e-2, "per_decade": PER_DECADE}
SUB_LINEAR = 0.5  # a rate that falls faster than t^-1/2 over half a decade
ENDED = "-"


@dataclass(frozen=True)
class Tail:
    """A reference potential and what is known of it on the line and on large boxes.

    Attributes
    ----------
    potential : callable
        U(a).
    box_power : float
        lambda ~ R^-box_power.
    rate_power : float
        The local rate on the line falls like t^-rate_power.
    """

    potential: Callable[[FloatArray], FloatArray]
    box_power: float
    rate_power: float


TAILS = {
    "logarithmic": Tail(lambda a: np.asarray(POWER * np.log1p(a**2)), 2.0, 1.0),
    "root": Tail(lambda a: np.asarray(2.0 * (1.0 + a**2) ** 0.25), 1.0, 2.0 / 3.0),
}


def boxed(tail: Tail, box: float, cells: int) -> GridMDP:
    """One state on [-box, box], cells growing like |a| beyond 1.

    The start about a = 1 has tails exp(-4 sqrt|a|): lighter than both references, yet above the smallest numbers in the
    largest box; and it has a component on the odd slow mode.
    """
    return build(
        Statement(
            actions=Grid((sinh_axis("a", -box, box, cells, focus=0.0, ratio=max(box, 2.0)),)),
            discount=0.9,
            temperature=1.0,
            cost=lambda a: -np.exp(-0.5 * a**2),
            potential=tail.potential,
            policy_density=lambda a: np.exp(-4.0 * (1.0 + (a - 1.0) ** 2) ** 0.25),
        )
    )


def run_in_box(name: str, box: float, cells: int) -> Evidence:
    """The flow in one box, until the gap is 1e-10."""
    return followed(boxed(TAILS[name], box, cells), f"{name} tails, box {box:g}", gap=1e-10, series=SERIES)


def box_row(name: str, box: float, evidence: Evidence) -> Row:
    """Constants and late rates in one box."""
    gap = float(evidence.spectral_gaps[0])
    return {
        "box": box,
        "lambda": gap,
        f"lambda R^{TAILS[name].box_power:g}": gap * box ** TAILS[name].box_power,
        "alpha": evidence.alpha,
        "alpha/lambda": evidence.alpha / gap,
        **{key: value for key, value in decay(evidence).items() if key != "predicted"},
    }


def local_rate(evidence: Evidence, time: float) -> tuple[float, float] | None:
    """Local rate at a time of the series and -d ln rate/d ln t over half a decade; None if the run had ended."""
    times, rate = evidence.run.series["time"], evidence.run.series["rate_observed"]
    row = int(np.argmin(np.abs(np.log(np.maximum(times, 1e-3) / time))))
    if abs(times[row] / time - 1.0) > 1e-6:
        return None
    before = row - PER_DECADE // 2
    return float(rate[row]), -math.log(rate[row] / rate[before]) / math.log(times[row] / times[before])


def time_rows(runs: dict[float, Evidence], times: Sequence[float]) -> tuple[Row, ...]:
    """Local rates over time: times t in the largest box, its exponent there, and the rate in every box."""
    largest = max(runs)
    rows: list[Row] = []
    for time in times:
        found = local_rate(runs[largest], time)
        if found is None:
            continue
        rate, exponent = found
        row: dict[str, Entry] = {"time": time, "rate t": rate * time, "-d ln rate/d ln t": exponent}
        for box, evidence in runs.items():
            local = local_rate(evidence, time)
            row[f"R = {box:g}"] = ENDED if local is None else local[0]
        rows.append(row)
    return tuple(rows)


def heavy_tails(
    boxes: Sequence[float] = (10.0, 30.0, 100.0, 300.0, 1000.0),
    cells: int = 401,
    sizes: Sequence[int] = (101, 201, 401),
    times: Sequence[float] = (1.0, 10.0, 100.0, 1000.0, 1e4, 1e5),
) -> Limit:
    """Both tails on growing boxes, and the monitors in one of them."""
    tables: list[Table] = []
    ratios: list[float] = []
    sentences, exponents = [], []
    falling: list[float] = []
    ended = 0
    for name in TAILS:
        runs = {box: run_in_box(name, box, cells) for box in boxes}
        constants = Table(
            f"{name} tails: constants in growing boxes, {cells} cells",
            tuple(box_row(name, box, evidence) for box, evidence in runs.items()),
        )
        rates = Table(f"{name} tails: local rate over time (first columns: R = {max(boxes):g})", time_rows(runs, times))
        tables += [constants, rates]
        ratios += constants.column("ratio")
        gaps = constants.column("lambda")
        power = math.log(gaps[-2] / gaps[-1]) / math.log(boxes[-1] / boxes[-2])
        felt = 0.5 / gaps[-1]
        before = [row for row in rates.rows if float(row["time"]) <= felt][-1]
        falling.append(float(before["-d ln rate/d ln t"]))
        shares = [float(row["observed"]) / float(row["2 lambda"]) for row in constants.rows]
        ended += sum(abs(share - 1.0) <= LINEAR for share in shares)
        exponents.append(f"{name}: lambda ~ R^-{power:.2f} (expected {TAILS[name].box_power:g} in the limit)")
        sentences.append(
            f"{name}: at t = {before['time']:g}, before the largest box is felt, the rate falls like "
            f"t^-{before['-d ln rate/d ln t']:.2f} (on the line t^-{TAILS[name].rate_power:.2f}); at gap 1e-10 it is "
            f"{', '.join(f'{share:.4g}' for share in shares)} times 2 lambda in the boxes"
        )
    middle = boxes[len(boxes) // 2]
    monitors, growing = monitored(
        f"logarithmic tails: monitors, box {middle:g}", sizes, lambda n: run_in_box("logarithmic", middle, n)
    )
    return Limit(
        name="heavy_tails",
        fails="no log-Sobolev nor Poincaré inequality on the line: alpha and lambda vanish as the box grows",
        tables=(*tables, monitors),
        flow=".  ".join(sentences),
        growing=growing,
        monitors=monitors_sentence(growing),
        conclusion=f"{'; '.join(exponents)}.  Before the box is felt the decay is "
        f"{'sub-linear' if min(falling) > SUB_LINEAR else 'NOT SEEN TO BE SUB-LINEAR'} (rate like t^-"
        f"{', t^-'.join(f'{power:.2f}' for power in falling)}), and the run ends at 2 lambda, "
        f"linear, in {ended} of {len(ratios)} boxes; {certified(ratios)}",
    )
