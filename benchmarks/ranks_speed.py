"""How long a step takes one process, one rank and two ranks, interleaved: what ranks cost, and what they gain.

    python -m benchmarks.ranks_speed [--rounds 3] [--steps 8] [--scheme euler] [--cells AXIS=N ...]

One thread each, of navigation, 64² x 32² cells by default; wall-clock seconds of a step behind the first, the median of
the steps of each process and then of the rounds.  On a machine that does nothing else, or they say nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import wpoflow as wpo
from benchmarks.machine import load
from wpoflow.core.communicator import world
from wpoflow.solver.schemes.trajectory import flow

CELLS = {"x": 64, "y": 64, "vx": 32, "vy": 32}
LAUNCHER = Path(sys.executable).parent / "mpiexec"


def step_seconds(cells: dict[str, int], scheme: str, steps: int, shared: bool) -> float:
    """Of this process, a median over the steps behind the first."""
    mdp = wpo.load_problem("navigation", cells=cells, communicator=world() if shared else None)
    found, begun = [], time.perf_counter()
    for _ in islice(flow(mdp, scheme=scheme, step=0.02), steps + 2):
        now = time.perf_counter()
        found.append(now - begun)
        begun = now
    return statistics.median(found[2:])


def measured(ranks: int, options: list[str]) -> float:
    """Of so many ranks, none of which is a process without MPI: what the first says."""
    launched = [str(LAUNCHER), "-n", str(ranks)] if ranks else []
    command = [*launched, sys.executable, "-m", "benchmarks.ranks_speed", "--of", str(ranks), *options]
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return max(float(line) for line in done.stdout.split())


def main() -> None:
    """Print medians and ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--scheme", default="euler")
    parser.add_argument("--cells", action="append", default=[], metavar="AXIS=N")
    parser.add_argument("--of", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.of is not None:
        given = {name: int(number) for name, _, number in (entry.partition("=") for entry in asked.cells)}
        print(step_seconds({**CELLS, **given}, asked.scheme, asked.steps, asked.of > 0), flush=True)
        return
    options = ["--steps", str(asked.steps), "--scheme", asked.scheme]
    options += [part for entry in asked.cells for part in ("--cells", entry)]
    found: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for _ in range(asked.rounds):
        for ranks, seconds in found.items():
            seconds.append(measured(ranks, options))
    serial, one, two = (statistics.median(seconds) for seconds in found.values())
    print(f"seconds a step: one process {serial:.3f}, one rank {one:.3f}, two ranks {two:.3f}; load averages {load()}")
    print(f"one rank takes {one / serial:.3f} times as long as one process; two go {serial / two:.2f} times as fast")


if __name__ == "__main__":
    main()
