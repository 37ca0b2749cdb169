"""Late rates: judged as soon as linearisation leaves little open, and narrowly."""

from __future__ import annotations

from copy import copy

import numpy as np
import pytest

from tests.validation.cases import CELLS, altered, controlled, judged, replace_run
from tests.variants import slow, slow_but
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Verdict

HOLDS, FAILS, NOT_CERTIFIED = Verdict.HOLDS, Verdict.FAILS, Verdict.NOT_CERTIFIED


@pytest.fixture(params=slow_but(CELLS, "bandit", "lqr"))
def problem(request: pytest.FixtureRequest) -> str:
    """Each of the small problems."""
    return str(request.param)


def at_other_times(evidence: Evidence, factor: float) -> Evidence:
    """All times multiplied by a factor."""
    other = altered(evidence, {"time": factor * evidence.run.series["time"]}).run
    assert other.snapshots is not None
    later = copy(other.snapshots)
    vars(later)["time"] = factor * np.asarray(other.snapshots.time)
    vars(other)["snapshots"] = later
    return Evidence(evidence.name, other, evidence.mdp)


@pytest.mark.parametrize("factor", [slow(1.0 / 1.02), 1.02])
def test_late_rates_fail_narrowly_on_every_problem(long_run: Evidence, factor: float) -> None:
    """The gap's rate at 2 % off; time that passes 2 % faster or slower than the snapshots say."""
    faster = replace_run(long_run, rate_observed=factor * long_run.run.series["rate_observed"])
    assert judged("late_mixture", faster).verdict is FAILS
    assert judged("late_rate", at_other_times(long_run, factor)).verdict is FAILS


def test_late_rates_know_a_larger_spectral_gap_on_every_problem(long_run: Evidence) -> None:
    evidence = replace_run(long_run)
    vars(evidence)["spectral_gaps"] = 1.02 * long_run.spectral_gaps
    below = [entry for entry in judged("late_rate", evidence).measurements if "from below" in entry.quantity]
    assert len(below) == 1
    assert not below[0].holds


def test_a_wrong_spectral_gap_is_found_out_by_the_slowest_state(lqr: Evidence) -> None:
    evidence = Evidence("wrong", altered(lqr).run, lqr.mdp)
    vars(evidence)["spectral_gaps"] = 1.001 * lqr.spectral_gaps
    entry = next(e for e in judged("late_rate", evidence).measurements if "slowest" in e.quantity)
    assert not entry.holds
    assert entry.tolerance < 1e-3 * entry.bound


@pytest.mark.slow
def test_late_rates_need_not_wait_for_the_slowest_mode() -> None:
    """The run ends before the slowest state is in its slowest mode; its Rayleigh quotients are judged all the same."""
    evidence = controlled("navigation", time=10.0)
    finding = judged("late_rate", evidence)
    assert finding.verdict is HOLDS
    assert judged("late_mixture", evidence).verdict is HOLDS


def test_a_short_run_certifies_no_late_rate() -> None:
    evidence = controlled("lqr", steps=30)
    assert judged("late_rate", evidence).verdict is NOT_CERTIFIED
    assert judged("decay_sup_norm", evidence).verdict is HOLDS


def test_a_run_that_ends_before_one_mode_is_left_certifies_no_late_rate() -> None:
    """The slowest state has long been falling; its deviation is still large and the target still moves."""
    finding = judged("late_rate", controlled("lqr", time=2.0))
    assert finding.verdict is NOT_CERTIFIED
    assert finding.reason.startswith("late")
