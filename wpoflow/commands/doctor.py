"""``wpoflow doctor``: whether all is here that a run needs, and whether a small run obeys the theory."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from wpoflow.compiling import telling_of_compiling
from wpoflow.exits import CommandError, Exit
from wpoflow.views.terminal import bytes_text, show, table

CELLS = {"x": 24, "u": 24}
UNTIL = 2.0
OWN_STEPS = 20  # of flows whose step belongs to the algorithm


def main(*, compile_all: bool = False) -> Exit:
    """Print what is installed and where, then run a small problem and check its identities; fill the cache if asked."""
    import numba

    from wpoflow.core import compile as kernels
    from wpoflow.core.memory import available_bytes
    from wpoflow.solver.records.provenance import VERSION, package_versions, source_hash

    versions = json.loads(package_versions())
    cache = kernels.CACHE_DIRECTORY
    root = Path(__file__).resolve().parents[2]
    rows = [
        ("wpoflow", f"{VERSION}, sources {source_hash()[:12]} in {root}"),
        ("python", f"{versions.pop('python')} on {versions.pop('machine')}, {sys.executable}"),
        ("packages", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("threads", f"{numba.get_num_threads()} of {os.cpu_count()} processors"),
        ("memory", f"{bytes_text(available_bytes())} available"),
        ("kernel cache", f"{cache} ({_cache_state(cache, kernels.cache_usable())})"),
    ]
    show(table(rows))
    if compile_all and not kernels.cache_usable():
        raise CommandError(Exit.ENVIRONMENT, f"kernel cache {cache}: cannot be written or is full; nothing can be kept")
    if compile_all:
        _fill(cache)
    started = time.monotonic()
    with telling_of_compiling(quiet=False):
        findings = self_test()
    seconds = time.monotonic() - started
    marks = [f"{value:.2e}  {'ok' if value <= bound else f'ABOVE {bound:.0e}'}" for _, value, bound in findings]
    show(table((name, mark) for (name, _, _), mark in zip(findings, marks, strict=True)))
    good = all(value <= bound for _, value, bound in findings)
    show(f"self-test {'passed' if good else 'FAILED'} in {seconds:.1f} s")
    return Exit.DONE if good else Exit.SHORT_OF_GOAL


def _fill(cache: Path) -> None:
    """Compile what is not in the cache, telling how far it is."""
    from wpoflow.kernel_cache import fill
    from wpoflow.solver.runs.compile_timer import CompileTimer

    started = time.monotonic()
    with CompileTimer() as compiling:
        fill(lambda text: show(f"  {time.monotonic() - started:6.0f} s  compiling {text}"))
    show(f"kernels compiled in {compiling.seconds:.0f} s; cache now {_cache_state(cache, True)}")


def self_test() -> list[tuple[str, float, float]]:
    """Run a small regulator; what the theory says must vanish, with the largest rounding allowed.

    Returns
    -------
    list of (name, value, bound)
        Mass error; increase of the value; and identity (I2), the gap by its two formulas.
    """
    import numpy as np

    from wpoflow.problems.load import load_problem
    from wpoflow.solver.bellman.optimum import solve_optimum
    from wpoflow.solver.flows.flow import as_flow, flow_class
    from wpoflow.solver.registry import FLOWS, own_step_flows
    from wpoflow.solver.runs.evolve import evolve_to_the_end

    mdp = load_problem("lqr", cells=CELLS)
    best = solve_optimum(mdp)
    findings = []
    ways: dict[str, dict[str, Any]] = {name: {"scheme": name} for name in ("euler", "extrapolated", "multistep")}
    ways |= {
        name: {"flow": as_flow(mdp, name, entry.required)} for name, entry in FLOWS.items() if name != "wasserstein"
    }
    for scheme, way in ways.items():
        way |= {"step": FLOWS[scheme].step or UNTIL / OWN_STEPS} if scheme in own_step_flows() else {"accuracy": 1e-3}
        run = evolve_to_the_end(mdp, until=UNTIL, optimum=best, **way)
        series = run.series
        scale = float(np.abs(best.value).max()) / (1.0 - mdp.discount)
        by_difference = series["value_rho"] - float(mdp.rho @ best.value)
        mismatch = float(np.abs(by_difference - series["gap"]).max())
        findings += [
            (f"{scheme}: mass error", float(series["mass_error"].max()), 1e-13),
            (f"{scheme}: gap by two formulas", mismatch, 1e-13 * scale),
        ]
        if scheme not in FLOWS or flow_class(scheme).descends:
            findings.append((f"{scheme}: rise of the value", float(series["descent_defect"].max()), 1e-13 * scale))
    return findings


def _cache_state(cache: Path, usable: bool) -> str:
    if not usable:
        return "CANNOT BE WRITTEN or is full: every command compiles anew; name another with XDG_CACHE_HOME"
    if not cache.exists():
        return "empty: the first run compiles; wpoflow doctor --compile fills it"
    kept = [path for path in cache.rglob("*") if path.is_file()]
    return f"{len(kept)} files, {bytes_text(sum(path.stat().st_size for path in kept))}"
