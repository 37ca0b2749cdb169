"""A seal that another program cuts: the file is read and the cause told, it can be sealed again, damage is noticed."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import h5netcdf
import h5py
import netCDF4
import numpy as np
import pytest

from wpoflow.problems.load import load_problem
from wpoflow.problems.resume import resume
from wpoflow.solver.records.notices import RunFileWarning
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.atomic import RunFileError, check_trailer
from wpoflow.solver.storage.seal import UNSEALED, data_end, seal_again
from wpoflow.solver.storage.writer import open_run


def by_h5py(path: Path) -> None:
    h5py.File(path, "r+").close()


def by_h5netcdf(path: Path) -> None:
    h5netcdf.File(path, "a").close()


def by_netcdf4(path: Path) -> None:
    try:
        netCDF4.Dataset(path, "a").close()
    except OSError:  # it refuses files that were not made with it, and has cut them by then
        assert path.stat().st_size == data_end(path)


def by_an_attribute_of_its_own(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["note"], file.attrs["tags"] = "good", np.arange(3)
        file["remarks"] = np.arange(4.0)


PROGRAMS = pytest.mark.parametrize("program", [by_h5py, by_h5netcdf, by_netcdf4, by_an_attribute_of_its_own])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A run file, with the state it can be extended from."""
    path = tmp_path_factory.mktemp("seal") / "run.h5"
    evolve(load_problem("lqr", cells={"x": 8, "u": 8}), until=0.1, snapshots=4, output=path)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, whole: bytes) -> Path:
    """The file in a folder of its own."""
    found = tmp_path / "run.h5"
    found.write_bytes(whole)
    return found


@PROGRAMS
def test_a_file_that_was_opened_for_writing_is_read_and_the_cause_told(
    path: Path, program: Callable[[Path], None]
) -> None:
    before = open_run(path)
    program(path)
    with pytest.raises(RunFileError):
        check_trailer(path)
    with pytest.warns(RunFileWarning, match=r"run\.h5: not sealed: another program opened it for writing") as told:
        run = open_run(path)
    assert len(told) == 1
    assert "\n" not in str(told[0].message)
    assert str(run.attributes["unsealed"]).startswith(UNSEALED)
    for name, values in before.series.items():
        np.testing.assert_array_equal(run.series[name], values)
    np.testing.assert_array_equal(run.policy, before.policy)


@PROGRAMS
def test_it_can_be_sealed_again(path: Path, program: Callable[[Path], None]) -> None:
    assert not seal_again(path)
    program(path)
    assert seal_again(path)
    assert not seal_again(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "unsealed" not in open_run(path).attributes


def put_again(file: h5py.File, name: str, numbers: np.ndarray) -> None:
    """Other numbers in the place of a data set, described as those were."""
    described = dict(file[name].attrs)
    del file[name]
    file[name] = numbers
    file[name].attrs.update({key: value for key, value in described.items() if isinstance(value, str)})


CHANGES: dict[str, Callable[[h5py.File], object]] = {
    "gap": lambda file: file["gap"].__setitem__(2, 0.25),
    "snapshot/policy": lambda file: file["snapshot/policy"].__setitem__((1, 2), np.full(8, 0.125)),
    "optimum/q": lambda file: file["optimum/q"].__setitem__((0, 0), 1.0),
    "x_edges": lambda file: file["x_edges"].attrs.__setitem__("boundary", "reflect"),
    "u_bounds": lambda file: file.pop("u_bounds"),
    "attribute title": lambda file: file.attrs.__setitem__("title", "Another"),
    "attribute optimum/gap_floor": lambda file: file["optimum"].attrs.__setitem__("gap_floor", 1.0),
    "attribute discount": lambda file: file.attrs.pop("discount"),
    "problem/cost": lambda file: file.__setitem__("problem/cost", np.zeros((8, 8))),
    "rho": lambda file: (file.pop("rho"), file.__setitem__("rho", np.full(8, 0.125, np.float32))),
    "attribute initial": lambda file: file.attrs.__setitem__("initial", "the policy of another run"),
    "optimum/policy": lambda file: put_again(file, "optimum/policy", file["optimum/policy"][()].reshape(4, 16)),
    "reference_mass": lambda file: put_again(file, "reference_mass", file["reference_mass"][()].view(np.int64)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_altered_contents_are_refused_by_name(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        CHANGES[name](file)
    for use in (open_run, seal_again):
        with pytest.raises(RunFileError, match=rf"run\.h5: not sealed: .* altered or damaged: {name}"):
            use(path)


def test_a_file_without_digests_is_refused_and_the_cause_told(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file.attrs["digests"]
    for use in (open_run, seal_again):
        with pytest.raises(RunFileError, match=r"no trailer: .*or another program opened it for writing"):
            use(path)
    assert "no trailer" in str(open_run(path, anyway=True).attributes["damage"])


def test_what_is_left_behind_the_data_is_no_cut_seal(path: Path, whole: bytes) -> None:
    end = data_end(path)
    assert end is not None
    for length in (end - 1, end - 4096, end + 1, end + 100, len(whole) - 48, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(RunFileError, match="no trailer"):
            open_run(path)
    path.write_bytes(whole[:end])
    with pytest.warns(RunFileWarning):
        open_run(path)


FLIPS = """
import faulthandler, sys, warnings
from pathlib import Path
import numpy as np
from wpoflow.solver.storage.atomic import RunFileError
from wpoflow.solver.storage.writer import open_run
warnings.simplefilter("ignore")
path, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
content = path.read_bytes()
truth, rng = open_run(path), np.random.default_rng(seed)
for _ in range(count):
    changed, place = bytearray(content), int(rng.integers(len(content)))
    changed[place] ^= 1 << int(rng.integers(8))
    path.write_bytes(changed)
    print(place, end=" ", flush=True)
    faulthandler.dump_traceback_later(10, exit=True)
    try:
        run = open_run(path)
    except RunFileError as error:
        print("refused", str(error)[-60:])
        continue
    finally:
        faulthandler.cancel_dump_traceback_later()
    same = all(np.array_equal(run.series[name], truth.series[name], equal_nan=True) for name in truth.series)
    same = same and np.array_equal(run.policy, truth.policy) and np.array_equal(run.optimum.q, truth.optimum.q)
    same = same and np.array_equal(run.snapshots.policy, truth.snapshots.policy)
    same = same and all(run.attributes[name] == value for name, value in truth.attributes.items() if name != "run_id")
    print("same" if same else "DIFFERENT")
"""


@pytest.mark.slow
def test_flipped_bits_of_an_unsealed_file_change_nothing_unnoticed(path: Path, whole: bytes) -> None:
    by_h5py(path)
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", FLIPS, str(path), "1", os.environ.get("WPOFLOW_FLIPS", "150")],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-200:]
    assert "DIFFERENT" not in done.stdout
    assert done.stdout.count("refused") > 30


def test_without_its_end_state_a_run_is_not_extended(path: Path) -> None:
    by_h5py(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RunFileError, match="no state to extend the run from; a program that opens the file for"):
            resume(path, until=1.0)
        seal_again(path)
        with pytest.raises(RunFileError, match="no state to extend the run from; a program that opens the file for"):
            resume(path, until=1.0)


def test_the_old_schema_0_superblock_says_where_data_end(tmp_path: Path) -> None:
    for libver in ("earliest", "v108", "latest"):
        with h5py.File(tmp_path / "f.h5", "w", libver=libver) as file:
            file["x"] = np.arange(1000.0)
        size = (tmp_path / "f.h5").stat().st_size
        assert data_end(tmp_path / "f.h5") == size
    (tmp_path / "f.h5").write_bytes(b"text" * 100)
    assert data_end(tmp_path / "f.h5") is None
