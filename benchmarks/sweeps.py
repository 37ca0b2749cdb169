"""What a point of a sweep costs over a bare `evolve` of the same problem.

    python -m benchmarks.sweeps [--points 12] [--repeat 3]

Rounds are interleaved: all points by `evolve` in memory, all by `evolve` that writes a run file, all by `sweep` in this
process, and once more by `sweep`, which then finds everything there.  Seconds are wall-clock and of the processor; of
the rounds the medians are shown, a point each.  The first round of all, which compiles, is left out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import load
from wpoflow.problems.load import load_problem
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.sweep import sweep

CASES: dict[str, dict[str, Any]] = {
    "bandit": {"cells": {"a": 64}, "until": {"time": 5.0}},
    "lqr": {"cells": {"x": 24, "u": 24}, "until": {"time": 2.0}},
}
SETTINGS = {"record.snapshots": 10}


def bare(problem: str, temperature: float, output: Path | None) -> None:
    """One point, as it is run without a sweep."""
    how = CASES[problem]
    mdp = load_problem(problem, cells=how["cells"], set={**SETTINGS, "problem.temperature": temperature})
    evolve(mdp, until=how["until"], snapshots=SETTINGS["record.snapshots"], output=output)


def measured(call: Callable[[], Any]) -> tuple[float, float]:
    """Wall-clock and processor seconds of a call."""
    begun, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - begun, time.process_time() - cpu


def rounds(problem: str, points: int, repeat: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of each way in each round, all points together."""
    temperatures = [float(value) for value in np.geomspace(0.1, 0.4, points)]
    found: dict[str, list[tuple[float, float]]] = {}
    for number in range(repeat + 1):
        folder = Path(tempfile.mkdtemp(prefix="sweeps-"))

        def swept(folder: Path = folder) -> None:
            sweep(
                problem, {"problem.temperature": temperatures}, folder=folder / "sweep", set=SETTINGS, **CASES[problem]
            )

        def each(output: Path | None) -> None:
            for k, temperature in enumerate(temperatures):
                bare(problem, temperature, None if output is None else output / f"{k}.h5")

        ways: dict[str, Callable[[], Any]] = {
            "evolve in memory": lambda: each(None),
            "evolve to a file": lambda folder=folder: each(folder),  # type: ignore[misc]
            "sweep": swept,
            "sweep, all there": swept,
        }
        for name, call in ways.items():
            seconds = measured(call)
            if number:
                found.setdefault(name, []).append(seconds)
        shutil.rmtree(folder)
    return found


def main() -> None:
    """Print, and write if asked to, the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=int, default=12)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    record: dict[str, Any] = {"load": load(), "points": options.points, "rounds": options.repeat}
    print(f"seconds a point, wall-clock and of the processor; load averages {load()}")
    for problem in CASES:
        found = rounds(problem, options.points, options.repeat)
        medians = {
            name: [statistics.median(part) / options.points for part in zip(*seconds, strict=True)]
            for name, seconds in found.items()
        }
        over = [
            statistics.median(a[k] - b[k] for a, b in zip(found["sweep"], found["evolve to a file"], strict=True))
            / options.points
            for k in (0, 1)
        ]
        record[problem] = {**medians, "sweep over evolve to a file": over}
        for name, (wall, cpu) in {**medians, "sweep over evolve to a file": over}.items():
            print(f"  {problem:8} {name:30} {wall:8.4f} {cpu:8.4f}")
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
