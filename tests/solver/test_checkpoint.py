"""The files of checkpoints: whole or absent, the last two, refused when damaged; one run to a file; full disks."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.same_run import differences
from wpoflow.problems.load import load_problem
from wpoflow.problems.resume import origin_of, prepare, resume
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.provenance import source_hash
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.runs.checkpointing import FIRST, SHARE, Checkpoints
from wpoflow.solver.runs.evolve import Progress, evolve
from wpoflow.solver.runs.recorder import Recorder
from wpoflow.solver.storage.atomic import (
    OutputLock,
    RunFileError,
    check_output,
    checkpoint_folder,
    lock_path,
    part_path,
)
from wpoflow.solver.storage.checkpoints import Checkpoint, CheckpointFolder
from wpoflow.solver.storage.room import check_disk_space, needed_bytes
from wpoflow.solver.storage.sealed_arrays import read_sealed, write_sealed

ROOT = Path(__file__).resolve().parents[2]


class Killed(BaseException):
    """Stands for a kill: nothing is tidied up that a kill would not."""


@pytest.fixture(scope="module")
def mdp() -> GridMDP:
    return load_problem("lqr", cells={"x": 12, "u": 12})


def cut_short(mdp: GridMDP, path: Path, steps: int = 12, **settings: Any) -> None:
    """A run with a checkpoint after every step that ends without closing its file."""

    def stop(report: Progress) -> None:
        if report.steps == steps:
            raise Killed

    with pytest.raises(Killed):
        evolve(mdp, until={"steps": 20}, output=path, checkpoint=0.0, progress=stop, **settings)


def test_a_sealed_file_is_whole_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    content = {"a/b": np.arange(6.0).reshape(2, 3), "n": 3, "x": 0.1, "text": "τ\n" * 1000}
    write_sealed(path, content)
    found = read_sealed(path)
    assert found["a/b"].tobytes() == content["a/b"].tobytes()  # type: ignore[attr-defined]
    assert (found["n"], found["x"], found["text"]) == (3, 0.1, content["text"])
    assert [type(found[name]) for name in ("n", "x", "text")] == [int, float, str]
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 40).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(RunFileError, match=r"some\.npz"):
            read_sealed(path)


def test_what_was_there_stays_until_the_new_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "some.npz"
    write_sealed(path, {"n": 1})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("wpoflow.solver.storage.atomic.append_trailer", full)
    with pytest.raises(OSError, match="No space"):
        write_sealed(path, {"n": 2})
    assert read_sealed(path) == {"n": 1}
    assert [other.name for other in tmp_path.iterdir()] == ["some.npz"]


def test_the_last_two_are_kept_and_either_will_do(mdp: GridMDP, tmp_path: Path) -> None:
    evolve(mdp, until={"steps": 20}, output=tmp_path / "whole.h5")
    path = tmp_path / "run.h5"
    cut_short(mdp, path)
    kept = tmp_path / "kept"
    shutil.copytree(checkpoint_folder(path), kept)
    states = sorted(kept.glob("state-*"))
    assert len(states) == 2
    for damaged in ([], states[1:], states):
        shutil.rmtree(checkpoint_folder(path), ignore_errors=True)
        shutil.copytree(kept, checkpoint_folder(path))
        for state in damaged:
            with (checkpoint_folder(path) / state.name).open("r+b") as stream:
                stream.seek(1000)
                stream.write(b"damage")
        if damaged == states:
            with pytest.raises(RunFileError, match=r"state-.*altered or damaged"):
                resume(path)
            assert len(CheckpointFolder(path).states()) == 2
        else:
            with pytest.warns(match=rf"{states[1].name}: altered.*checkpoint before") if damaged else nullcontext():
                resume(path)
            assert differences(tmp_path / "whole.h5", path) == []
            path.unlink()


def test_without_a_checkpoint_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match=r"run\.h5\.checkpoint: there is no such folder"):
        resume(tmp_path / "run.h5")
    checkpoint_folder(tmp_path / "run.h5").mkdir()
    with pytest.raises(RunFileError, match=r"start\.npz: No such file"):
        resume(tmp_path / "run.h5")


def test_a_number_that_is_not_finite_is_never_written(mdp: GridMDP, tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "run.h5")
    folder.path.mkdir()
    checkpoints = Checkpoints(folder, Recorder(mdp, None, False), None, None)

    def written(**arrays: Any) -> bool:
        row = dict.fromkeys(SERIES, np.nan)  # a row may hold one
        return checkpoints.write(Checkpoint(0, arrays, [row], 0))

    assert not written(policy=np.array([0.5, np.nan]))
    assert not written(size=np.inf)
    assert folder.states() == []
    assert written(policy=np.array([0.5, 0.5]))
    assert not written(policy=np.array([0.5, -np.inf]))
    assert read_sealed(folder.states()[-1])["policy"].tolist() == [0.5, 0.5]


def test_checkpoints_take_a_fiftieth_of_the_time(mdp: GridMDP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock of ours: a checkpoint takes 0.7 s, a step 0.1 s, the run a quarter of an hour."""
    now = 100.0
    monkeypatch.setattr("wpoflow.solver.runs.checkpointing.clock.monotonic", lambda: now)
    folder = CheckpointFolder(tmp_path / "run.h5")

    def keep(*_: object) -> None:
        nonlocal now
        now += 0.7

    monkeypatch.setattr(folder, "keep_state", keep)
    checkpoints, taken, seconds = Checkpoints(folder, Recorder(mdp, None, False), None, None), [], 0.0
    while now < 1000.0:
        now += 0.1
        if checkpoints.due():
            taken.append(now - 100.0)
            before = now
            checkpoints.write(Checkpoint(0, {}, [], 0))
            seconds += now - before
    assert FIRST <= taken[0] <= 10.0
    assert seconds <= SHARE * (now - 100.0)
    assert seconds >= 0.9 * SHARE * (now - 100.0)  # and not much less


def test_one_run_to_a_file(mdp: GridMDP, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    seen = []

    def second(report: Progress) -> None:
        if report.steps == 3:
            for force in (False, True):
                with pytest.raises(FileExistsError, match="being written by another run"):
                    evolve(mdp, until=1.0, output=path, force=force)
            with pytest.raises(FileExistsError, match="being written by another run"):
                resume(path)
            seen.append(report.steps)

    run = evolve(mdp, until={"steps": 10}, output=path, progress=second)
    assert seen == [3]
    assert run.attributes["steps"] == 10
    assert [other.name for other in tmp_path.iterdir()] == ["run.h5"]


def test_a_crash_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    code = (
        "import os, sys; from wpoflow.solver.storage.atomic import OutputLock;"
        "lock = OutputLock(sys.argv[1]); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False).returncode == 9
    assert lock_path(path).exists()
    with OutputLock(path), pytest.raises(FileExistsError, match="being written"):
        OutputLock(path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_cut_short_is_not_overwritten_unasked(mdp: GridMDP, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    cut_short(mdp, path)
    with pytest.raises(FileExistsError, match=r"run\.h5\.checkpoint .*wpoflow resume .*run\.h5.*force=True"):
        check_output(path)
    path.write_text("something else")  # put there since
    with pytest.raises((FileExistsError, RunFileError), match=r"run\.h5"):
        resume(path)
    with pytest.raises(FileExistsError, match="never replaced"):
        evolve(mdp, until=0.1, output=path, force=True)
    path.unlink()
    evolve(mdp, until=0.1, output=path, force=True)
    assert not checkpoint_folder(path).exists()
    assert not part_path(path).exists()


def begun_with(path: Path, **texts: str) -> None:
    """As if the run had begun with other sources or packages."""
    folder = CheckpointFolder(path)
    folder.keep_start(replace(folder.start(), **texts))  # type: ignore[arg-type]


def test_changes_since_are_told(mdp: GridMDP, tmp_path: Path) -> None:
    from wpoflow.problems.problem_file import read_problem

    file, path = tmp_path / "mine.toml", tmp_path / "run.h5"
    file.write_text(mdp.statement)
    cut_short(mdp, path, origin=origin_of(read_problem(file), file))
    prepare(path)
    file.write_text(mdp.statement.replace("temperature = ", "temperature = 1"))
    with pytest.raises(RunFileError, match=r"mine\.toml has changed.*anyway=True"):
        resume(path)
    file.unlink()  # the problem is kept with the checkpoints
    prepare(path)
    begun_with(path, source_hash="0" * 64)
    with pytest.raises(RunFileError, match="the sources of wpoflow have changed"):
        resume(path)
    begun_with(path, source_hash=source_hash(), packages='{"numpy": "9.9"}')
    with pytest.raises(RunFileError, match=rf"numpy was 9\.9 and is {np.__version__}"):
        resume(path)
    assert resume(path, anyway=True).status == "complete"


def limited(bytes_left: Callable[[], int]) -> Callable[[int, int, int], None]:
    """An allocation that fails once so many bytes are used up, as on a full disk."""

    def allocate(handle: int, offset: int, length: int) -> None:
        if length > bytes_left():
            raise OSError(errno.ENOSPC, "No space left on device")

    return allocate


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="blocks are reserved the POSIX way")
def test_a_full_disk_leaves_rows_and_checkpoint(mdp: GridMDP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evolve(mdp, until=0.5, output=tmp_path / "whole.h5")
    path, records = tmp_path / "run.h5", iter(range(100))
    monkeypatch.setattr("os.posix_fallocate", limited(lambda: 10**9 if next(records) < 14 else 0))
    with pytest.raises(OSError, match="No space left") as caught:
        evolve(mdp, until=0.5, output=path, checkpoint=0.0)
    assert caught.value.filename == str(part_path(path))
    with h5py.File(part_path(path)) as file:
        rows = file["gap"].shape[0]
        assert rows > 5
        assert all(np.all(np.isfinite(file[name][()])) for name in ("gap", "time", "value_rho"))
        assert {file[name].shape for name in ("gap", "time", "mass_error")} == {(rows,)}
    assert part_path(path).stat().st_size < 400_000  # what was reserved is given back
    monkeypatch.undo()
    resume(path)
    assert differences(tmp_path / "whole.h5", path) == []


def test_space_is_checked_before_a_run(mdp: GridMDP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(OSError, match="MB free, and the run may write") as caught:
        evolve(mdp, until=1.0, output=tmp_path / "run.h5")
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_the_estimate_of_what_is_written_is_no_less(mdp: GridMDP, tmp_path: Path) -> None:
    pairs = mdp.initial_policy.size
    cut_short(mdp, tmp_path / "run.h5", snapshots=8)
    written = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert written <= needed_bytes(pairs, 9, True)
    with pytest.raises(OSError, match="MB free"):
        check_disk_space(tmp_path / "run.h5", 10**17, 9, None)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of six megabytes, where the superuser may make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mdp = load_problem("lqr", cells={"x": 64, "u": 64})
    # as if others filled it meanwhile
    monkeypatch.setattr("wpoflow.solver.runs.conduct.check_disk_space", lambda *_: None)
    path = small_disk / "run.h5"
    filling = small_disk / "filling"
    filling.write_bytes(bytes(3_500_000))

    with pytest.raises(OSError) as caught:
        evolve(mdp, until={"steps": 200}, snapshots=200, output=path, checkpoint=0.0)
    assert caught.value.errno == errno.ENOSPC
    with h5py.File(part_path(path)) as file:
        assert file["snapshot/policy"][()].shape[0] == file["snapshot/snapshot_time"].shape[0] > 1
        assert file["gap"][()].shape[0] > 1
    assert CheckpointFolder(path).newest() is not None
    assert CheckpointFolder(path).start().settings.record.snapshots == 200
