"""How the cost of a step grows: in pairs, cells, states, the discount and threads.

    python -m benchmarks.scaling [pairs] [cells] [states] [discount] [threads] [--repeat 5] [--json FILE]

*pairs*: navigation, n² states × (n/2)² cells, from 10⁴ to 10⁷ pairs; log–log slope of a step with and without its
Bellman solve, fitted over all sizes and over those whose arrays no longer fit in cache.  *cells*, *states*: one of the
two grows.  *discount*: the soft optimum's and a warm evaluation's cost as gamma tends to one.  *threads*: two against
one, wall-clock, with the load average, without which the number means nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import load, machine
from benchmarks.one_step import STEP_PARTS, parts
from benchmarks.peers_l import one_step
from benchmarks.problem_l import navigation
from benchmarks.report import RESULTS, write_json
from wpoflow.solver.bellman.optimum import solve_optimum

CACHED = 150_000  # pairs; the arrays of fewer are in the caches of most machines
PAIRS = ((14, 7), (20, 10), (28, 14), (42, 21), (60, 30), (80, 40))
CELLS = ((16, 8), (16, 16), (16, 32), (16, 64))
STATES = ((8, 16), (16, 16), (32, 16), (64, 16))
DISCOUNTS = (0.5, 0.9, 0.98, 0.99, 0.999)


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Least-squares slope of ln seconds in ln size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def growth(ladder: Sequence[tuple[int, int]], repeat: int) -> dict[str, Any]:
    """Seconds of a step at all sizes, with slopes in the number of pairs."""
    rows = []
    print(f"{'pairs':>10s}{'step ns/pair':>14s}{'+ Bellman':>11s}  solver")
    for n, cells in ladder:
        mdp = navigation(n, cells)
        found = parts(mdp, repeat)
        pairs = mdp.states.size * mdp.actions.size
        alone = sum(found["cpu"][part] for part in STEP_PARTS)
        # an evaluation contains Q and the reward
        whole = sum(found["cpu"][part] for part in ("descent", "bellman", "monitor"))
        rows.append({"states": mdp.states.size, "cells": mdp.actions.size, "pairs": pairs, "step": alone,
                     "step_with_bellman": whole, "solver": found["solver"], "cpu": found["cpu"]})  # fmt: skip
        print(f"{pairs:10d}{1e9 * alone / pairs:14.2f}{1e9 * whole / pairs:11.2f}  {found['solver']}", flush=True)
    slopes = {}
    for name, kept in (("all", rows), ("outside cache", [r for r in rows if r["pairs"] >= CACHED])):
        if len(kept) > 1:
            sizes = [r["pairs"] for r in kept]
            slopes[name] = {key: slope(sizes, [r[key] for r in kept]) for key in ("step", "step_with_bellman")}
            print(f"  slope, {name}: {slopes[name]['step']:.3f}; with Bellman {slopes[name]['step_with_bellman']:.3f}")
    return {"rows": rows, "slopes": slopes}


def discounts(repeat: int) -> dict[str, Any]:
    """CPU seconds of the soft optimum and of a warm evaluation of navigation at several discounts."""
    base = navigation(32, 16)
    rows = []
    for discount in DISCOUNTS:
        mdp = replace(base, discount=discount)
        solve_optimum(mdp)
        taken = []
        for _ in range(repeat):
            started = time.process_time()
            iterations = solve_optimum(mdp).iterations
            taken.append(time.process_time() - started)
        warm = parts(mdp, repeat)["cpu"]["bellman"]
        rows.append({"discount": discount, "optimum": min(taken), "iterations": iterations, "evaluation": warm})
        print(f"gamma {discount:6g}: optimum {min(taken):8.4f} s in {iterations} iterations, evaluation {warm:8.5f} s")
    return {"rows": rows}


def threads(repeat: int) -> dict[str, Any]:
    """Wall-clock seconds of a step of navigation 64² × 32² on one thread and on two."""
    records = {count: one_step("navigation", "--threads", count, "--repeat", repeat) for count in (1, 2)}
    speedup = {name: records[1]["wall"][name] / records[2]["wall"][name] for name in records[1]["wall"]}
    alone = [sum(records[count]["wall"][part] for part in STEP_PARTS) for count in (1, 2)]
    speedup["step without bellman"] = alone[0] / alone[1]
    for name, ratio in speedup.items():
        print(f"  {name:22s}{ratio:6.2f}")
    print(f"  load average before {records[1]['load_before']}, after {records[2]['load_after']}")
    return {"one": records[1], "two": records[2], "speedup": speedup}


STUDIES: dict[str, Callable[[int], dict[str, Any]]] = {
    "pairs": lambda repeat: growth(PAIRS, repeat),
    "cells": lambda repeat: growth(CELLS, repeat),
    "states": lambda repeat: growth(STATES, repeat),
    "discount": discounts,
    "threads": threads,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the studies asked for, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=f"{', '.join(STUDIES)}; all by default")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path, default=RESULTS / "scaling.json")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.studies) - set(STUDIES))
    if unknown:
        parser.error(f"study {', '.join(unknown)}; choose from {', '.join(STUDIES)}")
    numba.set_num_threads(1)
    with threadpool_limits(1):
        for name in given.studies or STUDIES:
            before = load()
            print(f"\n{name}")
            record = STUDIES[name](given.repeat)
            about = {"machine": machine(), "load_before": before, "load_after": load()}
            write_json(given.json, {name: {**about, **record}})
    return 0


if __name__ == "__main__":
    sys.exit(main())
