"""What commands refuse, and how they end where something is wrong: with them, their files, disk or readers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wpoflow.conftest import Call, check_refusal
from tests.wpoflow.test_commands import NAVIGATION, ROOT, SMALL

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


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["frobnicate"], 2, "choose among gallery, keys, check, run"),
        (["run"], 2, "PROBLEM"),
        (["run", "nosuch"], 2, "choose among acrobot"),
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
            "'runge-kutta', 'extrapolated' or 'euler'",
        ),
        (["run", "lqr", "--set", "problem.temprature=1"], 2, "--set problem.temprature: is not a known key"),
        (["run", "lqr", "--set", "cost.running=x**2 +"], 2, "cost.running"),
        (["run", "lqr", "-o", "absent/run.h5"], 2, "no folder absent"),
        (
            ["run", "navigation", "--cells", "x=4000", "--cells", "y=4000", "--quiet"],
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


def test_all_faults_of_a_file_are_told_at_once(call: Call) -> None:
    status, _, err = call("run", "lqr", "--set", "problem.discount=2", "--set", "problem.temperature=-1")
    assert status == 2
    assert len(err.splitlines()) == 2


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (ZeroDivisionError("a bug"), 70, "internal error: ZeroDivisionError: a bug (test_command_errors.py:"),
        (ValueError("shapes (3,) (4,)"), 70, "internal error: ValueError: shapes (3,) (4,) (test_command_errors.py:"),
        (MemoryError("Unable to allocate 3 TiB"), 4, "out of memory: lqr: Unable to allocate 3 TiB\n"),
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


@pytest.mark.slow
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
