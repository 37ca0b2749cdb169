"""A small run file for the tests of what reads one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.records.run import Optimum
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.storage.problem_arrays import head_of
from wpoflow.solver.storage.writer import RunWriter


def small_run(path: Path, status: str = "complete") -> None:
    """Write a run of made-up numbers: two rows, one snapshot; one entry is not a number."""
    states, actions = Grid((uniform_axis("x", -1.0, 1.0, 3, "clamp"),)), Grid((uniform_axis("u", 0.0, 1.0, 4),))
    policy = np.full((3, 4), 0.25)
    with RunWriter(
        path,
        head_of(
            states,
            actions,
            np.full(4, 0.25),
            np.full(3, 1.0 / 3.0),
            {"title": "Made up", "problem": "", "discount": 0.5, "temperature": 1},
        ),
    ) as writer:
        writer.optimum(Optimum(np.zeros(3), np.zeros((3, 4)), policy, 1e-15, 1e-29, np.full(3, 1.0 / 3.0), 2))
        for time, gap in ((0.0, 2.0), (1.0, 0.5)):
            writer.record({**dict.fromkeys(SERIES, 1.0), "time": time, "gap": gap, "rate_observed": np.nan})
        writer.snapshot(1.0, np.zeros(3), policy)
        writer.close(status, "flow time 1 reached", {"wall_seconds": 0.5, "compile_seconds": 0.25, "steps": 3})
