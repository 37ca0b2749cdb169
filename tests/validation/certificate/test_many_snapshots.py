"""Files of very many snapshots: certificates are issued for some of them, and stay true."""

from __future__ import annotations

from copy import copy

import numpy as np

from wpoflow.solver.records.run import Run, Snapshots
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.certificate.issue import MOST_SNAPSHOTS
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.exact_cases.bandits import double_well


def many(run: Run, count: int) -> Run:
    """A run whose last snapshot stands there over and over, at later and later times."""
    assert run.snapshots is not None
    times = run.snapshots.time[-1] * np.linspace(0.5, 1.0, count)
    last = run.snapshots.value_at(-1), run.snapshots.policy_at(-1)
    values, policies = (np.broadcast_to(array, (count, *array.shape)) for array in last)
    longer = copy(run)
    longer.snapshots = Snapshots(times, values, policies)
    return longer


def test_some_of_very_many_snapshots_are_certified() -> None:
    run = evolve(double_well(0.5).grid(32), until={"time": 4.0}, snapshots=4)
    few, plenty = Evidence("", many(run, 3)), Evidence("", many(run, 1_000))
    issued = plenty.certificates
    assert len(issued) == MOST_SNAPSHOTS
    assert [entry.time for entry in issued] == sorted({entry.time for entry in issued})
    assert (issued[0].time, issued[-1].time) == (0.5 * run.series["time"][-1], run.series["time"][-1])
    np.testing.assert_array_equal(plenty.certified_rho.rate[-1], few.certified_rho.rate[-1])
    assert [entry.snapshot for entry in few.certificates] == [0, 1, 2]
    assert (issued[0].snapshot, issued[-1].snapshot) == (0, 999)
