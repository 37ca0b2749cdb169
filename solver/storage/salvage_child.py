"""The process that lets HDF5 loose on a damaged file: it may crash, hang or ask for the moon, and only it.

It writes to standard output what it reads, piece by piece, so that what was read before a crash is kept: a line of JSON
for every piece, followed by the numbers where the piece is an array, as float64.

    {"name": "gap", "shape": [40], "lost": 0}   lost: how many of them could not be read, and are nan
    {"attribute": "status", "value": "complete"}
    {"lost": "optimum/q", "why": "..."}
    {"end": true}
"""

from __future__ import annotations

import io
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.storage.guarded_reading import (
    DAMAGE,
    MOST_ATTRIBUTES,
    NUMBERS,
    TEXTS,
    axis_names,
    find_data,
    read_attribute,
)

MOST_BYTES = 1 << 29
"""Of numbers read in all."""
MEMORY = 3 << 29
SECONDS = 20
MOST_LINKS = 500
_ENDLESS = 1 << 50

OPTIMUM = ("value", "q", "policy", "occupancy")
OPTIMUM_NUMBERS = ("bellman_residual", "gap_floor", "iterations")
SNAPSHOT = ("snapshot_time", "value", "policy")


class _Padded(io.RawIOBase):
    """The file followed by zeros without end, so that HDF5 opens one that was cut short."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._at = offset + (0, self._at, _ENDLESS)[whence]
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, with zeros from the end of the file on."""
        self._file.seek(self._at)
        view = memoryview(buffer).cast("B")
        count = 0
        while count < len(view) and (got := self._file.readinto(view[count:])):
            count += got
        view[count:] = bytes(len(view) - count)
        self._at += len(view)
        return len(view)


def main(path: str) -> None:
    """Write to standard output all that can be read of a run file."""
    _limit()
    writer = _Writer(Path(path).stat().st_size)
    try:
        with h5py.File(_Padded(Path(path)), "r") as file:
            _read(file, writer)
    except DAMAGE as error:
        writer.lost("file", error)
    writer.line({"end": True})


def _limit() -> None:
    try:
        import resource
    except ImportError:  # no such limits on this system; the parent still keeps the time
        return
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


class _Writer:
    """Writes pieces to standard output at once."""

    def __init__(self, size: int) -> None:
        self._out = sys.stdout.buffer
        self._left = MOST_BYTES
        self._size = size

    def line(self, content: dict[str, Any]) -> None:
        """Write a line."""
        self._out.write(json.dumps(content).encode() + b"\n")
        self._out.flush()

    def lost(self, name: str, why: object) -> None:
        """Say that something could not be read."""
        self.line({"lost": name, "why": str(why)})

    def attribute(self, item: Any, name: str, called: str) -> Any:
        """Write one attribute, and return it; None if it cannot be read."""
        try:
            value = read_attribute(item, name)
        except DAMAGE as error:
            self.lost(f"attribute {called}", error)
            return None
        self.line({"attribute": called, "value": value})
        return value

    def array(self, file: h5py.File, name: str, shape: Sequence[int | None] | None = None) -> tuple[int, ...] | None:
        """Write one array, and return its shape; None if it cannot be read."""
        try:
            data = find_data(file, name, shape)
            if data.size * 8 > self._left:
                raise ValueError(f"it holds {data.size} numbers; too many are not read from a damaged file")
            self._left -= data.size * 8
            numbers, lost = _rescued(data)
        except (*DAMAGE, MemoryError) as error:
            self.lost(name, error)
            return None
        self.line({"name": name, "shape": numbers.shape, "lost": lost})
        self._out.write(numbers.tobytes())
        self._out.flush()
        return numbers.shape


def _rescued(data: h5py.Dataset) -> tuple[FloatArray, int]:
    """The numbers of a data set, and how many of them could not be read; these are nan."""
    try:
        return np.asarray(data[()], dtype=np.float64), 0
    except DAMAGE:
        if data.chunks is None:
            raise
    numbers = np.full(data.shape, np.nan)
    lost = 0
    starts = [range(0, length, chunk) for length, chunk in zip(data.shape, data.chunks, strict=True)]
    for corner in itertools.product(*starts):
        block = tuple(slice(start, start + chunk) for start, chunk in zip(corner, data.chunks, strict=True))
        try:
            numbers[block] = data[block]
        except DAMAGE:
            lost += numbers[block].size
    if lost == numbers.size:
        raise ValueError("none of its chunks can be read")
    return numbers, lost


def _read(file: h5py.File, writer: _Writer) -> None:
    """Read everything a run file has, what matters most first."""
    attributes = {name: writer.attribute(file, name, name) for name in _attribute_names(file)}
    named = {name: value for name, value in attributes.items() if value is not None}
    for kind in ("state", "action"):
        if f"{kind}_axes" in named:
            names = _stated_axes(named, kind)
        elif (guess := _axes_by_edges(file, kind)) is not None:
            names = guess
            writer.line({"attribute": f"{kind}_axes", "value": " ".join(names)})
        else:
            continue
        for name in names:
            if writer.array(file, f"{name}_edges", (None,)) is not None:
                writer.attribute(file[f"{name}_edges"], "boundary", f"{name}_edges.boundary")
    for name in ("reference_mass", "rho"):
        writer.array(file, name)
    for name in SERIES:
        writer.array(file, name, (None,))
    for group, numbers, arrays in (("optimum", OPTIMUM_NUMBERS, OPTIMUM), ("snapshot", (), SNAPSHOT)):
        if _has(file, group):
            for name in numbers:
                writer.attribute(file[group], name, f"{group}.{name}")
            for name in arrays:
                writer.array(file, f"{group}/{name}")


def _attribute_names(file: h5py.File) -> list[str]:
    try:
        return list(itertools.islice(file.attrs, MOST_ATTRIBUTES))
    except DAMAGE:  # the list is damaged, but single ones may not be
        return sorted(TEXTS | NUMBERS)


def _stated_axes(attributes: dict[str, Any], kind: str) -> list[str]:
    try:
        return axis_names(attributes, kind)
    except ValueError:  # more than a run has
        return []


def _axes_by_edges(file: h5py.File, kind: str) -> list[str] | None:
    """Axes of one kind, by what the data sets of their edges say of themselves; None if they cannot be listed."""
    try:
        edges = [name for name in itertools.islice(file, MOST_LINKS) if name.endswith("_edges")]
        said = {name: str(read_attribute(file[name], "long_name")) for name in edges}
    except DAMAGE:
        return None
    found = [name.removesuffix("_edges") for name, words in said.items() if f" {kind} axis " in words]
    return found if found or kind == "state" else None


def _has(file: h5py.File, group: str) -> bool:
    try:
        return isinstance(file.get(group), h5py.Group)
    except DAMAGE:
        return False
