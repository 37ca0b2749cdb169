"""The contents of an open run file: each array and attribute held against the table of what a run file holds.

`Contents` raises where something is not what the table says.  `DamagedContents` goes on: what cannot be read is nan,
and is noted.  Damage that HDF5 does not notice cannot be told, so any number of a damaged file may be wrong.
"""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.memory import check_bytes_fit, needed_by
from wpoflow.grids.axis import SHOCK, Axis
from wpoflow.grids.labels import LABELS
from wpoflow.solver.records.layout import ATTRIBUTES, OPTIMUM_ATTRIBUTES, SCHEMA_VERSION, Attribute, Variable
from wpoflow.solver.records.run import Rows
from wpoflow.solver.records.series import MAX_ROWS, MAX_SNAPSHOTS
from wpoflow.solver.storage.atomic import RunFileError
from wpoflow.solver.storage.plausible import ImplausibleError, of_array

T = TypeVar("T")
Scalar = str | int | float

GROUPS = ("optimum", "snapshot", "problem")
LEAST_SCHEMA = 1
MOST_ROWS = {"time": MAX_ROWS + 2, "snapshot_time": MAX_SNAPSHOTS + 2}  # by dimension
MOST_BYTES = 1 << 29  # of all that is read when a file is opened, series, axes and masses, unpacked
FILTERED = 4  # copies of a chunk, at most, that HDF5 holds while it unpacks it
LONGEST_TEXT = 1 << 22  # of an attribute
MOST_ATTRIBUTES = 1000
MARKS = ("run_id", "wall_seconds", "digests")  # attributes that no two files have in common
FORMER_TEXTS = ("accuracy", "step")  # numbers that schema 1 has as texts
DAMAGE = (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, ArithmeticError)  # of h5py
LOST = (*DAMAGE, MemoryError)  # the same of a file whose sizes may be wrong, too


class Contents:
    """What an open run file holds; anything else than the table says raises ValueError, or an error of ``DAMAGE``.

    Parameters
    ----------
    file : h5py.File
    path : path
        Where it is found when more of it is asked for later.

    Attributes
    ----------
    mark : str
        Tells it from other runs, which may have come into its place by then.
    """

    groups: tuple[str, ...] = GROUPS

    def __init__(self, file: h5py.File, path: Path) -> None:
        self.file, self.path = file, path
        self.mark = _mark_of(file)
        self._room = MOST_BYTES

    def judge(self, findings: Iterator[str]) -> None:
        """Raise ImplausibleError of the first of findings on what was read."""
        if (found := next(findings, None)) is not None:
            raise ImplausibleError(found)

    def at_once(self, entry: Variable, rows: int = -1) -> FloatArray:
        """A variable that is read when the file is opened."""
        data = find_data(self.file, entry, rows)
        self._take_room(data)
        return self._numbers(entry, data)

    def _take_room(self, data: h5py.Dataset) -> None:
        self._room -= 8 * data.size
        if self._room < 0:
            raise ValueError(f"with {data.name} more than {MOST_BYTES >> 20} MiB are to be read at once")

    def has(self, group: str) -> bool:
        """Whether it has one of its groups."""
        return group in self.groups and group in self.file

    def attributes(self) -> dict[str, Scalar]:
        """All attributes of the file."""
        if len(self.file.attrs) > MOST_ATTRIBUTES:
            raise ValueError(f"it has {len(self.file.attrs)} attributes; at most {MOST_ATTRIBUTES} are read")
        found, length = {}, 0
        for name in self.file.attrs:
            if name in ATTRIBUTES or _is_scalar(self.file, name):  # what others add may be anything
                found[name] = value = read_attribute(self.file, name, ATTRIBUTES)
                length += len(str(value))
                if length > 2 * LONGEST_TEXT:
                    raise ValueError(f"its attributes are longer than {2 * LONGEST_TEXT} letters")
        schema = found.get("schema_version", "missing")
        if not (isinstance(schema, int) and LEAST_SCHEMA <= schema <= SCHEMA_VERSION):
            newer = isinstance(schema, int) and schema > SCHEMA_VERSION
            raise ValueError(f"its schema_version is {schema}" + ("; a newer wpoflow reads it" if newer else ""))
        for name, attribute in ATTRIBUTES.items():
            if attribute.required and name not in found:
                raise ValueError(f"attribute {name} is missing")
        return found

    def optimum_number(self, name: str) -> float:
        """A number of the optimum."""
        return float(read_attribute(self.file["optimum"], name, OPTIMUM_ATTRIBUTES))

    def axis(self, name: str) -> Axis:
        """An axis, by its edges; a shock by its points as well, its table is the problem's; and by its labels."""
        edges = find_data(self.file, Variable(f"{name}_edges", (f"{name}_edges",), ""))
        self._take_room(edges)
        points = find_data(self.file, Variable(name, (name,), ""))
        words = dict.fromkeys(("boundary", "long_name", "units"), Attribute(str, ""))
        boundary = str(read_attribute(edges, "boundary", words))
        given = {key: str(read_attribute(points, key, words)) for key in ("long_name", "units") if key in points.attrs}
        if boundary == LABELS:
            found = json.loads(str(read_attribute(points, "labels", {"labels": Attribute(str, "")})))
            if not isinstance(found, list):
                raise ValueError(f"the labels of axis {name} are no list")
        unlabelled = [f"points of the {kind} axis {name}" for kind in ("state", "action")]
        label, units = given.get("long_name", unlabelled[0]), given.get("units", "1")
        return Axis(
            name,
            edges[()],
            boundary,
            label="" if label in unlabelled else label,
            units="" if units == "1" else units,
            given=points[()] if boundary == SHOCK else None,
            labels=tuple(found) if boundary == LABELS else (),
        )

    def lengths(self, names: Sequence[str]) -> dict[str, int]:
        """Lengths of dimensions of parameters, of those that snapshots have, by the coordinates that number them."""
        there = {name: Variable(f"snapshot/{name}", (name,), "", "i8") for name in names}
        return {name: len(find_data(self.file, entry)) for name, entry in there.items() if entry.path in self.file}

    def rows(self, entries: Sequence[Variable]) -> int:
        """Length of variables that have one row for each time, the first of which is the time."""
        return len(find_data(self.file, entries[0]))

    def array(self, entry: Variable, rows: int = -1) -> FloatArray:
        """A variable, shaped as in a `Run`."""
        return self._numbers(entry, find_data(self.file, entry, rows))

    def _numbers(self, entry: Variable, data: h5py.Dataset) -> FloatArray:
        check_fits(data, data.size)
        found: FloatArray = data[()].reshape(entry.flat)
        self.judge(of_array(entry.path, found))
        return found

    def kept(self, entry: Variable, rows: int) -> FloatArray | Rows:
        """A variable of which single rows are asked for later."""
        find_data(self.file, entry, rows)
        return partial(_rows_of, self.path, entry, self.mark)

    def part(self, entry: Variable, index: int | slice) -> FloatArray:
        """Rows of a variable."""
        data, shape = find_data(self.file, entry), entry.flat if isinstance(index, slice) else entry.flat[1:]
        rows = len(range(*index.indices(len(data)))) if isinstance(index, slice) else 1
        check_fits(data, rows * (data.size // max(1, len(data))))
        found: FloatArray = data[index].reshape(shape)
        self.judge(of_array(entry.path, found))
        return found

    def later(self, read: Callable[[Contents], T]) -> Callable[[], T]:
        """What is read when it is asked for."""
        return partial(reading, self.path, read, self.mark)


class DamagedContents(Contents):
    """What can be read of a damaged or unfinished run file.

    Attributes
    ----------
    losses : list of str
        What could not be read.
    """

    groups = GROUPS[:2]

    def __init__(self, file: h5py.File, path: Path) -> None:
        super().__init__(file, path)
        self.losses: list[str] = []

    def attributes(self) -> dict[str, Scalar]:
        """The attributes that can be read."""
        try:
            names = list(self.file.attrs)
        except LOST:  # the list is damaged, but single ones may not be
            names = list(ATTRIBUTES)
        found = {}
        for name in names:
            try:
                found[name] = read_attribute(self.file, name, ATTRIBUTES)
            except LOST:
                self.losses.append(f"attribute {name}")
        return found

    def judge(self, findings: Iterator[str]) -> None:
        """Any number may be wrong, and that has been said."""

    def at_once(self, entry: Variable, rows: int = -1) -> FloatArray:
        """A variable, as `array` gives it."""
        try:
            data = find_data(self.file, entry)
        except LOST:
            return self.array(entry, rows)
        self._take_room(data)
        return self.array(entry, rows)

    def optimum_number(self, name: str) -> float:
        """A number of the optimum, or nan."""
        try:
            return super().optimum_number(name)
        except LOST:
            self.losses.append(f"attribute {name} of optimum")
            return np.nan

    def lengths(self, names: Sequence[str]) -> dict[str, int]:
        """Lengths of those of these dimensions whose coordinate can be read; parameters along others are lost."""
        found: dict[str, int] = {}
        for name in names:
            try:
                found |= super().lengths([name])
            except DAMAGE:
                self.losses.append(f"snapshot/{name}")
        return found

    def rows(self, entries: Sequence[Variable]) -> int:
        """The length that most of these variables have."""
        lengths = []
        for entry in entries:
            try:
                lengths.append(len(find_data(self.file, entry)))
            except LOST:  # `array` notes it
                continue
        return statistics.mode(lengths or [0])

    def array(self, entry: Variable, rows: int = -1) -> FloatArray:
        """A variable, with nan for the chunks of it that cannot be read, and for missing rows."""
        found = np.full([rows if length < 0 else length for length in entry.shape], np.nan)
        try:
            numbers, lost = _readable(find_data(self.file, entry))
        except LOST:
            self.losses.append(entry.path)
            return found.reshape(entry.flat)
        if rows >= 0:
            numbers = numbers[:rows]
            found[: len(numbers)] = numbers
        else:
            found[...] = numbers
        if lost := lost + found.size - numbers.size:
            part = "" if lost >= found.size else f"{lost} of the {found.size} numbers of "
            self.losses.append(part + entry.path)
        return found.reshape(entry.flat)

    def kept(self, entry: Variable, rows: int) -> FloatArray | Rows:
        """A variable, read at once: what is lost must be known."""
        return self.array(entry, rows)

    def later(self, read: Callable[[Contents], T]) -> Callable[[], T]:
        """What is read, at once."""
        return partial(_known, read(self))


def reading(path: Path, read: Callable[[Contents], T], mark: str = "") -> T:
    """What ``read`` makes of the contents of a file.

    Raises
    ------
    RunFileError
        They are not those of a run file, or of no run; or not what they were when they had the ``mark``.
    """
    try:
        with needed_by(str(path)), h5py.File(path, "r") as file:
            contents = Contents(file, path.resolve())
            if mark not in ("", contents.mark):
                raise RunFileError(f"{path}: another run has taken its place since it was opened; open it again")
            return read(contents)
    except FileNotFoundError as error:
        raise RunFileError(f"{path}: No such file or directory") from error
    except ImplausibleError as error:
        raise RunFileError(f"{path}: its numbers are not those of a run: {error}") from error
    except DAMAGE as error:
        raise RunFileError(f"{path}: not a run file of schema {SCHEMA_VERSION}: {error}") from error


def _rows_of(path: Path, entry: Variable, mark: str, index: int | slice) -> FloatArray:
    """Rows of a variable of a file; like all that is read later a function of values, which can be pickled."""
    return reading(path, lambda again: again.part(entry, index), mark)


def _mark_of(file: h5py.File) -> str:
    """A digest of what no two runs have in common: the run, how long it took, and the digests of all it left."""
    found = []
    for name in MARKS:
        try:
            found.append(str(read_attribute(file, name, ATTRIBUTES)))
        except DAMAGE:  # there is none, or none that can be read, and that is told where it is used
            found.append("")
    return hashlib.blake2b("\0".join(found).encode(), digest_size=16).hexdigest()


def _known(found: T) -> T:
    return found


def find_data(file: h5py.File, entry: Variable, rows: int = -1) -> h5py.Dataset:
    """The data set of a variable, in the file itself, of the type and shape that the table says.

    Parameters
    ----------
    file : h5py.File
    entry : Variable
    rows : int
        Length of its first dimension, if only the file knows it and it must be this.

    Raises
    ------
    ValueError
        There is no such data set, or not of this type or shape.
    """
    item = file
    for name in entry.path.split("/"):
        if not isinstance(item, h5py.Group) or not isinstance(item.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{entry.path} is missing")
        item = item[name]
    if not isinstance(item, h5py.Dataset) or item.dtype != np.dtype(entry.kind) or item.shape is None:
        raise ValueError(f"{entry.path} is not an array of numbers of type {entry.kind}")
    if item.is_virtual or item.external:
        raise ValueError(f"{entry.path} is stored in another file")
    wanted = tuple(rows if length < 0 else length for length in entry.shape)
    if len(item.shape) != len(wanted) or any(b not in (-1, a) for a, b in zip(item.shape, wanted, strict=True)):
        raise ValueError(f"{entry.path} has shape {item.shape}; it must be {wanted}")
    if wanted and entry.shape[0] < 0 and item.shape[0] > (most := MOST_ROWS.get(entry.dims[0], item.shape[0])):
        raise ValueError(f"{entry.path} has {item.shape[0]} rows; at most {most} are read")
    if item.size and not item.id.get_storage_size():  # it would be read as zeros, as many as it claims
        raise ValueError(f"{entry.path} holds no numbers")
    return item


def check_fits(data: h5py.Dataset, size: int) -> None:
    """Raise MemoryError if so many numbers of a data set are more than there is memory for."""
    check_bytes_fit(data.name, 8 * size, FILTERED * 8 * math.prod(data.chunks or (1,)), MOST_BYTES)


def _is_scalar(item: h5py.Group, name: str) -> bool:
    """Whether an attribute is one text or number, before it is read."""
    attribute = item.attrs.get_id(name)
    return attribute.shape == () and (
        attribute.dtype.kind in "fiu" or h5py.check_string_dtype(attribute.dtype) is not None
    )


def _readable(data: h5py.Dataset) -> tuple[FloatArray, int]:
    """The numbers of a data set with nan for the chunks that cannot be read, and how many these are."""
    if data.chunks is None or not data.size:
        return data[()], 0
    numbers, lost = np.full(data.shape, np.nan), 0
    for block in data.iter_chunks():
        try:
            numbers[block] = data[block]
        except LOST:
            lost += numbers[block].size
    return numbers, lost


def read_attribute(item: h5py.Group | h5py.Dataset, name: str, table: Mapping[str, Attribute]) -> Scalar:
    """One attribute: a text or a number, of the kind that the table says if it has the name."""
    kind = table[name].kind if name in table else None
    attribute = item.attrs.get_id(name)
    if attribute.shape == () and attribute.dtype.itemsize <= LONGEST_TEXT:  # known before it is read
        value = item.attrs[name]
        value = value.item() if isinstance(value, np.generic) else value
    else:
        value = None
    if name in FORMER_TEXTS and isinstance(value, str):
        value = float(value)
    kinds = (str, int, float) if kind is None else (int, float) if kind is float else (kind,)
    if type(value) not in kinds:
        words = "text or number" if kind is None else {str: "text", int: "whole number", float: "number"}[kind]
        raise ValueError(f"attribute {name} is not one {words}")
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise ValueError(f"attribute {name} is longer than {LONGEST_TEXT} letters")
        value.encode()  # refuses halves of surrogate pairs
    if name == "packages":
        versions = json.loads(value)
        if not isinstance(versions, dict) or not all(isinstance(version, str) for version in versions.values()):
            raise ValueError("attribute packages is not a table of versions")
    found: Scalar = value
    return found
