"""``wpoflow sweep``: what it explains, runs, collects and refuses; and ``wpoflow plot`` of what it leaves."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import wpoflow as wpo
from tests.studies.sweep.studies import COMMAND, OVER, SMALL, differences
from tests.wpoflow.conftest import Call, check_refusal

STUDY = """
problem = "bandit"
title = "A small study"
[over]
problem.temperature = [0.1, 0.2, -1.0]
problem.discount = { from = 0.5, to = 0.9, count = 2 }
[set]
cells.a = 16
record.snapshots = 2
"flow.until" = { time = 1.0 }
"""


def test_explain_shows_points_memory_and_time_and_runs_nothing(call: Call) -> None:
    status, out, err = call(*COMMAND, "--explain", "-o", "out", "--jobs", "2")
    assert (status, err) == (0, "")
    assert not Path("out").exists()
    assert "6 = problem.temperature 3 x problem.discount 2" in out
    assert "4 to be run" in out
    assert "problem.temperature -1.0, problem.discount 0.5: problem.temperature: must be greater than 0" in out
    assert "in 2 processes" in out
    assert "for the 4 points left" in out


@pytest.mark.slow
def test_a_sweep_its_study_file_and_its_figures(call: Call) -> None:
    Path("study.toml").write_text(STUDY, encoding="utf-8")
    status, out, err = call("sweep", "study.toml", "-o", "out")
    assert status == 1
    assert "4 complete, 2 failed" in out
    assert err.splitlines() == [
        f"wpoflow: problem.temperature -1.0, problem.discount {discount}: "
        "problem.temperature: must be greater than 0, not -1.0"
        for discount in (0.5, 0.9)
    ]
    found = wpo.open_study("out")
    assert found.title == "A small study"
    status, out, _ = call("sweep", "study.toml", "-o", "out", "--explain")
    assert (status, "4 there" in out) == (0, True)
    before = {path: path.read_bytes() for path in Path("out").glob("*.h5")}
    Path("out/study.nc").unlink()
    status, out, _ = call("sweep", "--collect", "out")
    assert (status, "4 complete, 2 failed" in out) == (1, True)
    assert differences(found, wpo.open_study("out"), but=()) == []
    assert call("sweep", "study.toml", "-o", "out", "--quiet")[:2] == (1, "")
    assert {path: path.read_bytes() for path in before} == before
    python = wpo.sweep("bandit", OVER, folder="python", **SMALL)
    assert [name for name in differences(python, found) if name != "title"] == []

    for kind in ([], ["--kind", "curves"], ["--kind", "map"], ["--quantity", "end_entropy"], ["--quantity", "entropy"]):
        status, out, err = call("plot", "out/study.nc", *kind, "-o", "figure.png", "--force")
        assert (status, err) == (0, "")
        assert Path("figure.png").read_bytes().startswith(b"\x89PNG")
    refused = [
        (["--quantity", "entropie"], "--quantity 'entropie' is not in the study; choose among"),
        (["--quantity", "gap", "--kind", "map"], "--quantity gap: is drawn as curves, not as map"),
        (["--kind", "decay"], "out/study.nc: a study has the kinds study, curves, map"),
        (["--state", "x=0"], "out/study.nc: a study has the kinds"),
    ]
    for arguments, says in refused:
        check_refusal(call, ["plot", "out/study.nc", *arguments, "-o", "other.png"], 2, says)
    run = str(next(Path("out").glob("*.h5")))
    check_refusal(call, ["plot", run, "--kind", "map", "-o", "other.png"], 2, "--kind map is of the study.nc")
    check_refusal(call, ["plot", run, "out/study.nc", "-o", "other.png"], 2, "a study is drawn alone")


@pytest.mark.slow
def test_points_short_of_the_gap_are_counted_and_where_all_are_the_status_is_one(call: Call) -> None:
    command = ["sweep", "bandit", "--cells", "a=16", "--flow", "fisher-rao", "--until", "gap=1e-3", "-o"]
    status, out, err = call(*command, "one", "--over", "until.time=1,200")
    assert (status, err) == (0, "")
    assert "2 complete; 1 short of what was asked for" in out
    status, out, err = call(*command, "all", "--over", "until.time=1,2")
    assert (status, "2 complete; 2 short of what was asked for" in out) == (1, True)
    assert err.startswith("wpoflow: no point reached what was asked for; the first: flow time 1 reached, the gap not")
    assert call("sweep", "--collect", "all", "--quiet")[0] == 1


@pytest.mark.slow
def test_shards_by_the_command_and_what_is_missing(call: Call) -> None:
    status, out, _ = call(*COMMAND, "-o", "out", "--shard", "1/2")
    assert (status, "when all are there: wpoflow sweep --collect out" in out) == (1, True)
    assert not Path("out/study.nc").exists()
    check_refusal(call, ["plot", "out/study.nc", "-o", "figure.png"], 3, "wpoflow sweep --collect out")
    assert call("sweep", "--collect", "out")[0] == 1
    part = wpo.open_study("out")
    assert part.counts == {"complete": 2, "failed": 2, "missing": 2}
    assert np.isnan(part["gap"][part.status == "missing"]).all()
    assert "written to out/study.nc" in call(*COMMAND, "-o", "out", "--shard", "2/2")[1]
    assert wpo.open_study("out").counts == {"complete": 4, "failed": 2}


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["lqr"], 2, "there is nothing to sweep over; give keys with lists"),
        ([], 2, "PROBLEM: give a gallery name, a problem file or a study file"),
        (["nowhere.toml"], 2, "nowhere.toml: No such file"),
        (["lqr", "--over", "problem.temprature=0.1,0.2"], 2, "--over problem.temprature: is not a known key"),
        (["lqr", "--over", "problem.temperature=0.1,,0.2"], 2, "--over problem.temperature: a value between commas"),
        (["lqr", "--over", "problem.temperature=[0.1"], 2, "'[0.1' is not a TOML value"),
        (["lqr", "--over", "problem.temperature"], 2, "--over problem.temperature: write NAME=VALUE"),
        (["lqr", "--zip", "cells.x=8,16", "--zip", "cells.u=8"], 2, "--zip cells.u: 1 values, and --zip cells.x"),
        (["lqr", "--over", "cells.x=8,16", "--cells", "x=8"], 2, "--over cells.x: is swept, and set to one value"),
        (["lqr", "--over", "cells.x=8,16", "--set", "problem.discont=0.5"], 2, "--set problem.discont: is not a known"),
        (["lqr", "--over", "cells.x=8,16", "--shard", "5/4"], 2, "--shard: 5/4: the first number is from 0 to 4"),
        (["lqr", "--over", "cells.x=8,16", "--engine", "slurm"], 2, "'slurm' is not one of 'processes', 'mpi'"),
        (["lqr", "--over", "cells.x=8,16", "--engine", "mpi", "--jobs", "2"], 2, "--jobs: the engine mpi has as many"),
        (["lqr", "--over", "cells.x=8,16", "--measure", "rate"], 2, "did you mean 'rates'?"),
        (["--collect"], 2, "--collect: name the folder of the study"),
        (["--collect", "-o", "nowhere"], 3, "nowhere: holds no study"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_anything_is_written(
    call: Call, arguments: list[str], status: int, says: str
) -> None:
    check_refusal(call, ["sweep", *arguments], status, says)


@pytest.mark.parametrize(
    ("module", "arguments", "says"),
    [
        ("mpi4py.futures", ["--engine", "mpi"], "the engine mpi needs mpi4py and an MPI library: pip install"),
        ("zarr", ["--zarr"], "--zarr needs zarr: pip install xarray zarr"),
    ],
)
def test_a_library_that_is_missing_is_named(
    call: Call, monkeypatch: pytest.MonkeyPatch, module: str, arguments: list[str], says: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    check_refusal(call, ["sweep", "lqr", "--over", "cells.x=8,16", *arguments], 4, says)


def test_zarr_if_asked_for(call: Call) -> None:
    pytest.importorskip("zarr")
    xarray = pytest.importorskip("xarray")
    for _ in range(2):
        assert call(*COMMAND, "-o", "out", "--zarr")[0] == 1
        with xarray.open_zarr("out/study.zarr", consolidated=False) as found:
            study = wpo.open_study("out")
            np.testing.assert_array_equal(found["gap"].values, study["gap"])
            assert found["status"].values.tolist() == study.status.tolist()
