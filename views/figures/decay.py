r"""Decay of the gap over all its decades, and its local rate, beside what theory says of them.

    guaranteed    gap(0) exp(-∫ 2 alpha/kappa dt), alpha the lower bound that is certified from each row on; kappa is
                  known in the rows only, and the smaller rate of the two about an interval is taken in between
    paper         likewise with 2 alpha (1 - gamma)/|d*/rho|_sup
    certified     for the local rate alone: what certificates of gap(rho) issued until then give in each row, by the run
                  file alone (`validation.certificate`); zero, and not drawn, before the first that says something
    sharp         2 lambda of the slowest state that is visited, or what another flow has for it; a line through the
                  last gap above rounding

The local rate is the file's ``rate_observed``; faint where rounding decides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.solver.records.run import Run
from wpoflow.validation.constants.spectral_gap import SpectrumError
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.rates import paper_rate
from wpoflow.views.figures.canvas import BLACK, BLUE, GREEN, GREY, PURPLE, SINGLE, VERMILION, new_figure
from wpoflow.views.figures.fields import NO_OPTIMUM, NO_ROWS, Slice
from wpoflow.views.figures.panels import GAP, TIME, few_ticks, legend_above, log_scale, positive_scale, spanned

NEAR_FLOOR = 1e3
FEW_ROWS = 12
RATE_RANGE = 1e-5


@dataclass(frozen=True)
class Rates:
    """Rates of a run by row, (rows,), the sharp one a number, nan where its spectrum was not found.

    ``other``: whether they are of another flow than the Wasserstein flow.
    """

    guaranteed: FloatArray
    paper: FloatArray
    certified: FloatArray
    judged: BoolArray
    sharp: float
    other: bool


def why_not(run: Run) -> str:
    """A gap above zero is needed."""
    if run.optimum is None:
        return NO_OPTIMUM
    if not run.series["time"].size:
        return NO_ROWS
    gap = run.series["gap"]
    if not np.any(np.isfinite(gap) & (gap > 0.0)):
        return "the gap is zero in every row, and nothing decays"
    return ""


@lru_cache(maxsize=2)
def rates_of(run: Run) -> Rates:
    """Guaranteed, paper's and sharp rate, from the run alone; kept, as an overview and a movie ask again."""
    evidence = Evidence("", run)
    with np.errstate(all="ignore"):
        paper = paper_rate(evidence.alpha_from_now_on, evidence.discount, evidence.density_ratio)
        certified = evidence.certified_rho.rate
        guaranteed, judged = evidence.guaranteed_rate, evidence.judged
    try:
        sharp = evidence.sharp_rate
    except SpectrumError:
        sharp = np.nan
    return Rates(guaranteed, paper, certified, judged, sharp, not evidence.wasserstein)


def bound_line(time: FloatArray, gap: FloatArray, rate: FloatArray) -> FloatArray:
    """The first gap, falling between rows at the smaller rate of the two about each interval."""
    between = np.minimum(rate[:-1], rate[1:]) if rate.size > 1 else np.zeros(0)
    folds = np.concatenate(([0.0], np.cumsum(np.where(np.isfinite(between), between, 0.0) * np.diff(time))))
    return np.asarray(gap[0] * np.exp(-folds))


def draw(cut: Slice) -> Figure:
    """Gap above, local rate below."""
    figure = new_figure(SINGLE, 3.9)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.6, 1.0])
    gap_panel(above, cut.run)
    if _somewhere(rates_of(cut.run).certified):
        above.plot([], [], color=PURPLE, linewidth=1.2, label="certified")
    legend_above(above, 2)
    rate_panel(below, cut.run)
    above.set_xlabel("")
    return figure


def gap_panel(panel: Axes, run: Run, *, short: bool = False) -> None:
    """The gap with the lines of the rates, on a logarithmic axis; names without formulae if ``short``."""
    rates, time, gap = rates_of(run), run.series["time"], run.series["gap"]
    assert run.optimum is not None
    marker = "o" if time.size <= FEW_ROWS else ""
    panel.plot(time, gap, color=BLUE, marker=marker, markersize=3.0, label="observed", zorder=3)
    for rate, colour, dashes, label in (
        (rates.guaranteed, GREEN, (0, (5, 1.5)), r"guaranteed, $2\alpha/\kappa$"),
        (rates.paper, VERMILION, (0, (1, 1.2)), r"paper, $2\alpha(1-\gamma)/\|d^*\!/\rho\|_\infty$"),
    ):
        if gap[0] > 0.0 and (_somewhere(rate) or not rates.other):
            line = bound_line(time, gap, rate)
            panel.plot(time, line, color=colour, linestyle=dashes, label=label.split(",")[0] if short else label)
    rows = np.flatnonzero(rates.judged & np.isfinite(gap))
    log_scale(panel, [spanned(gap, run.optimum.gap_floor)])
    if rows.size and np.isfinite(rates.sharp) and time.size > 1:
        anchor = int(rows[-1])
        line = np.exp(np.minimum(np.log(gap[anchor]) - rates.sharp * (time - time[anchor]), 700.0))
        inside = line <= panel.get_ylim()[1]
        panel.plot(
            np.where(inside, time, np.nan), line, color=BLACK, linestyle="-.", linewidth=0.8,
            label="sharp" if short or rates.other else r"sharp, $2\lambda_{\min}$",
        )  # fmt: skip
    floor = run.optimum.gap_floor
    low, high = panel.get_ylim()
    if floor > 0.0 and low < NEAR_FLOOR * floor:
        panel.axhline(floor, color=GREY, linewidth=0.8, label="rounding floor")
        panel.set_ylim(min(low, floor / 2.0), high)
    panel.set_ylabel(GAP)
    _linear_time(panel, time)


def rate_panel(panel: Axes, run: Run) -> None:
    """The local rate, and what it is compared with."""
    rates, time = rates_of(run), run.series["time"]
    observed = run.series["rate_observed"]
    marker = "o" if time.size <= FEW_ROWS else ""
    panel.plot(time, observed, color=BLUE, alpha=0.35, marker=marker, markersize=3.0)
    panel.plot(time, np.where(rates.judged, observed, np.nan), color=BLUE, marker=marker, markersize=3.0, zorder=3)
    compared = [observed[rates.judged] if rates.judged.any() else observed]
    for rate, colour, dashes in (
        (rates.guaranteed, GREEN, (0, (5, 1.5))),
        (rates.paper, VERMILION, (0, (1, 1.2))),
    ):
        if _somewhere(rate):
            panel.plot(time, np.where(rate > 0.0, rate, np.nan), color=colour, linestyle=dashes)
            compared.append(rate[-1:])
    if _somewhere(rates.certified):
        certified = np.where(rates.certified > 0.0, rates.certified, np.nan)
        panel.plot(time, certified, color=PURPLE, marker=marker, markersize=3.0, linewidth=1.2, zorder=4)
        compared.append(rates.certified[-1:])
    known = np.isfinite(rates.sharp) and rates.sharp > 0.0
    if known:
        compared.append(np.array([rates.sharp]))
    # a bound that starts at exp(-100) would press all else together
    largest = max(float(np.max(part, where=np.isfinite(part), initial=0.0)) for part in compared)
    positive_scale(panel, [part[part >= RATE_RANGE * largest] for part in compared])
    if known:  # once there is a scale: matplotlib inverts it, and a linear one of rates far apart is singular
        panel.axhline(rates.sharp, color=BLACK, linestyle="-.", linewidth=0.8)
    panel.set_ylabel("local rate")
    _linear_time(panel, time)


def _somewhere(rate: FloatArray) -> bool:
    """Whether a rate says anything in any row."""
    return bool(np.any(np.isfinite(rate) & (rate > 0.0)))


def _linear_time(panel: Axes, time: FloatArray) -> None:
    panel.set_xlabel(TIME)
    panel.xaxis.set_major_locator(few_ticks(5) if time.size > 1 else FixedLocator(time.tolist()))
