"""The commands: what they print, what they leave, and how they end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.solver.test_checkpoint import begun_with
from tests.wpoflow.conftest import Call
from tests.wpoflow.runs import small_run
from wpoflow.problems.problem_file import parse_problem
from wpoflow.solver.flows.flow import flow_class
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.registry import FLOWS
from wpoflow.solver.storage.writer import open_run

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["lqr", "--cells", "x=12", "--cells", "u=12"]
NAVIGATION = ["navigation", *(part for axis in ("x", "y", "vx", "vy") for part in ("--cells", f"{axis}=4"))]


def test_a_run_leaves_a_file_and_a_summary(call: Call, tmp_path: Path) -> None:
    status, out, err = call("run", *SMALL, "--until", "time=0.5", "--until", "steps=1000")
    assert (status, err) == (0, "")
    run = open_run("lqr.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["lqr.h5"]
    assert run.series["time"][-1] == 0.5
    assert (run.states.shape, run.actions.shape) == ((12,), (12,))
    assert np.all(np.diff(run.series["gap"]) < 0.0)
    assert run.stop_reason in out
    assert "lqr.h5" in out
    stated = parse_problem(run.problem)
    assert stated.flow.until.criteria == {"time": 0.5, "steps": 1000}
    assert stated.tables.state["x"].cells == 12
    assert all(np.all(np.isfinite(run.series[name])) for name in SERIES)


def test_the_summary_of_info_is_that_of_the_run(call: Call) -> None:
    _, printed, _ = call("run", *SMALL, "--until", "0.1", "-o", "a.h5")
    status, out, _ = call("info", "a.h5")
    assert status == 0
    shared = [line for line in printed.splitlines() if line.startswith(("value", "gap", "steps", "stopped", "seconds"))]
    assert len(shared) == 6
    for line in shared:
        assert line in out


def test_info_as_json(call: Call) -> None:
    small_run(Path("made_up.h5"))
    status, out, _ = call("info", "made_up.h5", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["series"]["gap"] == {"first": 2.0, "last": 0.5}
    assert found["series"]["rate_observed"] == {"first": None, "last": None}
    assert found["attributes"]["stop_reason"] == "flow time 1 reached"
    assert found["attributes"]["packages"]["numpy"] == np.__version__
    assert found["axes"]["u"] == {"kind": "action", "cells": 4, "bounds": [0.0, 1.0], "boundary": "no-flux"}


def test_options_reach_the_flow(call: Call) -> None:
    options = ["--scheme", "euler", "--step", "0.125", "--set", "problem.temperature=0.5", "--until", "steps=4"]
    status, out, _ = call("run", *SMALL, *options, "--set", "record.series={ every = 0.25 }", "-o", "a.h5", "--quiet")
    run = open_run("a.h5")
    assert (status, out) == (0, "")
    assert run.attributes["temperature"] == 0.5
    assert run.attributes["scheme"] == "euler"
    np.testing.assert_allclose(run.series["time"], [0.0, 0.25, 0.5])


def test_a_run_short_of_its_goal(call: Call) -> None:
    status, _, err = call("run", *SMALL, "--until", "gap=1e-9", "--until", "steps=2")
    assert status == 1
    assert err.startswith("wpoflow: lqr (gallery): 2 steps taken")
    assert err.endswith(" above the 1e-09 asked for\n")
    assert open_run("lqr.h5").status == "complete"


def test_overwriting_is_refused_before_anything_is_computed(call: Call) -> None:
    Path("lqr.h5").write_text("precious")
    started = time.monotonic()
    status, _, err = call("run", "lqr")
    assert status == 2
    assert "lqr.h5 exists" in err
    assert Path("lqr.h5").read_text() == "precious"
    assert time.monotonic() - started < 2.0
    Path("lqr.h5").unlink()
    for force in ([], ["--force"]):
        assert call("run", *SMALL, "--until", "0.01", *force, "--quiet") == (0, "", "")


def test_check_runs_nothing(call: Call, tmp_path: Path) -> None:
    status, out, _ = call("check", *SMALL, "--until", "gap=1e-3")
    assert status == 0
    text, _, table = out.partition("\n# what a run would be\n")
    assert "\nbounds = [-4.0, 4.0]\n" in text
    assert parse_problem(text).tables.action["u"].cells == 12
    for part in ("12 states x 12 actions = 144 pairs", "Gaussian smoothing", "Bellman solver", "gap 0.001", "memory"):
        assert part in table
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_time_reached_with_the_gap_asked_for_still_open(call: Call) -> None:
    status, out, err = call("run", *SMALL, "--until", "time=0.1", "--until", "gap=1e-6")
    run = open_run("lqr.h5")
    left = f"{run.series['gap'][-1]:.3g} is above the 1e-06 asked for"
    said = f"flow time 0.1 reached, the gap not reached: {left}"
    assert (status, err) == (1, f"wpoflow: lqr (gallery): {said}\n")
    assert f"stopped         {said}\n" in out
    for shown in (out, call("info", "lqr.h5")[1]):
        assert said in shown
        assert "status          complete, goal not reached\n" in shown
    assert json.loads(call("info", "lqr.h5", "--json")[1])["attributes"]["reached_goal"] == 0
    status, out, err = call("resume", "lqr.h5")
    assert (status, err) == (1, "")
    assert said in out
    assert call("resume", "lqr.h5", "--until", "time=0.2", "--until", "gap=1e-6", "--quiet")[0] == 1
    assert call("resume", "lqr.h5", "--until", "time=90", "--until", "gap=1e-2", "--quiet")[0] == 0
    assert call("resume", "lqr.h5")[0] == 0
    run = open_run("lqr.h5")
    time, gap = (run.series[name][-1] for name in ("time", "gap"))
    assert repr(run) == f"Run('{run.title}', x 12 x u 12, complete, time {time:.6g}, gap {gap:.6g})"


def test_a_limit_met_is_told_beside_the_status(call: Call) -> None:
    _, out, _ = call("run", *SMALL, "--until", "time=9", "--until", "steps=2")
    assert "status          complete, goal not reached\n" in out
    assert "status          complete, goal not reached\n" in call("info", "lqr.h5")[1]


def test_without_arguments_there_is_help(call: Call) -> None:
    status, out, err = call()
    assert (status, err) == (0, "")
    assert out == call("--help")[1]
    assert len(out.splitlines()) > 20


def test_optimum_alone(call: Call) -> None:
    status, out, _ = call("optimum", *SMALL, "-o", "best.h5")
    run = open_run("best.h5")
    assert status == 0
    assert run.optimum is not None
    np.testing.assert_allclose(run.optimum.policy.sum(axis=1), 1.0, rtol=1e-13)
    assert f"{run.rho @ run.optimum.value:.10g}"[:8] in out
    assert len(run.series["gap"]) == 0
    assert call("info", "best.h5")[0] == 0
    assert call("info", "best.h5", "--json")[0] == 0
    assert call("optimum", *SMALL, "-o", "best.h5")[0] == 2


def test_no_line_of_the_help_is_cut(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in ("60", "80", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        status, out, _ = call("--help")
        assert (status, "..." in out.replace("[ARGS]...", "")) == (0, False)
        assert max(map(len, out.splitlines())) <= min(int(columns), 110)
        assert "or extend one that has ended." in " ".join(out.split())


def test_the_optimum_at_another_temperature_and_without_one(call: Call) -> None:
    status, out, _ = call("optimum", *SMALL, "--temperature", "0", "-o", "hard.h5")
    assert status == 0
    assert "0, the costs alone" in out
    told = call("info", "hard.h5")[1]
    assert re.search(r"temperature +0, the costs alone \(0\.2 in the problem\)", told), told
    assert "costs alone; values" in told
    assert "KL" not in told
    hard = open_run("hard.h5")
    assert hard.optimum is not None
    assert hard.optimum.temperature == 0.0
    assert hard.attributes["temperature"] != 0.0
    assert set(np.unique(hard.optimum.policy)) == {0.0, 1.0}
    values = []
    for temperature in ("1e-5", "0.05"):
        assert call("optimum", *SMALL, "--temperature", temperature, "-o", "soft.h5", "--force")[0] == 0
        run = open_run("soft.h5")
        assert run.optimum is not None
        assert run.optimum.temperature == run.attributes["temperature"] == float(temperature)
        assert f"temperature = {float(temperature)}" in run.problem
        values.append(run.optimum.value)
    assert np.all(values[1] > values[0])
    assert np.all(values[0] > hard.optimum.value)
    np.testing.assert_allclose(values[0], hard.optimum.value, rtol=1e-3)
    for wrong in ("-1", "nan", "inf", "cold"):
        status, out, err = call("optimum", *SMALL, "--temperature", wrong)
        assert (status, out) == (2, "")
        assert "--temperature" in err
        assert len(err.splitlines()) == 1


def test_the_gallery(call: Call) -> None:
    status, out, _ = call("gallery")
    names = [line.split()[0] for line in out.splitlines()]
    assert status == 0
    assert {"bandit", "lqr", "torus", "pendulum", "navigation"} <= set(names)
    for name in names:
        text = call("gallery", name)[1]
        assert parse_problem(text).title in out


def test_a_gallery_file_can_be_edited_and_run(call: Call) -> None:
    text = call("gallery", "lqr")[1]
    Path("mine.toml").write_text(text.replace("cells = 128", "cells = 10"))
    assert call("run", "mine.toml", "--until", "0.01", "--quiet") == (0, "", "")
    assert open_run("mine.h5").states.shape == (10,)


def test_check_and_the_run_file_name_the_scheme_that_is_chosen(call: Call) -> None:
    for arguments, scheme in (
        ([*SMALL], "multistep"),
        ([*SMALL, "--step", "0.1"], "extrapolated"),
        (["bandit", "--cells", "a=8"], "multistep"),
        (["bandit", "--cells", "a=8", "--scheme", "exponential"], "exponential"),
    ):
        status, out, _ = call("check", *arguments)
        assert status == 0
        assert ["time", "scheme", scheme] in [line.split() for line in out.splitlines()]
        status, out, _ = call("run", *arguments, "--until", "steps=2", "-o", "a.h5", "--force")
        assert f"wasserstein, {scheme}, " in out
        assert open_run("a.h5").attributes["scheme"] == scheme


@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_a_run_and_going_on(call: Call, tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "run.h5"
    command = [sys.executable, "-m", "wpoflow", "run", *SMALL, "--until", "time=1e6", "--step", "1e-3", "-o", str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if " gap " in line:  # a line of progress: steps are being taken
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("wpoflow: lqr (gallery): interrupted at flow time")
    assert err.endswith(f"; go on with: wpoflow resume {path}\n")
    assert len(err.splitlines()) == 1
    run = open_run(path)
    assert run.status == "interrupted"
    assert len(run.series["gap"]) > 1
    assert call("run", *SMALL, "-o", str(path))[0] == 2  # what can be gone on with is not overwritten unasked
    shutil.rmtree(tmp_path / "run.h5.checkpoint")
    status, _, err = call("resume", str(path))
    assert (status, err) == (3, f"wpoflow: {path}.checkpoint: there is no such folder: no checkpoints to go on from\n")


def test_resuming(call: Call, tmp_path: Path) -> None:
    assert call("run", *SMALL, "--quiet", "--until", "steps=30", "-o", "whole.h5")[0] == 0
    assert call("run", *SMALL, "--quiet", "--until", "time=9", "--until", "wall=1e-6")[0] == 1
    begun_with(tmp_path / "lqr.h5", source_hash="0" * 64)
    status, _, err = call("resume", "lqr.h5")
    assert status == 3
    assert "the sources of wpoflow have changed" in err
    assert "--anyway" in err
    status, out, err = call("resume", "lqr.h5", "--anyway")
    assert status == 1  # the limit on wall time counts anew, and is met again
    assert "going on from flow time" in out
    assert err.endswith("; go on with: wpoflow resume lqr.h5\n")
    status, out, err = call("resume", str(tmp_path / "whole.h5"))
    assert (status, err) == (0, "")
    assert "is complete: 30 steps taken" in out


def test_python_m_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wpoflow", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "wpoflow" in done.stdout


@pytest.mark.slow
def test_doctor_finds_this_installation_well(call: Call) -> None:
    status, out, _ = call("doctor")
    assert status == 0
    assert out.count(" ok") == 3 * (2 + len(FLOWS)) - sum(not flow_class(name).descends for name in FLOWS)
    assert "self-test passed" in out


def test_the_file_opens_with_h5py_alone(call: Call) -> None:
    call("run", *SMALL, "--until", "0.01", "--quiet")
    with h5py.File("lqr.h5") as file:
        assert file["snapshot/policy"].shape[1:] == (12, 12)
        assert file.attrs["status"] == "complete"
