"""Certificates that become sharp: issued at every snapshot, held against every later row of the run.

From each snapshot |V - V*|_sup and gap(rho) must stay below what the certificate allows (`validation.certificate`), and
where the problem is at hand the dissipation of each snapshot above the guarantee of that instant.  In every row the
rate that is certified of gap(rho) must not exceed the observed one, and what is certified is what the certificates
give (`certified_rows`).  Runs of unsplit backward Euler steps are held to the fully discrete form, in which no time
error enters; error-controlled runs to that of the flow.  Steps of another kind follow neither, and nothing is certified
of them.

On problems small enough for dense code certificates are formed again from their statement
(`validation.independent.certificate`), all where there are few states, at evenly spaced snapshots where there are many,
and must not say more.  That sees what rows with room to spare cannot: an exponent, K(M), m or a level left out.  It is
compared to 1e-5 of itself, and what its spectral gaps may err by, where the suboptimality exceeds a hundred times its
rounding floor.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.validation.certificate.along_rho import ROOM
from wpoflow.validation.certificate.statement import Certificate, best
from wpoflow.validation.claims.certified_rows import row_measurements
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.claims.static_inequality import above_rounding, rate_measurement
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.evidence import LARGEST_ROUNDING_SHARE, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement, inflatable
from wpoflow.validation.independent.certificate import CertificateAgain, Optimal
from wpoflow.validation.independent.generator import Geometry
from wpoflow.validation.independent.policy import PolicyValues
from wpoflow.validation.independent.series import soft_optimal
from wpoflow.validation.judged_flow import NO_CERTIFICATE

MOST_WORK = 1e5  # states times cubed actions
MOST_AGAIN = 8000.0  # states times snapshots
AGAIN = 1e-5
FORMED = (
    "certified rate of |V - V*|_sup",
    "least price of gap(rho)",
    "guarantee of the instant",
)


@claim(
    "sharp_certificate",
    "rates certified at any time by the spectral gap hold from then on, down to their level",
    "validation/certificate: the gap in place of alpha once p/g is bounded, and no factor 1 - gamma near the optimum",
)
def judge(evidence: Evidence) -> Judgement:
    """Every certificate against every later row; the guarantee of every instant against its dissipation."""
    if not evidence.wasserstein:
        reason = evidence.judged_as.without(NO_CERTIFICATE)
        return (Hypothesis("the Wasserstein flow", False, reason, scope=True),), (), {}
    followed = evidence.euler_steps or evidence.accuracy is not None
    steps = Hypothesis(
        "unsplit backward Euler steps, or controlled time error", followed, "fixed steps of another kind"
    )
    issued = evidence.certificates if followed else ()
    certificates = {
        "|V - V*|_sup": [one for entry in issued for one in entry.sup_norm],
        "gap(rho)": [one for entry in issued for one in entry.along_rho],
    }
    certified = any(entry.rate > 0.0 for entries in certificates.values() for entry in entries)
    something = Hypothesis("a certificate above zero", certified, "no snapshot near enough to the optimal policy")
    hypotheses = steps, something, above_rounding(evidence)
    if not all(hypothesis.met for hypothesis in hypotheses):
        return hypotheses, (), {}
    series = {"|V - V*|_sup": evidence.run.series["gap_sup"], "gap(rho)": evidence.run.series["gap"]}
    found = [_worst(evidence, name, certificates[name], series[name]) for name in series]
    found.append(_instants(evidence))
    if evidence.dissipates:
        name = "certified over observed rate of gap(rho)"
        found.append(rate_measurement(evidence, name, evidence.certified_rho.rate))
    found += [*row_measurements(evidence), *_formed_again(evidence)]
    ends = {"|V - V*|_sup": best(issued[-1].sup_norm), "gap(rho)": best(issued[-1].along_rho)}
    last = {name: entry for name, entry in ends.items() if entry is not None}
    sharp = 2.0 * float(evidence.spectral_gaps[evidence.slowest])
    notes = {
        "certificates issued": {name: len(entries) for name, entries in certificates.items()},
        "last rate certified": {name: entry.rate for name, entry in last.items()},
        "down to": {name: entry.level for name, entry in last.items()},
        "sharp rate": sharp,
    }
    return hypotheses, tuple(entry for entry in found if entry is not None), notes


def _worst(evidence: Evidence, name: str, issued: list[Certificate], values: FloatArray) -> Measurement | None:
    """The least favourable row after the least favourable certificate."""
    time, steps = evidence.run.series["time"], evidence.euler_steps
    worst: Measurement | None = None
    largest, slack = -np.inf, np.inf
    for certificate in issued:
        for row in np.flatnonzero(evidence.judged & (time > certificate.time)):
            measured = float(values[row])
            allowed = certificate.allowed(certificate.now, float(time[row] - certificate.time), steps=steps)
            budget = 0.0
            if not steps and measured > 0.0:
                budget = float(evidence.time_error(abs(np.log(certificate.now / measured)))) * allowed
            noise = float(evidence.fall_rounding(np.array([measured]))[0]) * measured
            slack = min(slack, _slack(certificate, measured, allowed))
            excess = (measured - budget - noise) / allowed
            if not excess <= largest:  # what is not a number is the worst of all
                largest = excess if excess == excess else np.inf
                where = f"t = {certificate.time:.4g} to {time[row]:.4g}, rate {certificate.rate:.4g}"
                quantity = f"{name} over what is certified"
                worst = Measurement(
                    quantity, measured / allowed, 1.0, "<=", where,
                    discretisation=budget / allowed, rounding=noise / allowed,
                )  # fmt: skip
    return worst if worst is None else replace(worst, slack=slack)


def _slack(certificate: Certificate, measured: float, allowed: float) -> float:
    """How many times the rate could be larger: by logarithms of what is left above the level; at most so of steps."""
    above, owed = certificate.now - certificate.level, allowed - certificate.level
    if not (measured > certificate.level and owed > 0.0 and above > 0.0):
        return np.inf
    return inflatable(float(np.log(above / (measured - certificate.level))), float(np.log(above / owed)))


def _instants(evidence: Evidence) -> Measurement | None:
    """The least favourable snapshot of guaranteed over actual dissipation."""
    known = [entry for entry in evidence.certificates if not np.isnan(entry.instantaneous)]
    gaps, guaranteed, observed = (
        np.array([getattr(entry, name) for entry in known]) for name in ("gap", "instantaneous", "observed")
    )
    if not known:
        return None
    share = evidence.rate_rounding_share(gaps, np.maximum(observed, guaranteed))
    meant = ~(share > LARGEST_ROUNDING_SHARE)
    if not meant.any():
        return None
    ratio = np.where(observed > 0.0, guaranteed / np.where(observed > 0.0, observed, 1.0), np.inf)
    worst = int(np.argmax(np.where(meant, ratio - share, -np.inf)))
    quantity, where = "guaranteed over actual dissipation", f"t = {known[worst].time:.4g}"
    slack = inflatable(1.0, float(ratio[meant].max()))
    return Measurement(quantity, ratio[worst], 1.0, "<=", where, rounding=share[worst], slack=slack)


def _formed_again(evidence: Evidence) -> list[Measurement]:
    """The least favourable certificate of each kind over what its statement gives; nothing of large problems."""
    mdp, snapshots = evidence.mdp, evidence.run.snapshots
    if mdp is None or snapshots is None or mdp.states.size * float(mdp.actions.size) ** 3 > MOST_WORK:
        return []
    best_q, best_log, _ = soft_optimal(mdp, evidence.optimum.value)
    optimal = Optimal(mdp, Geometry.of(mdp.actions), best_q, best_log, evidence.bounds.best)
    found = dict.fromkeys(FORMED, (0.0, "", 0.0))
    issued = [entry for entry in evidence.certificates if entry.gap > 100.0 * evidence.gap_floor]
    every = math.ceil(len(issued) * mdp.states.size / MOST_AGAIN) or 1
    for entry in issued[::-1][::every]:  # the last, the sharpest, is always among them
        policy = snapshots.policy_at(entry.snapshot)
        values = PolicyValues(mdp, policy)
        # taken as given, of the same digits of Q: iterated bounds may jump with the last of them
        present = lower_bounds(Generators.of(mdp, evaluate(mdp, policy).q)).best
        again = CertificateAgain(optimal, policy, values, present)
        ratios = [(FORMED[0], _over(one.rate, again.rate(one.level))) for one in entry.sup_norm]
        square = again.square(ROOM)
        ratios += [(FORMED[1], square / max((1.0 - one.share) * one.excess, 1e-300)) for one in entry.along_rho]
        ratios += [(FORMED[1], square / max(one.square, 1e-300)) for one in entry.later]
        ratios.append((FORMED[2], _over(entry.instantaneous, again.instantaneous())))
        for name, ratio in ratios:
            noise = again.noise if name in (FORMED[0], FORMED[2]) else 0.0
            if not ratio - noise <= found[name][0] - found[name][2]:
                found[name] = ratio, f"t = {entry.time:.4g}", noise
    return [
        Measurement(f"{name}, formed again", ratio, 1.0, "<=", where, rounding=AGAIN + noise)
        for name, (ratio, where, noise) in found.items()
        if where
    ]


def _over(said: float, formed: float) -> float:
    """said/formed; infinite where something is said and nothing can be formed, none where neither is."""
    return said / formed if formed != 0.0 else np.inf if said > 0.0 else 0.0
