"""What a run file holds, in one table: data sets with their dimensions and meaning, and attributes with theirs.

The writer makes data sets by this table, the reader holds files against it, `Run.to_xarray` names its variables by it,
and the manual prints it.  A dimension is called by its coordinate: ``time``, ``snapshot_time``, an axis, or the index
of an array of its own.  All numbers are dimensionless (unit "1"; a unit of time would make xarray decode flow times as
durations).  The variables at the root are in every run file but those of `solver.records.series.FURTHER_SERIES`;
``optimum``, ``snapshot`` and ``problem`` are there if the run has them, of ``problem`` each array only where the
problem needs it, and of ``snapshot`` those of parameters only where the policies of a flow are made of such.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wpoflow.solver.records.provenance import VERSION, package_versions, source_hash
from wpoflow.solver.records.series import FURTHER_SERIES, SERIES
from wpoflow.solver.records.stop import StopKind

if TYPE_CHECKING:
    from wpoflow.grids.grid import Grid

SCHEMA_VERSION = 3
"""Of files that are written; those of lower ones are read as well (in 1 ``accuracy`` and ``step`` are texts; series of
``SINCE`` are missing before)."""
CONVENTIONS = "CF-1.11"
STATES, ACTIONS = "states", "actions"
"""In the table, these stand for the dimensions of all state axes and of all action axes."""
COMPONENT, OTHER_COMPONENT, MEMBER, PARTICLE = "component", "component_2", "member", "particle"
"""Dimensions of the parameters of policies: action axes, twice; Gaussians of a mixture; particles."""
BOUND = "bound_index"
"""Of the two ends of a cell, in the bounds of an axis."""

_VALUE = "costs are minimised; includes the temperature times the relative entropy to the reference measure"
_LATER = f"{_VALUE}, of all later actions"


@dataclass(frozen=True)
class Variable:
    """A data set of a run file.

    Attributes
    ----------
    path : str
        Its name, after that of its group and a slash if it is in one.
    dims : tuple of str
        Dimensions.
    long_name : str
        Meaning, as its attribute says it.
    kind : {"f8", "i8"}
        Type of its numbers.
    explained : str
        Meaning at more length, where the manual has more to say.
    boundary : str
        Of an axis, what happens at its ends.
    labels : tuple of str
        Of the points of an axis of labels, what they stand for; their attribute is JSON.
    units : str
        Of an axis, if it has one.
    comment : str
        What more must be known to use the numbers.
    bounds : str
        Of the points of an axis, the data set of the bounds of their cells, as the CF conventions name it.
    shape : tuple of int
        Lengths; -1 where they are not known before the data are.
    flat : tuple of int
        Shape in a `Run`: all state axes in one, and all action axes.
    """

    path: str
    dims: tuple[str, ...]
    long_name: str
    kind: str = "f8"
    explained: str = ""
    boundary: str = ""
    labels: tuple[str, ...] = ()
    units: str = "1"
    comment: str = ""
    bounds: str = ""
    shape: tuple[int, ...] = (-1,)
    flat: tuple[int, ...] = (-1,)

    @property
    def group(self) -> str:
        """Name of its group; empty for the root."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Name in its group."""
        return self.path.rpartition("/")[2]

    @property
    def is_scale(self) -> bool:
        """Whether it is the coordinate of its dimension."""
        return self.dims == (self.name,)

    @property
    def own_indices(self) -> tuple[str, ...]:
        """Paths of the coordinates that number its entries and belong to no other."""
        return tuple(f"{self.group}/{dim}" for dim in self.dims if dim.startswith(f"{self.name}_index"))

    @property
    def scales_beside(self) -> tuple[str, ...]:
        """Paths of the coordinates, beside it in its group, that number parameters of policies."""
        own = (COMPONENT, OTHER_COMPONENT, MEMBER, PARTICLE)
        return tuple(f"{self.group}/{dim}" for dim in self.dims if dim in own)

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes of the data set."""
        labels = json.dumps(self.labels, ensure_ascii=False) if self.labels else ""
        further = {"boundary": self.boundary, "labels": labels, "comment": self.comment, "bounds": self.bounds}
        named = {name: text for name, text in further.items() if text}
        return {"units": self.units, "long_name": self.long_name, **named}


def _of_problem(name: str, dims: tuple[str, ...], explained: str, kind: str = "f8") -> Variable:
    return Variable(f"problem/{name}", dims, f"{name} of the problem", kind, explained)


def _numbered(name: str, explained: str, kind: str = "f8") -> tuple[Variable, Variable]:
    """An array over an index of its own, after that index."""
    dims = (f"{name}_index0",)
    return Variable(f"problem/{dims[0]}", dims, f"index 0 of {name}", "i8"), _of_problem(name, dims, explained, kind)


def _index(name: str, meaning: str) -> Variable:
    return Variable(f"snapshot/{name}", (name,), meaning, "i8")


def _parameters(name: str, dims: tuple[str, ...], meaning: str) -> Variable:
    return Variable(f"snapshot/{name}", ("snapshot_time", STATES, *dims), meaning)


_ALL_SERIES = {**SERIES, **FURTHER_SERIES}
VARIABLES: tuple[Variable, ...] = (
    *(
        Variable(name, ("time",), meaning, comment=_VALUE if name == "value_rho" else "")
        for name, meaning in _ALL_SERIES.items()
    ),
    Variable("reference_mass", (ACTIONS,), "mass of the reference measure by cell"),
    Variable("rho", (STATES,), "law of the initial state"),
    Variable("optimum/value", (STATES,), "soft-optimal value", comment=_VALUE),
    Variable("optimum/q", (STATES, ACTIONS), "soft-optimal Q", comment=_LATER),
    Variable("optimum/policy", (STATES, ACTIONS), "soft-optimal policy, probability by cell"),
    Variable("optimum/occupancy", (STATES,), "discounted occupancy of the optimum"),
    Variable("snapshot/snapshot_time", ("snapshot_time",), "flow time"),
    Variable("snapshot/value", ("snapshot_time", STATES), "value of the policy", comment=_VALUE),
    Variable("snapshot/policy", ("snapshot_time", STATES, ACTIONS), "policy, probability by cell"),
    _index(COMPONENT, "number of the action axis"),
    _index(OTHER_COMPONENT, "number of the action axis, of the second index of a covariance"),
    _index(MEMBER, "number of the Gaussian in a mixture"),
    _index(PARTICLE, "number of the particle"),
    _parameters("policy_mean", (COMPONENT,), "mean of the policy: of its Gaussians, or of its particles"),
    _parameters("policy_covariance", (COMPONENT, OTHER_COMPONENT), "covariance of the policy, likewise"),
    _parameters("member_weight", (MEMBER,), "weight of each Gaussian of a mixture"),
    _parameters("member_mean", (MEMBER, COMPONENT), "mean of each Gaussian of a mixture"),
    _parameters("member_covariance", (MEMBER, COMPONENT, OTHER_COMPONENT), "covariance of each Gaussian of a mixture"),
    _parameters("particles", (PARTICLE, COMPONENT), "action of each particle"),
    _of_problem("cost", (STATES, ACTIONS), "running cost, expected terminal cost included"),
    _of_problem("initial_policy", (STATES, ACTIONS), "cell probabilities the flow started from"),
    _of_problem(
        "alive",
        (STATES,),
        "1 at states outside the terminal set or depended on from there; absent if there is none",
        "i8",
    ),
    _of_problem("termination", (STATES, ACTIONS), "probability that the pair ends; absent if none does"),
    _of_problem("clamped", (STATES, ACTIONS), "probability that clamping moved the next state; absent if it cannot"),
    *_numbered("transition_data", "entries of the compressed rows P(·|s, a), row s·A + a, of kernels that hold them"),
    *_numbered("transition_indices", "their next states", "i8"),
    *_numbered("transition_indptr", "where each row begins, S·A + 1 numbers", "i8"),
)

PARAMETERS = tuple(
    entry.name
    for entry in VARIABLES
    if entry.group == "snapshot" and set(entry.dims) & {COMPONENT, MEMBER, PARTICLE}
    if not entry.is_scale
)
"""Names, in their group, of what snapshots keep of policies that are made of parameters."""
OPTIMUM_ARRAYS = tuple(entry.name for entry in VARIABLES if entry.group == "optimum")
PROBLEM_ARRAYS = tuple(entry.name for entry in VARIABLES if entry.group == "problem" and not entry.is_scale)

RESERVED_NAMES = frozenset(
    ["problem", BOUND, *(part for entry in VARIABLES if entry.group != "problem" for part in entry.path.split("/"))]
)
"""Names of data sets and groups, which no axis may have; nor may an axis end in one of ``AXIS_ENDINGS``."""
AXIS_ENDINGS = ("_edges", "_bounds")
"""Of the names of the data sets beside the points of an axis."""


@dataclass(frozen=True)
class Attribute:
    """An attribute of a run file: its kind, its meaning, and whether every run has it."""

    kind: type[str] | type[int] | type[float]
    meaning: str
    required: bool = False


ATTRIBUTES: dict[str, Attribute] = {
    "title": Attribute(str, "title of the problem"),
    "problem": Attribute(
        str, "the resolved problem as TOML text; absent for problems stated in Python, see `/problem`"
    ),
    "discount": Attribute(float, "γ"),
    "temperature": Attribute(float, "τ"),
    "state_axes": Attribute(
        str, "names of the state axes, separated by spaces, in the order of the dimensions", required=True
    ),
    "action_axes": Attribute(str, "names of the action axes, likewise", required=True),
    "reflection": Attribute(
        str, "where the states are half of those of a symmetric problem: the axes that change sign, as JSON"
    ),
    "transition": Attribute(str, "how next states are computed, in words"),
    "objective": Attribute(
        str, "what is minimised, or maximised where rewards were stated, and the sign of values and Q, in words"
    ),
    "status": Attribute(str, '`"complete"`, `"running"`, `"interrupted"` or `"failed"`', required=True),
    "stop_reason": Attribute(str, "why the run stopped, in a sentence", required=True),
    "stop_kind": Attribute(str, "the same in a word: " + ", ".join(f"`{kind.value}`" for kind in StopKind)),
    "reached_goal": Attribute(
        int, "1 if the gap asked for was reached, or the time where no gap was asked for, or if neither was; else 0"
    ),
    "flow": Attribute(str, "which flow"),
    "remark": Attribute(str, "what to know of the numbers of a run of this flow"),
    "flow_parameters": Attribute(str, "numbers the flow was made with, by their keys, as JSON"),
    "scheme": Attribute(str, "time scheme used"),
    "accuracy": Attribute(float, "accuracy asked for; absent with fixed steps"),
    "accuracy_floor": Attribute(
        float, "the most that was allowed of a step's error beyond what accuracy allows: the rounding of Q/τ"
    ),
    "step": Attribute(float, "size of fixed steps; absent with controlled steps"),
    "bellman_solver": Attribute(str, "linear solver of the Bellman equations"),
    "steps": Attribute(int, "accepted steps"),
    "rejected_steps": Attribute(int, "steps repeated shorter"),
    "fallback_steps": Attribute(
        int, "steps taken as the flow's own descent step, as descent would have been lost or steps vanished"
    ),
    "gap_floor": Attribute(float, "rounding floor of the gap"),
    "wall_seconds": Attribute(float, "seconds from start to end"),
    "compile_seconds": Attribute(float, "of these, spent compiling"),
    "limits": Attribute(
        str, "of a file that `optimum --flow` wrote: gap, value, gradient and starts of each snapshot, as JSON"
    ),
    "initial": Attribute(str, "which policy the run began from, in words; absent where it is the problem's own"),
    "initial_run_id": Attribute(str, "the `run_id` of the run whose policy that was"),
    "run_id": Attribute(str, "the same in all files of a run, and in no other's"),
    "resumed": Attribute(int, "how often the run was gone on with"),
    "Conventions": Attribute(str, f"`{CONVENTIONS}`, the netCDF conventions for climate and forecast"),
    "schema_version": Attribute(int, "version of this layout", required=True),
    "wpoflow_version": Attribute(str, "version that wrote the file", required=True),
    "source_hash": Attribute(str, "SHA-256 over the sources that wrote it"),
    "packages": Attribute(str, "versions of Python and packages, as JSON", required=True),
    "digests": Attribute(
        str, "BLAKE2b digests of data sets and attributes, as JSON; checked where another program cut the seal"
    ),
}
MAY_DIFFER = frozenset(["wall_seconds", "compile_seconds", "run_id", "resumed"])
"""Attributes in which the files of a run that was gone on with, and of one that was not, may differ."""
OPTIMUM_ATTRIBUTES: dict[str, Attribute] = {
    "bellman_residual": Attribute(float, "max |V − TV|; the error of V is at most this over 1 − γ", required=True),
    "gap_floor": Attribute(float, "rounding floor of a gap measured against this optimum", required=True),
    "iterations": Attribute(int, "policy iterations done", required=True),
    "temperature": Attribute(float, "τ at which it is the optimum; that of the file where it is absent"),
}


def axis_names(grid: Grid) -> tuple[str, ...]:
    """Names of the axes of a grid."""
    return tuple(axis.name for axis in grid.axes)


def variables(states: Grid, actions: Grid, lengths: Mapping[str, int] | None = None) -> dict[str, Variable]:
    """The table for given grids, by path: with names, variables and lengths of their axes.

    ``lengths`` are those of dimensions that neither has, as `PARTICLE`.
    """
    known = {COMPONENT: actions.dim, OTHER_COMPONENT: actions.dim, **(lengths or {})}
    found = {entry.path: entry for entry in VARIABLES[: len(_ALL_SERIES)]}
    found[BOUND] = Variable(BOUND, (BOUND,), "0 for the lower edge of a cell, 1 for the upper", "i8", shape=(2,))
    for kind, grid in (("state", states), ("action", actions)):
        for axis in grid.axes:
            name, of, rule = axis.name, f"of {axis.label or f'the {kind} axis {axis.name}'}", axis.boundary
            edges, bounds, units = f"{name}_edges", f"{name}_bounds", axis.units or "1"
            size = axis.size
            points = axis.label or f"points {of}"
            found[name] = Variable(
                name, (name,), points, boundary=rule, labels=axis.labels, bounds=bounds, units=units, shape=(size,)
            )
            found[edges] = Variable(edges, (edges,), f"cell edges {of}", boundary=rule, units=units, shape=(size + 1,))
            found[bounds] = Variable(bounds, (name, BOUND), f"cell bounds {of}", units=units, shape=(size, 2))
    grids = {STATES: states, ACTIONS: actions}
    for entry in VARIABLES[len(_ALL_SERIES) :]:
        dims: list[str] = []
        shape: list[int] = []
        for dim in entry.dims:
            dims += axis_names(grids[dim]) if dim in grids else [dim]
            shape += grids[dim].shape if dim in grids else [known.get(dim, -1)]
        flat = tuple(grids[dim].size if dim in grids else known.get(dim, -1) for dim in entry.dims)
        found[entry.path] = replace(entry, dims=tuple(dims), shape=tuple(shape), flat=flat)
    return found


def standing_attributes(states: Grid, actions: Grid) -> dict[str, str | int]:
    """Attributes of every run: schema, provenance, and which axes are of states and which of actions."""
    mirror = {} if states.reflection is None else {"reflection": states.reflection.text}
    return {
        **mirror,
        "Conventions": CONVENTIONS,
        "schema_version": SCHEMA_VERSION,
        "wpoflow_version": VERSION,
        "source_hash": source_hash(),
        "packages": package_versions(),
        "state_axes": " ".join(axis_names(states)),
        "action_axes": " ".join(axis_names(actions)),
    }


def check_axis_names(names: Sequence[str]) -> None:
    """Raise ValueError if two axes share a name, or one has a name that means something else in a run file."""
    for name in names:
        if list(names).count(name) > 1:
            raise ValueError(f"axis {name} is both a state and an action axis; their names must differ")
        if name in RESERVED_NAMES or name.endswith(AXIS_ENDINGS) or "/" in name or " " in name:
            raise ValueError(f"axis {name!r}: the run file has this name for something else; choose another")
