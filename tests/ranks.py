"""Commands in several processes: MPI's launcher beside this Python, which is the one that mpi4py belongs to."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAUNCHER = Path(sys.executable).parent / "mpiexec"

needs_mpi = pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is None or not LAUNCHER.exists(),
    reason="needs mpi4py and its mpiexec",
)


def start(ranks: int, *arguments: str | Path, folder: Path = ROOT, threads: int = 1) -> subprocess.Popen[str]:
    """So many processes of this Python, of so many threads each, in a session of their own."""
    environment = {**os.environ, "NUMBA_NUM_THREADS": str(threads)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [LAUNCHER, "-n", str(ranks), sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def together(
    ranks: int, *arguments: str | Path, folder: Path = ROOT, seconds: float = 240.0, threads: int = 1
) -> tuple[int, str, str]:
    """Status, output and errors of so many processes, none of which outlives this."""
    process = start(ranks, *arguments, folder=folder, threads=threads)
    try:
        out, errors = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, out, errors
