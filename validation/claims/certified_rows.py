r"""What is certified in the rows of a run, formed again from the certificates issued until then.

With e = |V - V*|_sup, y = gap(rho) and alpha of a row, and of every certificate issued until then beta, its excess and
r, or b^2, the sum of v and w, and L (`validation.certificate`), the largest of

    2 alpha share(e),    2 beta (share(min(r, e)^2/e) - excess/e)                of e, down to excess/share,
    2 beta ((1 - b/sqrt(y))^2 - L/y), b^2 at most that of the row's own e        of y, down to (b + sqrt(L))^2,

share(r) = max(1 - gamma, (1 - gamma/(2 sqrt 2) sqrt(r/(tau (1 - gamma))))_+^2).  No row may say more, nor
a lower level than that of a certificate which gives as much.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.certificate.issue import CertifiedRates
from wpoflow.validation.constants.proven import proven
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Measurement

ROUNDING = 1e-8  # bounds are enlarged by a few 1e-9
LEAST = np.finfo(np.float64).tiny / ROUNDING
"""Rates below are not compared: what they are made of has not the digits of a normal number."""
NEARLY = 1e-6  # of a rate, by which another certificate may give it as well


def row_measurements(evidence: Evidence) -> list[Measurement]:
    """Rates over what is formed again, and levels formed again over what is said, in the least favourable rows."""
    formed = {
        "|V - V*|_sup": (evidence.certified, _of_sup_norm(evidence)),
        "gap(rho)": (evidence.certified_rho, _along_rho(evidence)),
    }
    return [one for name, (said, again) in formed.items() for one in _compared(evidence, name, said, again)]


def _compared(
    evidence: Evidence, name: str, said: CertifiedRates, again: Sequence[tuple[FloatArray, FloatArray]]
) -> list[Measurement]:
    rows = np.flatnonzero(evidence.judged & (said.rate > LEAST))
    if rows.size == 0:
        return []
    rates, levels = (np.array([entry[k][rows] for entry in again]) for k in (0, 1))
    best = rates.max(axis=0)
    ratio = np.where(best > 0.0, said.rate[rows] / np.where(best > 0.0, best, 1.0), np.inf)
    least = np.where(rates >= (1.0 - NEARLY) * said.rate[rows], levels, np.inf).min(axis=0)
    told = said.level[rows]
    depth = np.where(least > 0.0, np.where(told > 0.0, least / np.where(told > 0.0, told, 1.0), np.inf), 0.0)
    found = []
    for quantity, values in (("certified rate", ratio), ("level of what is certified", depth)):
        worst = int(np.argmax(np.where(np.isnan(values), np.inf, values)))
        where = evidence.when(int(rows[worst]))
        found.append(Measurement(f"{quantity} of {name} in rows", values[worst], 1.0, "<=", where, rounding=ROUNDING))
    return found


def _of_sup_norm(evidence: Evidence) -> list[tuple[FloatArray, FloatArray]]:
    largest, time = _positive(evidence.largest_gap), evidence.run.series["time"]
    found = [(2.0 * evidence.alpha_now * _share(evidence, largest), np.zeros_like(largest))]
    for issued in evidence.certificates:
        for one in issued.sup_norm:
            share = _share(evidence, np.minimum(one.reach, largest) ** 2 / largest)
            rate = 2.0 * float(proven(one.beta)) * (share - one.excess / largest)
            found.append((np.where(time >= issued.time, rate, 0.0), one.excess / share))
    return found


def _along_rho(evidence: Evidence) -> list[tuple[FloatArray, FloatArray]]:
    series, gamma, tau = evidence.run.series, evidence.discount, evidence.temperature
    gap, found = _positive(series["gap"]), [(np.zeros_like(series["gap"]), np.zeros_like(series["gap"]))]
    for issued in evidence.certificates:
        for one in issued.later:
            own = one.weight * gamma**2 * evidence.largest_gap**2 / (8.0 * tau * (1.0 - gamma))
            square = np.minimum(one.square, own)
            kept = np.clip(1.0 - np.sqrt(square / gap), 0.0, None) ** 2
            rate = 2.0 * float(proven(one.beta)) * (kept - one.beyond / gap)
            level = square + one.beyond + 2.0 * np.sqrt(square * one.beyond)
            found.append((np.where(series["time"] >= issued.time, rate, 0.0), level))
    return found


def _positive(values: FloatArray) -> FloatArray:
    """No number where nothing is left: such rows are not judged."""
    return np.asarray(np.where(values > 0.0, values, np.nan))


def _share(evidence: Evidence, reach: FloatArray) -> FloatArray:
    gamma = evidence.discount
    left = np.clip(1.0 - gamma * np.sqrt(reach / (8.0 * evidence.temperature * (1.0 - gamma))), 0.0, None)
    return np.asarray(np.fmax(1.0 - gamma, left**2))
