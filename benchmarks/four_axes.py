"""The optimum on four state axes: CPU microseconds and doubles of memory for each pair of state and action.

    python -m benchmarks.four_axes [MILLIONS ...] [--residual 1e-6] [--actions 9] [--temperature 1e-3]

Cart-pole swing-up (`benchmarks.problem_cartpole`) on graded axes, 0.84, 2.23, 4.04 and 10 million pairs, each in a
process of its own with one thread.  *Build*: the table of next states and costs, by a callable.  *Optimum*: one call of
``solve_optimum``, kernels compiled before.  *Peak*: most resident memory of the process until then, with the problem's
own arrays; in doubles a pair with and without what the process had before it built the problem.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import load
from benchmarks.problem_cartpole import ACTIONS, SIZES, TEMPERATURE, cartpole

SMALL = (5, 9, 5, 7)


def peak_bytes() -> int:
    """Most resident memory this process has had."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measured(size: str, residual: float, actions: int, temperature: float) -> dict[str, Any]:
    """Measure one size in this process."""
    import wpoflow.grids.transitions.interpolated as interpolated
    from wpoflow.solver.bellman.optimum import solve_optimum

    limits = {name: getattr(interpolated, name) for name in ("MOST_ENTRIES", "ENTRIES_PER_PAIR")}
    for share in (0, 1):  # kernels for pairs, and for rows
        for name, limit in limits.items():
            setattr(interpolated, name, share * limit)
        solve_optimum(cartpole(SMALL, actions, temperature), residual=residual)
    before, started = peak_bytes(), time.process_time()
    mdp = cartpole(SIZES[size], actions, temperature)
    built, pairs = time.process_time(), mdp.cost.size
    best = solve_optimum(mdp, residual=residual)
    done, peak = time.process_time(), peak_bytes()
    return {
        "pairs": pairs,
        "build_seconds": built - started,
        "seconds": done - built,
        "microseconds_a_pair": 1e6 * (done - built) / pairs,
        "peak_bytes": peak,
        "doubles_a_pair": peak / 8 / pairs,
        "own_doubles_a_pair": (peak - before) / 8 / pairs,
        "iterations": best.iterations,
        "residual": best.bellman_residual,
        "value": float(best.value @ mdp.rho),
        "operator": type(mdp.transition.under(best.policy)).__name__,
    }


def main(arguments: list[str] | None = None) -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.four_axes", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sizes", nargs="*", metavar="MILLIONS", help=f"{', '.join(SIZES)}; all by default")
    parser.add_argument("--residual", type=float, default=1e-6, help="of the soft Bellman equation (1e-6)")
    parser.add_argument("--actions", type=int, default=ACTIONS, help=f"number of action cells ({ACTIONS})")
    parser.add_argument("--temperature", type=float, default=TEMPERATURE, help=f"({TEMPERATURE:g})")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.sizes) - set(SIZES))
    if unknown:
        parser.error(f"{', '.join(unknown)} million pairs; choose from {', '.join(SIZES)}")
    if given.here:
        print(json.dumps(measured(given.sizes[0], given.residual, given.actions, given.temperature)))
        return
    options = [f"--residual={given.residual}", f"--actions={given.actions}", f"--temperature={given.temperature}"]
    names = ("pairs", "build s", "optimum s", "us/pair", "peak MB", "doubles/pair", "own", "iterations", "residual")
    print("{:>10s}{:>9s}{:>11s}{:>9s}{:>9s}{:>14s}{:>7s}{:>12s}{:>11s}  load".format(*names))
    for size in given.sizes or SIZES:
        command = [sys.executable, "-m", "benchmarks.four_axes", size, "--here", *options]
        folder = Path(__file__).resolve().parents[1]
        environment = {**os.environ, "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environment).stdout
        at = json.loads(said.splitlines()[-1])
        print(
            f"{at['pairs']:10d}{at['build_seconds']:9.1f}{at['seconds']:11.2f}{at['microseconds_a_pair']:9.2f}"
            f"{at['peak_bytes'] / 1e6:9.0f}{at['doubles_a_pair']:14.1f}{at['own_doubles_a_pair']:7.1f}"
            f"{at['iterations']:12d}{at['residual']:11.2g}  {load()[0]} {at['operator']} {at['value']:.6f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
