"""A run that has ended can be extended, and is then the run that was to end later."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.same_run import differences
from tests.variants import slow_but
from wpoflow.problems.load import load_problem
from wpoflow.problems.resume import resume
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.atomic import RunFileError, checkpoint_folder
from wpoflow.solver.storage.checkpoints import RunStart
from wpoflow.solver.storage.sealed_arrays import read_end_state
from wpoflow.solver.storage.writer import open_run

LISTED: dict[str, Any] = {"snapshots": {"times": [0.0, 0.05, 0.9]}}
CASES: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("multistep", {}, 0.5, 2.0),
    ("multistep", {}, {"steps": 20}, {"steps": 45}),
    ("multistep", {}, {"gap": 1e-2, "time": 50.0}, {"gap": 1e-4, "time": 50.0}),
    ("multistep", {}, {"gap": 1e-2}, {"time": 3.0}),
    ("extrapolated", {"accuracy": 1e-4}, {"steps": 6}, {"steps": 15}),
    ("extrapolated", {"step": 0.1}, {"steps": 5}, {"time": 1.5}),
    ("euler", {"step": 0.1}, {"steps": 9}, {"steps": 20}),
    ("euler", {"accuracy": 1e-2}, {"steps": 9}, {"steps": 20}),
]


@pytest.fixture(scope="module")
def mdp() -> GridMDP:
    return load_problem("lqr", cells={"x": 12, "u": 12})


@pytest.mark.parametrize(("scheme", "control", "first", "then"), slow_but(CASES, CASES[0], CASES[6]))
def test_an_extended_run_is_the_longer_run(
    mdp: GridMDP, tmp_path: Path, scheme: str, control: dict[str, Any], first: Any, then: Any
) -> None:
    """Bit for bit, its rows and snapshots included: the row and the snapshot of the former end are not among them."""
    settings: dict[str, Any] = {"scheme": scheme, **control, **LISTED}
    evolve(mdp, until=then, output=tmp_path / "whole.h5", **settings)
    evolve(mdp, until=first, output=tmp_path / "run.h5", **settings)
    extended = resume(tmp_path / "run.h5", until=then)
    assert extended.attributes["resumed"] == 1
    assert differences(tmp_path / "whole.h5", tmp_path / "run.h5") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.h5", "whole.h5"]


@pytest.mark.slow
def test_an_extended_run_can_be_extended_and_interrupted(mdp: GridMDP, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    evolve(mdp, until=1.5, output=tmp_path / "whole.h5", **LISTED)
    evolve(mdp, until=0.3, output=path, **LISTED)

    class Stop(BaseException):
        """Stands for a kill."""

    def stop(report: Any) -> None:
        if report.time > 1.0:
            raise Stop

    for until in (0.7, 1.3):
        with pytest.raises(Stop) if until == 1.3 else nullcontext():
            resume(path, until=until, progress=stop, checkpoint=0.0)
    assert checkpoint_folder(path).is_dir()
    run = resume(path, until=1.5)
    assert (run.status, run.series["time"][-1]) == ("complete", 1.5)
    assert differences(tmp_path / "whole.h5", path) == []


def test_what_is_met_already_is_refused_and_nothing_is_touched(
    mdp: GridMDP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.h5"
    evolve(mdp, until=0.5, output=path)
    before = path.read_bytes()
    for until, words in ((0.4, "time = 0.4"), ({"gap": 10.0}, "gap = 10"), ({"steps": 1}, "steps = 1")):
        with pytest.raises(ValueError, match=f"until: {words} is met already: the run ended at time 0.5"):
            resume(path, until=until)
    with pytest.raises(ValueError, match=r"until\.days"):
        resume(path, until={"days": 3.0})
    monkeypatch.setattr(RunStart, "changes", lambda _: ["the sources of wpoflow have changed"])
    with pytest.raises(RunFileError, match="sources of wpoflow have changed"):
        resume(path, until=2.0)
    monkeypatch.undo()
    assert resume(path).status == "complete"
    assert path.read_bytes() == before
    assert [other.name for other in tmp_path.iterdir()] == ["run.h5"]


def test_the_state_at_the_end_is_part_of_what_the_seal_covers(mdp: GridMDP, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    evolve(mdp, until=0.5, output=path)
    whole = path.read_bytes()
    found = read_end_state(path)
    assert found is not None
    assert found["flow.time"] <= 0.5
    for place in np.random.default_rng(1).integers(len(whole) - 5000, len(whole), 20).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(RunFileError, match=r"run\.h5"):
            open_run(path)
        with pytest.raises(RunFileError, match=r"run\.h5"):
            read_end_state(path)


def test_a_run_kept_in_memory_is_what_its_file_holds(mdp: GridMDP, tmp_path: Path) -> None:
    """The state at the end adds nothing that a reader sees."""
    kept: Run = evolve(mdp, until=0.5)
    stored = evolve(mdp, until=0.5, output=tmp_path / "run.h5")
    for name, series in kept.series.items():
        np.testing.assert_array_equal(series, stored.series[name])
