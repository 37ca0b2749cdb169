"""Damaged run files: refused in one line, and with --anyway read as far as can be, marked as damaged."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.wpoflow.conftest import Call, check_refusal
from tests.wpoflow.runs import small_run
from tests.wpoflow.test_schema import FIXTURES
from wpoflow.solver.records.layout import SCHEMA_VERSION
from wpoflow.solver.storage.atomic import append_trailer
from wpoflow.solver.storage.plausible import implausible
from wpoflow.solver.storage.writer import open_run

WHOLE = (FIXTURES / f"run_schema_{SCHEMA_VERSION}.h5").read_bytes()


def broken_chunk(name: str) -> bytes:
    """The kept run with the stored bytes of one data set spoiled."""
    with h5py.File(FIXTURES / f"run_schema_{SCHEMA_VERSION}.h5") as file:
        chunk = file[name].id.get_chunk_info(0)
    content = bytearray(WHOLE)
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    return bytes(content)


ALTERED = "altered or damaged: its SHA-256 differs from the one it was closed with\n"


@pytest.mark.parametrize("command", ["info", "validate"])
@pytest.mark.parametrize(
    ("content", "says"),
    [(broken_chunk("gap"), ALTERED), (WHOLE[:-100], "no trailer"), (b"text" * 100, "no trailer")],
    ids=["altered", "truncated", "foreign"],
)
def test_damage_is_refused_in_one_line(call: Call, command: str, content: bytes, says: str) -> None:
    Path("run.h5").write_bytes(content)
    check_refusal(call, [command, "run.h5"], 3, f"wpoflow: run.h5: {says}")


def test_what_is_left_is_read_and_marked(call: Call) -> None:
    Path("run.h5").write_bytes(broken_chunk("gap"))
    status, out, err = call("info", "run.h5", "--anyway")
    assert status == 0
    assert err.startswith("wpoflow: run.h5: DAMAGED, read anyway: altered or damaged")
    assert err.endswith("cannot be read: gap\n")
    assert out.startswith("DAMAGED")
    rows = dict(line.split("  ", 1) for line in out.splitlines())
    assert rows["gap"].strip() == "nan -> nan"
    assert rows["flow time"].strip() == f"2, in {len(open_run('run.h5', anyway=True).series['time'])} rows"
    status, out, err = call("info", "run.h5", "--anyway", "--json")
    assert json.loads(out)["series"]["gap"] == {"first": None, "last": None}
    assert "damage" in json.loads(out)["attributes"]
    status, out, err = call("validate", "run.h5", "--anyway")
    assert status == 1
    assert "fails" in out
    assert "DAMAGED" in err


def test_all_that_is_whole_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    path.write_bytes(broken_chunk("snapshot/policy"))
    damaged, whole = open_run(path, anyway=True), open_run(FIXTURES / f"run_schema_{SCHEMA_VERSION}.h5")
    for name, values in whole.series.items():
        np.testing.assert_array_equal(damaged.series[name], values)
    assert damaged.optimum is not None
    assert damaged.snapshots is not None
    assert whole.optimum is not None
    np.testing.assert_array_equal(damaged.optimum.q, whole.optimum.q)
    np.testing.assert_array_equal(damaged.value, whole.value)
    lost = np.isnan(damaged.snapshots.policy)
    assert np.all(lost[0])
    assert not np.any(lost[1:])
    assert "64 of the 192 numbers of snapshot/policy" in str(damaged.attributes["damage"])
    assert {key: damaged.attributes[key] for key in whole.attributes} == whole.attributes


def test_missing_rows_and_data_sets_are_nan_and_named(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    path.write_bytes(WHOLE[:-48])
    with h5py.File(path, "r+") as file:
        rows = len(file["time"])
        file["gap"].resize(rows - 1, axis=0)
        del file["rho"], file["optimum/q"], file["time"]
        del file.attrs["title"], file["optimum"].attrs["iterations"]
        file.attrs["title"] = 3
    damaged, whole = open_run(path, anyway=True), open_run(FIXTURES / f"run_schema_{SCHEMA_VERSION}.h5")
    assert damaged.optimum is not None
    assert whole.optimum is not None
    np.testing.assert_array_equal(damaged.series["gap"][:-1], whole.series["gap"][:-1])
    np.testing.assert_array_equal(damaged.series["entropy"], whole.series["entropy"])
    np.testing.assert_array_equal(damaged.optimum.policy, whole.optimum.policy)
    for lost in (damaged.series["gap"][-1], damaged.series["time"], damaged.rho, damaged.optimum.q):
        assert np.all(np.isnan(lost))
    named = f"attribute title, time, 1 of the {rows} numbers of gap, optimum/q, attribute iterations of optimum, rho"
    told = str(damaged.attributes["damage"]).partition("cannot be read: ")[2]
    assert sorted(told.split(", ")) == sorted(named.split(", "))


def test_the_file_of_an_unfinished_run_is_read_anyway(call: Call) -> None:
    small_run(Path("run.h5"))
    Path("run.h5.part").write_bytes(Path("run.h5").read_bytes()[:-48])
    with h5py.File("run.h5.part", "r+") as file:
        del file.attrs["digests"]
    status, _, err = call("info", "run.h5.part")
    assert status == 3
    assert "--anyway reads the rows of an unfinished run" in err
    assert len(err.splitlines()) == 1
    assert "--anyway" not in call("info", "absent.h5.part")[2]
    status, out, err = call("info", "run.h5.part", "--anyway")
    assert status == 0
    assert "everything can be read, but may be wrong" in err
    assert "2 -> 0.5" in out


def test_a_file_of_which_nothing_is_left(call: Call) -> None:
    Path("run.h5").write_bytes(WHOLE[:3000])
    status, out, err = call("info", "run.h5", "--anyway")
    assert (status, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert "too damaged to be read anyway" in err
    status, _, err = call("info", "absent.h5", "--anyway")
    assert (status, err) == (3, "wpoflow: absent.h5: No such file or directory\n")


def test_a_temperature_may_be_a_whole_number(tmp_path: Path) -> None:
    small_run(tmp_path / "run.h5")
    assert implausible(open_run(tmp_path / "run.h5")) is None


def test_sealed_numbers_that_are_those_of_no_run(call: Call) -> None:
    Path("run.h5").write_bytes(WHOLE[:-48])
    with h5py.File("run.h5", "r+") as file:
        file["reference_mass"][...] = 0.0
        file.attrs["title"] = "\x1b]0;owned\x07"
    append_trailer(Path("run.h5"))
    status, out, err = call("validate", "run.h5")
    assert (status, out) == (3, "")
    assert err.endswith("its numbers are not those of a run: reference_mass is no positive probability\n")
    check_refusal(call, ["info", "run.h5"], 3, "reference_mass is no positive probability")
    status, out, err = call("info", "run.h5", "--anyway")
    assert status == 0
    assert "DAMAGED, read anyway: its numbers are not those of a run: reference_mass" in err
    assert "\x1b" not in out
    assert "\\x1b" in out
