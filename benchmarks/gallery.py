"""Every gallery problem at its default grid, and with a tenth of its pairs: seconds from command to run file.

    python -m benchmarks.gallery [NAME ...]

Kernels are compiled beforehand by ``wpoflow doctor``; each run is a process of its own, so starting
Python and loading kernels count.
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

from benchmarks.commands import wpoflow
from wpoflow.problems.gallery import gallery_names
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.storage.writer import open_run
from wpoflow.studies.refinement.problem_grids import refined_axes


def tenth(name: str) -> list[str]:
    """Options that leave about a tenth of the state-action pairs, all axes that can be coarsened alike."""
    axes = [axis for axis in refined_axes(read_problem(name)) if not axis.by_edges and not axis.fixed]
    options = []
    for axis in axes:
        options += ["--cells", f"{axis.name}={max(2, math.floor(axis.points * 0.1 ** (1.0 / len(axes))))}"]
    return options


def main(names: list[str]) -> None:
    """Print a row for each problem and size."""
    wpoflow("doctor")
    header = ("problem", "pairs", "seconds", "compile", "steps", "rejected", "gap at 0", "gap", "status")
    print("{:18s}{:>10s}{:>9s}{:>9s}{:>7s}{:>9s}{:>10s}{:>10s}  {}".format(*header))
    with tempfile.TemporaryDirectory() as folder:
        for name in names or gallery_names():
            for options in ([], tenth(name)):
                output = Path(folder) / "run.h5"
                taken = wpoflow("run", name, "-o", str(output), "--quiet", "--force", *options)
                if not output.exists():
                    print(f"{name:18s} exit {taken.status}: {taken.printed.strip()}")
                    continue
                run = open_run(output)
                at = run.attributes
                gap = run.series["gap"]
                pairs = run.states.size * run.actions.size
                print(
                    f"{name:18s}{pairs:10d}{taken.seconds:9.1f}{at['compile_seconds']:9.1f}"
                    f"{at['steps']:7d}{at['rejected_steps']:9d}{gap[0]:10.2e}{gap[-1]:10.2e}  {run.stop_reason}",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:])
