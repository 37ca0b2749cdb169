"""The run file: HDF5 in the netCDF-4 layout, followed by a 48-byte trailer.

Scalar series lie along the unlimited dimension ``time``, axes are dimension scales, the optimum and
the snapshots are groups; every data set has its dimension scales attached, so h5py, xarray (engines
h5netcdf and netCDF4) and ncdump all open the file.  Policies are stored as cell probabilities.

A file is written as ``RUN.h5.part`` and flushed after every record, so that a killed run leaves
something readable.  Closing it appends a trailer (see `solver.storage.atomic`), synchronises with the disk
and renames; `open_run` (`solver.storage.reader`) refuses a truncated or altered file before HDF5 sees it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.grid import Grid
from wpoflow.solver.records.layout import (
    LONG_NAMES,
    OPTIMUM_NUMBERS,
    UNITS,
    axis_long_name,
    index_long_name,
    names,
    problem_layout,
    problem_long_name,
    standing_attributes,
)
from wpoflow.solver.records.run import Attributes, Optimum
from wpoflow.solver.records.series import SERIES, check_axis_names
from wpoflow.solver.storage.atomic import check_output, final_path, part_path, put_in_place
from wpoflow.solver.storage.reader import open_run as open_run
from wpoflow.solver.storage.room import RECORD_BYTES, array_bytes, give_back, reserve

Arrays = Mapping[str, FloatArray | IntArray]

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
        self._state_dims, self._action_dims = names(states), names(actions)
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
                **standing_attributes(self.states, self.actions),
                "status": "running",
                "stop_reason": "",
                **attributes,
            }
        )
        self._create_scales()
        self._series = {name: self._file[name].id for name in SERIES}
        self._fixed("/reference_mass", mass, self._action_dims)
        self._fixed("/rho", rho, self._state_dims)
        for name, array in arrays.items():
            self._store_problem_array(name, array)

    def record(self, row: Mapping[str, float]) -> None:
        """Append one row of the scalar series and flush.

        Parameters
        ----------
        row : mapping
            A number for every name of `solver.records.series.SERIES`, ``time`` included.

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
            self._fixed("/optimum/value", optimum.value, self._state_dims)
            self._fixed("/optimum/q", optimum.q, pair_dims)
            self._fixed("/optimum/policy", optimum.policy, pair_dims)
            self._fixed("/optimum/occupancy", optimum.occupancy, self._state_dims)
            for name in OPTIMUM_NUMBERS:
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
        put_in_place(part_path(self.path), self.path, sealed=True)

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
        for name in SERIES:
            dims = () if name == "time" else ("time",)
            data = self._create(f"/{name}", (0,), dims, LONG_NAMES[name], maxshape=(None,), chunks=(_SERIES_CHUNK,))
            if name == "time":
                data.make_scale("time")
        for kind, grid in (("state", self.states), ("action", self.actions)):
            for axis in grid.axes:
                for name, values in ((axis.name, axis.points), (f"{axis.name}_edges", axis.edges)):
                    long_name = axis_long_name(kind, axis, values is axis.edges)
                    data = self._create(f"/{name}", values.shape, (), long_name)
                    data[...] = values
                    data.attrs["boundary"] = axis.boundary
                    data.make_scale(name)

    def _create_snapshots(self) -> h5py.Group:
        path, growing = "snapshot/snapshot_time", (None,)
        scale = self._create(path, (0,), (), LONG_NAMES[path], maxshape=growing, chunks=(_SERIES_CHUNK,))
        scale.make_scale("snapshot_time")
        pair_dims = self._state_dims + self._action_dims
        for name, shape, dims in (
            ("snapshot/value", self.states.shape, self._state_dims),
            ("snapshot/policy", self.states.shape + self.actions.shape, pair_dims),
        ):
            self._create(
                name,
                (0, *shape),
                ("snapshot/snapshot_time", *dims),
                LONG_NAMES[name],
                maxshape=(None, *shape),
                chunks=(1, *chunk_shape(shape)),
            )
        return self._file["snapshot"]

    def _store_problem_array(self, name: str, array: FloatArray | IntArray) -> None:
        shape, dims = problem_layout(name, array.shape, self.states, self.actions)
        paths = []
        for k, dim in enumerate(dims):
            own = dim not in self._state_dims + self._action_dims
            if own:
                scale = self._create(f"/problem/{dim}", (shape[k],), (), index_long_name(name, k), dtype=np.int64)
                scale[...] = np.arange(shape[k])
                scale.make_scale(dim)
            paths.append(f"problem/{dim}" if own else dim)
        self._fixed(f"/problem/{name}", array, tuple(paths), problem_long_name(name))

    def _fixed(
        self, path: str, array: FloatArray | IntArray, dims: tuple[str, ...], long_name: str | None = None
    ) -> None:
        shape = tuple(self._file[dim].shape[0] for dim in dims)
        long_name = LONG_NAMES[path.removeprefix("/")] if long_name is None else long_name
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
        data.attrs["units"] = UNITS
        data.attrs["long_name"] = long_name
        return data


def chunk_shape(shape: tuple[int, ...], limit: int = 1 << 17) -> tuple[int, ...]:
    """Chunk of at most ``limit`` numbers (1 MiB of doubles) that keeps the last axes whole."""
    chunk = [max(1, n) for n in shape]
    for k in range(len(chunk)):
        rest = math.prod(chunk[k + 1 :])
        chunk[k] = min(chunk[k], max(1, limit // rest))
    return tuple(chunk)
