"""Whether what stands in the files of checkpoints can be a run's: what a checksum does not tell.

Kernels take indices and shapes as they are given.  So names, kinds and shapes of all arrays are compared with those the
problem and the scheme ask for, and indices, orders and probabilities with what they can be, before any is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from wpoflow.solver.bellman.linear_solver import LINEAR_SOLVERS
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum
from wpoflow.solver.records.schedule import landings
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.records.settings import RunSettings
from wpoflow.solver.runs.monitor import OF_STEPS, StepStatistics
from wpoflow.solver.schemes.backward_differentiation import HIGHEST_ORDER
from wpoflow.solver.schemes.extrapolated import HIGHEST
from wpoflow.solver.schemes.integrator import COUNTERS, OF_FLOW, OF_SCHEME
from wpoflow.solver.schemes.multistep import HIGHEST_DEGREE, KEPT
from wpoflow.solver.storage.plausible import is_law

SCHEME = OF_FLOW + OF_SCHEME
OF_SCHEMES: dict[str, set[str]] = {
    "euler": {"size"},
    "extrapolated": {"size", "target"},
    "exponential": {"size", "value"},
    "multistep": {
        *("times", "slots", "values", "end", "slot", "value", "residual", "exact", "size", "order", "degree", "left"),
        *("gibbs", "gibbs_value"),
    },
}
"""Names in the memories of the schemes; those of multistep's past policies come besides."""
ALWAYS = {
    *(OF_FLOW + name for name in (*COUNTERS, "time", "policy", "value", "residual", "exact", "step_size")),
    *(OF_STEPS + name for name in asdict(StepStatistics())),
    *(OF_FLOW + "mass_drift", "snapshots", "wall_seconds", "compile_seconds", "resumed"),
}
MOST_SNAPSHOTS = 1_000_000


def check_names(found: Iterable[str], wanted: Iterable[str]) -> None:
    """Raise ValueError unless the names are those wanted."""
    there, ours = set(found), set(wanted)
    missing, surplus = sorted(ours - there), sorted(there - ours)
    if missing or surplus:
        raise ValueError(f"{missing[0]} is missing" if missing else f"{surplus[0][:40]!r} is not part of it")


def check_settings(settings: RunSettings) -> None:
    """Raise ValueError, or TypeError, unless a run can have been asked for this."""
    fixed = settings.step is not None
    length = settings.step if fixed else settings.accuracy
    if settings.scheme not in OF_SCHEMES or settings.solver not in LINEAR_SOLVERS or not isinstance(settings.flow, str):
        raise ValueError("the scheme or the solver is unknown")
    if not isinstance(length, int | float) or not 0.0 < length < math.inf:
        raise ValueError(f"{'step' if fixed else 'accuracy'} is {length}")
    if isinstance(settings.snapshots, int):
        _check_whole("snapshots", settings.snapshots, 0, MOST_SNAPSHOTS)
    landings(settings.series, settings.snapshots, settings.criteria.time, fixed_step=fixed)


def check_memory(memory: Mapping[str, Any], mdp: GridMDP, scheme: str) -> None:
    """Raise ValueError, in words, unless a memory can be that of a run of this problem by this scheme."""
    own = OF_SCHEMES[scheme]
    past = 0
    if scheme == "multistep":
        past = sum(name.startswith(f"{SCHEME}policy") for name in memory)
        own = own | {f"policy{j}" for j in range(past)} if past else set()  # empty before the first step
    check_names(memory.keys() - {"occupancy"}, ALWAYS | {SCHEME + name for name in own})
    states, pairs = (mdp.states.size,), mdp.initial_policy.shape
    shapes: dict[str, tuple[int, ...]] = {
        **{OF_FLOW + "policy": pairs, OF_FLOW + "value": states, "occupancy": states},
        **{SCHEME + name: states for name in ("value", "gibbs_value")},
        **{SCHEME + name: pairs for name in ("gibbs", *(f"policy{j}" for j in range(past)))},
        **{SCHEME + name: (past,) for name in ("times", "slots")},
        **{SCHEME + "values": (past, *states), SCHEME + "left": (2,)},
    }
    for name, value in memory.items():
        check_numbers(name, value, shapes.get(name, ()))
        if "policy" in name:
            check_law(name, value)
    least = {OF_FLOW + "time": 0.0, OF_FLOW + "step_size": 0.0, SCHEME + "size": math.ulp(0.0), "snapshots": 0}
    for name, bound in least.items():
        if name in memory and memory[name] < bound:
            raise ValueError(f"{name} is {memory[name]}")
    if past:
        _check_past(memory, past)
    if scheme == "extrapolated":
        _check_whole(SCHEME + "target", memory[SCHEME + "target"], 2, HIGHEST)
    _check_whole("snapshots", memory["snapshots"], 0, MOST_SNAPSHOTS)


def check_rows(rows: list[dict[str, float]], time: float) -> None:
    """Raise ValueError unless these can be the rows of a run up to a flow time."""
    if not rows:
        raise ValueError("it holds no row")
    check_names(rows[0], SERIES)
    times = [row["time"] for row in rows]
    if times[0] != 0.0 or not np.all(np.diff(times) > 0.0) or not times[-1] <= time:
        raise ValueError("the rows are not in order of time")


def check_optimum(values: Mapping[str, Any], mdp: GridMDP) -> None:
    """Raise ValueError unless these can be the attributes of the problem's `Optimum`."""
    check_names(values, (field.name for field in fields(Optimum)))
    states, pairs = (mdp.states.size,), mdp.initial_policy.shape
    shapes = {"value": states, "occupancy": states, "q": pairs, "policy": pairs}
    for name, value in values.items():
        check_numbers(name, value, shapes.get(name, ()))
    check_law("policy", values["policy"])
    if not values["gap_floor"] >= 0.0 or not np.all(values["occupancy"] >= 0.0) or not np.any(values["occupancy"]):
        raise ValueError("the gap floor or the occupancy is not that of an optimum")


def check_snapshot(values: Mapping[str, Any], mdp: GridMDP) -> None:
    """Raise ValueError unless these can be time, value and policy of a snapshot."""
    shapes = {"time": (), "value": (mdp.states.size,), "policy": mdp.initial_policy.shape}
    check_names(values, shapes)
    for name, value in values.items():
        check_numbers(name, value, shapes[name])
    check_law("policy", values["policy"])


def check_numbers(name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless the value is finite and of this shape; () stands for one number."""
    array = np.asarray(value)
    if array.dtype.kind not in "fi" or array.shape != shape or not np.all(np.isfinite(array)):
        wanted = f"finite numbers of shape {shape}" if shape else "a finite number"
        raise ValueError(f"{name} is not {wanted}")


def check_law(name: str, policy: Any) -> None:
    """Raise ValueError unless the policy (S, A) is a probability in every state."""
    if not is_law(policy):
        raise ValueError(f"{name} is no probability in every state")


def _check_past(memory: Mapping[str, Any], past: int) -> None:
    """What multistep keeps of its past."""
    slots, slot = memory[SCHEME + "slots"], memory[SCHEME + "slot"]
    taken = [*slots.tolist(), slot]
    if past >= KEPT or len(set(taken)) != len(taken):
        raise ValueError("two past policies in the same place")
    for place in taken:
        _check_whole("the place of a past policy", place, 0, KEPT)
    times = [memory[SCHEME + "end"], *memory[SCHEME + "times"].tolist()]
    if not np.all(np.diff(times) < 0.0):
        raise ValueError("past policies are not in order of time")
    _check_whole("the order", memory[SCHEME + "order"], 1, min(HIGHEST_ORDER, past + 1))
    _check_whole("the degree", memory[SCHEME + "degree"], 0, min(HIGHEST_DEGREE, past))


def _check_whole(name: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} is {value}; it is a whole number from {least} to {most}")
