"""Environment variables that spoil a run are named, and those that need not spoil one do not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wpoflow.runs import small_run

ROOT = Path(__file__).resolve().parents[2]


def called(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command under environment variables."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, "-m", "wpoflow", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NUMBA_THREADING_LAYER", "nonesuch"),
        ("NUMBA_NUM_THREADS", "0"),
        ("NUMBA_NUM_THREADS", "-3"),
        ("NUMBA_NUM_THREADS", "many"),
        ("NUMBA_NUM_THREADS", ""),
        ("NUMBA_NUM_THREADS", "100000"),
        ("NUMBA_OPT", "fast"),
    ],
)
@pytest.mark.parametrize("command", [["run", "bandit", "-o", "out.h5"], ["check", "lqr"]], ids=lambda words: words[0])
def test_a_variable_that_spoils_all_is_named(tmp_path: Path, command: list[str], variable: str, value: str) -> None:
    done = called(tmp_path, *command, **{variable: value})
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"wpoflow: {variable}={value}: ")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_too_many_threads_are_refused(tmp_path: Path) -> None:
    done = called(tmp_path, "run", "bandit", "--threads", "100000")
    assert done.returncode == 2
    assert "--threads" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("variable", "value"), [("MPLBACKEND", "nonesuch"), ("MPLBACKEND", "qtagg")])
def test_what_a_command_has_no_need_of_does_not_end_it(tmp_path: Path, variable: str, value: str) -> None:
    small_run(tmp_path / "run.h5")
    done = called(tmp_path, "plot", "run.h5", "--kind", "decay", "-o", "f.png", **{variable: value})
    assert (done.returncode, done.stdout) == (0, "written to f.png\n"), done.stderr
    assert called(tmp_path, "info", "run.h5", NUMBA_NUM_THREADS="0").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(("variable", "value"), [("HDF5_USE_FILE_LOCKING", "perhaps"), ("OMP_NUM_THREADS", "many")])
def test_a_variable_of_other_libraries_changes_nothing(tmp_path: Path, variable: str, value: str) -> None:
    done = called(tmp_path, "run", "bandit", "--cells", "a=16", "-o", "out.h5", "--quiet", **{variable: value})
    assert (done.returncode, done.stdout) == (0, "")
