"""``wpoflow truth`` and ``wpoflow optimum --corrected``, through the front door."""

from __future__ import annotations

import csv
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import wpoflow
from tests.wpoflow.conftest import Call, check_refusal

SMALL = ["--cells", "x=16", "--cells", "u=12"]
MASSES = str(Path(__file__).resolve().parents[2] / "docs" / "problems" / "lqr_2_1.toml")
FOUR = [entry for axis in ("q1", "q2", "v1", "v2") for entry in ("--cells", f"{axis}=7")] + ["--cells", "u=7"]


def test_what_is_written_is_what_python_finds(call: Call) -> None:
    Path("points.csv").write_text("x\n0.5\n-1.25\n")
    status, out, err = call("truth", "lqr", *SMALL, "--states", "points.csv", "-o", "truth.csv")
    assert (status, err) == (0, "")
    found = wpoflow.truth("lqr", [[0.5], [-1.25]], cells={"x": 16, "u": 12})
    with Path("truth.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["value"]) for row in rows] == found.value.tolist()
    assert [float(row["value_band"]) for row in rows] == found.value_band.tolist()
    assert f"{found.value.mean():.6g} in the mean" in out
    assert "by a coarser grid (x, u)" in out
    assert call("truth", "lqr", *SMALL, "--sample", "2", "-o", "truth.csv", "--force", "--quiet") == (0, "", "")


def test_bad_input_is_one_line_and_nothing_is_lost(call: Call) -> None:
    Path("points.csv").write_text("x\n0.5\n9\n")
    Path("others.csv").write_text("y\n0.5\n")
    lines = {
        (): "give either --states POINTS.csv or --sample N",
        ("--sample", "2", "--states", "points.csv"): "give either --states POINTS.csv or --sample N",
        ("--states", "points.csv"): "points.csv, line 3: x = 9 does not lie in the box: in [-4, 4]",
        ("--states", "others.csv"): "others.csv: no column 'x'; its columns must be the state axes x",
        ("--sample", "2", "-o", "truth.txt"): "written as one of .csv, .parquet, .nc",
        ("--sample", "2", "-o", "points.csv", "--force"): "never replaced",
        ("--sample", "2", "-o", "missing/truth.csv"): "there is no folder missing",
        ("--sample", "2", "--cells", "x=5", "--cells", "u=5"): "no axis has 7 cells or more",
    }
    for arguments, says in lines.items():
        check_refusal(call, ["truth", "lqr", *arguments], 2, says)
    if importlib.util.find_spec("pyarrow") is None:
        check_refusal(call, ["truth", "lqr", "--sample", "2", "-o", "t.parquet"], 2, 'pip install "wpoflow[parquet]"')
    ending = ["--set", 'cost.terminal_set="x > 3.5"']
    check_refusal(call, ["truth", "lqr", *SMALL, *ending, "--sample", "2"], 2, "corrected values are of next states")


def test_parquet_holds_the_columns_and_what_they_are_of(call: Call) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert call("truth", "lqr", *SMALL, "--sample", "3", "-o", "truth.parquet", "--quiet") == (0, "", "")
    table = parquet.read_table("truth.parquet")
    found = wpoflow.truth("lqr", sample=3, cells={"x": 16, "u": 12})
    assert table["value"].to_pylist() == found.value.tolist()
    assert b"coarser grid" in table.schema.metadata[b"band"]
    assert call("truth", "lqr", *SMALL, "--sample", "3", "-o", "truth.parquet", "--quiet", "--force") == (0, "", "")


def test_the_corrected_value_stands_beside_the_certified_one(call: Call) -> None:
    status, plain, err = call("optimum", "pendulum", "--cells", "theta=25", "--cells", "speed=25")
    assert (status, err) == (0, "")
    assert "corrected" not in plain
    assert "grid error" not in plain
    status, out, err = call("optimum", "pendulum", "--cells", "theta=25", "--cells", "speed=25", "--corrected")
    assert (status, err) == (0, "")
    mdp = wpoflow.load_problem("pendulum", cells={"theta": 25, "speed": 25})
    best, found = wpoflow.solve_optimum(mdp, nested=False), wpoflow.corrected_value(mdp)
    told = {name.strip(): float(x) for name, x in re.findall(r"^((?:corrected )?value) +(\S+)", out, re.MULTILINE)}
    assert told["value"] == pytest.approx(mdp.rho @ best.value, rel=1e-11)
    assert told["corrected value"] == pytest.approx(mdp.rho @ found.value, rel=1e-5)
    assert "no certificate" in out
    for other in (["--temperature", "0"], ["--flow", "gaussian"]):
        check_refusal(call, ["optimum", "lqr", *SMALL, "--corrected", *other], 2, "--corrected: cannot be asked for")


def test_a_value_of_four_axes_is_printed_with_its_band(call: Call) -> None:
    status, out, err = call("optimum", MASSES, *FOUR)
    assert (status, err) == (0, "")
    (line,) = [line for line in out.splitlines() if line.startswith("grid error")]
    told = float(line.split("about ")[1].split(" ")[0])
    cells = {**dict.fromkeys(("q1", "q2", "v1", "v2"), 7), "u": 7}
    fine = wpoflow.load_problem(MASSES, cells=cells)
    off = wpoflow.solve_optimum(fine).value - wpoflow.corrected_value(fine).value
    assert told > 0.3 * np.abs(fine.rho @ off)
