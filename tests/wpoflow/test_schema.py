"""Run files of every schema there has been are still read: each has one that was kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.wpoflow.conftest import Call
from wpoflow.solver.records.layout import SCHEMA_VERSION
from wpoflow.solver.storage.writer import open_run

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
"""run_schema_N.h5: wpoflow 0.1.0 run lqr --cells x=8 --cells u=8 --until 2 --set record.snapshots=3"""

KEPT = pytest.mark.parametrize("path", sorted(FIXTURES.glob("run_schema_*.h5")), ids=lambda path: path.stem)


def test_there_is_one_of_every_schema() -> None:
    assert sorted(path.stem for path in FIXTURES.glob("*.h5")) == [f"run_schema_{k + 1}" for k in range(SCHEMA_VERSION)]


@KEPT
def test_an_old_run_is_opened(path: Path) -> None:
    run = open_run(path)
    assert run.title == "Linear-quadratic regulator, one state and one action"
    assert run.attributes["schema_version"] == int(path.stem.rpartition("_")[2])
    assert (run.states.shape, run.actions.shape) == ((8,), (8,))
    assert run.series["time"][-1] == 2.0
    assert np.all(np.diff(run.series["gap"]) < 0.0)
    assert run.attributes["accuracy"] == 1e-6
    assert run.snapshots is not None
    assert run.snapshots.policy.shape == (3, 8, 8)
    np.testing.assert_allclose(run.policy.sum(axis=1), 1.0, rtol=1e-14)
    assert run.optimum is not None
    assert abs(run.rho @ (run.value - run.optimum.value) - run.series["gap"][-1]) < 1e-12 * abs(run.value).max()


@KEPT
def test_the_commands_read_an_old_run(call: Call, path: Path) -> None:
    status, out, err = call("info", str(path), "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["series"]["time"] == {"first": 0.0, "last": 2.0}
    status, out, err = call("validate", str(path))
    assert (status, err) == (0, "")
    assert " 0 fails" in out


@KEPT
def test_series_that_an_old_run_may_not_hold_are_what_they_would_have_been(path: Path) -> None:
    run = open_run(path)
    assert np.all(run.series["temperature"] == 0.2)
    assert "cost_gap" not in run.series
    entropy = 0.2 / (1.0 - 0.9) * run.series["entropy"]
    np.testing.assert_allclose(run.series["cost_rho"] + entropy, run.series["value_rho"], rtol=1e-14)
    assert run.optimum is not None
    assert run.optimum.temperature == 0.2
