"""Several processes that are killed, starved or not listened to: all end, with one line, and can be gone on with."""

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
from tests.wpoflow.test_ranks import RESUME, RUN, SIZES, members, newest, ours, stepping

pytestmark = [needs_mpi, pytest.mark.slow]
SECONDS = 10.0  # in which all have ended, whatever happened to one
LIMITED = """
import os, resource, runpy, signal, sys
from mpi4py import MPI  # begins: what processes of a machine share is in files, too
if MPI.COMM_WORLD.rank == 0:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), -1))
sys.argv[1:] = sys.argv[2:]
runpy.run_module("wpoflow", run_name="__main__", alter_sys=True)
"""
THREADED = """
import sys
import wpoflow as wpo
from wpoflow.core import compile as door
from wpoflow.core.communicator import world

problem, output, least = sys.argv[1:]
door.LEAST_THREADED = int(least)
ranks = world()
mdp = wpo.load_problem(problem, cells={"x": 14} if problem == "lqr" else {}, communicator=ranks)
wpo.evolve(mdp, until={"steps": 3}, snapshots=2, output=output)
if ranks.rank == 0:
    print(ranks.size, door.threaded_here())
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process, uninterrupted."""
    folder = tmp_path_factory.mktemp("whole")
    subprocess.run([sys.executable, *RUN], cwd=folder, check=True, env={**os.environ, "NUMBA_NUM_THREADS": "1"})
    return folder / "run.h5"


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Output and errors of processes that end by themselves in time."""
    begun = time.monotonic()
    found = process.communicate(timeout=60)
    assert time.monotonic() - begun < SECONDS
    return found


def gone_on_with(folder: Path, whole: Path, ranks: int) -> None:
    """So many processes end the run with the file of one, and leave nothing beside it."""
    status, _, errors = together(ranks, *RESUME, folder=folder)
    assert (status, ours(errors)) == (0, [])
    assert differences(folder / "run.h5", whole) == []
    assert [path.name for path in folder.iterdir()] == ["run.h5"]


def test_the_writer_is_killed_while_it_writes_a_checkpoint(tmp_path: Path, whole: Path) -> None:
    """What was being written is not taken for a state."""
    killed = start(3, *RUN, folder=tmp_path)
    stepping(tmp_path, killed, 3)
    root, before = members(killed)[0], newest(tmp_path)
    until = time.monotonic() + 30.0
    while not any(tmp_path.glob("run.h5.checkpoint/state-*.part")) and time.monotonic() < until:
        pass
    os.kill(root, signal.SIGKILL)
    ended(killed)
    assert killed.returncode != 0
    assert newest(tmp_path) >= before
    gone_on_with(tmp_path, whole, 2)


def test_the_launcher_is_asked_to_end(tmp_path: Path, whole: Path) -> None:
    """As a batch system does that has no other hold of a job."""
    asked = start(2, *RUN, folder=tmp_path)
    stepping(tmp_path, asked)
    ranks = members(asked)
    assert len(ranks) == 2
    asked.send_signal(signal.SIGTERM)
    ended(asked)
    assert asked.returncode != 0
    until = time.monotonic() + SECONDS
    while any(Path(f"/proc/{rank}").exists() for rank in ranks) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{rank}").exists() for rank in ranks)
    gone_on_with(tmp_path, whole, 3)


@pytest.mark.parametrize("limit", [700_000, 30_000], ids=["rows", "beginning"])
def test_the_writer_has_no_room(tmp_path: Path, whole: Path, limit: int) -> None:
    """It alone finds out, all end, and one line says why; what was kept before can be gone on with."""
    script = tmp_path / "limited.py"
    script.write_text(LIMITED)
    begun = time.monotonic()
    status, _, errors = together(2, script, str(limit), *RUN[2:], folder=tmp_path)
    assert time.monotonic() - begun < 60.0
    assert status not in (0, 130)
    (line,) = ours(errors)
    assert "File too large" in line
    script.unlink()
    if limit > 100_000:
        gone_on_with(tmp_path, whole, 2)
    else:
        assert not (tmp_path / "run.h5").exists()


def test_nobody_listens(tmp_path: Path, whole: Path) -> None:
    """Whoever reads the output has gone: all end without a word, and the same command or `resume` makes the file."""
    command = [part for part in RUN if part != "--quiet"]
    process = start(2, *command, folder=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=120)
    assert ours(errors) == []
    if not (tmp_path / "run.h5").exists() and not (tmp_path / "run.h5.checkpoint").exists():
        assert together(2, *RUN, folder=tmp_path)[0] == 0  # the launcher ended them with the first line of output
    if not (tmp_path / "run.h5").exists():
        gone_on_with(tmp_path, whole, 2)
    assert differences(tmp_path / "run.h5", whole) == []


@pytest.mark.parametrize("problem", ["lqr", "double_integrator"])
def test_threads_of_several_processes(tmp_path: Path, problem: str) -> None:
    """Two threads in each of two processes, for arrays of any size: the bits of one thread in one process."""
    script = tmp_path / "threaded.py"
    script.write_text(THREADED)
    one, all_ = tmp_path / "one.h5", tmp_path / "all.h5"
    assert together(1, script, problem, one, str(1 << 17), folder=tmp_path)[1].split() == ["1", "False"]
    status, out, errors = together(2, script, problem, all_, "1", folder=tmp_path, threads=2)
    assert status == 0, errors
    assert out.split() == ["2", "True"]
    assert differences(one, all_) == []


def test_what_several_have_left_is_a_run_like_any_other(tmp_path: Path) -> None:
    """Refined and validated by one process, from its file alone, with the same verdicts as that of one."""
    command = ("-m", "wpoflow", "run", "lqr", *SIZES, "--until", "time=2", "--quiet", "-o")
    subprocess.run([sys.executable, *command, "one.h5"], cwd=tmp_path, check=True)
    assert together(2, *command, "all.h5", folder=tmp_path)[0] == 0
    said = []
    for name in ("one.h5", "all.h5"):
        found = [
            subprocess.run([sys.executable, "-m", "wpoflow", *how], cwd=tmp_path, capture_output=True, text=True)
            for how in (("validate", name, "--quiet"), ("refine", name, "--levels", "2", "--quiet"))
        ]
        said.append([(one.returncode, one.stdout.replace(name, "")) for one in found])
        assert found[0].returncode == 0, found[0].stderr
    assert said[0][0] == said[1][0]
    assert said[0][1][0] == said[1][1][0]
