"""How many arrays of pairs a run holds at once: what the memory estimate takes them for, and no more than sixteen."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wpoflow as wpo
from tests.variants import slow_but
from wpoflow.solver.flows.flow import flow_class
from wpoflow.solver.schemes.choice import scheme_class

CASES: dict[str, dict[str, Any]] = {
    "euler": {"scheme": "euler"},
    "euler, fixed": {"scheme": "euler", "step": 0.05},
    "extrapolated": {"scheme": "extrapolated", "accuracy": 1e-6},
    "extrapolated, fixed": {"scheme": "extrapolated", "step": 0.05},
    "multistep": {"scheme": "multistep"},
    "adams": {"flow": "fisher-rao", "scheme": "adams"},
    "adams, fixed": {"flow": "fisher-rao", "scheme": "adams", "step": 0.05},
    "logarithms": {"flow": "fisher-rao", "scheme": "euler"},
    "logarithms, fixed": {"flow": "fisher-rao", "scheme": "euler", "step": 0.05},
    "exponential": {"scheme": "exponential", "accuracy": 1e-4},
}


def alive(mdp: wpo.GridMDP, folder: Path, **how: Any) -> float:
    """Most arrays of pairs between two steps of a run with a file, rows within steps and checkpoints."""
    pair, found = 8 * mdp.cost.size, [0.0]

    def count(_: object) -> None:
        traces = tracemalloc.take_snapshot().traces  # of arrays alone: tables of Python's own may be as large
        sizes = (trace.size for trace in traces if trace.domain == np.lib.tracemalloc_domain)
        found.append(sum(size for size in sizes if size >= pair) / pair)

    tracemalloc.start()
    try:
        how |= {"until": {"time": 1.0, "steps": 8}, "snapshots": 20, "checkpoint": 1e-3, "progress": count}
        wpo.evolve(mdp, output=folder / "run.h5", force=True, **how)
    finally:
        tracemalloc.stop()
    return 2 + max(found)  # cost and first policy are the problem's


@pytest.mark.parametrize("name", slow_but(CASES, *("euler, fixed", "multistep", "adams", "logarithms", "exponential")))
def test_as_many_as_is_said(tmp_path: Path, name: str) -> None:
    """Those of the optimum, of Q and of the scheme; none is kept that nobody asks for again."""
    how = CASES[name]
    unmoved = {"dynamics.x": "'0.9*x'"} if name == "exponential" else {}
    mdp = wpo.load_problem("lqr", cells={"x": 32, "u": 64}, set=unmoved)
    scheme, flow = scheme_class(how["scheme"]), flow_class(how.get("flow", "wasserstein"))
    controlled = "step" not in how
    said = scheme.pair_arrays[controlled] + flow.logarithmic * scheme.log_arrays[controlled]
    assert said - 2.0 <= alive(mdp, tmp_path, **how) <= said
    assert said <= 16.0
