"""Resuming where something came between: other files, other runs, folders that cannot be read."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.same_run import differences
from tests.solver.test_checkpoint import begun_with, cut_short
from tests.solver.test_evolve import small_problem
from tests.solver.test_resume import copied, numbers
from tests.wpoflow.conftest import Call
from tests.wpoflow.conftest import call as call  # a fixture
from wpoflow.problems.load import load_problem
from wpoflow.problems.resume import resume
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.schemes.trajectory import flow
from wpoflow.solver.storage.atomic import OutputLock, RunFileError, checkpoint_folder, part_path
from wpoflow.solver.storage.checkpoints import CheckpointFolder


@pytest.fixture(scope="module")
def mdp() -> GridMDP:
    return load_problem("lqr", cells={"x": 8, "u": 8})


@pytest.mark.parametrize("older", ["a run", "nothing"])
def test_only_what_was_to_be_replaced_is(mdp: GridMDP, tmp_path: Path, older: str) -> None:
    path, other = tmp_path / "run.h5", tmp_path / "other.h5"
    evolve(mdp, until={"steps": 20}, output=tmp_path / "whole.h5")
    evolve(mdp, until={"steps": 3}, output=other)
    if older == "a run":
        evolve(mdp, until={"steps": 2}, output=path)
    cut_short(mdp, path, force=True)
    before = path.read_bytes() if path.exists() else b""
    shutil.copy(other, path)  # meanwhile another run is put there
    with pytest.raises(FileExistsError, match="not of the run whose checkpoints"):
        resume(path)
    assert path.read_bytes() == other.read_bytes()
    path.write_text("something else")
    with pytest.raises(RunFileError, match="move it away to go on"):
        resume(path)
    if before:
        path.write_bytes(before)
    else:
        path.unlink()
    resume(path)
    assert differences(tmp_path / "whole.h5", path) == []


def test_what_is_left_of_a_run_stays_when_it_cannot_go_on(mdp: GridMDP, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    cut_short(mdp, path, snapshots=3)
    rows = part_path(path).read_bytes()
    for name in ("optimum.npz", "snapshot-00000.npz"):
        hurt = checkpoint_folder(path) / name
        whole = hurt.read_bytes()
        for content in (whole[:-1], None):
            hurt.unlink()
            if content is not None:
                hurt.write_bytes(content)
            with pytest.raises(RunFileError, match=name):
                resume(path)
            assert part_path(path).read_bytes() == rows
            hurt.write_bytes(whole)
    assert resume(path).status == "complete"


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(
    mdp: GridMDP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.h5"
    cut_short(mdp, path)

    def refused(folder: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("wpoflow.solver.storage.checkpoints.os.listdir", refused)
    with pytest.raises(PermissionError):
        resume(path)
    monkeypatch.undo()
    assert CheckpointFolder(path).newest() is not None


def test_a_run_that_is_done_needs_no_checkpoints_and_removes_them(mdp: GridMDP, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    cut_short(mdp, path)
    kept = tmp_path / "kept"
    shutil.copytree(checkpoint_folder(path), kept)
    resume(path)
    shutil.copytree(kept, checkpoint_folder(path))  # as if killed between the two
    before = path.read_bytes()
    begun_with(path, source_hash="0" * 64)  # which matters no more
    assert resume(path).status == "complete"
    assert path.read_bytes() == before
    assert not checkpoint_folder(path).exists()


def test_the_command_from_another_folder(mdp: GridMDP, tmp_path: Path, call: Call) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    cut_short(mdp, folder / "run.h5")
    with OutputLock(folder / "run.h5"):
        status, _, err = call("resume", "deep/run.h5", "--quiet")
    assert (status, err.count("\n")) == (2, 1)
    assert "being written by another run" in err
    shutil.move(folder, tmp_path / "moved")
    newest = CheckpointFolder(tmp_path / "moved" / "run.h5").states()[-1]
    newest.write_bytes(newest.read_bytes()[:-9])
    status, _, err = call("resume", "moved/run.h5", "--quiet")
    assert status == 0
    assert err.startswith(f"wpoflow: moved/run.h5.checkpoint/{newest.name}: no trailer")
    assert err.endswith("; going on from the checkpoint before it\n")


def test_the_command_with_nothing_whole(mdp: GridMDP, tmp_path: Path, call: Call) -> None:
    status, _, err = call("resume", "run.h5")
    assert (status, err) == (
        3,
        "wpoflow: run.h5.checkpoint: there is no such folder: no checkpoints to go on from\n",
    )
    cut_short(mdp, tmp_path / "run.h5")
    for state in CheckpointFolder(tmp_path / "run.h5").states():
        state.write_bytes(b"damaged" * 100)
    status, _, err = call("resume", "run.h5", "--quiet")
    assert (status, err.count("\n")) == (3, 1)
    assert "state-" in err


def test_debris_of_a_removal_is_cleared_away(mdp: GridMDP, tmp_path: Path) -> None:
    """A kill may come while the checkpoints of a run that is done are being removed."""
    path = tmp_path / "run.h5"
    evolve(mdp, until={"steps": 3}, output=path)
    checkpoint_folder(path).mkdir()
    (checkpoint_folder(path) / "optimum.npz").write_bytes(b"half of it")
    assert resume(path).status == "complete"
    assert not checkpoint_folder(path).exists()
    checkpoint_folder(path).mkdir()
    path.unlink()
    with pytest.raises(RunFileError, match=r"start\.npz"):
        resume(path)
    assert checkpoint_folder(path).exists()


def test_cells_without_mass_come_back_as_they_were() -> None:
    """ln 0 is part of the state, and a state that has mass there is refused."""
    mdp = small_problem()
    policy = mdp.initial_policy.copy()
    policy[:, 3:5] = 0.0
    mdp = replace(mdp, initial_policy=policy / policy.sum(axis=1, keepdims=True))
    how: dict[str, Any] = {"flow": "fisher-rao", "accuracy": 1e-4}
    left_alone = []
    for state in islice(flow(mdp, **how), 20):
        assert np.all(state.policy[:, 3:5] == 0.0)
        if state.steps == 6:
            kept = copied(state.arrays())
        if state.steps >= 6:
            left_alone.append(numbers(state))
    assert [numbers(state) for state in islice(flow(mdp, resume=kept, **how), 14)] == left_alone
    full = {**kept, "scheme.log_policy": np.full_like(policy, np.inf)}
    with pytest.raises(ValueError, match="log_policy"):
        flow(mdp, resume=full, **how)
