"""The certificates of a run, one set for each snapshot, and the rates they give in every row of its series.

Certificates of |V - V*|_sup (`sup_norm`) and of gap(rho) (`along_rho`); where the problem is at hand they are better,
rarely visited states are set apart, and the guaranteed rate of the instant is known as well.  They speak of the
Wasserstein flow that goes on from the snapshot, and of unsplit backward Euler steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.validation.certificate.along_rho import LaterRate, along_rho, instantaneous_rate, later_visits
from wpoflow.validation.certificate.instant import Constants, above_rounding, instant_of_file, instant_of_problem
from wpoflow.validation.certificate.statement import Certificate
from wpoflow.validation.certificate.sup_norm import share_of_flow, sup_norm_certificates
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.proven import ProvenBound, proven
from wpoflow.validation.rates import sup_norm_rate

NOT_A_NUMBER = float("nan")
MOST_SNAPSHOTS = 200  # each takes milliseconds, and seconds on large grids
MOST_PAIRS, FEWEST = 4e4, 8  # pairs of all snapshots together, and fewest snapshots, of a problem at level quick


class _Known(Protocol):
    """What is asked of `validation.evidence.Evidence`; see there."""

    @property
    def run(self) -> Run: ...
    @property
    def mdp(self) -> GridMDP | None: ...
    @property
    def bounds_level(self) -> str: ...
    @property
    def wasserstein(self) -> bool: ...
    @property
    def discount(self) -> float: ...
    @property
    def temperature(self) -> float: ...
    @property
    def optimum(self) -> Optimum: ...
    @property
    def gap_floor(self) -> float: ...
    @property
    def optimal_generators(self) -> Generators: ...
    @property
    def proven_alpha(self) -> ProvenBound: ...
    @property
    def proven_gap(self) -> ProvenBound: ...
    @property
    def largest_gap(self) -> FloatArray: ...
    @property
    def alpha_from_now_on(self) -> ProvenBound: ...
    @property
    def certificates(self) -> tuple[Issued, ...]: ...
    def rate_rounding_share(self, gap: FloatArray, rate: FloatArray) -> FloatArray: ...


@dataclass(frozen=True, eq=False)
class Issued:
    """What is guaranteed from one snapshot on.

    Attributes
    ----------
    snapshot : int
        Its number in the file.
    time : float
    sup_norm, along_rho : tuples of Certificate
        For one level after the other; empty where nothing can be said.
    gap : float
        At least gap(rho).
    later : tuple of LaterRate
        What is guaranteed of the local rate of gap(rho) in later rows.
    instantaneous, observed : float
        Guaranteed and actual dissipation(rho)/gap(rho) of the snapshot itself; no number without the problem.
    """

    snapshot: int
    time: float
    sup_norm: tuple[Certificate, ...]
    along_rho: tuple[Certificate, ...]
    gap: float
    later: tuple[LaterRate, ...] = ()
    instantaneous: float = NOT_A_NUMBER
    observed: float = NOT_A_NUMBER


@dataclass(frozen=True, eq=False)
class CertifiedRates:
    """Rates (rows,) of one quantity in each row, and the levels (rows,) of the certificates that give them.

    A certificate of rate r down to l says -dy/dt >= r (y - l), hence r (1 - l/y) for the local rate of y: that number
    is given, so that it never lies above the rate that is observed.  Zero where there is none.  In each row the best of
    all certificates issued until then counts, with what the row itself is known to be; the largest of earlier rows is
    no bound of later local rates (`along_rho`).
    """

    rate: FloatArray
    level: FloatArray


def issue(evidence: _Known) -> tuple[Issued, ...]:
    """The certificates of every snapshot, in order of time; none for other flows, or a single action.

    Of more than `MOST_SNAPSHOTS` so many are taken, evenly spread, the first and the last among them.  Of a problem
    at level quick they have no more than `MOST_PAIRS` pairs together, unless they are `FEWEST`.
    """
    run, snapshots = evidence.run, evidence.run.snapshots
    if snapshots is None or not evidence.wasserstein or not evidence.optimal_generators.axes:
        return ()
    constants = Constants(evidence.proven_alpha, evidence.proven_gap)
    mdp = evidence.mdp
    visits = () if mdp is None else later_visits(mdp, evidence.optimum)
    most, count, found = MOST_SNAPSHOTS, len(snapshots.time), []
    if mdp is not None and evidence.bounds_level == "quick":
        most = min(most, max(FEWEST, int(MOST_PAIRS / mdp.cost.size)))
    for index in np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist():
        time = float(snapshots.time[index])
        policy = snapshots.policy_at(index)
        if mdp is None:
            row = int(np.searchsorted(run.series["time"], time, side="right")) - 1
            found.append(_of_file(evidence, index, time, policy, max(row, 0), constants))
            continue
        known = instant_of_problem(time, policy, evidence.optimum, evidence.gap_floor, constants, mdp)
        along = along_rho(known, visits, mdp.discount, mdp.temperature)
        found.append(
            Issued(
                snapshot=index,
                time=time,
                sup_norm=sup_norm_certificates(known, mdp.discount, mdp.temperature),
                along_rho=along.certificates,
                gap=known.gap,
                later=along.later,
                instantaneous=instantaneous_rate(known, mdp.discount, mdp.temperature),
                observed=known.dissipation / known.gap if known.gap > 0.0 else NOT_A_NUMBER,
            )
        )
    return tuple(found)


def _of_file(
    evidence: _Known, snapshot: int, time: float, policy: FloatArray, row: int, constants: Constants
) -> Issued:
    """The certificates of a snapshot by what the file holds of it and of the last row before."""
    gap = float(above_rounding(evidence.run.series["gap"][row], evidence.gap_floor))
    discount, temperature = evidence.discount, evidence.temperature
    at = instant_of_file(
        *(time, policy, float(evidence.largest_gap[row]), gap),
        *(evidence.optimum, evidence.optimal_generators, constants, discount),
    )
    along = along_rho(at, (), discount, temperature)
    return Issued(
        snapshot=snapshot,
        time=time,
        sup_norm=sup_norm_certificates(at, discount, temperature),
        along_rho=along.certificates,
        gap=gap,
        later=along.later,
    )


def certified_sup_norm(evidence: _Known) -> CertifiedRates:
    """Of |V - V*|_sup: the best of the certificates issued so far, or what gap_sup of the row alone gives with alpha.

    With alpha there is no level, and of a row nothing but gap_sup is needed: 2 alpha e^(-gamma gap_sup/tau) share.
    """
    largest = evidence.largest_gap
    known = np.where(np.isfinite(largest), largest, 0.0)
    share = share_of_flow(known, evidence.discount, evidence.temperature)
    # sup_norm_rate is that of share 1 - gamma
    alone = sup_norm_rate(evidence.alpha_from_now_on, evidence.discount) * share / (1.0 - evidence.discount)
    alone = np.where(np.isfinite(alone), alone, 0.0) if evidence.wasserstein else np.zeros_like(share)
    issued = [one for entry in evidence.certificates for one in entry.sup_norm]
    time, rate, level = evidence.run.series["time"], alone.copy(), np.zeros_like(alone)
    for entry in issued:
        applies = (time >= entry.time) & (known > 0.0)
        # min(r, e)/sqrt e, which is at most sqrt r
        reach = np.minimum(known, entry.reach) ** 2 / np.where(applies, largest, 1.0)
        reaches = share_of_flow(reach, evidence.discount, evidence.temperature)
        left = reaches - entry.excess / np.where(applies, largest, 1.0)
        gives = np.where(applies, 2.0 * float(proven(entry.beta)) * left, 0.0)
        level = np.where(gives > rate, entry.excess / reaches, level)
        rate = np.maximum(rate, gives)
    return CertifiedRates(rate, level)


def certified_along_rho(evidence: _Known) -> CertifiedRates:
    """Of gap(rho): the best of the certificates issued so far, with the row's own |V - V*|_sup (`along_rho`)."""
    time, gap = evidence.run.series["time"], evidence.run.series["gap"]
    rate, level = np.zeros_like(gap), np.zeros_like(gap)
    largest = np.where(np.isfinite(evidence.largest_gap), evidence.largest_gap, np.inf)
    for issued in evidence.certificates:
        applies = (time >= issued.time) & (gap > 0.0)
        left = np.where(applies, gap, 1.0)
        for entry in issued.later:
            squares = entry.squares(largest, evidence.discount, evidence.temperature)
            gives = np.where(applies, entry.rates(left, squares), 0.0)
            level = np.where(gives > rate, entry.levels(squares), level)
            rate = np.maximum(rate, gives)
    # the row's own gap and dissipation are rounded
    meant = rate > 0.0
    share = evidence.rate_rounding_share(np.where(meant, gap, 1.0), np.where(meant, rate, 1.0))
    return CertifiedRates(np.where(meant, rate * np.maximum(1.0 - share, 0.0), 0.0), level)
