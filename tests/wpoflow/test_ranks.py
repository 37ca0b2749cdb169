"""``mpiexec -n R wpoflow run``: one file, one voice; failures, and going on with another number of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ranks import needs_mpi, start, together
from tests.same_run import differences
from tests.wpoflow.conftest import Call
from wpoflow.problems.gallery import gallery_text

pytestmark = needs_mpi
SIZES = ("--cells", "x=25", "--cells", "u=12")
RUN = ("-m", "wpoflow", "run", "lqr", *SIZES, "--until", "steps=150", "--quiet", "--checkpoint", "0", "-o", "run.h5")
RESUME = ("-m", "wpoflow", "resume", "run.h5", "--quiet", "--checkpoint", "0")


def ours(text: str) -> list[str]:
    """Lines that are not MPI's own."""
    return [line for line in text.splitlines() if line.startswith(("wpoflow:", "Traceback", "  File"))]


def stepping(folder: Path, process: subprocess.Popen[str], beyond: int = 0) -> None:
    """Wait until a checkpoint behind this number is there."""
    until = time.monotonic() + 120.0
    while time.monotonic() < until:
        numbers = [int(path.stem.partition("-")[2]) for path in folder.glob("run.h5.checkpoint/state-*.npz")]
        if max(numbers, default=0) > beyond:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("no step within two minutes")


def newest(folder: Path) -> int:
    return max(int(path.stem.partition("-")[2]) for path in folder.glob("run.h5.checkpoint/state-*.npz"))


def members(process: subprocess.Popen[str]) -> list[int]:
    """The processes of a command, by rank."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    family = {process.pid}
    for _ in range(3):
        family |= {int(row[0]) for row in rows if int(row[1]) in family}
    return sorted(int(row[0]) for row in rows if int(row[0]) in family and row[2].startswith(f"{sys.executable} "))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process, uninterrupted."""
    folder = tmp_path_factory.mktemp("whole")
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *RUN], cwd=folder, check=True, env=environment)
    return folder / "run.h5"


@pytest.mark.slow
def test_cut_short_and_gone_on_with(tmp_path: Path, whole: Path) -> None:
    """Killed on three, asked to stop on two, ended on one of three: the file of one process, and nothing beside it."""
    killed = start(3, *RUN, folder=tmp_path)
    stepping(tmp_path, killed)
    os.kill(members(killed)[-1], signal.SIGKILL)
    begun = time.monotonic()
    killed.communicate(timeout=60)
    assert time.monotonic() - begun < 10.0
    assert killed.returncode != 0

    before = newest(tmp_path)
    asked = start(2, *RESUME, folder=tmp_path)
    stepping(tmp_path, asked, before)
    os.kill(members(asked)[1], signal.SIGTERM)  # as batch systems do, to one of them
    _, errors = asked.communicate(timeout=60)
    assert asked.returncode == 130
    (line,) = ours(errors)
    assert "interrupted at flow time" in line
    assert "go on with: wpoflow resume run.h5" in line

    status, out, errors = together(3, *RESUME, folder=tmp_path)
    assert (status, out, ours(errors)) == (0, "", [])
    assert differences(tmp_path / "run.h5", whole) == []
    assert [path.name for path in tmp_path.iterdir()] == ["run.h5"]


@pytest.mark.slow
def test_one_process_goes_on_with_what_several_began(tmp_path: Path, whole: Path) -> None:
    """And several extend what one has ended."""
    process = start(2, *RUN, folder=tmp_path)
    stepping(tmp_path, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    subprocess.run([sys.executable, *RESUME], cwd=tmp_path, check=True)
    assert differences(tmp_path / "run.h5", whole) == []
    status, _, errors = together(2, *RESUME, "--until", "steps=152", folder=tmp_path)
    assert (status, ours(errors)) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [pytest.param((), id="soft"), pytest.param(("--temperature", "0"), id="hard")])
def test_the_optimum(tmp_path: Path, temperature: tuple[str, ...]) -> None:
    """Of three processes it is that of one, as is its file."""
    command = ("-m", "wpoflow", "optimum", "lqr", *SIZES, *temperature, "-o")
    subprocess.run([sys.executable, *command, "one.h5", "--quiet"], cwd=tmp_path, check=True)
    status, out, errors = together(3, *command, "all.h5", folder=tmp_path)
    assert (status, ours(errors)) == (0, [])
    assert out.count("Bellman residual") == 1
    assert differences(tmp_path / "one.h5", tmp_path / "all.h5") == []


@pytest.mark.slow
def test_an_error_of_all_is_said_once(tmp_path: Path) -> None:
    """With the status that one process would have."""
    status, out, errors = together(3, "-m", "wpoflow", "run", "lqr", *SIZES, "--scheme", "adams", folder=tmp_path)
    assert (status, out) == (2, "")
    (line,) = ours(errors)
    assert "scheme 'adams'" in line


def test_an_error_of_one_ends_all(tmp_path: Path) -> None:
    """A cell that only the last process sees: one line, that names it, and no process waits for it."""
    text = gallery_text("lqr").replace('running = "', 'running = "0*log(3.9 - x) + ')
    assert text != gallery_text("lqr")
    (tmp_path / "wrong.toml").write_text(text)
    begun = time.monotonic()
    status, _, errors = together(3, "-m", "wpoflow", "run", "./wrong.toml", *SIZES, "-o", "run.h5", folder=tmp_path)
    assert time.monotonic() - begun < 60.0
    assert status == 2
    (line,) = ours(errors)
    assert "cost is nan at x = 4" in line
    assert not list(tmp_path.glob("run.h5*"))


def test_an_output_that_is_there(tmp_path: Path) -> None:
    """What the first process alone sees, of the disk, ends all, too."""
    (tmp_path / "run.h5").write_text("not ours")
    status, _, errors = together(2, *RUN, folder=tmp_path)
    assert status == 2
    assert len(ours(errors)) == 1
    assert (tmp_path / "run.h5").read_text() == "not ours"


def test_a_command_for_one_process(tmp_path: Path) -> None:
    """Several that would do the same, and write the same files, are refused in one line."""
    status, out, errors = together(3, "-m", "wpoflow", "refine", "lqr", folder=tmp_path)
    assert (status, out) == (2, "")
    (line,) = ours(errors)
    assert "refine is for one process, and 3 were started together" in line


@pytest.mark.slow
def test_from_another_run(tmp_path: Path, call: Call) -> None:
    """The policy that a run of several processes begins from, carried over to other grids, is that of one."""
    steps = ("--until", "steps=5", "--quiet")
    assert call("run", "lqr", *SIZES, *steps, "-o", "first.h5")[0] == 0
    command = ("run", "lqr", *SIZES[:-1], "u=10", *steps, "--from", "first.h5", "-o")
    assert call(*command, "one.h5")[0] == 0
    status, _, errors = together(2, "-m", "wpoflow", *command, "all.h5", folder=tmp_path)
    assert (status, ours(errors)) == (0, [])
    assert differences(tmp_path / "one.h5", tmp_path / "all.h5") == []
