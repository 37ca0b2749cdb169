"""Shared by the claims of linear decay: how the fall of a suboptimality between rows is held against a rate.

Runs of unsplit backward Euler steps obey the fully discrete theorem, whatever the steps between two rows were
(`validation.rates.backward_euler_factor`): no time error enters.  Error-controlled runs of other schemes follow the
continuous flow up to their time error, which is in the budget; runs of other schemes with fixed steps are not
certified here, only by the static inequality.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grids.arrays import FloatArray
from validation.claim import Hypothesis, Measurement, Tolerance
from validation.evidence import Evidence
from validation.rates import backward_euler_factor, flow_factor


def known_time_error(evidence: Evidence) -> Hypothesis:
    """The flow is the theorem's, and its steps are those of the fully discrete theorem or of controlled error."""
    return Hypothesis(
        "unsplit backward Euler steps, or controlled time error",
        evidence.wasserstein and (evidence.euler_steps or evidence.accuracy is not None),
        "fixed steps of a scheme the theorem does not speak of" if evidence.wasserstein else "another flow",
    )


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
    rounding = evidence.rounding_share(gaps)
    worst: Measurement | None = None
    largest = -np.inf
    for a, b in pairs(rows.size):
        dt = float(time[b] - time[a])
        if evidence.euler_steps:
            factor, budget = backward_euler_factor(float(alphas[a]), float(shares[a]), dt), 0.0
        else:
            factor = flow_factor(2.0 * float(alphas[a] * shares[a]), dt)
            budget = float(evidence.time_error(abs(float(np.log(gaps[a] / gaps[b])))))
        measured = float(gaps[b] / gaps[a])
        tolerance = Tolerance(discretisation=budget * factor, rounding=float(rounding[a] + rounding[b]) * factor)
        # a factor that underflows forbids whatever stands above rounding; what is not a number is the worst of all
        excess = measured / factor - 1.0 - tolerance.total / factor if factor > 0.0 else np.inf
        if not excess <= largest:
            largest = excess if excess == excess else np.inf
            worst = Measurement(quantity, measured, factor, "<=", tolerance, f"t = {time[a]:.4g} to {time[b]:.4g}")
    return worst


def consecutive(n: int) -> list[tuple[int, int]]:
    """Each row and the next, and the first with the last."""
    return [*((k, k + 1) for k in range(n - 1)), *([(0, n - 1)] if n > 2 else [])]
