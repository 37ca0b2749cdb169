"""Named arrays and numbers in one whole file: NumPy's ``.npz``, followed by the trailer of run files.

Such a file is written aside, sealed, synchronised with the disk and renamed, so that under its name there is either
all of it or what was there before, whatever happens.  ``numpy.load`` opens it.

The trailer tells that a file is whole, not who made it.  So only what `write_sealed` writes is read: plain numbers and
texts that are stored as they are, without compression, and take no more memory than the file is long.  Headers are
matched, not evaluated, and there is no way to an object of Python.
"""

from __future__ import annotations

import math
import os
import re
import struct
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from wpoflow.solver.storage.trailer import RunFileError, append_trailer, check_trailer, synchronise_folder

ASIDE = ".aside"
MOST_ARRAYS = 1000
KINDS = "fiU"  # floats, integers, texts
_HEADER = re.compile(
    rb"\{'descr': '(<[fi]8|<U\d{1,9})', 'fortran_order': (False|True), 'shape': \(((?:\d{1,18}(?:, |,)?)*)\), \} *\n"
)
_LONGEST_HEADER = 1 << 16
_ENCRYPTED = 0x1
_BLOCK = 1 << 24
DAMAGE = (OSError, ValueError, ArithmeticError, EOFError, LookupError, RuntimeError, struct.error, zipfile.BadZipFile)
"""What `zipfile` raises for the many ways an archive can be wrong."""


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write arrays, numbers and texts under their names, durably and in one piece.

    Raises
    ------
    TypeError
        Something is neither.
    OSError
        The file cannot be written; what was there before stays.
    """
    arrays = {name: np.asarray(value) for name, value in content.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in KINDS:
            raise TypeError(f"{name}: neither floats nor integers nor a text")
    aside = path.with_name(path.name + ASIDE)
    try:
        with aside.open("wb") as stream, zipfile.ZipFile(stream, "w", allowZip64=True) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        append_trailer(aside)
        os.replace(aside, path)
    except BaseException:  # a signal as well: nothing half written is left
        aside.unlink(missing_ok=True)
        raise
    synchronise_folder(path.parent)


def read_sealed(path: Path) -> dict[str, Any]:
    """What `write_sealed` wrote: arrays, and numbers and texts as Python's own.

    Raises
    ------
    RunFileError
        The file is missing, damaged, altered, or holds what is not ours.
    """
    check_trailer(path)
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            members = _members(archive, path.stat().st_size)
            arrays = {member.filename.removesuffix(".npy"): _read(archive, member) for member in members}
            return {name: array.item() if array.ndim == 0 else array for name, array in arrays.items()}
    except DAMAGE as error:
        raise RunFileError(f"{path}: not a file of checkpoints: {error}") from error


def _members(archive: zipfile.ZipFile, length: int) -> list[zipfile.ZipInfo]:
    """The members, none of which is compressed, and all of which together fit into a file of this length."""
    members = archive.infolist()
    if len(members) > MOST_ARRAYS or len({member.filename for member in members}) < len(members):
        raise ValueError("too many arrays, or two of the same name")
    if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED for member in members):
        raise ValueError("arrays are compressed or encrypted")
    if sum(member.file_size for member in members) > length:
        raise ValueError("arrays claim more bytes than there are")
    return members


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One array, if it is of numbers or a text and as large as it says."""
    with archive.open(member) as stream:
        shape, dtype, transposed = _header(stream)
        if math.prod(shape) * dtype.itemsize != member.file_size - stream.tell() or (not dtype.itemsize and shape):
            raise ValueError(f"{member.filename[:40]!r} is not of the size it claims")
        array = np.empty(shape[::-1] if transposed else shape, dtype)
        raw = array.reshape(-1).view(np.uint8) if dtype.itemsize else np.empty(0, np.uint8)
        place = 0
        while block := stream.read(_BLOCK):  # to the end, where the archive's own sum is compared
            raw[place : place + len(block)] = np.frombuffer(block, np.uint8)
            place += len(block)
    if place != raw.size:
        raise ValueError(f"{member.filename[:40]!r} is cut short")
    if dtype.kind == "U":
        letters = raw.view(np.uint32)
        if np.any((letters > sys.maxunicode) | ((letters >= 0xD800) & (letters < 0xE000))):
            raise ValueError(f"{member.filename[:40]!r} is no text")
    return array.T if transposed else array


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """Shape and type of an array, and whether its first index runs fastest."""
    version = np.lib.format.read_magic(stream)
    size = {(1, 0): 2, (2, 0): 4}.get(version, 0)
    length = int.from_bytes(stream.read(size), "little")
    found = _HEADER.fullmatch(stream.read(min(length, _LONGEST_HEADER)))
    if found is None:
        raise ValueError("an array that is neither of numbers nor a text")
    shape = tuple(int(number) for number in re.findall(rb"\d+", found[3]))
    return shape, np.dtype(found[1].decode()), found[2] == b"True"
