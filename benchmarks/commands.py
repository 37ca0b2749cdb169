"""Runs one ``wpoflow`` command in a process of its own and says what it took."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Taken:
    """What a command took: exit status, wall-clock seconds, peak resident memory in bytes, what it printed."""

    status: int
    seconds: float
    peak_bytes: int
    printed: str


def wpoflow(*arguments: str) -> Taken:
    """Run ``python -m wpoflow`` with the given arguments."""
    with tempfile.TemporaryFile("w+") as printed:
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "wpoflow", *arguments],
            stdout=printed,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).resolve().parents[1],
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
        printed.seek(0)
        # Linux counts in kilobytes, macOS in bytes
        unit = 1 if sys.platform == "darwin" else 1024
        return Taken(process.returncode, seconds, usage.ru_maxrss * unit, printed.read())
