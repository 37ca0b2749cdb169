"""The commands: what they print, what they leave, and how they end."""

from __future__ import annotations

import json
import os
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
from tests.wpoflow.conftest import Call, check_refusal
from tests.wpoflow.runs import small_run
from wpoflow.problems.problem_file import parse_problem
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


NAN = ["--set", 'cost.running="log(x)"']
TWO_OUTCOMES = ["--set", "dynamics={}", "--set", "noise={}", "--set", 'outcome=[{probability="0.9", dynamics={x="x"}}]']


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (NAN, 2, "lqr (gallery): cost is nan at x = -4"),
        (TWO_OUTCOMES, 2, "the sum of the probabilities of the outcomes (it must be 1) is 0.9 at x = -4, u = -3.66667"),
        (["--threads", "1000"], 2, "--threads 1000"),
    ],
    ids=["cost", "outcomes", "threads"],
)
def test_what_fails_fails_before_anything_is_printed(
    call: Call, command: str, options: list[str], status: int, says: str
) -> None:
    check_refusal(call, [command, *SMALL, *options], status, says)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--until", "gap=1e-40"], "--until gap=1e-40: lies below this problem's rounding floor, which is at least"),
        (["--set", "flow.until.gap=1e-40"], "lqr (gallery): flow.until.gap = 1e-40: lies below"),
    ],
)
def test_check_knows_what_the_floor_cannot_lie_below(call: Call, options: list[str], says: str) -> None:
    check_refusal(call, ["check", *SMALL, *options], 2, says)


def test_a_gap_below_the_floor_of_the_optimum_blames_the_option(call: Call) -> None:
    """A gap that only the optimum shows to be out of reach."""
    status, _, err = call("run", *SMALL, "--until", "gap=1e-27", "--quiet")
    assert (status, list(Path().iterdir())) == (2, [])
    assert err.startswith("wpoflow: --until: gap = 1e-27 lies below this problem's rounding floor")
    status, _, err = call("run", *SMALL, "--set", "flow.until={ gap = 1e-27 }", "--quiet")
    assert err.startswith("wpoflow: lqr (gallery): until: gap = 1e-27 lies below")


def test_without_arguments_there_is_help(call: Call) -> None:
    status, out, err = call()
    assert (status, err) == (0, "")
    assert out == call("--help")[1]
    assert len(out.splitlines()) > 20


@pytest.mark.skipif(os.name != "posix", reason="pipes are made the POSIX way")
@pytest.mark.parametrize("command", ["run", "optimum"])
def test_only_a_regular_file_is_replaced(call: Call, command: str) -> None:
    os.mkfifo("pipe")
    says = "wpoflow: pipe exists and is not a regular file; choose another name\n"
    check_refusal(call, [command, *SMALL, "-o", "pipe", "--force"], 2, says)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder in which nobody can make files")
def test_a_folder_that_takes_no_files(call: Call) -> None:
    status, out, err = call("run", *SMALL, "-o", "/proc/run.h5")
    assert (status, out) == (4, "")
    assert err.startswith("wpoflow: /proc/run.h5: no file can be made in the folder /proc: ")
    assert len(err.splitlines()) == 1


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


def test_the_optimum_at_another_temperature_and_without_one(call: Call) -> None:
    status, out, _ = call("optimum", *SMALL, "--temperature", "0", "-o", "hard.h5")
    assert status == 0
    assert "0, the costs alone" in out
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


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["frobnicate"], 2, "choose among gallery, keys, check, run"),
        (["run"], 2, "PROBLEM"),
        (["run", "nosuch"], 2, "choose among bandit"),
        (["run", "absent.toml"], 2, "absent.toml: No such file"),
        (["run", "lqr", "--frob"], 2, "--frob"),
        (["run", "lqr", "--cells", "x"], 2, "--cells x: write NAME=VALUE"),
        (["run", "lqr", "--cells", "x=0"], 2, "positive whole number"),
        (["run", "lqr", "--cells", "z=3"], 2, "axes are x, u"),
        (["run", "lqr", "--cells", "x=3", "--cells", "x=4"], 2, "given twice"),
        (["run", "lqr", "--until", "soon"], 2, "--until soon: write a flow time"),
        (["run", "lqr", "--until", "mass=1"], 2, "choose among time, gap, steps, wall"),
        (["run", "lqr", "--until", "steps=1.5"], 2, "not a whole number"),
        (["run", "lqr", "--until", "time=-1"], 2, "positive and finite"),
        (["run", "lqr", "--until", "gap=nan"], 2, "positive and finite"),
        (["run", "lqr", "--step", "0.1", "--accuracy", "1e-3"], 2, "not both"),
        (["run", "lqr", "--step", "-1"], 2, "wpoflow: --step: must be greater than 0, not -1.0"),
        (
            ["run", "lqr", "--scheme", "rk4"],
            2,
            "--scheme: 'rk4' is not a choice; choose 'automatic', 'multistep', 'adams', 'exponential', "
            "'extrapolated' or 'euler'",
        ),
        (["run", "lqr", "--set", "problem.temprature=1"], 2, "--set problem.temprature: is not a known key"),
        (["run", "lqr", "--set", "cost.running=x**2 +"], 2, "cost.running"),
        (["run", "lqr", "-o", "absent/run.h5"], 4, "no folder absent"),
        (
            ["run", "navigation", "--cells", "x=4000", "--cells", "y=4000"],
            4,
            " GB are available; lower the cells",
        ),
        (["info", "absent.h5"], 3, "absent.h5: No such file"),
        (["info", "."], 3, "directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_are_one_line(call: Call, arguments: list[str], status: int, says: str) -> None:
    check_refusal(call, arguments, status, says)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", *NAVIGATION, "--scheme", "multistep"], "--scheme 'multistep' is for one action axis; choose extrap"),
        (["run", *SMALL, "--scheme", "multistep", "--step", "0.1"], "--scheme 'multistep' chooses its own steps"),
        (["run", *SMALL, "--set", "flow.scheme='exponential'"], "lqr (gallery): flow.scheme 'exponential' is for next"),
    ],
)
def test_a_scheme_that_does_not_apply_is_refused_where_it_was_asked_for(
    call: Call, arguments: list[str], says: str
) -> None:
    check_refusal(call, arguments, 2, f"wpoflow: {says}")


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


def test_all_faults_of_a_file_are_told_at_once(call: Call) -> None:
    status, _, err = call("run", "lqr", "--set", "problem.discount=2", "--set", "problem.temperature=-1")
    assert status == 2
    assert len(err.splitlines()) == 2


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (ZeroDivisionError("a bug"), 70, "internal error: ZeroDivisionError: a bug (test_commands.py:"),
        (ValueError("shapes (3,) (4,)"), 70, "internal error: ValueError: shapes (3,) (4,) (test_commands.py:"),
        (MemoryError("Unable to allocate 3 TiB"), 4, "out of memory: Unable to allocate 3 TiB\n"),
    ],
)
def test_a_fault_inside_the_solver(
    call: Call, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, says: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("wpoflow.solver.runs.conduct.iterate_flow", broken)
    check_refusal(call, ["run", *SMALL, "--quiet"], status, f"wpoflow: {says}")
    for arguments in (["run", "--debug", *SMALL], ["--debug", "run", *SMALL]):
        assert status == 4 or "Traceback" in call(*arguments)[2]


@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
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


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where the cache's folder should be stands for a home that cannot be written, even by the superuser."""
    (tmp_path / "home").write_text("not a folder")
    code = (
        "from wpoflow.core import compile; import numpy as np;"
        "assert not compile.cache_usable();"
        "from wpoflow.solver.arithmetic.sums import row_least; print(row_least(np.array([2.0, 1.0])))"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path / "home")}
    before = set(ROOT.rglob("*.nbi"))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1.0\n", "")
    assert set(ROOT.rglob("*.nbi")) == before  # nor beside the sources, where it would go stale


@pytest.mark.skipif(os.name != "posix", reason="limits are set the POSIX way")
def test_a_full_disk(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000));"
        "from wpoflow.cli import main; main(sys.argv[1:])"
    )
    arguments = ["run", "lqr", "--cells", "x=64", "--cells", "u=64", "--until", "0.01", "-o", str(tmp_path / "run.h5")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert done.stderr.startswith("wpoflow: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run.h5").exists()


def test_readers_of_standard_output_may_leave(tmp_path: Path) -> None:
    command = f"{sys.executable} -m wpoflow gallery torus | head -c 1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_python_m_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wpoflow", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "wpoflow" in done.stdout


def test_doctor_finds_this_installation_well(call: Call) -> None:
    status, out, _ = call("doctor")
    assert status == 0
    assert out.count(" ok") == 3 * (2 + len(FLOWS))
    assert "self-test passed" in out


def test_the_file_opens_with_h5py_alone(call: Call) -> None:
    call("run", *SMALL, "--until", "0.01", "--quiet")
    with h5py.File("lqr.h5") as file:
        assert file["snapshot/policy"].shape[1:] == (12, 12)
        assert file.attrs["status"] == "complete"
