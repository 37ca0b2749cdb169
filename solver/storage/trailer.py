"""Forty-eight bytes after the end of an HDF5 file that tell whether it is whole.

    8 bytes magic | 8 bytes little-endian length of all before | 32 bytes SHA-256 of all before

HDF5 ignores what follows its end of file, so every reader opens such a file unchanged; ours checks
the trailer before HDF5 sees the file.  HDF5's own checksums (fletcher32) guard chunks only: of
random bit flips 14 % change what is read without being noticed, the SHA-256 misses none.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from wpoflow.core.text import one_line

MAGIC = b"WPOFLOW1"
TRAILER_LENGTH = 48

_BLOCK = 1 << 20


class RunFileError(Exception):
    """A run file that is missing, unreadable, damaged or altered; the message is one line naming the file."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def append_trailer(path: Path) -> None:
    """Append the trailer to a closed file and synchronise it with the disk.

    Raises
    ------
    OSError
        The file cannot be read or written.
    """
    with path.open("r+b") as stream:
        length = path.stat().st_size
        digest = _digest(stream, length)
        stream.write(MAGIC + length.to_bytes(8, "little") + digest)
        stream.flush()
        os.fsync(stream.fileno())


def check_trailer(path: str | os.PathLike[str]) -> None:
    """Raise RunFileError unless the file is whole and unaltered since it was closed."""
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading from a pipe or a device would not end
            raise RunFileError(f"{path}: {'a directory' if path.is_dir() else 'not a regular file'}")
        with path.open("rb") as stream:
            length = path.stat().st_size - TRAILER_LENGTH
            if length < 0:
                raise RunFileError(f"{path}: too short for a run file")
            stream.seek(length)
            trailer = stream.read(TRAILER_LENGTH)
            if trailer[:8] != MAGIC:
                raise RunFileError(f"{path}: no trailer: not a run file, truncated, or from a run that did not finish")
            if int.from_bytes(trailer[8:16], "little") != length:
                raise RunFileError(f"{path}: its length differs from the length it was closed with")
            stream.seek(0)
            if _digest(stream, length) != trailer[16:]:
                raise RunFileError(f"{path}: altered or damaged: its SHA-256 differs from the one it was closed with")
    except OSError as error:
        raise RunFileError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:  # a path no file can have
        raise RunFileError(f"{path}: {error}") from error


def synchronise_folder(folder: Path) -> None:
    """Make the rename itself durable, where folders can be opened."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _digest(stream: BinaryIO, length: int) -> bytes:
    digest = hashlib.sha256()
    while length > 0 and (block := stream.read(min(_BLOCK, length))):
        digest.update(block)
        length -= len(block)
    return digest.digest()
