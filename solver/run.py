"""What a run leaves behind, in memory or read back from its file: one shape for both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from grids.arrays import FloatArray
from grids.grid import Grid
from solver.series import SERIES

if TYPE_CHECKING:
    import xarray

Attributes = Mapping[str, str | int | float]
Rows = Callable[[int | slice], FloatArray]


@dataclass(frozen=True, eq=False)
class Optimum:
    """The soft optimum and how well it is known.

    Attributes
    ----------
    value : array (S,)
        V*.
    q : array (S, A)
        Q*.
    policy : array (S, A)
        Cell probabilities of the Gibbs policy of Q*.
    bellman_residual : float
        max |V - T V| at the value given; the error of V is at most this over 1 - gamma.
    gap_floor : float
        Rounding floor of the gap measured against this optimum.
    occupancy : array (S,)
        Discounted occupancy of p* from rho.
    iterations : int
        Soft policy iterations done.
    """

    value: FloatArray
    q: FloatArray
    policy: FloatArray
    bellman_residual: float
    gap_floor: float
    occupancy: FloatArray
    iterations: int


class Snapshots:
    """Values and policies at a few times; what is stored in a file is read when asked for.

    Parameters
    ----------
    time : array (k,)
    value, policy : arrays (k, S), (k, S, A), or functions of an index or slice giving rows of them
        Value functions and cell probabilities.
    """

    def __init__(self, time: FloatArray, value: FloatArray | Rows, policy: FloatArray | Rows) -> None:
        self.time = time
        self._value: Rows = value if callable(value) else value.__getitem__
        self._policy: Rows = policy if callable(policy) else policy.__getitem__

    @cached_property
    def value(self) -> FloatArray:
        """All value functions, (k, S)."""
        return self._value(slice(None))

    @cached_property
    def policy(self) -> FloatArray:
        """All policies, (k, S, A)."""
        return self._policy(slice(None))

    def value_at(self, index: int) -> FloatArray:
        """One value function, (S,), without reading the others."""
        return self._value(index)

    def policy_at(self, index: int) -> FloatArray:
        """One policy, (S, A), without reading the others."""
        return self._policy(index)


class Run:
    """A run, as `evolve` returns it and as its file holds it.

    Parameters
    ----------
    states, actions : Grid
    series : dict of arrays (rows,)
        The scalar series by name, ``time`` among them (see `solver.series.SERIES`).
    snapshots : Snapshots or None
    optimum : Optimum, a function that reads it, or None
    reference_mass, rho : arrays (A,), (S,)
    attributes : mapping
        The attributes of the run file: title, problem, status, stop_reason, counters, provenance.
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
    ) -> None:
        self.states, self.actions = states, actions
        self.series = series
        self.snapshots = snapshots
        self._optimum = optimum
        self.reference_mass, self.rho = reference_mass, rho
        self.attributes = attributes

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

    def to_xarray(self) -> xarray.DataTree:
        """The run as an xarray DataTree laid out like the run file.

        Raises
        ------
        ImportError
            xarray is not installed (``pip install "wpoflow[xarray]"``).
        """
        try:
            import xarray
        except ImportError as error:
            raise ImportError('to_xarray needs xarray: pip install "wpoflow[xarray]"') from error

        axes = (*self.states.axes, *self.actions.axes)
        state_dims = tuple(axis.name for axis in self.states.axes)
        action_dims = tuple(axis.name for axis in self.actions.axes)
        shape = self.states.shape + self.actions.shape
        root = xarray.Dataset(
            {
                **{
                    name: ("time", values, {"units": "1", "long_name": SERIES.get(name, name)})
                    for name, values in self.series.items()
                    if name != "time"
                },
                "reference_mass": (action_dims, self.reference_mass.reshape(self.actions.shape)),
                "rho": (state_dims, self.rho.reshape(self.states.shape)),
            },
            coords={"time": self.series["time"], **{axis.name: axis.points for axis in axes}},
            attrs=dict(self.attributes),
        )
        groups = {"/": root.assign_coords({f"{axis.name}_edges": axis.edges for axis in axes})}
        if self.optimum is not None:
            groups["/optimum"] = xarray.Dataset(
                {
                    "value": (state_dims, self.optimum.value.reshape(self.states.shape)),
                    "occupancy": (state_dims, self.optimum.occupancy.reshape(self.states.shape)),
                    "q": (state_dims + action_dims, self.optimum.q.reshape(shape)),
                    "policy": (state_dims + action_dims, self.optimum.policy.reshape(shape)),
                }
            )
        if self.snapshots is not None:
            dims = ("snapshot_time", *state_dims)
            rows = len(self.snapshots.time)
            groups["/snapshot"] = xarray.Dataset(
                {
                    "value": (dims, self.snapshots.value.reshape((rows, *self.states.shape))),
                    "policy": (dims + action_dims, self.snapshots.policy.reshape((rows, *shape))),
                },
                coords={"snapshot_time": self.snapshots.time},
            )
        return xarray.DataTree.from_dict(groups)
