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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.slabs import RowBlocks, Slab, StoredRows, boxes, send_rows
from wpoflow.solver.records.layout import OPTIMUM_ARRAYS, OPTIMUM_ATTRIBUTES, PARAMETERS
from wpoflow.solver.records.run import Attributes, Optimum
from wpoflow.solver.records.series import SERIES, names_of
from wpoflow.solver.storage.atomic import check_output, final_path, part_path, put_in_place
from wpoflow.solver.storage.digests import ContentDigests
from wpoflow.solver.storage.reader import open_run as open_run
from wpoflow.solver.storage.room import RECORD_BYTES, array_bytes, give_back, reserve
from wpoflow.solver.storage.sealed_arrays import append_end_state

if TYPE_CHECKING:
    from wpoflow.solver.storage.problem_arrays import Head

Arrays = Mapping[str, FloatArray | IntArray]

STATUSES = ("complete", "interrupted", "failed")

_SERIES_CHUNK = 128
# of series: with every row that is flushed they would be compressed anew
_CHECKED: dict[str, Any] = {"fletcher32": True}
_FILTERS: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True, **_CHECKED}


class Writer:
    """What is told of a run as it goes, up to its end."""

    def close(
        self,
        status: str,
        stop_reason: str,
        attributes: Attributes | None = None,
        end_state: Mapping[str, Any] | None = None,
    ) -> None:
        """Finish the file: last attributes, end state, trailer, rename.

        Parameters
        ----------
        status : {"complete", "interrupted", "failed"}
        stop_reason : str
            A sentence.
        attributes : mapping, optional
            Counters and times: wall_seconds, compile_seconds, steps, rejected_steps ...
        end_state : mapping, optional
            Arrays, numbers and texts from which the run can be extended.

        Raises
        ------
        ValueError
            Unknown status.
        OSError
            The disk is full or the file cannot be renamed; the ``.part`` file stays.
        """
        if status not in STATUSES:
            raise ValueError(f"status {status!r}; choose one of {', '.join(STATUSES)}")
        self._finish({**(attributes or {}), "status": status, "stop_reason": stop_reason}, end_state)

    def _finish(self, attributes: Attributes, end_state: Mapping[str, Any] | None) -> None:
        raise NotImplementedError


class RunWriter(Writer):
    """Write a run as it goes.

    Parameters
    ----------
    path : path
        Final name of the file; a symbolic link is followed.
    head : Head
        What it begins with.
    arrays : mapping, optional
        Arrays that state the problem, by their names in the group ``problem`` (for problems stated in Python).
    force : bool
        Replace an existing file.

    Raises
    ------
    FileExistsError
        The file exists and ``force`` is off, or it is not a regular file.
    OSError
        The file cannot be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], head: Head, *, arrays: Arrays | None = None, force: bool = False
    ) -> None:
        self.path = final_path(path)
        self._part = part_path(self.path)
        check_output(path, force)
        self._table = head.table
        self._rows = 0
        self._digests, self._scales = ContentDigests(), dict[str, h5py.Dataset]()
        self._part.open("ab").close()  # a missing permission is said better here than by HDF5
        self._file: Any = None
        given = {**head.arrays, **{f"problem/{name}": array for name, array in (arrays or {}).items()}}
        try:
            self._file = h5py.File(self._part, "w", libver=("v108", "v110"), track_order=True)
            with self._written(array_bytes(len(str(head.attributes)) + sum(array.size for array in given.values()))):
                self._begin(head.attributes, given)
        except BaseException:  # a signal as well
            self.discard()
            raise

    @contextmanager
    def _written(self, most: int) -> Iterator[None]:
        """Context of a write of at most so many bytes, for which there is room or which is not begun; then flush."""
        reserve(self._part, most, self._file.id.get_filesize())
        yield
        self._file.flush()

    def _close(self) -> None:
        if self._file:
            used = self._file.id.get_filesize()
            self._file.close()
            give_back(self._part, used)

    def _begin(self, attributes: Attributes, arrays: Arrays) -> None:
        self._file.attrs.update({**attributes, "status": "running", "stop_reason": ""})
        for name in SERIES:
            self._create(name)
        self._series = {name: self._file[name].id for name in SERIES}
        for path, array in arrays.items():
            for index in self._table[path].own_indices:
                self._create(index, np.arange(array.size))
            self._create(path, array)

    def record(self, row: Mapping[str, float]) -> None:
        """Append one row of the scalar series and flush.

        Parameters
        ----------
        row : mapping
            A number for every name of `solver.records.series.SERIES`, ``time`` included, and for those of
            `FURTHER_SERIES` in all rows or in none.

        Raises
        ------
        ValueError
            A name is missing or unknown.
        """
        for name in names_of(row):
            if name not in self._series:
                if self._rows:
                    raise ValueError(f"a row with {name} after rows without it")
                self._create(name)
                self._series[name] = self._file[name].id
        extent = (self._rows + 1,)
        place = h5py.h5s.create_simple(extent)
        place.select_hyperslab((self._rows,), (1,))
        number, values = h5py.h5s.create_simple((1,)), np.array(list(row.values()), dtype=np.float64)
        with self._written(RECORD_BYTES):
            for k, name in enumerate(row):
                data, value = self._series[name], values[k : k + 1]
                data.set_extent(extent)
                data.write(number, place, value)
                self._digests.add(name, "f8", value)
        self._rows += 1

    def snapshot(
        self,
        time: float,
        value: FloatArray,
        policy: FloatArray | RowBlocks,
        parameters: Mapping[str, FloatArray | RowBlocks] | None = None,
    ) -> None:
        """Append value (S,), policy (S, A) and parameters (S, ...) at a time, and flush; all alike from the first on.

        Policy and parameters may be spread over processes.
        """
        arrays: dict[str, Any] = {"snapshot_time": np.asarray(time), "value": value, "policy": policy}
        arrays |= parameters or {}
        with self._written(array_bytes(sum(array.size for array in arrays.values()))):
            if "snapshot" not in self._file:
                for name in arrays:
                    for scale in self._table[f"snapshot/{name}"].scales_beside:
                        if scale not in self._file:
                            self._create(scale, np.arange(self._table[scale].shape[0]))
                    self._create(f"snapshot/{name}")
            group = self._file["snapshot"]
            row = group["snapshot_time"].shape[0]
            for name, array in arrays.items():
                group[name].resize(row + 1, axis=0)
                self._fill(f"snapshot/{name}", "f8", array, (row,))

    def kept_snapshot(self, index: int) -> tuple[float, FloatArray, StoredRows, dict[str, StoredRows]]:
        """Time, value (S,), policy (S, A) and parameters (S, ...), by name, of a snapshot written before."""
        group = self._file["snapshot"]
        value = group["value"][index]

        def rows_of(name: str) -> StoredRows:
            return _stored(group[name], value.shape, (index,))

        parameters = {name: rows_of(name) for name in PARAMETERS if name in group}
        return float(group["snapshot_time"][index]), np.ravel(value), rows_of("policy"), parameters

    def optimum(self, optimum: Optimum) -> None:
        """Store the soft optimum, and flush."""
        with self._written(array_bytes(2 * optimum.q.size + 2 * optimum.value.size)):
            for name in OPTIMUM_ARRAYS:
                self._create(f"optimum/{name}", getattr(optimum, name))
            for name in OPTIMUM_ATTRIBUTES:
                self._file["optimum"].attrs[name] = getattr(optimum, name)
            self._file.attrs["gap_floor"] = optimum.gap_floor

    def kept_optimum(self, known: Optimum) -> Optimum:
        """The optimum written before, of which the arrays of pairs are read by rows and the rest is ``known``."""
        group = self._file["optimum"]
        rows: dict[str, Any] = {name: _stored(group[name], group["value"].shape) for name in ("q", "policy")}
        return replace(known, **rows)

    def _finish(self, attributes: Attributes, end_state: Mapping[str, Any] | None) -> None:
        """See `Writer`."""
        with self._written(RECORD_BYTES):
            self._file.attrs.update(attributes)
            self._digests.keep(self._file)
        self._close()
        if end_state is not None:
            append_end_state(self._part, end_state)
        put_in_place(self._part, self.path, sealed=True)

    def abandon(self) -> None:
        """Let go of the file without finishing it: a ``.part`` file with rows stays, with status "running"."""
        self._close()
        if not self._rows:
            self._part.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the unfinished file."""
        self._close()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()

    def _fill(self, path: str, kind: str, array: FloatArray | IntArray | RowBlocks, row: tuple[int, ...] = ()) -> None:
        """Write numbers into a data set, or a row of it; those spread over processes slab by slab."""
        data = self._file[path]
        if not isinstance(array, RowBlocks):
            data[row] = array.reshape(data.shape[len(row) :])
            self._digests.add(path, kind, array)
            return
        shape = data.shape[len(row) :]
        axes = next(shape[:k] for k in range(len(shape)) if math.prod(shape[:k]) == array.shape[0])
        for first, block in array.blocks():
            self._digests.add(path, kind, block)
            begun = 0
            for box in boxes(axes, first, first + len(block)):
                sides = tuple(side.stop - side.start for side in box)
                count = math.prod(sides)
                data[(*row, *box)] = block[begun : begun + count].reshape(*sides, *shape[len(axes) :])
                begun += count

    def _create(self, path: str, array: FloatArray | IntArray | RowBlocks | None = None) -> None:
        """Make the data set that the table has under this path, of these numbers; without any, it grows by rows."""
        entry = self._table[path]
        stored: dict[str, Any] = {"shape": ()}
        if array is None:
            rest = entry.shape[1:]
            rows, filters = (1, _FILTERS) if entry.group and not entry.is_scale else (_SERIES_CHUNK, _CHECKED)
            stored = {"shape": (0, *rest), "maxshape": (None, *rest), "chunks": (rows, *chunk_shape(rest)), **filters}
        elif shape := entry.shape if isinstance(array, RowBlocks) else array.reshape(entry.shape).shape:
            stored = {"shape": shape, "chunks": chunk_shape(shape), **_FILTERS}
        data = self._file.create_dataset(path, dtype=entry.kind, **stored)
        if not entry.is_scale:
            for k, dim in enumerate(entry.dims):
                own = f"{entry.group}/{dim}"
                data.dims[k].attach_scale(self._scales[own if own in self._table else dim])
        data.attrs.update(entry.attributes)
        if array is None:
            self._digests.add(path, entry.kind, np.empty(0))
        else:
            self._fill(path, entry.kind, array)
        if entry.is_scale:
            data.make_scale(entry.name)
            self._scales[path] = data


class SendingWriter(Writer):
    """The writer of a process that writes nothing: it sends its rows to the one that does, as that asks for them.

    Parameters
    ----------
    path : path
        Final name of the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = final_path(path)

    def optimum(self, optimum: Optimum) -> None:
        """See `RunWriter`."""
        for name in OPTIMUM_ARRAYS:
            send_rows(getattr(optimum, name))

    def record(self, row: Mapping[str, float]) -> None:
        """See `RunWriter`."""

    def snapshot(
        self,
        time: float,
        value: FloatArray,
        policy: FloatArray | RowBlocks,
        parameters: Mapping[str, FloatArray | RowBlocks] | None = None,
    ) -> None:
        """See `RunWriter`."""
        for array in (policy, *(parameters or {}).values()):
            send_rows(array)

    def _finish(self, attributes: Attributes, end_state: Mapping[str, Any] | None) -> None:
        """See `Writer`."""
        for array in (end_state or {}).values():
            send_rows(array)

    def abandon(self) -> None:
        """See `RunWriter`."""

    def discard(self) -> None:
        """See `RunWriter`."""


def spread_optimum(slab: Slab, optimum: Optimum) -> Optimum:
    """An optimum as it is stored: of several processes, with arrays of pairs that the root goes through."""
    spread: Callable[[FloatArray], Any] = slab.spread
    return replace(optimum, q=spread(optimum.q), policy=spread(optimum.policy))


def _stored(data: h5py.Dataset, states: tuple[int, ...], row: tuple[int, ...] = ()) -> StoredRows:
    """An array of pairs (S, A) of a data set, or of a row of it, whose first axes are those of the states."""
    n_states = math.prod(states)
    actions = math.prod(data.shape[len(row) :]) // n_states

    def read(first: int, last: int) -> FloatArray:
        return np.concatenate([data[(*row, *box)].reshape(-1, actions) for box in boxes(states, first, last)])

    return StoredRows((n_states, actions), read)


def chunk_shape(shape: tuple[int, ...], limit: int = 1 << 17) -> tuple[int, ...]:
    """Chunk of at most ``limit`` numbers (1 MiB of doubles) that keeps the last axes whole."""
    chunk = [max(1, n) for n in shape]
    for k in range(len(chunk)):
        rest = math.prod(chunk[k + 1 :])
        chunk[k] = min(chunk[k], max(1, limit // rest))
    return tuple(chunk)
