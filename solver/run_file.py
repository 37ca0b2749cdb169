"""The run file: HDF5 in the netCDF-4 layout, followed by a 48-byte trailer.

Scalar series lie along the unlimited dimension ``time``, axes are dimension scales, the optimum and
the snapshots are groups; every data set has its dimension scales attached, so h5py, xarray (engines
h5netcdf and netCDF4) and ncdump all open the file.  Policies are stored as cell probabilities.

A file is written as ``RUN.h5.part`` and flushed after every record, so that a killed run leaves
something readable.  Closing it appends a trailer (see `solver.trailer`), synchronises with the disk
and renames; `open_run` refuses a truncated or altered file before HDF5 sees it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import h5py
import numpy as np

from grids.arrays import FloatArray, IntArray
from grids.axis import Axis
from grids.grid import Grid
from solver.disk_space import RECORD_BYTES, array_bytes, give_back, reserve
from solver.output_path import check_output, final_path, part_path
from solver.provenance import VERSION, package_versions, source_hash
from solver.run import Attributes, Optimum, Rows, Run, Snapshots
from solver.series import SERIES, check_axis_names
from solver.trailer import RunFileError, append_trailer, check_trailer, synchronise_folder

T = TypeVar("T")
Arrays = Mapping[str, FloatArray | IntArray]

SCHEMA_VERSION = 1
STATUSES = ("complete", "interrupted", "failed")

_SERIES_CHUNK = 512
_FILTERS: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}


class RunWriter:
    """Write a run as it goes.

    Parameters
    ----------
    path : path
        Final name of the file; a symbolic link is followed.
    states, actions : Grid
    reference_mass, rho : arrays (A,), (S,)
    attributes : mapping, optional
        Further attributes known at the start: title, problem, discount, temperature, gap_floor ...
    arrays : mapping, optional
        Arrays that state the problem, stored in the group ``problem`` (for problems stated in Python).
    force : bool
        Replace an existing file.

    Raises
    ------
    FileExistsError
        The file exists and ``force`` is off, or it is not a regular file.
    OSError
        The file cannot be written.
    ValueError
        Two axes of one name, or a name that the file has for something else.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        states: Grid,
        actions: Grid,
        *,
        reference_mass: FloatArray,
        rho: FloatArray,
        attributes: Attributes | None = None,
        arrays: Arrays | None = None,
        force: bool = False,
    ) -> None:
        self.path = final_path(path)
        self.states, self.actions = states, actions
        check_axis_names([axis.name for axis in (*states.axes, *actions.axes)])
        check_output(path, force)
        self._state_dims = tuple(axis.name for axis in states.axes)
        self._action_dims = tuple(axis.name for axis in actions.axes)
        self._rows = 0
        part_path(self.path).open("ab").close()  # a missing permission is said better here than by HDF5
        self._file = h5py.File(part_path(self.path), "w", libver=("v108", "v110"), track_order=True)
        described = len(str(attributes)) + sum(axis.edges.size for axis in (*states.axes, *actions.axes))
        stated = reference_mass.size + rho.size + sum(array.size for array in (arrays or {}).values())
        try:
            with self._written(array_bytes(stated + described)):
                self._begin(attributes or {}, reference_mass, rho, arrays or {})
        except OSError:
            self.discard()
            raise

    @contextmanager
    def _written(self, most: int) -> Iterator[None]:
        """Context of a write of at most so many bytes, for which there is room or which is not begun; then flush."""
        reserve(part_path(self.path), most, self._file.id.get_filesize())
        yield
        self._file.flush()

    def _close(self) -> None:
        if self._file:
            used = self._file.id.get_filesize()
            self._file.close()
            give_back(part_path(self.path), used)

    def _begin(self, attributes: Attributes, mass: FloatArray, rho: FloatArray, arrays: Arrays) -> None:
        self._file.attrs.update(
            {
                "schema_version": SCHEMA_VERSION,
                "wpoflow_version": VERSION,
                "source_hash": source_hash(),
                "packages": package_versions(),
                "status": "running",
                "stop_reason": "",
                "state_axes": " ".join(self._state_dims),
                "action_axes": " ".join(self._action_dims),
                **attributes,
            }
        )
        self._create_scales()
        self._series = {name: self._file[name].id for name in SERIES}
        self._fixed("/reference_mass", mass, self._action_dims, "mass of the reference measure by cell")
        self._fixed("/rho", rho, self._state_dims, "law of the initial state")
        for name, array in arrays.items():
            self._store_problem_array(name, array)

    def record(self, row: Mapping[str, float]) -> None:
        """Append one row of the scalar series and flush.

        Parameters
        ----------
        row : mapping
            A number for every name of `solver.series.SERIES`, ``time`` included.

        Raises
        ------
        ValueError
            A name is missing or unknown.
        """
        if row.keys() != SERIES.keys():
            wrong = ", ".join(sorted(row.keys() ^ SERIES.keys()))
            raise ValueError(f"a row of the series must have exactly the names of SERIES; missing or unknown: {wrong}")
        extent = (self._rows + 1,)
        place = h5py.h5s.create_simple(extent)
        place.select_hyperslab((self._rows,), (1,))
        number = h5py.h5s.create_simple((1,))
        with self._written(RECORD_BYTES):
            for name, value in row.items():
                data = self._series[name]
                data.set_extent(extent)
                data.write(number, place, np.array([value], dtype=np.float64))
        self._rows += 1

    def snapshot(self, time: float, value: FloatArray, policy: FloatArray) -> None:
        """Append value (S,) and policy (S, A) at a time, and flush."""
        shapes = {"snapshot_time": (), "value": self.states.shape, "policy": self.states.shape + self.actions.shape}
        with self._written(array_bytes(1 + value.size + policy.size)):
            group = self._file.get("snapshot")
            if group is None:
                group = self._create_snapshots()
            row = group["snapshot_time"].shape[0]
            for (name, shape), array in zip(shapes.items(), (np.asarray(time), value, policy), strict=True):
                group[name].resize(row + 1, axis=0)
                group[name][row] = array.reshape(shape)

    def kept_snapshot(self, index: int) -> tuple[float, FloatArray, FloatArray]:
        """Time, value (S,) and policy (S, A) of a snapshot written before."""
        group = self._file["snapshot"]
        value, policy = np.ravel(group["value"][index]), group["policy"][index]
        return float(group["snapshot_time"][index]), value, policy.reshape(value.size, -1)

    def optimum(self, optimum: Optimum) -> None:
        """Store the soft optimum, and flush."""
        pair_dims = self._state_dims + self._action_dims
        with self._written(array_bytes(2 * optimum.q.size + 2 * optimum.value.size)):
            self._fixed("/optimum/value", optimum.value, self._state_dims, "soft-optimal value")
            self._fixed("/optimum/q", optimum.q, pair_dims, "soft-optimal Q")
            self._fixed("/optimum/policy", optimum.policy, pair_dims, "soft-optimal policy, probability by cell")
            occupancy = "discounted occupancy of the optimum"
            self._fixed("/optimum/occupancy", optimum.occupancy, self._state_dims, occupancy)
            for name in ("bellman_residual", "gap_floor", "iterations"):
                self._file["optimum"].attrs[name] = getattr(optimum, name)
            self._file.attrs["gap_floor"] = optimum.gap_floor

    def close(self, status: str, stop_reason: str, attributes: Attributes | None = None) -> None:
        """Finish the file: last attributes, trailer, rename.

        Parameters
        ----------
        status : {"complete", "interrupted", "failed"}
        stop_reason : str
            A sentence.
        attributes : mapping, optional
            Counters and times: wall_seconds, compile_seconds, steps, rejected_steps ...

        Raises
        ------
        ValueError
            Unknown status.
        OSError
            The disk is full or the file cannot be renamed; the ``.part`` file stays.
        """
        if status not in STATUSES:
            raise ValueError(f"status {status!r}; choose one of {', '.join(STATUSES)}")
        with self._written(RECORD_BYTES):
            self._file.attrs.update({**(attributes or {}), "status": status, "stop_reason": stop_reason})
        self._close()
        part = part_path(self.path)
        append_trailer(part)
        os.replace(part, self.path)
        synchronise_folder(self.path.parent)

    def abandon(self) -> None:
        """Let go of the file without finishing it: a ``.part`` file with rows stays, with status "running"."""
        self._close()
        if not self._rows:
            part_path(self.path).unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the unfinished file."""
        self._close()
        part_path(self.path).unlink(missing_ok=True)

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()

    def _create_scales(self) -> None:
        for name, long_name in SERIES.items():
            dims = () if name == "time" else ("time",)
            data = self._create(f"/{name}", (0,), dims, long_name, maxshape=(None,), chunks=(_SERIES_CHUNK,))
            if name == "time":
                data.make_scale("time")
        for kind, grid in (("state", self.states), ("action", self.actions)):
            for axis in grid.axes:
                for name, values, what in (
                    (axis.name, axis.points, "points"),
                    (f"{axis.name}_edges", axis.edges, "cell edges"),
                ):
                    data = self._create(f"/{name}", values.shape, (), f"{what} of the {kind} axis {axis.name}")
                    data[...] = values
                    data.attrs["boundary"] = axis.boundary
                    data.make_scale(name)

    def _create_snapshots(self) -> h5py.Group:
        path, growing = "/snapshot/snapshot_time", (None,)
        scale = self._create(path, (0,), (), "flow time", maxshape=growing, chunks=(_SERIES_CHUNK,))
        scale.make_scale("snapshot_time")
        pair_dims = self._state_dims + self._action_dims
        for name, shape, dims, long_name in (
            ("value", self.states.shape, self._state_dims, "value of the policy"),
            ("policy", self.states.shape + self.actions.shape, pair_dims, "policy, probability by cell"),
        ):
            self._create(
                f"/snapshot/{name}",
                (0, *shape),
                ("snapshot/snapshot_time", *dims),
                long_name,
                maxshape=(None, *shape),
                chunks=(1, *chunk_shape(shape)),
            )
        return self._file["snapshot"]

    def _store_problem_array(self, name: str, array: FloatArray | IntArray) -> None:
        n_states, n_actions = self.states.size, self.actions.size
        layouts = {
            (n_states, n_actions): (self.states.shape + self.actions.shape, self._state_dims + self._action_dims),
            (n_states,): (self.states.shape, self._state_dims),
        }
        if array.shape in layouts:
            shape, dims = layouts[array.shape]
            self._fixed(f"/problem/{name}", array.reshape(shape), dims, f"{name} of the problem")
            return
        own = []
        for k, length in enumerate(array.shape):
            scale = self._create(f"/problem/{name}_index{k}", (length,), (), f"index {k} of {name}", dtype=np.int64)
            scale[...] = np.arange(length)
            scale.make_scale(f"{name}_index{k}")
            own.append(f"problem/{name}_index{k}")
        self._fixed(f"/problem/{name}", array, tuple(own), f"{name} of the problem")

    def _fixed(self, path: str, array: FloatArray | IntArray, dims: tuple[str, ...], long_name: str) -> None:
        shape = tuple(self._file[dim].shape[0] for dim in dims)
        data = self._create(path, shape, dims, long_name, dtype=array.dtype)
        data[...] = array.reshape(shape)

    def _create(
        self,
        path: str,
        shape: tuple[int, ...],
        dims: tuple[str, ...],
        long_name: str,
        *,
        maxshape: tuple[int | None, ...] | None = None,
        chunks: tuple[int, ...] | None = None,
        dtype: Any = np.float64,
    ) -> h5py.Dataset:
        if shape and chunks is None:
            chunks = chunk_shape(shape)
        data = self._file.create_dataset(
            path, shape, dtype, maxshape=maxshape, chunks=chunks, **(_FILTERS if shape else {})
        )
        for k, dim in enumerate(dims):
            data.dims[k].attach_scale(self._file[dim])
        data.attrs["units"] = "1"
        data.attrs["long_name"] = long_name
        return data


def chunk_shape(shape: tuple[int, ...], limit: int = 1 << 17) -> tuple[int, ...]:
    """Chunk of at most ``limit`` numbers (1 MiB of doubles) that keeps the last axes whole."""
    chunk = [max(1, n) for n in shape]
    for k in range(len(chunk)):
        rest = math.prod(chunk[k + 1 :])
        chunk[k] = min(chunk[k], max(1, limit // rest))
    return tuple(chunk)


def open_run(path: str | os.PathLike[str]) -> Run:
    """Read a run file; its optimum and snapshots are read when asked for.

    Raises
    ------
    RunFileError
        The file is missing, unreadable, truncated, altered, or not a run file.
    """
    check_trailer(path)
    return _reading(path, lambda file: _read(file, Path(path).resolve()))


def _reading(path: str | os.PathLike[str], read: Callable[[h5py.File], T]) -> T:
    try:
        with h5py.File(path, "r") as file:
            return read(file)
    except (OSError, KeyError, ValueError) as error:
        raise RunFileError(f"{path}: not a run file of schema {SCHEMA_VERSION}: {error}") from error


def _read(file: h5py.File, path: Path) -> Run:
    attributes = {name: value if isinstance(value, str) else value.item() for name, value in file.attrs.items()}
    if attributes["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"its schema_version is {attributes['schema_version']}")
    states, actions = (_read_grid(file, str(attributes[f"{kind}_axes"])) for kind in ("state", "action"))
    pairs = (states.size, actions.size)

    def rows(name: str, shape: tuple[int, ...]) -> Rows:
        def read(group: h5py.Group, index: int | slice) -> FloatArray:
            found: FloatArray = group[name][index]
            return found.reshape((-1, *shape) if isinstance(index, slice) else shape)

        return lambda index: _reading(path, lambda file: read(file["snapshot"], index))

    snapshots = None
    if "snapshot" in file:
        time = file["snapshot/snapshot_time"][()]
        snapshots = Snapshots(time, rows("value", pairs[:1]), rows("policy", pairs))
    return Run(
        states=states,
        actions=actions,
        series={name: file[name][()] for name in SERIES},
        snapshots=snapshots,
        optimum=(lambda: _reading(path, lambda file: _read_optimum(file["optimum"]))) if "optimum" in file else None,
        reference_mass=np.ravel(file["reference_mass"][()]),
        rho=np.ravel(file["rho"][()]),
        attributes=attributes,
    )


def _read_optimum(group: h5py.Group) -> Optimum:
    value = np.ravel(group["value"][()])
    return Optimum(
        value=value,
        q=group["q"][()].reshape(value.size, -1),
        policy=group["policy"][()].reshape(value.size, -1),
        bellman_residual=float(group.attrs["bellman_residual"]),
        gap_floor=float(group.attrs["gap_floor"]),
        occupancy=np.ravel(group["occupancy"][()]),
        iterations=int(group.attrs["iterations"]),
    )


def _read_grid(file: h5py.File, names: str) -> Grid:
    axes = []
    for name in names.split():
        edges = file[f"{name}_edges"]
        axes.append(Axis(name, edges[()], str(edges.attrs["boundary"])))
    return Grid(tuple(axes))
