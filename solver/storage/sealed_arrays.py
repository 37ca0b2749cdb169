"""Named arrays and numbers in one whole file: NumPy's ``.npz``, uncompressed and sealed (see `solver.storage.atomic`).

Under its name there is either all of it or what was there before, whatever happens; ``numpy.load`` opens it.  Only
numbers and texts are written, and nothing else is read: there is no way to an object of Python.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from wpoflow.solver.storage.atomic import RunFileError, check_trailer, writing

KINDS = "fiU"  # floats, integers, texts


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write arrays, numbers and texts under their names, durably and in one piece.

    Raises
    ------
    TypeError
        Something is neither.
    OSError
        The file cannot be written; what was there before stays.
    """
    with writing(path, sealed=True) as part, part.open("wb") as stream:  # by name NumPy would change the ending
        write_archive(stream, content)


def write_archive(stream: BinaryIO, content: Mapping[str, Any]) -> None:
    """Write arrays, numbers and texts as an archive where a stream stands; errors as `write_sealed`."""
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in content.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in KINDS:
            raise TypeError(f"{name}: neither floats nor integers nor a text")
    np.savez(stream, **arrays)


def read_sealed(path: Path) -> dict[str, Any]:
    """What `write_sealed` wrote: arrays, and numbers and texts as Python's own.

    Raises
    ------
    RunFileError
        The file is missing, damaged, altered, or holds what is not ours.
    """
    check_trailer(path)
    return read_archive(path, path)


def read_archive(source: Path | BinaryIO, path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `write_archive` wrote, from a file or from its bytes; the error, RunFileError, names the path."""
    try:
        with np.load(source, allow_pickle=False) as archive:
            arrays = dict(archive)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise RunFileError(f"{path}: its arrays cannot be read: {error}") from error
    return {name: array.item() if array.ndim == 0 else array for name, array in arrays.items()}
