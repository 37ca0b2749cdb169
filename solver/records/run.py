"""What a run leaves behind, in memory or read back from its file: one shape for both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.brief import briefly
from wpoflow.core.deferred import Deferred
from wpoflow.core.display import Displayed
from wpoflow.core.memory import needed_by
from wpoflow.core.optional import optional
from wpoflow.grids.grid import Grid
from wpoflow.solver.records.layout import BOUND, OPTIMUM_ARRAYS, OPTIMUM_ATTRIBUTES, SCHEMA_VERSION, variables
from wpoflow.solver.records.series import SINCE

if TYPE_CHECKING:
    import xarray

Attributes = Mapping[str, str | int | float]
ProblemArrays = Mapping[str, FloatArray | IntArray]
Rows = Callable[[int | slice], FloatArray]
BLOCK = 1 << 20  # numbers read at once


@briefly
@dataclass(frozen=True, eq=False)
class Optimum(Displayed):
    """The soft optimum, or at temperature zero that of the costs alone, and how well it is known.

    Attributes
    ----------
    value : array (S,)
        V*.
    q : array (S, A)
        Q*.
    policy : array (S, A)
        Cell probabilities of the Gibbs policy of Q*.
    bellman_residual : float
        ``max |V - T V|`` at the value given; the error of V is at most this over 1 - gamma.
    gap_floor : float
        Rounding floor of the gap measured against this optimum.
    occupancy : array (S,)
        Discounted occupancy of p* from rho; it may be given as a function that makes it when it is asked for.
    iterations : int
        Policy iterations done.
    temperature : float
        tau, at which it is one; not a number of earlier versions, then that of the problem.
    """

    value: FloatArray
    q: FloatArray
    policy: FloatArray
    bellman_residual: float
    gap_floor: float
    occupancy: Deferred[FloatArray] = Deferred()  # noqa: RUF009 - no default: the class has no such attribute
    iterations: int  # type: ignore[misc]
    temperature: float = math.nan

    def __getstate__(self) -> dict[str, object]:
        """All fields, made if need be: what makes one does not travel."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    def stated(self, temperature: float) -> Optimum:
        """The same; where its temperature is not known, at this one."""
        return replace(self, temperature=temperature) if math.isnan(self.temperature) else self

    def without_policy(self) -> Optimum:
        """The same without its policy, an array of no rows: what a run is measured against, once all is in its file."""
        return replace(self, policy=np.empty((0, self.q.shape[1])))


class Snapshots:
    """Values and policies at a few times; what is stored in a file is read when asked for.

    Parameters
    ----------
    time : array (k,)
    value, policy : arrays (k, S), (k, S, A), or functions of an index or slice giving rows of them
        Value functions and cell probabilities.
    parameters : mapping of such, optional
        Of policies that are made of parameters these, (k, S, ...), by their names in the run file: ``policy_mean``,
        ``policy_covariance``, ``particles``.
    lengths : mapping of str to int, optional
        Lengths of their dimensions.
    """

    def __init__(
        self,
        time: FloatArray,
        value: FloatArray | Rows,
        policy: FloatArray | Rows,
        parameters: Mapping[str, FloatArray | Rows] | None = None,
        lengths: Mapping[str, int] | None = None,
    ) -> None:
        self.time = time
        self._value: Rows = _rows(value)
        self._policy: Rows = _rows(policy)
        self._parameters = {name: _rows(found) for name, found in (parameters or {}).items()}
        self.lengths = dict(lengths or {})

    def __repr__(self) -> str:
        ends = f", from time {self.time[0]:.6g} to {self.time[-1]:.6g}" if len(self.time) else ""
        return f"Snapshots({len(self.time)}{ends})"

    @cached_property
    def value(self) -> FloatArray:
        """All value functions, (k, S)."""
        return self._value(slice(None))

    @cached_property
    def policy(self) -> FloatArray:
        """All policies, (k, S, A)."""
        return self._policy(slice(None))

    def each_policy(self) -> Iterator[FloatArray]:
        """The policies, (S, A), one after the other; several small ones are read at once."""
        count = len(self.time)
        at_once = max(1, BLOCK // max(1, self.policy_at(0).size)) if count else 1
        for start in range(0, count, at_once):
            yield from self._policy(slice(start, start + at_once))

    def value_at(self, index: int) -> FloatArray:
        """One value function, (S,), without reading the others."""
        return self._value(index)

    def policy_at(self, index: int) -> FloatArray:
        """One policy, (S, A), without reading the others."""
        return self._policy(index)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that the policies are made of; none of most flows."""
        return tuple(self._parameters)

    def parameter(self, name: str, index: int | slice = slice(None)) -> FloatArray:
        """One kind of parameters, (k, S, ...), of all snapshots, or (S, ...) of one of them.

        Raises
        ------
        ValueError
            The policies have none of this name.
        """
        if name not in self._parameters:
            has = f"they have {', '.join(self._parameters)}" if self._parameters else "they are not made of parameters"
            raise ValueError(f"the policies of this run have no {name!r}; {has}")
        return self._parameters[name](index)


def _rows(found: FloatArray | Rows) -> Rows:
    return found if callable(found) else found.__getitem__


class Run(Displayed):
    """A run, as `evolve` returns it and as its file holds it.

    Parameters
    ----------
    states, actions : Grid
    series : dict of arrays (rows,)
        The scalar series by name, ``time`` among them (see `solver.records.series.SERIES`).
    snapshots : Snapshots or None
    optimum : Optimum, a function that reads it, or None
    reference_mass, rho : arrays (A,), (S,)
    attributes : mapping
        The attributes of the run file: title, problem, status, stop_reason, counters, provenance.
    problem_arrays : function returning a mapping of arrays, optional
        What states a problem that has no text (see `solver.storage.problem_arrays`).
    source : str
        The file it was read from; empty for a run in memory.
    """

    def __init__(
        self,
        *,
        states: Grid,
        actions: Grid,
        series: dict[str, FloatArray],
        snapshots: Snapshots | None,
        optimum: Optimum | Callable[[], Optimum] | None,
        reference_mass: FloatArray,
        rho: FloatArray,
        attributes: Attributes,
        problem_arrays: Callable[[], ProblemArrays] | None = None,
        source: str = "",
    ) -> None:
        self.source = source
        self.states, self.actions = states, actions
        self.series = series
        self.snapshots = snapshots
        self._optimum = optimum
        self.reference_mass, self.rho = reference_mass, rho
        self.attributes = attributes
        self._problem_arrays = problem_arrays

    @cached_property
    def problem_arrays(self) -> ProblemArrays:
        """Arrays by which a problem without a text is stated; empty for others."""
        return {} if self._problem_arrays is None else self._problem_arrays()

    @cached_property
    def optimum(self) -> Optimum | None:
        """The soft optimum; None if the run ended before it was known."""
        return self._optimum() if callable(self._optimum) else self._optimum

    def __repr__(self) -> str:
        grids = [f"{axis.name} {axis.size}" for axis in (*self.states.axes, *self.actions.axes)]
        last = [f"{name} {self.series[name][-1]:.6g}" for name in ("time", "gap") if len(self.series["time"])]
        return f"Run({', '.join([repr(self.title), ' x '.join(grids), self.status, *last])})"

    def _text(self, name: str) -> str:
        return str(self.attributes.get(name, ""))

    @property
    def title(self) -> str:
        """Title of the problem."""
        return self._text("title")

    @property
    def problem(self) -> str:
        """The resolved problem text, empty for a problem stated in Python."""
        return self._text("problem")

    @property
    def status(self) -> str:
        """How the run ended: complete, interrupted or failed."""
        return self._text("status")

    @property
    def stop_reason(self) -> str:
        """Why the run stopped, in a sentence."""
        return self._text("stop_reason")

    @property
    def reached_goal(self) -> bool:
        """Whether the gap that was asked for was reached, the time where no gap was, or neither was asked for."""
        return bool(self.attributes.get("reached_goal", self.status == "complete"))

    @cached_property
    def policy(self) -> FloatArray:
        """The last policy kept, (S, A)."""
        return self._kept().policy_at(-1)

    @cached_property
    def value(self) -> FloatArray:
        """The value of the last policy kept, (S,)."""
        return self._kept().value_at(-1)

    def _kept(self) -> Snapshots:
        if self.snapshots is None or not len(self.snapshots.time):
            raise ValueError("this run holds no snapshots")
        return self.snapshots

    def _arrays(self) -> dict[str, FloatArray | IntArray]:
        """All arrays of the run by the paths of their variables."""
        schema = int(self.attributes.get("schema_version", SCHEMA_VERSION))
        series = {name: array for name, array in self.series.items() if SINCE.get(name, 0) <= schema}
        found: dict[str, FloatArray | IntArray] = {**series, **axis_arrays(self.states, self.actions)}
        found |= {"reference_mass": self.reference_mass, "rho": self.rho}
        if self.optimum is not None:
            found |= {f"optimum/{name}": getattr(self.optimum, name) for name in OPTIMUM_ARRAYS}
        if (kept := self.snapshots) is not None and len(kept.time):
            found |= {"snapshot/snapshot_time": kept.time}
            found |= {"snapshot/value": kept.value, "snapshot/policy": kept.policy}
            table = variables(self.states, self.actions, kept.lengths)
            for name in kept.parameters:
                entry, array = table[f"snapshot/{name}"], kept.parameter(name)
                found |= {path: np.arange(table[path].shape[0]) for path in entry.scales_beside}
                found[entry.path] = array
        return found | {f"problem/{name}": array for name, array in self.problem_arrays.items()}

    def to_xarray(self) -> xarray.DataTree:
        """The run as an xarray DataTree, identical to what `xarray.open_datatree` reads from its file.

        With either engine (h5netcdf, netCDF4) groups, dimensions, coordinates, types and attributes are the same:
        ``identical`` holds, and tests say so.

        Raises
        ------
        ImportError
            xarray is not installed (``pip install "wpoflow[xarray]"``).
        MemoryError
            There is no room for all its arrays; names the file, if it was read from one.
        """
        with needed_by(self.source or self.title):
            return self._to_xarray()

    def _to_xarray(self) -> xarray.DataTree:
        library = optional("xarray", "to_xarray needs xarray", "xarray")

        table = variables(self.states, self.actions, {} if self.snapshots is None else self.snapshots.lengths)
        groups: dict[str, dict[str, Any]] = {"": {}}
        for path, array in self._arrays().items():
            entry = table[path]
            group = groups.setdefault(entry.group, {})
            group[entry.name] = (entry.dims, array.reshape(entry.shape), entry.attributes)
            for index in entry.own_indices:
                group[table[index].name] = (table[index].dims, np.arange(array.size), table[index].attributes)
        attributes: dict[str, Attributes] = {"": self.attributes}
        if self.optimum is not None:
            attributes["optimum"] = {name: getattr(self.optimum, name) for name in OPTIMUM_ATTRIBUTES}
        found: xarray.DataTree = library.DataTree.from_dict(
            {f"/{name}": library.Dataset(group, attrs=attributes.get(name)) for name, group in groups.items()}
        )
        return found


def axis_arrays(states: Grid, actions: Grid) -> dict[str, FloatArray | IntArray]:
    """Points, cell edges and bounds of all axes, and the index of the bounds, by the names of their variables."""
    found: dict[str, FloatArray | IntArray] = {BOUND: np.arange(2)}
    for axis in (*states.axes, *actions.axes):
        found[axis.name], found[f"{axis.name}_edges"] = axis.points, axis.edges
        found[f"{axis.name}_bounds"] = np.stack([axis.edges[:-1], axis.edges[1:]], axis=1)
    return found
