"""The run file: what is written is read back by every reader, and no damage goes unnoticed."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.solver.small_problems import small_problem
from wpoflow.grids.axis import edges_axis, sinh_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.load import load_problem
from wpoflow.problems.resume import resume
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.atomic import TRAILER_LENGTH, RunFileError, part_path
from wpoflow.solver.storage.optimum_file import save_optimum
from wpoflow.solver.storage.problem_arrays import head_of
from wpoflow.solver.storage.writer import RunWriter, chunk_shape, open_run

BANDIT = (Grid(), Grid((sinh_axis("a", -2.0, 2.0, 7, focus=0.5, ratio=4.0),)))
PLANE = (
    Grid((uniform_axis("x", -1.0, 1.0, 5, "clamp"), uniform_axis("v", 0.0, 2.0, 4, "periodic"))),
    Grid((edges_axis("u", [-1.0, 0.0, 3.0]), uniform_axis("w", 0.0, 1.0, 3))),
)
CASES = pytest.mark.parametrize("grids", [BANDIT, PLANE], ids=["bandit", "plane"])


def random_optimum(states: Grid, actions: Grid, seed: int = 0) -> Optimum:
    rng = np.random.default_rng(seed)
    value, occupancy = rng.random((2, states.size))
    q, policy = rng.random((states.size, actions.size)), rng.dirichlet(np.ones(actions.size), states.size)
    return Optimum(value, q, policy, 1e-13, 1e-25, occupancy, 6)


def write(path: Path, grids: tuple[Grid, Grid], rows: int = 40, status: str = "complete") -> dict[str, np.ndarray]:
    """Write a run of random numbers; returns them."""
    states, actions = grids
    rng = np.random.default_rng(1)
    series = {name: rng.random(rows) for name in SERIES}
    series["time"] = np.sort(series["time"])
    optimum = random_optimum(*grids)
    truth = {
        "value": rng.random((3, states.size)),
        "policy": rng.dirichlet(np.ones(actions.size), (3, states.size)),
        "snapshot_time": np.array([0.0, 0.5, 1.0]),
        "cost": rng.random((states.size, actions.size)),
        "q": optimum.q,
        **series,
    }
    with RunWriter(
        path,
        head_of(
            states,
            actions,
            np.full(actions.size, 1.0 / actions.size),
            np.full(states.size, 1.0 / states.size),
            {"title": "Größe", "problem": "# " + "x" * 100_000, "discount": 0.9, "temperature": 0.5},
        ),
        arrays={"cost": truth["cost"], "transition_indices": np.arange(11)},
    ) as writer:
        writer.optimum(optimum)
        for k in range(rows):
            writer.record({name: series[name][k] for name in SERIES})
        for k in range(3):
            writer.snapshot(truth["snapshot_time"][k], truth["value"][k], truth["policy"][k])
        writer.close(status, "time 1 reached", {"wall_seconds": 1.5, "steps": 12})
    return truth


@CASES
def test_what_is_written_is_read_back(tmp_path: Path, grids: tuple[Grid, Grid]) -> None:
    truth = write(tmp_path / "run.h5", grids)
    run = open_run(tmp_path / "run.h5")
    assert not part_path(tmp_path / "run.h5").exists()
    for name in SERIES:
        np.testing.assert_array_equal(run.series[name], truth[name])
    assert run.snapshots is not None
    assert run.optimum is not None
    np.testing.assert_array_equal(run.snapshots.time, truth["snapshot_time"])
    np.testing.assert_array_equal(run.snapshots.value, truth["value"])
    np.testing.assert_array_equal(run.snapshots.policy, truth["policy"])
    np.testing.assert_array_equal(run.policy, truth["policy"][-1])
    np.testing.assert_array_equal(run.value, truth["value"][-1])
    np.testing.assert_array_equal(run.optimum.q, truth["q"])
    assert (run.optimum.iterations, run.optimum.gap_floor) == (6, 1e-25)
    assert (run.title, run.status, run.stop_reason) == ("Größe", "complete", "time 1 reached")
    assert (run.attributes["steps"], run.attributes["discount"]) == (12, 0.9)
    for mine, given in zip((run.states, run.actions), grids, strict=True):
        assert mine.shape == given.shape
        for axis, other in zip(mine.axes, given.axes, strict=True):
            assert (axis.name, axis.boundary) == (other.name, other.boundary)
            np.testing.assert_array_equal(axis.points, other.points)
            np.testing.assert_array_equal(axis.edges, other.edges)


def test_large_arrays_are_read_when_asked_for(tmp_path: Path) -> None:
    truth = write(tmp_path / "run.h5", PLANE)
    run = open_run(tmp_path / "run.h5")
    assert run.snapshots is not None
    np.testing.assert_array_equal(run.snapshots.policy_at(1), truth["policy"][1])
    (tmp_path / "run.h5").unlink()
    assert len(run.series["gap"]) == 40
    with pytest.raises(RunFileError, match=r"run\.h5"):
        _ = run.optimum
    with pytest.raises(RunFileError, match=r"run\.h5"):
        _ = run.policy


def test_a_discarded_file_leaves_nothing(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run.h5", head_of(*BANDIT, np.ones(7) / 7, np.ones(1))) as writer:
        writer.discard()
    assert list(tmp_path.iterdir()) == []


@CASES
def test_the_layout_is_that_of_netcdf4(tmp_path: Path, grids: tuple[Grid, Grid]) -> None:
    write(tmp_path / "run.h5", grids)
    with h5py.File(tmp_path / "run.h5") as file:
        found: list[h5py.Dataset] = []
        file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
        assert len(found) > len(SERIES)
        for data in found:
            assert data.dtype in (np.dtype("f8"), np.dtype("i8"))
            assert data.is_scale or all(len(dim) == 1 for dim in data.dims), data.name
            assert data.attrs["units"] == "1"
            assert data.attrs["long_name"]
            grows = data.maxshape == (None,) and (data.is_scale or data.parent.name == "/")
            filters = (None, False, True) if grows else ("gzip", True, True)
            assert data.shape == () or (data.compression, data.shuffle, data.fletcher32) == filters
        assert all(file[name].maxshape == (None,) for name in SERIES)
        assert not any(isinstance(value, bool | np.bool_) for value in file.attrs.values())
        assert json.loads(file.attrs["packages"])["numpy"] == np.__version__
        assert len(file.attrs["source_hash"]) == 64


def test_overwriting_needs_force(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    write(path, BANDIT)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"run\.h5 exists"):
        write(path, BANDIT)
    assert path.read_bytes() == before
    path.unlink()
    part_path(path).touch()
    with pytest.raises(FileExistsError, match=r"run\.h5\.part is left"):
        write(path, BANDIT)


def test_a_row_must_hold_every_series(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run.h5", head_of(*BANDIT, np.ones(7) / 7, np.ones(1))) as writer:
        with pytest.raises(ValueError, match="surprise, time"):
            writer.record({**{name: 0.0 for name in SERIES if name != "time"}, "surprise": 1.0})
        with pytest.raises(ValueError, match="complete, interrupted, failed"):
            writer.close("done", "")
    assert list(tmp_path.iterdir()) == []  # nothing was recorded, so nothing is left


@pytest.mark.parametrize("name", ["gap", "occupancy", "u", "x_edges", "x_bounds", "a b", "problem"])
def test_axes_are_not_named_like_something_else(tmp_path: Path, name: str) -> None:
    states, actions = Grid((uniform_axis(name, 0.0, 1.0, 3, "clamp"),)), Grid((uniform_axis("u", 0.0, 1.0, 3),))
    with pytest.raises(ValueError, match=f"axis '?{name}"):
        RunWriter(tmp_path / "run.h5", head_of(states, actions, np.ones(3) / 3, np.ones(3) / 3))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stated", ["by a file", "in Python"])
def test_files_of_runs_and_of_optima_say_the_same_of_the_problem(tmp_path: Path, stated: str) -> None:
    mdp = load_problem("lqr", cells={"x": 5, "u": 4})
    mdp = mdp if stated == "by a file" else replace(mdp)
    best = solve_optimum(mdp)
    save_optimum(mdp, best, tmp_path / "best.h5")
    evolve(mdp, until={"steps": 1}, optimum=best, output=tmp_path / "run.h5")
    in_memory = evolve(mdp, until={"steps": 1}, optimum=best).attributes
    optimum, run = (open_run(tmp_path / name).attributes for name in ("best.h5", "run.h5"))
    assert ("problem" in optimum) == (stated == "by a file")
    of_optimum = optimum.keys() - {"wall_seconds", "status", "stop_reason", "digests"}
    assert of_optimum >= {"title", "discount", "temperature", "transition", "state_axes", "action_axes", "packages"}
    assert all(optimum[name] == run[name] == in_memory[name] for name in of_optimum)
    assert run.keys() == in_memory.keys() | {"digests"}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        write(tmp_path / "absent" / "run.h5", BANDIT)


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    write(path, BANDIT)
    before = path.read_bytes()
    given = {"discount": 0.9, "temperature": 0.5}
    with RunWriter(path, head_of(*BANDIT, np.full(7, 1.0 / 7.0), np.ones(1), given), force=True) as writer:
        writer.record(dict.fromkeys(SERIES, 1.0))
        assert path.read_bytes() == before
        writer.close("interrupted", "interrupted by the user")
    assert open_run(path).status == "interrupted"


@pytest.mark.parametrize("kept", [0, 10, 47, 48, -1, -47, -49, -1000])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "run.h5"
    write(path, BANDIT)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(RunFileError, match=r"run\.h5"):
        open_run(path)


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    write(path, BANDIT)
    whole = path.read_bytes()
    rng = np.random.default_rng(2)
    trailer = range(len(whole) - TRAILER_LENGTH, len(whole))
    for place in (*rng.integers(0, len(whole), 60).tolist(), *trailer):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        with pytest.raises(RunFileError):
            open_run(path)
    path.write_bytes(whole)
    assert open_run(path).status == "complete"


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("not a run file\n" * 20)
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = np.arange(100.0)
    for name in ("text.h5", "foreign.h5", "absent.h5", "."):
        with pytest.raises(RunFileError) as caught:
            open_run(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert str(tmp_path / name) in str(caught.value)


KILLED = """
import os, sys
import numpy as np
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.storage.problem_arrays import head_of
from wpoflow.solver.storage.writer import RunWriter
from wpoflow.solver.records.series import SERIES
actions = Grid((uniform_axis("a", 0.0, 1.0, 4),))
writer = RunWriter(sys.argv[1], head_of(Grid(), actions, np.full(4, 0.25), np.ones(1)))
for k in range(700):
    writer.record(dict.fromkeys(SERIES, float(k)))
os._exit(9)
"""


def test_a_killed_run_leaves_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=root, check=False).returncode == 9
    assert not path.exists()
    with h5py.File(part_path(path)) as file:
        assert file.attrs["status"] == "running"
        np.testing.assert_array_equal(file["gap"][()], np.arange(700.0))
    with pytest.raises(RunFileError, match="no trailer"):
        open_run(part_path(path))
    left = open_run(part_path(path), anyway=True)
    np.testing.assert_array_equal(left.series["gap"], np.arange(700.0))
    assert (left.status, left.optimum, left.snapshots) == ("running", None, None)
    assert "no trailer" in str(left.attributes["damage"])


@pytest.mark.parametrize("shape", [(), (5,), (4096, 1024), (64, 64, 32, 32), (3, 10**7)])
def test_chunks_are_small_and_keep_last_axes_whole(shape: tuple[int, ...]) -> None:
    chunk = chunk_shape(shape)
    assert np.prod(chunk) <= 1 << 17
    partial = [k for k in range(len(shape)) if chunk[k] < shape[k]]
    assert all(chunk[k] == 1 for k in partial[:-1])


@pytest.mark.slow
def test_an_opened_run_reads_no_other_that_took_its_place(tmp_path: Path) -> None:
    """Its policy would be that of another problem, beside its own series."""
    mdp, path = small_problem(), tmp_path / "run.h5"
    evolve(mdp, until=0.1, output=path)
    whole = path.read_bytes()

    def opened() -> list[Run]:
        return [open_run(path), pickle.loads(pickle.dumps(open_run(path)))]

    def by_another() -> None:
        evolve(small_problem(temperature=2.0), until=0.1, output=path, force=True)

    def by_itself() -> None:
        evolve(mdp, until=0.1, output=path, force=True)

    def by_what_became_of_it() -> None:
        resume(path, mdp=mdp, until=0.15)

    for replaced in (by_another, by_itself, by_what_became_of_it):
        path.write_bytes(whole)
        runs = opened()
        replaced()
        for run in runs:
            kept = run.snapshots
            assert kept is not None
            for ask in (
                lambda run=run: run.optimum,
                lambda run=run: run.problem_arrays,
                lambda run=run: run.policy,
                lambda kept=kept: kept.value_at(0),
                lambda kept=kept: list(kept.each_policy()),
            ):
                with pytest.raises(RunFileError, match=r"run.h5: another run has taken its place since it was opened"):
                    ask()
    path.write_bytes(whole)
    (run, sent), (later, _) = opened(), opened()
    with h5py.File(path, "r+"):  # which cuts the seal and leaves the contents
        pass
    np.testing.assert_array_equal(run.policy, sent.policy)
    path.unlink()
    with pytest.raises(RunFileError, match=r"run.h5: No such file or directory$"):
        later.policy  # noqa: B018
