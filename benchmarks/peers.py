"""Our solver against its peers on problems F, C, M and L.

    python -m benchmarks.peers [F] [C] [M] [L] [--repeat 5] [--json FILE]

Prints a table for each problem and writes ``benchmarks/results/peers.json``; how to read them is in
benchmarks/README.md.  Everything runs on one thread: numba, BLAS and OpenMP alike (L's second thread is in
``benchmarks.scaling``).  Peers that are not installed are named and left out: ``pip install wpoflow[bench]``.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numba
from threadpoolctl import threadpool_limits

from benchmarks import peers_c, peers_f, peers_l, peers_m
from benchmarks.ladder import measure
from benchmarks.machine import load, machine
from benchmarks.problem_c import coupled_flow
from benchmarks.problem_f import frozen_wells
from benchmarks.reference_c import reference_values
from benchmarks.report import RESULTS, ladder_rows, print_ladders, print_ratios, ratios, write_json

ERRORS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)


def frozen_problem(repeat: int, scheme: str | None) -> dict[str, Any]:
    """Problem F: times at equal L1 error."""
    wells = frozen_wells()
    methods, missing = peers_f.peers(wells)
    methods = [peers_f.ours(wells) if scheme is None else peers_f.ours(wells, scheme), *methods]
    ladders = measure(methods, wells.error, repeat)
    print_ladders("F, 256 frozen double wells (mean L1 error of the states)", ladders, ERRORS)
    found = ratios(ladders, ERRORS, [m.name for m in methods if not m.ours])
    print_ratios(found, "the best packaged peer")
    return {"methods": ladder_rows(ladders, ERRORS), "missing": missing, "ratios": found}


def coupled_problem(repeat: int, scheme: str | None) -> dict[str, Any]:
    """Problem C: times at equal error of V(rho)."""
    problem, reference = coupled_flow(), reference_values()
    methods, missing = peers_c.peers(problem)
    methods = [peers_c.ours(problem) if scheme is None else peers_c.ours(problem, scheme), *methods]
    ladders = measure(methods, lambda v: float(abs(v - reference).max()), repeat)
    print_ladders("C, coupled flow (largest error of V(rho) at five times)", ladders, ERRORS)
    record: dict[str, Any] = {"methods": ladder_rows(ladders, ERRORS), "missing": missing}
    for words in ("NumPy f", "our f"):
        found = ratios(ladders, ERRORS, [m.name for m in methods if m.name.endswith(words)])
        print_ratios(found, words)
        record[f"ratios, {words}"] = found
    return record


PROBLEMS: dict[str, Callable[[int, str | None], dict[str, Any]]] = {
    "F": frozen_problem,
    "C": coupled_problem,
    "M": peers_m.pendulum_problem,
    "L": peers_l.large_problem,
}


def main(arguments: list[str] | None = None) -> int:
    """Measure the problems asked for, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help="F, C, M or L; all by default")
    parser.add_argument("--repeat", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--scheme", help="time scheme; the default one by default")
    parser.add_argument("--json", type=Path, default=RESULTS / "peers.json", help="where to write")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.problems) - set(PROBLEMS))
    if unknown:
        parser.error(f"problem {', '.join(unknown)}; choose from {', '.join(PROBLEMS)}")
    numba.set_num_threads(1)
    # peers' own warnings, of divisions they mean and of options they ignore, are no result
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in given.problems or PROBLEMS:
            before = load()
            started = datetime.now(UTC).isoformat(timespec="seconds")
            record = PROBLEMS[name](given.repeat, given.scheme)
            for line in record.get("missing", []):
                print(f"  left out: {line}")
            about = {"started": started, "repeat": given.repeat, "load_before": before, "load_after": load()}
            print(f"  load average before {before}, after {about['load_after']}")
            write_json(given.json, {name: {**about, "machine": machine(), **record}})
    return 0


if __name__ == "__main__":
    sys.exit(main())
