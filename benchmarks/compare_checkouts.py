"""Whether two checkouts compute the same, bit for bit: every gallery problem with each scheme, on small grids.

    python benchmarks/compare_checkouts.py OLD NEW [--problems lqr torus] [--schemes euler multistep] [--threads N]

A change that should change no number is held against the checkout before it.  Each runs in a process of its own with
that checkout in front of the path, through the public names alone.  Compared are all series, snapshots, the optimum,
the counters and the reason of stopping; a NaN equals a NaN.  One line a case: the verdict, and the seconds in OLD and
NEW, of which the first case of a problem includes compilation where nothing is cached.  Exit status 1 on a difference.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

CELLS = {1: 150, 2: 33, 3: 13, 4: 7, 5: 5}  # of an axis, by the number of axes
LONGEST = 2.0  # flow time
COUNTERS = ("steps", "rejected_steps", "fallback_steps")
SCHEMES: dict[str, tuple[dict[str, Any], ...]] = {
    "euler": ({"step": LONGEST / 23}, {"accuracy": 1e-2}),
    "extrapolated": ({"step": LONGEST / 11}, {"accuracy": 1e-5}),
    "multistep": ({"accuracy": 1e-6}, {"accuracy": 1e-3}),
    "exponential": ({"accuracy": 1e-6},),
    "automatic": ({},),
}
Case = dict[str, Any]  # arrays, by what they are


def gallery(checkout: Path) -> dict[str, Path]:
    """The problem files of a checkout's gallery by name."""
    return {path.stem: path for path in sorted((checkout / "problems" / "gallery").glob("*.toml"))}


def small_grid(problem: Path) -> tuple[dict[str, int], float]:
    """Cells of each axis and the time to run to."""
    tables = tomllib.loads(problem.read_text(encoding="utf-8"))
    axes = tables.get("state", {}) | tables["action"]
    cells = {name: min(axis["cells"], CELLS[len(axes)]) for name, axis in axes.items() if "cells" in axis}
    until = tables.get("flow", {}).get("until", LONGEST)
    return cells, min(until.get("time", LONGEST) if isinstance(until, dict) else until, LONGEST)


def run_cases(checkout: Path, problem: str, schemes: Iterable[str], target: Path) -> None:
    """Run all cases of a problem in this process and save what came out, as ``scheme options|what``."""
    import wpoflow as wpo

    assert Path(wpo.__file__).resolve().is_relative_to(checkout), f"{wpo.__file__} is not of {checkout}"
    cells, end = small_grid(gallery(checkout)[problem])
    mdp = wpo.load_problem(problem, cells=cells)
    optimum = wpo.solve_optimum(mdp)
    kept: dict[str, Any] = {
        f"optimum|{name}": getattr(optimum, name) for name in ("value", "q", "policy", "occupancy", "iterations")
    }
    for scheme in schemes:
        for options in SCHEMES[scheme]:
            case = " ".join([scheme, *(f"{name}={value:.4g}" for name, value in options.items())])
            begun = time.perf_counter()
            try:
                run = wpo.evolve(mdp, until=end, scheme=scheme, optimum=optimum, snapshots=4, **options)
            except ValueError as error:
                kept[f"{case}|refused"] = str(error)
                continue
            kept[f"{case}|seconds"] = time.perf_counter() - begun
            kept |= {f"{case}|series {name}": column for name, column in run.series.items()}
            kept |= {f"{case}|snapshots {name}": getattr(run.snapshots, name) for name in ("time", "value", "policy")}
            kept |= {f"{case}|{name}": run.attributes[name] for name in COUNTERS}
            kept[f"{case}|stop reason"] = run.stop_reason
    np.savez(target, **kept)


def cases_of(checkout: Path, problem: str, schemes: Iterable[str], threads: int | None) -> dict[str, Case]:
    """The cases of a problem, run in a process with ``checkout`` in front of the path."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    if threads is not None:
        environment["NUMBA_NUM_THREADS"] = str(threads)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "cases.npz")
        # -P: the folder of this script is not in front of the checkout
        command = [sys.executable, "-P", __file__, str(checkout), "--worker", str(target), "--problems", problem]
        subprocess.run([*command, "--schemes", *schemes], env=environment, cwd=folder, check=True)
        cases: dict[str, Case] = {}
        with np.load(target) as kept:
            for key in kept.files:
                case, _, what = key.partition("|")
                cases.setdefault(case, {})[what] = kept[key]
    return cases


def difference(old: Case | None, new: Case | None) -> str:
    """What differs between a case's two results, in words; empty where nothing does."""
    if old is None or new is None:
        return "only in " + ("OLD" if new is None else "NEW")
    if "refused" in old or "refused" in new:
        refusal = str(old.get("refused", new.get("refused")))
        return "" if "refused" in old and "refused" in new else f"refused by one: {refusal}"
    found = [what for what in sorted(old.keys() | new.keys()) if what != "seconds" and not _same(old, new, what)]
    return "; ".join(_described(old, new, what) for what in found)


def _same(old: Case, new: Case, what: str) -> bool:
    if what not in old or what not in new:
        return False
    return np.array_equal(old[what], new[what], equal_nan=old[what].dtype.kind == new[what].dtype.kind == "f")


def _described(old: Case, new: Case, what: str) -> str:
    if what not in old or what not in new:
        return f"{what} only in {'OLD' if what in old else 'NEW'}"
    x, y = old[what], new[what]
    if x.shape != y.shape:
        return f"{what} has shape {x.shape}, then {y.shape}"
    if x.ndim == 0:
        return f"{what} {x}, then {y}"
    unequal = np.argwhere((x != y) & ~(np.isnan(x) & np.isnan(y)))
    return f"{what} by {np.nanmax(np.abs(x - y)):.2g}, {len(unequal)} of {x.size}, first in row {unequal[0][0]}"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Whether two checkouts compute the same, bit for bit.")
    parser.add_argument("old", type=Path, metavar="OLD", help="root of a checkout")
    parser.add_argument("new", type=Path, metavar="NEW", nargs="?", help="root of another")
    parser.add_argument("--problems", nargs="+", metavar="NAME", help="of the gallery; all by default")
    parser.add_argument("--schemes", nargs="+", choices=SCHEMES, default=list(SCHEMES), metavar="NAME")
    parser.add_argument("--threads", type=int, help="of each run")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.new is None and options.worker is None:
        parser.error("give two checkouts, OLD and NEW")
    for checkout in filter(None, (options.old, options.new)):
        if not gallery(checkout):
            parser.error(f"{checkout}: not the root of a checkout, as it has no problems/gallery")
    known = gallery(options.new or options.old)
    options.problems = options.problems or list(known)
    if unknown := set(options.problems) - set(known):
        parser.error(f"--problems {' '.join(sorted(unknown))}: choose among {', '.join(known)}")
    return options


def main() -> int:
    """Compare, and say whether anything differs."""
    options = _parse()
    if options.worker is not None:
        run_cases(options.old.resolve(), options.problems[0], options.schemes, options.worker)
        return 0
    compared = differing = 0
    for problem in options.problems:
        old, new = (
            cases_of(checkout.resolve(), problem, options.schemes, options.threads)
            for checkout in (options.old, options.new)
        )
        for case in dict.fromkeys((*old, *new)):
            said = difference(old.get(case), new.get(case))
            compared, differing = compared + 1, differing + bool(said)
            times = [f"{found[case]['seconds']:7.2f} s" for found in (old, new) if "seconds" in found.get(case, {})]
            refused = "refused" in old.get(case, {}) and not said
            verdict = f"DIFFERS  {said}" if said else "both refuse" if refused else "identical"
            print(f"{problem:18}{case:28}{' '.join(times):21}{verdict}", flush=True)
    print(f"{compared} cases, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
