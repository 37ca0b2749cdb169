"""Rates of gap(rho) certified in every row: by all snapshots before it and the row's own |V - V*|_sup, without gaps."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.validation.certificate.random_runs import random_mdp
from wpoflow.problems.load import load_problem
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.certificate.along_rho import LaterRate
from wpoflow.validation.constants.proven import ProvenBound
from wpoflow.validation.evidence import Evidence


@cache
def settling(snapshots: int) -> Evidence:
    """A torus run to a small gap."""
    mdp = load_problem("torus", cells={"s": 16, "a": 16})
    return Evidence("torus", evolve(mdp, until={"gap": 1e-10}, accuracy=1e-5, snapshots=snapshots), mdp)


@pytest.mark.parametrize("alone", [True, False])
def test_what_is_certified_does_not_lapse_between_snapshots(alone: bool) -> None:
    """Certificates down to a level did: the rows before the next snapshot passed it, and the rate fell to zero."""
    known = settling(8)
    evidence = Evidence("torus", known.run) if alone else known
    rate = evidence.certified_rho.rate
    largest = np.maximum.accumulate(rate)
    told = largest > 0.5 * evidence.sharp_rate
    assert np.count_nonzero(told) > 10
    assert np.all(rate[told] > 0.8 * largest[told])
    assert rate[-1] > 0.98 * evidence.sharp_rate


def test_it_is_never_more_than_what_is_seen() -> None:
    evidence = settling(8)
    rows = evidence.judged
    assert np.all(evidence.certified_rho.rate[rows] <= evidence.run.series["rate_observed"][rows] * (1.0 + 1e-9))
    said = evidence.certified_rho.rate > 0.0
    assert np.all(evidence.certified_rho.level[said] < evidence.run.series["gap"][said])


def test_the_more_snapshots_the_more_is_certified_row_by_row() -> None:
    """No certificate is withdrawn: what a row has of some snapshots it has of more."""
    evidence = settling(8)
    run = evidence.run
    assert run.snapshots is not None
    part = evidence.certificates
    gap, largest = run.series["gap"], evidence.largest_gap
    before = np.zeros_like(gap)
    for count in range(1, len(part) + 1):
        best = np.zeros_like(gap)
        for issued in part[:count]:
            after = run.series["time"] >= issued.time
            for one in issued.later:
                squares = one.squares(largest, evidence.discount, evidence.temperature)
                best = np.where(after, np.maximum(best, one.rates(gap, squares)), best)
        assert np.all(best >= before)
        before = best
    # less what rounding of the row leaves open, which grows as the gap falls towards its floor
    assert np.all(evidence.certified_rho.rate <= before)
    early = gap > 1e-6
    np.testing.assert_allclose(evidence.certified_rho.rate[early], before[early], rtol=1e-6)


def test_the_statement_by_hand() -> None:
    """2 beta [(1 - b/sqrt y)^2 - L/y], b^2 = tau/(8 (1 - gamma)) (sum v + w) (gamma e/tau)^2 if that is smaller."""
    discount, temperature = 0.9, 0.3
    entry = LaterRate(ProvenBound(np.array(2.0), ("given",), ""), 4e-4, 1.5, 1e-3)
    gap = np.array([1e-2, 1e-2, 1e-3, 4e-4])
    largest = np.array([1.0, 0.01, 0.01, 1e-3])
    squares = entry.squares(largest, discount, temperature)
    own = temperature / (8.0 * 0.1) * 1.5 * (discount * largest / temperature) ** 2
    np.testing.assert_allclose(squares, np.minimum(4e-4, own), rtol=1e-8)
    expected = 4.0 * (np.maximum(1.0 - np.sqrt(squares / gap), 0.0) ** 2 - 1e-3 / gap)
    np.testing.assert_allclose(entry.rates(gap, squares), expected, rtol=1e-8)
    assert entry.rates(gap, squares)[-1] < 0.0
    # at its level nothing is said
    np.testing.assert_allclose(entry.rates(entry.levels(squares), squares), 0.0, atol=1e-12)


def test_on_random_problems_every_row_falls_faster_than_certified() -> None:
    said = 0
    for seed in range(8):
        mdp = random_mdp(np.random.default_rng(seed))
        run = evolve(mdp, until={"gap": 1e-9, "steps": 100}, accuracy=1e-5, snapshots=6)
        for case in (Evidence("random", run, mdp), Evidence("random", run)):
            rows = case.judged
            observed, rate = run.series["rate_observed"][rows], case.certified_rho.rate[rows]
            allowed = case.rate_rounding_share(run.series["gap"][rows], observed)
            assert np.all(rate <= observed * (1.0 + allowed))
            said += int(np.count_nonzero(rate > 0.0))
    assert said > 50
