"""Problem L: one step on large grids, in nanoseconds and bytes per pair.  There is no peer: bounds are absolute.

Each measurement is a process of its own (``benchmarks.one_step``), so that its peak of memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.one_step import STEP_PARTS
from wpoflow.solver.registry import AUTOMATIC

ALLOWANCE = 400e6  # bytes whatever the size: the interpreter, its libraries, compiled kernels
ROOT = Path(__file__).resolve().parents[1]


def one_step(problem: str, *options: object) -> dict[str, Any]:
    """What ``python -m benchmarks.one_step`` measured.

    Raises
    ------
    RuntimeError
        It failed; carries what it said.
    """
    command = [sys.executable, "-m", "benchmarks.one_step", problem, *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{problem}: {done.stderr.strip().splitlines()[-1:]}")
    record: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return record


def nanoseconds(record: dict[str, Any], clock: str = "cpu") -> dict[str, float]:
    """Nanoseconds per pair of every part, and of a descent step without its Bellman solve."""
    found = {name: 1e9 * seconds / record["pairs"] for name, seconds in record[clock].items()}
    if all(part in found for part in STEP_PARTS):
        found["step without bellman"] = sum(found[part] for part in STEP_PARTS)
    return found


def doubles_per_pair(record: dict[str, Any]) -> float:
    """Memory at the peak beyond the allowance, in doubles per pair."""
    return float((record["peak_bytes"] - ALLOWANCE) / 8.0 / record["pairs"])


def large_problem(repeat: int, scheme: str | None = None) -> dict[str, Any]:
    """Problem L on one thread: parts of a descent step, and steps of the time scheme.

    The cart-pole's Bellman equation is solved to 1e-4 only, once, and no scheme is run: its matrix-free rows have no
    preconditioner yet, and a solve to rounding takes minutes.
    """
    found: dict[str, Any] = {}
    for problem, options in (("navigation", ()), ("cart_pole", ("--tolerance", 1e-4))):
        step = one_step(problem, "--repeat", 1 if options else repeat, *options)
        records = {"descent step": step}
        if not options:
            records["time scheme"] = one_step(problem, "--scheme", scheme or AUTOMATIC)
        size = f"{step['states']} × {step['cells']}"
        numbers = {name: number for record in records.values() for name, number in nanoseconds(record).items()}
        print(f"\nL, {problem}, {size}: ns per pair, one thread, Bellman by {step['solver']}")
        for name, number in numbers.items():
            print(f"  {name:24s}{number:10.2f}")
        doubles = {name: doubles_per_pair(record) for name, record in records.items()}
        for name, number in doubles.items():
            print(f"  {name}: {number:.1f} doubles per pair beyond 400 MB")
        found[problem] = {"records": records, "nanoseconds": numbers, "doubles_per_pair": doubles}
    return found
