"""Sweeps in this process: what is run, kept, gone on with, and what fails; the result, and its file."""

from __future__ import annotations

import json
import signal
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import wpoflow as wpo
from tests.studies.sweep.studies import OVER, SMALL, differences
from wpoflow.solver.runs.loop import Progress
from wpoflow.solver.storage.atomic import OutputLock, RunFileError
from wpoflow.studies.sweep import task as task_module
from wpoflow.studies.sweep import worker
from wpoflow.studies.sweep.result import Study
from wpoflow.studies.sweep.study import collect
from wpoflow.studies.sweep.task import Outcome
from wpoflow.studies.sweep.values import StudyError


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two temperatures and two discounts, and a temperature that no problem has."""
    return wpo.sweep("bandit", OVER, folder=tmp_path_factory.mktemp("sweep") / "out", **SMALL)


class Done:
    """What was done with each point."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def __call__(self, outcome: Outcome, values: Any) -> None:
        self.outcomes.append(outcome)

    @property
    def did(self) -> list[str]:
        return [outcome.did for outcome in self.outcomes]


def test_dimensions_are_the_swept_keys_and_points_are_runs_of_their_own(study: Study) -> None:
    assert study.dims == tuple(OVER)
    assert study.status.shape == (3, 2)
    assert study.counts == {"complete": 4, "failed": 2}
    for i, temperature in enumerate((0.1, 0.2)):
        for j, discount in enumerate((0.5, 0.9)):
            alone = wpo.evolve(
                wpo.load_problem(
                    "bandit",
                    cells={"a": 16},
                    set={"problem.temperature": temperature, "problem.discount": discount},
                    until={"time": 1.0},
                ),
                until={"time": 1.0},
            )
            run = study.run(**{"problem.temperature": i, "problem.discount": j})
            assert run.attributes["run_id"] == study["run_id"][i, j]
            assert study["end_gap"][i, j] == run.series["gap"][-1] == alone.series["gap"][-1]
            np.testing.assert_array_equal(study["gap"][i, j], alone.series["gap"])
            np.testing.assert_array_equal(study["time"], alone.series["time"])
            np.testing.assert_array_equal(study["row_time"][i, j], study["time"])
            assert study["steps"][i, j] == alone.attributes["steps"]
            assert study["rate"][i, j] == alone.series["rate_observed"][-1]


def test_points_that_fail_are_nan_with_their_sentence(study: Study) -> None:
    assert (study.status[2] == "failed").all()
    assert (study["stop_reason"][2] == "problem.temperature: must be greater than 0, not -1.0").all()
    for name, array in study.arrays.items():
        if array.values.dtype == np.float64 and array.dims[: len(study.dims)] == study.dims:
            assert np.isnan(array.values[2]).all(), name
    assert [values for values, _ in study.failures()] == [
        {"problem.temperature": -1.0, "problem.discount": discount} for discount in (0.5, 0.9)
    ]


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_the_file_opens_in_xarray_and_is_what_python_gives(study: Study, engine: str) -> None:
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(study.folder / "study.nc", engine=engine) as found:
        assert found.identical(study.to_xarray())
        assert dict(found.sizes) == {"problem.temperature": 3, "problem.discount": 2, "time": study["time"].size}
        chosen = found.sel({"problem.temperature": 0.2}).gap.isel({"problem.discount": 1})
        np.testing.assert_array_equal(chosen, study["gap"][1, 1])


def test_it_is_read_back_as_it_was_and_refused_if_altered(study: Study, tmp_path: Path) -> None:
    for path in (study.folder, study.folder / "study.nc"):
        assert differences(study, wpo.open_study(path), but=()) == []
    assert repr(wpo.open_study(study.folder)) == repr(study)
    content = bytearray((study.folder / "study.nc").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "study.nc").write_bytes(content)
    with pytest.raises(RunFileError, match="altered or damaged"):
        wpo.open_study(tmp_path)
    with pytest.raises(RunFileError, match="not a study: it is another file of wpoflow"):
        wpo.open_study(next(study.folder.glob("*.h5")))
    with pytest.raises(RunFileError, match="No such file"):
        wpo.open_study(tmp_path / "nothing")


def test_of_files_alone_the_result_is_the_same(study: Study) -> None:
    before = wpo.open_study(study.folder)
    (study.folder / "study.nc").unlink()
    assert differences(before, collect(study.folder), but=()) == []
    assert differences(before, wpo.open_study(study.folder), but=()) == []


def test_what_is_whole_is_kept_and_more_values_run_only_what_is_new(study: Study, tmp_path: Path) -> None:
    files = {path: path.stat().st_mtime_ns for path in study.folder.glob("*.h5")}
    done = Done()
    more = {**OVER, "problem.temperature": [0.1, 0.3, 0.2]}
    found = wpo.sweep("bandit", more, folder=study.folder, progress=done, **SMALL)
    assert sorted(done.did) == ["keep"] * 4 + ["run"] * 2
    assert {path: path.stat().st_mtime_ns for path in files} == files
    np.testing.assert_array_equal(found["gap"][[0, 2]], study["gap"][:2])
    wpo.sweep("bandit", OVER, folder=study.folder, **SMALL)  # the result of the others is as it was
    assert differences(study, wpo.open_study(study.folder), but=()) == []


def test_shards_together_are_the_whole(study: Study, tmp_path: Path) -> None:
    for number in range(3):
        part = wpo.sweep("bandit", OVER, folder=tmp_path, shard=f"{number}/3", **SMALL)
        assert part.counts.get("missing", 0) == (2, 3, 0)[number]  # of the others nothing is read
        assert (tmp_path / "study.nc").exists() == (number == 2)
    assert differences(study, wpo.open_study(tmp_path)) == []
    assert differences(study, part) == []
    for shard in ("4/3", "1", "a/b", "1/0"):
        with pytest.raises(StudyError, match="shard"):
            wpo.sweep("bandit", OVER, folder=tmp_path, shard=shard, **SMALL)


def test_an_interrupted_sweep_goes_on_and_is_the_same(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle of two runs."""
    passed_on = worker.stop_if_asked
    count = iter(range(10**6))

    def pressing(progress: Progress) -> None:
        if next(count) in (40, 300):
            signal.raise_signal(signal.SIGINT)
        passed_on(progress)

    monkeypatch.setattr(worker, "stop_if_asked", pressing)
    done = Done()
    interruptions = 0
    for _ in range(6):
        try:
            found = wpo.sweep("bandit", OVER, folder=tmp_path, progress=done, checkpoint=0.0, **SMALL)
            break
        except KeyboardInterrupt:
            interruptions += 1
            assert not (tmp_path / "study.nc").exists()
            assert list(tmp_path.glob("*.checkpoint"))
    assert interruptions == 2
    assert done.did.count("resume") == 2
    assert differences(study, found) == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_after_the_last_step_stops_the_sweep_before_the_next_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = task_module._of_run

    def late(*arguments: Any) -> Outcome:
        signal.raise_signal(signal.SIGINT)
        return measured(*arguments)

    monkeypatch.setattr(task_module, "_of_run", late)
    done = Done()
    with pytest.raises(KeyboardInterrupt):
        wpo.sweep("bandit", OVER, folder=tmp_path, progress=done, **SMALL)
    assert done.did == ["run"]
    assert len(list(tmp_path.glob("*.h5"))) == 1


def test_failures_of_all_kinds_are_kept_and_the_others_go_on(tmp_path: Path) -> None:
    """A gap below rounding, a flow without its step, a cost that is infinite, and a file that is none."""
    over = {"until.gap": [1e-2, 1e-300], "cost.running": ["a**2", "1/(a-a)"]}
    done = Done()
    found = wpo.sweep("bandit", over, folder=tmp_path, cells={"a": 12}, set={"flow.until.time": 1.0}, progress=done)
    assert found.status.tolist() == [["complete", "failed"], ["failed", "failed"]]
    assert "lies below this problem's rounding floor" in found["stop_reason"][1, 0]
    assert "cost" in found["stop_reason"][0, 1]
    assert all("\n" not in sentence for sentence in found["stop_reason"].ravel())
    again = Done()
    wpo.sweep("bandit", over, folder=tmp_path, cells={"a": 12}, set={"flow.until.time": 1.0}, progress=again)
    assert again.did == ["keep"] * 4  # what failed by its own numbers fails again
    retried = Done()
    wpo.sweep(
        "bandit", over, folder=tmp_path, cells={"a": 12}, set={"flow.until.time": 1.0}, progress=retried, retry=True
    )
    assert sorted(outcome.did for outcome in retried.outcomes) == ["", "", "", "keep"]


def test_a_damaged_run_file_is_told_of_and_stays(tmp_path: Path) -> None:
    over = {"problem.temperature": [0.1, 0.2]}
    first = wpo.sweep("bandit", over, folder=tmp_path, **SMALL)
    path = tmp_path / f"{first['point'][0]}.h5"
    content = bytearray(path.read_bytes())
    content[4000] ^= 1
    path.write_bytes(content)
    second = wpo.sweep("bandit", over, folder=tmp_path, **SMALL)
    assert second.status.tolist() == ["failed", "complete"]
    assert "altered or damaged" in second["stop_reason"][0]
    assert path.read_bytes() == content
    path.unlink()
    assert differences(first, wpo.sweep("bandit", over, folder=tmp_path, **SMALL)) == []


def test_a_run_of_something_else_in_the_place_of_a_point_stays(tmp_path: Path) -> None:
    over = {"problem.temperature": [0.1, 0.2]}
    first = wpo.sweep("bandit", over, folder=tmp_path, **SMALL)
    one, other = (tmp_path / f"{name}.h5" for name in first["point"])
    one.write_bytes(other.read_bytes())
    second = wpo.sweep("bandit", over, folder=tmp_path, **SMALL)
    assert second.status.tolist() == ["failed", "complete"]
    assert f"{one}: is a run of another problem; move it away" in second["stop_reason"][0]
    assert one.read_bytes() == other.read_bytes()


def test_two_sweeps_over_one_folder_share_the_points(study: Study, tmp_path: Path) -> None:
    """One comes back to what the other has, until it is given up, and runs nothing twice."""
    names = [str(name) for name in study["point"][:2].ravel()]
    held = OutputLock(tmp_path / f"{names[1]}.point")
    done = Done()

    def giving_up(outcome: Outcome, values: Any) -> None:
        done(outcome, values)
        if len(done.outcomes) == 3:
            held.release()

    found = wpo.sweep("bandit", OVER, folder=tmp_path, progress=giving_up, **SMALL)
    assert done.outcomes[-1].name == names[1]
    assert done.did == ["run"] * 4
    assert differences(study, found) == []


def test_common_times_with_steps_of_fixed_size_and_ends_of_their_own(tmp_path: Path) -> None:
    over = {"step": [0.25, 0.1], "until.time": [1.0, 2.0]}
    how: dict[str, Any] = {"cells": {"a": 12}, "scheme": "euler"}
    found = wpo.sweep("bandit", over, folder=tmp_path, set={"record.series": {"first": 0.125, "per_decade": 4}}, **how)
    time, row_time = found["time"], found["row_time"]
    assert (time[0], time[-1]) == (0.0, pytest.approx(0.125 * 10.0**1.0))
    for i, step in enumerate(over["step"]):
        for j, end in enumerate(over["until.time"]):
            there = np.isfinite(row_time[i, j])
            np.testing.assert_array_equal(there, time <= end * (1.0 + 1e-9))
            late = row_time[i, j][there] - time[there]
            assert (late >= -1e-9).all()
            assert (late < step + 1e-9).all()
            run = found.run(step=i, **{"until.time": j})
            rows = np.searchsorted(run.series["time"], row_time[i, j][there])
            np.testing.assert_array_equal(found["gap"][i, j][there], run.series["gap"][rows])
            assert found["end_time"][i, j] == run.series["time"][-1]


def test_keys_that_go_together_lie_along_one_dimension(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    group = {"cells.x": [6, 8], "cells.u": [7, 5]}
    found = wpo.sweep("lqr", together=[group], folder=tmp_path, until={"steps": 2}, measures=["constants"])
    assert found.dims == ("cells.x",)
    with xarray.open_dataset(tmp_path / "study.nc", engine="netcdf4") as dataset:
        assert dataset.identical(found.to_xarray())
        assert dataset["cells.u"].dims == ("cells.x",)
        assert set(dataset.coords) == {"cells.x", "cells.u", "time"}
    assert found.run(**{"cells.x": 1}).states.shape == (8,)
    assert (found["alpha"] > 0.0).all()
    assert (found["kappa_largest"] >= found["kappa_last"]).all()


@pytest.mark.slow
def test_several_problems_flows_and_lists_are_words_on_their_axes(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    over = {"flow": ["fisher-rao", "mirror:step=0.5"], "record.series": [{"every": 0.5}, {"times": [0.25, 1.0]}]}
    found = wpo.sweep(["bandit", "mixture"], over, folder=tmp_path, cells={"a": 16}, until={"time": 1.0})
    assert found.dims == ("problem", "flow", "record.series")
    assert found["record.series"].tolist() == ["{ every = 0.5 }", "{ times = [0.25, 1.0] }"]
    np.testing.assert_array_equal(found["time"], [0.0, 0.25, 0.5, 1.0])
    with xarray.open_dataset(tmp_path / "study.nc", engine="netcdf4") as dataset:
        assert dataset.identical(found.to_xarray())


@pytest.mark.slow
def test_verdicts_and_rates_are_measured_once_and_kept(tmp_path: Path) -> None:
    over = {"problem.temperature": [0.2, 0.3]}
    how: dict[str, Any] = {"cells": {"a": 16}, "until": {"gap": 1e-3, "time": 50.0}}
    plain = wpo.sweep("bandit", over, folder=tmp_path, **how)
    assert "rate_guaranteed" not in plain.arrays
    found = wpo.sweep("bandit", over, folder=tmp_path, measures=["rates", "verdicts"], **how)
    assert (found["rate_guaranteed"] > 0.0).all()
    assert (found["rate_guaranteed"] <= found["rate"] * (1.0 + 1e-6)).all()
    assert (found["claims_fails"] == 0.0).all()
    assert (found["claims_holds"] > 3.0).all()
    assert differences(found, collect(tmp_path), but=()) == []
    noted = json.loads(next(path for path in tmp_path.glob("*.json") if path.name != "study.json").read_text())
    assert set(noted["measured"]) == {"rates", "verdicts"}
    with pytest.raises(StudyError, match="measures: 'rate' is none; choose rates"):
        wpo.sweep("bandit", over, folder=tmp_path, measures=["rate"], **how)


def test_a_point_that_the_clock_has_ended_is_whole(tmp_path: Path) -> None:
    how: dict[str, Any] = {"cells": {"a": 64}, "until": {"time": 1e6, "wall": 1e-9}, "folder": tmp_path}
    first = wpo.sweep("bandit", {"problem.temperature": [0.1]}, **how)
    assert list(tmp_path.glob("*.checkpoint"))
    done = Done()
    assert differences(first, wpo.sweep("bandit", {"problem.temperature": [0.1]}, progress=done, **how), but=()) == []
    assert done.did == ["keep"]


def test_a_point_cut_short_by_other_sources_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(progress: Progress) -> None:
        if progress.steps == 20:
            signal.raise_signal(signal.SIGTERM)

    how: dict[str, Any] = {"cells": {"a": 16}, "until": {"time": 1.0}, "folder": tmp_path}
    with monkeypatch.context() as patch:
        patch.setattr(worker, "stop_if_asked", press)
        patch.setattr(worker, "listening", nullcontext)
        with pytest.raises(KeyboardInterrupt):
            wpo.sweep("bandit", {"problem.temperature": [0.1]}, **how)
    with monkeypatch.context() as patch:
        patch.setattr("wpoflow.solver.storage.checkpoints.source_hash", lambda: "others")
        found = wpo.sweep("bandit", {"problem.temperature": [0.1]}, **how)
    (folder,) = tmp_path.glob("*.checkpoint")
    assert "the sources of wpoflow have changed" in found["stop_reason"][0]
    assert f"where {folder} is removed, the point is begun anew" in found["stop_reason"][0]
    done = Done()
    wpo.sweep("bandit", {"problem.temperature": [0.1]}, progress=done, **how)
    assert done.did == ["resume"]


@pytest.mark.slow
def test_an_unfinished_file_that_a_kill_has_left_is_written_anew_and_no_other(study: Study, tmp_path: Path) -> None:
    """HDF5 may have written what does not say yet whose it is."""
    names = [str(name) for name in study["point"][:2].ravel()]
    (tmp_path / f"{names[0]}.h5.part").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100) + b"tree" + bytes(4000))
    (tmp_path / f"{names[1]}.h5.part").write_bytes(bytes(10) + b"tree")
    (tmp_path / f"{names[2]}.h5.part").write_text("mine", encoding="utf-8")
    found = wpo.sweep("bandit", OVER, folder=tmp_path, **SMALL)
    assert found.status[:2].ravel().tolist() == ["complete", "complete", "failed", "complete"]
    assert "never replaced" in found["stop_reason"][1, 0]
    (tmp_path / f"{names[2]}.h5.part").unlink()
    assert differences(study, wpo.sweep("bandit", OVER, folder=tmp_path, **SMALL)) == []


def test_it_shows_itself_in_a_notebook(study: Study) -> None:
    html = study._repr_html_()
    assert html is not None
    assert "4 complete, 2 failed" in html
    assert "problem.temperature" in html


def test_what_is_in_the_way_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "study.nc").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="never replaced"):
        wpo.sweep("bandit", OVER, folder=tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["study.nc"]
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="exists and is no folder"):
        wpo.sweep("bandit", OVER, folder=tmp_path / "file", **SMALL)


def test_the_file_names_its_meanings(study: Study) -> None:
    with h5py.File(study.folder / "study.nc") as file:
        for name, data in file.items():
            assert data.attrs["long_name"], name
        assert json.loads(file.attrs["study"])["problems"] == ["bandit"]
