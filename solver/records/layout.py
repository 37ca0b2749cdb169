"""How a run is laid out, in its file and as an xarray DataTree: names, dimensions and meaning, in one place.

Dimensions are called by their coordinate: ``time``, the axes, ``snapshot_time``.  All numbers are dimensionless (unit
"1"; a unit of time would make xarray decode flow times as durations).
"""

from __future__ import annotations

from wpoflow.grids.axis import Axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.records.provenance import VERSION, package_versions, source_hash
from wpoflow.solver.records.series import SERIES

SCHEMA_VERSION = 1
UNITS = "1"

LONG_NAMES: dict[str, str] = {
    **SERIES,
    "reference_mass": "mass of the reference measure by cell",
    "rho": "law of the initial state",
    "optimum/value": "soft-optimal value",
    "optimum/q": "soft-optimal Q",
    "optimum/policy": "soft-optimal policy, probability by cell",
    "optimum/occupancy": "discounted occupancy of the optimum",
    "snapshot/snapshot_time": "flow time",
    "snapshot/value": "value of the policy",
    "snapshot/policy": "policy, probability by cell",
}
OPTIMUM_NUMBERS = ("bellman_residual", "gap_floor", "iterations")


def axis_long_name(kind: str, axis: Axis, edges: bool) -> str:
    """What the points or the cell edges of a state or action axis are called."""
    return f"{'cell edges' if edges else 'points'} of the {kind} axis {axis.name}"


def names(grid: Grid) -> tuple[str, ...]:
    """Names of the axes: the dimensions of what is defined on the grid."""
    return tuple(axis.name for axis in grid.axes)


def problem_layout(
    name: str, shape: tuple[int, ...], states: Grid, actions: Grid
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Shape and dimensions of an array that states the problem: over pairs, over states, or over indices of its own."""
    layouts = {
        (states.size, actions.size): (states.shape + actions.shape, names(states) + names(actions)),
        (states.size,): (states.shape, names(states)),
    }
    return layouts.get(shape, (shape, tuple(f"{name}_index{k}" for k in range(len(shape)))))


def problem_long_name(name: str) -> str:
    """What an array that states the problem is called."""
    return f"{name} of the problem"


def index_long_name(name: str, k: int) -> str:
    """What the k-th index of such an array is called."""
    return f"index {k} of {name}"


def standing_attributes(states: Grid, actions: Grid) -> dict[str, str | int]:
    """Attributes of every run: schema, provenance, and which axes are of states and which of actions."""
    return {
        "schema_version": SCHEMA_VERSION,
        "wpoflow_version": VERSION,
        "source_hash": source_hash(),
        "packages": package_versions(),
        "state_axes": " ".join(names(states)),
        "action_axes": " ".join(names(actions)),
    }
