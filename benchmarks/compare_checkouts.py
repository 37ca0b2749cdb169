"""Two checkouts compared, bit for bit: every gallery problem with every time scheme that applies, on small grids.

    python -m benchmarks.compare_checkouts OLD NEW [--problems NAME ...] [--schemes NAME ...] [--threads N]

Each checkout runs all cases in a process of its own.  A case is the same if every series, snapshot, number of the
optimum, counter and the way the run ended are the same numbers (nan equals nan); what differs first is named with its
size.  Exit status 1 if any case differs.  Seconds are without compilation, the least of ``--rounds`` runs a case; they
inform, and are no verdict.  The file is run from either checkout and imports nothing but what is public in both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]

PROBLEMS: dict[str, tuple[dict[str, int], float]] = {  # cells, and the time to which it is run
    "bandit": ({"a": 40}, 2.0),
    "double_integrator": ({"x": 13, "v": 11, "u": 12}, 0.5),
    "inventory": ({"stock": 37, "order": 24}, 1.0),
    "lqr": ({"x": 40, "u": 32}, 0.5),
    "mountain_car": ({"position": 21, "velocity": 15, "force": 9}, 1.0),
    "navigation": ({"x": 9, "y": 10, "vx": 6, "vy": 5}, 0.5),
    "pendulum": ({"theta": 21, "speed": 13, "torque": 9}, 1.0),
    "torus": ({"s": 32, "a": 30}, 1.0),
}
STEPS = 16  # of a fixed step to the end
SCHEMES: dict[str, dict[str, Any]] = {
    "euler fixed": {"scheme": "euler", "step": 1.0 / STEPS},
    "euler controlled": {"scheme": "euler", "accuracy": 1e-2},
    "extrapolated fixed": {"scheme": "extrapolated", "step": 1.0 / STEPS},
    "extrapolated controlled": {"scheme": "extrapolated", "accuracy": 1e-4},
    "multistep": {"scheme": "multistep", "accuracy": 1e-5},
    "exponential": {"scheme": "exponential", "accuracy": 1e-3},
    "automatic": {},
    "automatic, file": {"output": "run.h5"},
    "automatic, gap": {"until": "gap"},
}
CLOCKS = ("wall_seconds", "compile_seconds")  # attributes that no two runs share


def run_case(problem: str, scheme: str, folder: Path) -> tuple[Arrays, float]:
    """All numbers of one run by name, and its seconds without compilation."""
    import wpoflow as wpo

    cells, end = PROBLEMS[problem]
    settings = dict(SCHEMES[scheme])
    if "step" in settings:
        settings["step"] *= end
    if "output" in settings:
        settings |= {"output": folder / settings["output"], "force": True}
    mdp = wpo.load_problem(problem, cells=cells)
    if settings.get("until") == "gap":
        start = wpo.evolve(mdp, until={"steps": 1}, series={"every": end}, snapshots=0).series["gap"][0]
        settings["until"] = {"gap": 0.5 * float(start), "time": 20.0 * end}
    else:
        settings["until"] = {"time": end}
    began = time.perf_counter()
    run = wpo.evolve(mdp, series={"first": 0.02 * end, "per_decade": 4}, snapshots=4, **settings)
    seconds = time.perf_counter() - began - float(run.attributes["compile_seconds"])
    if "output" in settings:
        run = wpo.open_run(settings["output"])
    numbers: dict[str, Any] = {f"series {name}": values for name, values in run.series.items()}
    assert run.snapshots is not None
    assert run.optimum is not None
    for name in ("time", "value", "policy"):
        numbers[f"snapshot {name}"] = getattr(run.snapshots, name)
    for name in ("value", "q", "policy", "occupancy", "bellman_residual", "gap_floor", "iterations"):
        numbers[f"optimum {name}"] = getattr(run.optimum, name)
    for name, number in run.attributes.items():
        if name in ("status", "stop_reason") or (not isinstance(number, str) and name not in CLOCKS):
            numbers[f"attribute {name}"] = number
    return {name: np.asarray(number) for name, number in numbers.items()}, seconds


def run_all(cases: list[str], folder: Path, rounds: int) -> None:
    """Run the cases with the package that is on the path; one archive a case, its numbers or why it was refused."""
    import wpoflow

    (folder / "imported").write_text(str(Path(wpoflow.__file__).resolve().parents[1]), encoding="utf-8")
    for case in cases:
        problem, scheme = case.split(": ")
        seconds = []
        try:
            for _ in range(rounds):
                numbers, taken = run_case(problem, scheme, folder)
                seconds.append(taken)
        except ValueError as error:
            numbers, seconds = {"refused": np.asarray(str(error))}, [0.0]
        np.savez(folder / f"{case}.npz", **numbers, seconds=np.asarray(min(seconds)))  # type: ignore[arg-type]


def archives(checkout: Path, cases: list[str], folder: Path, threads: int, rounds: int) -> Iterator[Arrays]:
    """What `run_all` leaves in a process that imports this checkout, in the order of the cases."""
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": str(checkout), "NUMBA_NUM_THREADS": str(threads)}
    command = [sys.executable, "-P", str(Path(__file__).resolve()), "--run", str(folder), str(rounds), *cases]
    subprocess.run(command, env=environment, cwd=folder, check=True)
    imported = (folder / "imported").read_text(encoding="utf-8")
    if Path(imported) != checkout:
        raise SystemExit(f"{checkout} is no checkout: wpoflow was imported from {imported}")
    for case in cases:
        with np.load(folder / f"{case}.npz") as archive:
            yield dict(archive)


def difference(old: Mapping[str, np.ndarray[Any, Any]], new: Mapping[str, np.ndarray[Any, Any]]) -> str:
    """The first number that differs, and by how much; empty if none does."""
    differing = []
    for name in dict.fromkeys((*old, *new)):
        if name not in old or name not in new:
            differing.append(f"{name} only in {'OLD' if name in old else 'NEW'}")
            continue
        a, b = old[name], new[name]
        if a.shape != b.shape:
            differing.append(f"{name} has shape {a.shape} in OLD, {b.shape} in NEW")
        elif a.dtype.kind in "US" or b.dtype.kind in "US":
            if str(a) != str(b):
                differing.append(f"{name}: {str(a)!r} in OLD, {str(b)!r} in NEW")
        elif not np.array_equal(a, b, equal_nan=True):
            apart = np.abs(a.astype(float) - b.astype(float))
            largest = float(np.nanmax(apart)) if np.isfinite(apart).any() else float("nan")
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            differing.append(f"{name} by up to {largest:.3g}, {np.count_nonzero(~same)} of {a.size} numbers")
    return "" if not differing else f"{differing[0]} ({len(differing)} of {len(new)} differ)"


def main() -> int:
    """Print one line a case; 1 if any differs."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS), metavar="NAME")
    parser.add_argument(
        "--schemes", nargs="+", default=list(SCHEMES), metavar="NAME", help=f"beginnings of: {'; '.join(SCHEMES)}"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    schemes = [scheme for scheme in SCHEMES if scheme.startswith(tuple(options.schemes))]
    cases = [f"{problem}: {scheme}" for problem in options.problems for scheme in schemes]
    if not cases:
        parser.error(f"no scheme begins with {', '.join(options.schemes)}; there are {'; '.join(SCHEMES)}")
    different, ratios = 0, []
    with tempfile.TemporaryDirectory() as scratch:
        old, new = (
            list(archives(checkout.resolve(), cases, Path(scratch) / name, options.threads, options.rounds))
            for name, checkout in (("old", options.old), ("new", options.new))
        )
    for case, before, after in zip(cases, old, new, strict=True):
        seconds = [float(numbers.pop("seconds")) for numbers in (before, after)]
        if "refused" in before and "refused" in after:
            print(f"{case:42s} not applicable")
            continue
        ratios.append(seconds[1] / seconds[0] if seconds[0] else float("nan"))
        found = difference(before, after)
        different += bool(found)
        print(f"{case:42s} {seconds[0]:7.3f} s {seconds[1]:7.3f} s  {found or 'identical'}")
    ratio = f"; NEW takes {statistics.median(ratios):.3f} of the time of OLD (median)" if ratios else ""
    print(f"{different} of {len(ratios)} cases differ, {options.threads} threads{ratio}")
    return int(different > 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run_all(sys.argv[4:], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main())
