"""Shared by the claims of linear decay: how the fall of a suboptimality between rows is held against a rate.

Runs of unsplit backward Euler steps of fixed size obey the fully discrete theorem, whatever the steps between two
rows were (`validation.rates.backward_euler_factor`): no time error enters.  Error-controlled runs follow the
continuous flow up to their time error, which is in the budget.  Other runs of fixed steps are judged in the
a-posteriori form: with theta the least part of KL(p|g) that any step since the row before removed in any state, as
recorded, each step leaves at most 1 - theta share; states whose KL was below the recorder's floor add that floor to
the rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.runs.monitor import KL_FLOOR
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement, inflatable
from wpoflow.validation.rates import backward_euler_factor, flow_factor


def of_transport(evidence: Evidence) -> Hypothesis:
    """The flow is one of those that the theorem is of."""
    return Hypothesis("a flow of transport", evidence.transports, evidence.judged_as.without({}), scope=True)


def known_time_error(evidence: Evidence) -> Hypothesis:
    """The flow is the theorem's, and its steps are those of the discrete theorem, controlled, or descent steps."""
    if not (transport := of_transport(evidence)).met:
        return transport
    excess = evidence.run.series["kl_ratio_excess"][1:]
    descent = bool(np.all(excess <= 0.0)) and excess.size > 0
    known = evidence.euler_steps or evidence.accuracy is not None or descent
    return Hypothesis(
        "unsplit backward Euler steps, controlled time error, or recorded descent steps",
        known,
        "fixed steps that raised KL(p|g) in some state",
    )


def left_out(evidence: Evidence) -> str:
    """Which visited states rho leaves out, why they may be visited, and what makes the ratio finite; empty if none."""
    occupancy, states = evidence.optimum.occupancy, evidence.run.states
    out = (evidence.run.rho == 0.0) & (occupancy > 0.0)
    if not out.any():
        return ""
    missed = np.where(out, occupancy, 0.0)
    most = int(missed.argmax())
    place = states.describe(most) or f"state {most}"
    return (
        f"rho is 0 at {np.count_nonzero(out):,} of the {np.count_nonzero(occupancy > 0.0):,} states that the optimal "
        f"policy visits, {missed.sum():.2g} of its discounted time in all, most at {place} ({missed[most]:.2g}); "
        "points inside a terminal set are visited where values outside it are interpolated with theirs. "
        "Give a law that is positive there: state_density, or rho= of GridMDP or from_environment, "
        "as replace(mdp, rho=0.99*mdp.rho + 0.01*mdp.counted/mdp.counted.sum())"
    )


def a_posteriori(evidence: Evidence) -> bool:
    """Whether falls between rows are judged by the recorded ratios of KL."""
    return not evidence.euler_steps and evidence.accuracy is None


def fall_measurement(
    evidence: Evidence,
    quantity: str,
    gap: FloatArray,
    alpha: FloatArray,
    share: FloatArray | float,
    pairs: Callable[[int], list[tuple[int, int]]],
) -> Measurement | None:
    """The least favourable of gap_b <= gap_a factor(alpha_a, t_b - t_a) over pairs a < b of rows.

    Parameters
    ----------
    gap : array (rows,)
        The suboptimality that is to fall.
    alpha : array (rows,)
        Lower bound of alpha from each row on.
    share : array (rows,) or float
        1 - gamma, or 1/kappa from each row on.
    pairs : callable
        From the number of rows judged to pairs of positions among them.
    """
    rows = np.flatnonzero(evidence.judged)
    time, gaps = evidence.run.series["time"][rows], gap[rows]
    alphas, shares = alpha[rows], np.broadcast_to(share, gap.shape)[rows]
    rounding = evidence.fall_rounding(gaps)
    worst: Measurement | None = None
    largest, slack = -np.inf, np.inf
    for a, b in pairs(rows.size):
        dt = float(time[b] - time[a])
        if evidence.euler_steps:
            factor, budget = backward_euler_factor(float(alphas[a]), float(shares[a]), dt), 0.0
        elif a_posteriori(evidence):
            if b != a + 1 or rows[b] != rows[a] + 1:
                continue
            removed = -float(evidence.run.series["kl_ratio_excess"][rows[b]])
            factor = 1.0 - (removed if 0.0 < removed < 1.0 else 0.0) * float(shares[a])
            unseen = evidence.temperature * KL_FLOOR / (1.0 - evidence.discount)
            budget = unseen / float(gaps[a]) / factor
        else:
            factor = flow_factor(2.0 * float(alphas[a] * shares[a]), dt)
            budget = float(evidence.time_error(abs(float(np.log(gaps[a] / gaps[b])))))
        measured = float(gaps[b] / gaps[a])
        noise = float(rounding[a] + rounding[b]) * factor
        budget *= factor
        if a_posteriori(evidence):
            budget, noise = 0.0, noise + budget
        where = f"t = {time[a]:.4g} to {time[b]:.4g}"
        slack = min(slack, _slack(measured, factor, evidence))
        found = Measurement(quantity, measured, factor, "<=", where, discretisation=budget, rounding=noise)
        # a factor that underflows forbids whatever stands above rounding; what is not a number is the worst of all
        excess = measured / factor - 1.0 - found.tolerance / factor if factor > 0.0 else np.inf
        if not excess <= largest:
            largest = excess if excess == excess else np.inf
            worst = found
    return worst if worst is None else replace(worst, slack=slack)


def _slack(measured: float, factor: float, evidence: Evidence) -> float:
    """How many times the rate in a factor could be larger: of logarithms, or of 1 - factor for single steps."""
    if measured <= 0.0:
        return np.inf
    if evidence.accuracy is None:
        return inflatable(1.0 - measured, 1.0 - factor)
    return inflatable(-float(np.log(measured)), -float(np.log(factor)) if factor > 0.0 else np.inf)


def consecutive(n: int) -> list[tuple[int, int]]:
    """Each row and the next, and the first with the last."""
    return [*((k, k + 1) for k in range(n - 1)), *([(0, n - 1)] if n > 2 else [])]
