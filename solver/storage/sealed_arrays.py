"""Named arrays and numbers in one whole file: NumPy's ``.npz``, uncompressed and sealed (see `solver.storage.atomic`).

Under its name there is either all of it or what was there before, whatever happens; ``numpy.load`` opens it.  Only
numbers and texts are written, and nothing else is read: there is no way to an object of Python.

The state at which a run ended, which it takes to extend the run, is such an archive behind the HDF5 data of its file:

    HDF5 data | archive | "WPOSTATE" | length of the archive, 8 bytes | trailer

HDF5 takes no notice of what follows its data, so that every reader sees the run alone; the trailer's SHA-256 covers all
of it.  A program that opens the file for writing cuts it off, with the trailer.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.slabs import RowBlocks, StoredRows
from wpoflow.solver.storage.atomic import TRAILER_LENGTH, RunFileError, check_trailer, writing
from wpoflow.solver.storage.seal import check_seal

KINDS = "fiU"  # floats, integers, texts
MARK = b"WPOSTATE"
_FOOT = len(MARK) + 8


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
    arrays: dict[str, Any] = {
        name: value if isinstance(value, RowBlocks) else np.asarray(value) for name, value in content.items()
    }
    for name, array in arrays.items():
        if array.dtype.kind not in KINDS:
            raise TypeError(f"{name}: neither floats nor integers nor a text")
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:  # as numpy.savez writes it, rows after rows
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                if isinstance(array, RowBlocks):
                    head = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
                    np.lib.format.write_array_header_1_0(member, head)
                    for _, block in array.blocks():
                        member.write(np.ascontiguousarray(block).data)
                elif array.ndim == 2 and array.flags.c_contiguous:  # as it is: NumPy would copy parts of it
                    np.lib.format.write_array_header_1_0(member, np.lib.format.header_data_from_array_1_0(array))
                    member.write(array.data)
                else:
                    np.lib.format.write_array(member, array, allow_pickle=False)


def read_sealed(path: Path) -> dict[str, Any]:
    """What `write_sealed` wrote: arrays, and numbers and texts as Python's own.

    Raises
    ------
    RunFileError
        The file is missing, damaged, altered, or holds what is not ours.
    """
    check_trailer(path)
    return read_archive(path, path)


def read_sealed_rows(path: Path, whole: Collection[str] = ()) -> dict[str, Any]:
    """`read_sealed` with arrays of two dimensions left in the file, to be read by rows; but for those named ``whole``.

    They can be read for as long as they are kept, even when the file has been removed.
    """
    check_trailer(path)
    found: dict[str, Any] = {}
    try:
        with path.open("rb") as stream, zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                shape = _go_to_numbers(stream, entry)
                if len(shape) == 2 and name not in whole:
                    kept = np.memmap(path, dtype=np.float64, mode="r", offset=stream.tell(), shape=shape)
                    found[name] = StoredRows((shape[0], shape[1]), partial(_rows_of, kept))
                    continue
                with archive.open(entry) as member:
                    array = np.lib.format.read_array(member, allow_pickle=False)
                found[name] = array.item() if array.ndim == 0 else array
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise RunFileError(f"{path}: its arrays cannot be read: {error}") from error
    return found


def _go_to_numbers(stream: BinaryIO, entry: zipfile.ZipInfo) -> tuple[int, ...]:
    """Go to where the numbers of an entry that is not compressed begin; their shape."""
    stream.seek(entry.header_offset + 26)  # the local header ends in two lengths, then what has these lengths
    lengths = stream.read(4)
    stream.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), os.SEEK_CUR)
    np.lib.format.read_magic(stream)
    shape: tuple[int, ...] = np.lib.format.read_array_header_1_0(stream)[0]
    return shape


def _rows_of(kept: FloatArray, first: int, last: int) -> FloatArray:
    return np.array(kept[first:last])


def read_archive(source: Path | BinaryIO, path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `write_archive` wrote, from a file or from its bytes; the error, RunFileError, names the path."""
    try:
        with np.load(source, allow_pickle=False) as archive:
            arrays = dict(archive)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise RunFileError(f"{path}: its arrays cannot be read: {error}") from error
    return {name: array.item() if array.ndim == 0 else array for name, array in arrays.items()}


def append_end_state(path: Path, content: Mapping[str, Any]) -> None:
    """Append arrays, numbers and texts to a closed file that has no trailer yet; raises OSError."""
    with path.open("r+b") as stream:
        start = stream.seek(0, os.SEEK_END)
        write_archive(stream, content)
        length = stream.seek(0, os.SEEK_END) - start
        stream.write(MARK + length.to_bytes(8, "little"))


def read_end_state(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What was appended, numbers and texts as Python's own; None if nothing was, or another program has cut it off.

    Raises
    ------
    RunFileError
        The file is missing, damaged or altered.
    """
    if check_seal(path):
        return None
    with Path(path).open("rb") as stream:
        end = stream.seek(-TRAILER_LENGTH - _FOOT, os.SEEK_END)
        foot = stream.read(_FOOT)
        if not foot.startswith(MARK):
            return None
        length = int.from_bytes(foot[len(MARK) :], "little")
        stream.seek(end - length)
        return read_archive(io.BytesIO(stream.read(length)), path)
