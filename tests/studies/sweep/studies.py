"""Small studies, what makes points of them fail, and how two results are compared."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from wpoflow.solver.records.run import Run
from wpoflow.studies.sweep.result import Study

OVER = {"problem.temperature": [0.1, 0.2, -1.0], "problem.discount": [0.5, 0.9]}
SMALL: dict[str, Any] = {"cells": {"a": 16}, "until": {"time": 1.0}, "set": {"record.snapshots": 2}}
COMMAND = [
    "sweep", "bandit", "--cells", "a=16", "--until", "time=1", "--set", "record.snapshots=2",
    "--over", "problem.temperature=0.1,0.2,-1", "--over", "problem.discount=0.5,0.9",
]  # fmt: skip


def differences(one: Study, other: Study, but: tuple[str, ...] = ("run_id",)) -> list[str]:
    """Arrays that are not the same to the last bit, and attributes."""
    found = sorted(one.arrays.keys() ^ other.arrays.keys())
    for name in one.arrays.keys() & other.arrays.keys():
        a, b = one.arrays[name], other.arrays[name]
        same = (
            a.values.tolist() == b.values.tolist()
            if a.values.dtype == object
            else a.values.tobytes() == b.values.tobytes()
        )
        if name not in but and not (same and a.dims == b.dims and a.values.shape == b.values.shape):
            found.append(name)
    asked = {"study"} if but else set()  # the same study may be asked for in several ways
    return found + [name for name in one.attributes.keys() - asked if one.attributes[name] != other.attributes[name]]


def deadly(run: Run) -> dict[str, float]:
    """What is measured of a run takes its process with it, of each point the first time, of a cold one always."""
    temperature = float(run.attributes["temperature"])
    mark = Path(os.environ["DEADLY"]) / f"{temperature}"
    if temperature < 0.15 or not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"measured": float(np.max(run.series["gap"]))}
