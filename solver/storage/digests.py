"""Digests of the contents of a run file, kept in it: they tell what was altered, wherever HDF5 keeps it.

The seal of a file (`solver.storage.atomic`) covers its bytes, lies behind the data of HDF5, and is cut off by every
program that opens the file for writing.  What the bytes mean is covered by digests that stay: the attribute ``digests``
of the file is a JSON object of two, ``data`` and ``attributes``, with a digest for each data set and each attribute of
ours, by its path.  Of a data set it is the BLAKE2b digest, eight bytes in hexadecimal, of all numbers in C order,
little-endian, and then of type, shape and attributes as JSON.  Left out are the clocks, counts and names in which a run
that was gone on with may differ from one that was not, so that the digests of the two are the same; these attributes
are guarded by HDF5's own checksums of its metadata alone, which do not cover the text of the name.

They guard against accidents, not against intent.  That of a data set which grows is computed as it grows, so that
nothing has to be read again when the file is finished.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from wpoflow.core.arrays import AnyArray
from wpoflow.solver.records.layout import ATTRIBUTES, MAY_DIFFER, OPTIMUM_ATTRIBUTES
from wpoflow.solver.storage.contents import DAMAGE, GROUPS, read_attribute

NAME = "digests"
DESCRIBED = ("units", "long_name", "boundary", "labels", "comment", "bounds")
"""Attributes of data sets that their digests cover."""
BLOCK = 1 << 17  # numbers read at once

_OURS = {kind: np.dtype(f"<{kind}") for kind in ("f8", "i8")}
_ATTRIBUTES = {"": ATTRIBUTES.keys() - MAY_DIFFER - {NAME}, "optimum": OPTIMUM_ATTRIBUTES.keys()}


class ContentDigests:
    """Digests of the data sets of a file while it is written."""

    def __init__(self) -> None:
        self._numbers: dict[str, Any] = {}

    def add(self, path: str, kind: str, array: AnyArray | float) -> None:
        """Take account of numbers that were written behind those before."""
        if path not in self._numbers:
            self._numbers[path] = _new()
        self._numbers[path].update(_numbers(array, kind))

    def keep(self, file: h5py.File) -> None:
        """Keep all digests in a file in which everything else is written."""
        data = {path: _data_digest(file[path], numbers) for path, numbers in self._numbers.items()}
        file.attrs[NAME] = json.dumps({"data": data, "attributes": _attribute_digests(file)})


def altered(file: h5py.File) -> list[str] | None:
    """What is not as it was when the file was finished, by its path; None if the file keeps no digests.

    Raises
    ------
    ValueError
        Its digests are none; and what else HDF5 raises for a damaged file.
    """
    if NAME not in file.attrs:
        return None
    kept = json.loads(str(read_attribute(file, NAME, ATTRIBUTES)))
    if not isinstance(kept, dict) or not all(isinstance(kept.get(part), dict) for part in ("data", "attributes")):
        raise ValueError(f"attribute {NAME} is no table of digests")
    before, now = kept["attributes"], _attribute_digests(file)
    attributes = [f"attribute {path}" for path in sorted({*before, *now}) if before.get(path) != now.get(path)]
    added = [f"{group}/{name}" for group in GROUPS if group in file for name in file[group]]
    return [
        *attributes,
        *(path for path, digest in kept["data"].items() if _digest_of(file, path) != digest),
        *(path for path in added if path not in kept["data"]),
    ]


def added(file: h5py.File) -> list[str]:
    """Attributes and data sets that no run writes, by their paths."""
    return [
        *(f"attribute {name}" for name in sorted(file.attrs.keys() - ATTRIBUTES.keys() - {NAME})),
        *sorted(file.keys() - json.loads(str(read_attribute(file, NAME, ATTRIBUTES)))["data"].keys() - set(GROUPS)),
    ]


def _digest_of(file: h5py.File, path: str) -> str:
    """Digest of a data set as it is; empty where there is none that can be read."""
    try:
        data = file[path]
        if not isinstance(data, h5py.Dataset) or data.shape is None or data.is_virtual or data.external:
            return ""
        numbers = _new()
        for block in _blocks(data.shape):
            numbers.update(_numbers(data[block], data.dtype.str))
        return _data_digest(data, numbers)
    except DAMAGE:
        return ""


def _new() -> Any:
    return hashlib.blake2b(digest_size=8)


def _numbers(array: AnyArray | float, kind: str) -> AnyArray:
    """Numbers as they are hashed; the same array where it is so already."""
    return np.ascontiguousarray(array, dtype=_OURS.get(kind) or np.dtype(kind).newbyteorder("<"))


def _data_digest(data: h5py.Dataset, numbers: Any) -> str:
    described = {name: _plain(data.attrs[name]) for name in DESCRIBED if name in data.attrs}
    digest = numbers.copy()
    digest.update(json.dumps([data.dtype.newbyteorder("<").str, data.shape, described]).encode())
    return str(digest.hexdigest())


def _attribute_digests(file: h5py.File) -> dict[str, str]:
    found = {}
    for group, names in _ATTRIBUTES.items():
        if group and group not in file:
            continue
        table = file[group].attrs if group else file.attrs
        for name in sorted(names & set(table)):
            digest = _new()
            digest.update(json.dumps(_plain(table[name])).encode())
            found[f"{group}/{name}".lstrip("/")] = digest.hexdigest()
    return found


def _plain(value: Any) -> Any:
    """An attribute as JSON has it; of other kinds than ours, what it looks like."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, str | int | float) else repr(value)


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Parts of at most `BLOCK` numbers, in whose order the numbers are those of the whole in C order."""
    lengths = [max(1, min(n, BLOCK // max(1, math.prod(shape[k + 1 :])))) for k, n in enumerate(shape)]
    starts = (range(0, n, length) for n, length in zip(shape, lengths, strict=True))
    for corner in itertools.product(*starts):
        yield tuple(slice(a, a + length) for a, length in zip(corner, lengths, strict=True))
