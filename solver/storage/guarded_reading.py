"""Reading HDF5 objects of files nobody vouches for: nothing is read before its kind and its size are known.

The trailer tells that a file is whole, not that it was made in good faith: anyone can seal anything.  So only plain
numbers and texts in the file itself are read (no links or storage elsewhere, no filters but ours, which need no
plug-in), and no data set that claims more numbers than its stored bytes can hold.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import h5py
import numpy as np

from wpoflow.core.arrays import FloatArray

Scalar = str | int | float

TEXTS = frozenset(
    [
        *("title", "problem", "transition", "state_axes", "action_axes", "status", "stop_reason", "stop_kind"),
        *("scheme", "flow", "bellman_solver", "wpoflow_version", "source_hash", "packages"),
    ]
)
NUMBERS = frozenset(
    [
        *("schema_version", "discount", "temperature", "gap_floor", "wall_seconds", "compile_seconds"),
        *("reached_goal", "steps", "rejected_steps", "fallback_steps"),
    ]
)
REQUIRED = ("state_axes", "action_axes", "wpoflow_version", "packages", "status", "stop_reason")

MOST_ATTRIBUTES = 200
MOST_ROWS = 10_000_000
MOST_AXES = 32
_DEFLATE_RATIO = 1032  # no stream of deflate expands more
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_TYPES = (np.dtype("<f8"), np.dtype("<i8"))
_LONGEST_ATTRIBUTE = 1 << 16

DAMAGE = (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, ArithmeticError)
"""What h5py raises for the many ways a file can be wrong."""


def read_attributes(item: h5py.Group) -> dict[str, Scalar]:
    """All attributes of a group, each one text or one number.

    Raises
    ------
    ValueError
        More of them than a run has, or one that is something else; other errors of h5py (see ``DAMAGE``) pass through.
    """
    if len(item.attrs) > MOST_ATTRIBUTES:
        raise ValueError(f"it has {len(item.attrs)} attributes; a run has fewer than {MOST_ATTRIBUTES}")
    return {name: read_attribute(item, name) for name in item.attrs}


def read_attribute(item: h5py.Group | h5py.Dataset, name: str) -> Scalar:
    """One attribute: a text or a number, of the kind its name asks for."""
    handle = item.attrs.get_id(name)
    fits = handle.get_space().get_simple_extent_type() == h5py.h5s.SCALAR
    if not fits or handle.get_storage_size() > _LONGEST_ATTRIBUTE:
        raise ValueError(f"attribute {name} is neither one text nor one number")
    value = item.attrs[name]
    if not isinstance(value, str):
        value = value.item() if isinstance(value, np.generic) else value
    wanted = (str,) if name in TEXTS else (int, float) if name in NUMBERS else (str, int, float)
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise ValueError(f"attribute {name} is not a {'text' if wanted == (str,) else 'number'}")
    if isinstance(value, str):
        value.encode()  # refuses halves of surrogate pairs
    if name == "packages":
        _check_packages(str(value))
    checked: Scalar = value
    return checked


def _check_packages(text: str) -> None:
    found = json.loads(text)
    if not isinstance(found, dict) or not all(isinstance(version, str) for version in found.values()):
        raise ValueError("attribute packages is not a table of versions")


def missing_attributes(attributes: Mapping[str, Scalar]) -> list[str]:
    """Attributes every run has that are not there."""
    return [name for name in REQUIRED if name not in attributes]


def axis_names(attributes: Mapping[str, Scalar], kind: str) -> list[str]:
    """Names of the axes of one kind, "state" or "action"."""
    names = str(attributes[f"{kind}_axes"]).split()
    if len(names) > MOST_AXES:
        raise ValueError(f"it has {len(names)} {kind} axes; a run has at most {MOST_AXES}")
    return names


def find_data(group: h5py.Group, path: str, shape: Sequence[int | None] | None = None) -> h5py.Dataset:
    """A data set of plain numbers stored in the file itself, whose size its stored bytes can account for.

    Parameters
    ----------
    group : h5py.Group
    path : str
        Names joined by slashes.
    shape : sequence of int or None, optional
        Lengths it must have; None where any will do.

    Raises
    ------
    ValueError
        There is no such data set, or not of this kind or shape.
    """
    item = group
    for name in path.split("/"):
        if not isinstance(item, h5py.Group) or not isinstance(item.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{path} is missing")
        item = item[name]
    if not isinstance(item, h5py.Dataset) or item.dtype not in _TYPES or item.shape is None:
        raise ValueError(f"{path} is not an array of numbers")
    settings = item.id.get_create_plist()
    filters = {settings.get_filter(k)[0] for k in range(settings.get_nfilters())}
    if settings.get_layout() == h5py.h5d.VIRTUAL or settings.get_external_count() or not filters <= _FILTERS:
        raise ValueError(f"{path} is not stored as a run stores it")
    size = math.prod(item.shape) * item.dtype.itemsize
    if size > _DEFLATE_RATIO * item.id.get_storage_size() or (shape is not None and None in shape and _long(item)):
        raise ValueError(f"{path} claims {item.shape} numbers, more than are stored")
    if shape is not None and not fits(item.shape, shape):
        raise ValueError(f"{path} has shape {item.shape}; it must be {tuple(shape)}")
    return item


def _long(item: h5py.Dataset) -> bool:
    return bool(item.shape) and item.shape[0] > MOST_ROWS


def fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    """Whether a shape is the one wanted; None stands for any length."""
    return len(shape) == len(wanted) and all(b is None or a == b for a, b in zip(shape, wanted, strict=True))


def read_numbers(group: h5py.Group, path: str, shape: Sequence[int | None]) -> FloatArray:
    """The numbers of a data set of this shape; errors as in `find_data`, and those of h5py."""
    return np.asarray(find_data(group, path, shape)[()], dtype=np.float64)
