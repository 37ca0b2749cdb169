"""Files on disk, whole or not at all: where one may be written, the part beside it, seal, rename, lock.

    NAME.part          written, synchronised with the disk and only then renamed to NAME
    NAME.lock          locked by the process that writes NAME; it holds nothing, and no lock outlives its process
    NAME.checkpoint    the folder of a run's checkpoints

Only a regular file is ever replaced: not a device, not a pipe, not a folder.  A symbolic link is followed, so that the
file it leads to is written and the link stays.  What exists is replaced when that is asked for, and only if it is ours
(`solver.storage.ours`).

A sealed file ends in a trailer of forty-eight bytes that tells whether it is whole:

    8 bytes magic | 8 bytes little-endian length of all before | 32 bytes SHA-256 of all before

HDF5 and zip archives ignore it, so every reader opens such a file unchanged; ours check it first.  HDF5's own checksums
(fletcher32) guard chunks only: of random bit flips 14 % change what is read without being noticed, the SHA-256 misses
none.  HDF5 cuts the trailer when it opens a file for writing, even if nothing is written: `solver.storage.seal`.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from filelock import FileLock, Timeout

from wpoflow.core.text import one_line
from wpoflow.core.travel import TravellingError
from wpoflow.solver.storage.ours import MAGIC, foreign_entry, is_ours, problem_to_run, same_as
from wpoflow.solver.storage.ours import TRAILER_LENGTH as TRAILER_LENGTH

_BLOCK = 1 << 20
_PATIENCE = 0.1  # seconds, in which a lock that is just being given up is had


class RunFileError(TravellingError):
    """A run file that is missing, unreadable, damaged or altered; the message is one line naming the file."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class NoTrailerError(RunFileError):
    """A file that does not end in a trailer."""


class NoFolderError(FileNotFoundError):
    """A file is to be written into a folder that does not exist."""


def final_path(path: str | os.PathLike[str]) -> Path:
    """The file that is written for ``path``: where it leads to, if it is a symbolic link; ValueError if none can be."""
    given, path = os.fspath(path), Path(path)
    if not path.name or "\0" in given:
        raise ValueError(f"output {given!r}: no file can have this name")
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _beside(path: str | os.PathLike[str], ending: str) -> Path:
    path = final_path(path)
    return path.with_name(path.name + ending)


def part_path(path: str | os.PathLike[str]) -> Path:
    """Where a file is written until it is whole: beside the final file."""
    return _beside(path, ".part")


def checkpoint_folder(path: str | os.PathLike[str]) -> Path:
    """Where the checkpoints of a run are kept: a folder beside the final file."""
    return _beside(path, ".checkpoint")


def lock_path(path: str | os.PathLike[str]) -> Path:
    """The file that is locked while a run is written."""
    return _beside(path, ".lock")


def check_output(
    path: str | os.PathLike[str], force: bool = False, reads: Iterable[str | os.PathLike[str]] = ()
) -> None:
    """Find out, before anything is computed, whether a file may be written to ``path``.

    Parameters
    ----------
    path : path
    force : bool
        Whether a file of wpoflow that is there may be replaced.
    reads : paths
        Files that are read to make this one.

    Raises
    ------
    FileExistsError
        Writing would destroy something, and ``force`` is off; or there is what is never replaced: something other than
        a regular file, a file that is not of wpoflow, or one of those that are read.
    NoFolderError
        The folder does not exist; it is not made.
    ValueError
        No file can have this name.
    OSError
        No file can be made in the folder; the message names the folder.
    """
    final, part, lock, reads = final_path(path), part_path(path), lock_path(path), list(reads)
    folder = final.parent
    if not folder.is_dir():
        raise NoFolderError(f"{path}: there is no folder {folder}")
    for place in (final, part):
        if place.is_symlink() or (place.exists() and not place.is_file()):
            raise FileExistsError(f"{place} exists and is not a regular file; choose another name")
    for place in (final, part, lock):
        if (other := same_as(place, reads)) is not None:
            written = "" if place == final else f" ({place} would be written)"
            raise FileExistsError(f"{path}: the output is the file that is read, {other}{written}; choose another name")
    _refuse_foreign(path, final, part, lock)
    if not force and checkpoint_folder(path).exists():
        raise FileExistsError(
            f"{checkpoint_folder(path)} is of a run that was cut short or is still going; "
            f"go on with it (wpoflow resume {path}), or replace it with force=True"
        )
    if not force and final.exists():
        raise FileExistsError(f"{path} exists; choose another name, or replace it with force=True")
    if not force and part.exists():
        raise FileExistsError(
            f"{part} is left from a run that was killed or is still going; remove it, or replace it with force=True"
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise type(error)(f"{path}: no file can be made in the folder {folder}: {error.strerror or error}") from error


def _refuse_foreign(path: str | os.PathLike[str], final: Path, part: Path, lock: Path) -> None:
    """Raise FileExistsError for what wpoflow did not write and would replace or remove."""
    for place in (final, part):
        if place.exists() and not is_ours(place, unfinished=place == part):
            raise FileExistsError(
                f"{place} exists and is no run, optimum or figure of wpoflow: it is never replaced; choose another name"
            )
    if lock.is_symlink() or (lock.exists() and (not lock.is_file() or lock.stat().st_size)):
        raise FileExistsError(f"{lock} exists and is no lock of wpoflow, whose place it has; choose another name")
    folder = checkpoint_folder(path)
    if folder.is_dir() and (found := foreign_entry(folder)) is not None:
        raise FileExistsError(f"{found} is of no run, and {folder} therefore never replaced; choose another name")


class OutputLock:
    """The right to write one file, until it is released or the process ends.

    Where no lock can be had (no such folder, no permission, a file system without locks) nothing is locked: if the file
    cannot be written either, that is said in better words when it is tried.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    FileExistsError
        Another run is writing the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = lock_path(path)
        self._lock = FileLock(self._path, thread_local=False)
        if not self._path.parent.is_dir():  # which the library would make
            return
        if self._path.is_symlink() or (self._path.exists() and self._path.stat().st_size):
            return  # not ours, and not to be emptied: `check_output` says so
        try:
            self._lock.acquire(timeout=_PATIENCE, poll_interval=_PATIENCE / 4)
        except Timeout:
            if self._path.exists():  # else it cannot be made, as in /proc
                raise FileExistsError(f"{path} is being written by another run") from None
        except OSError:
            return

    def __enter__(self) -> OutputLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the file free."""
        if self._lock.is_locked:
            with suppress(OSError):  # removed while it is locked: who waits for it sees that it is gone; not on Windows
                self._path.unlink()
            self._lock.release()


@contextmanager
def writing(path: str | os.PathLike[str], *, sealed: bool = False, part: Path | None = None) -> Iterator[Path]:
    """Context in which the part of a file is written, which takes the file's place at the end, or is removed.

    Parameters
    ----------
    path : path
    sealed : bool
        Append the trailer.
    part : path, optional
        Another name for the part, where several processes may write the file at once.

    Raises
    ------
    OSError
        The file cannot be written; what was there before stays.
    """
    part = part_path(path) if part is None else part
    try:
        yield part
        put_in_place(part, path, sealed=sealed)
    except BaseException:  # a signal as well: nothing half written is left
        part.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> Path:
    """Write a text file, whole or not at all, in a folder that is made if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def put_in_place(part: Path, path: str | os.PathLike[str], *, sealed: bool) -> None:
    """Rename a part that is written and closed, once it is on the disk; raises OSError, and then the part stays."""
    if sealed:
        append_trailer(part)
    else:
        with part.open("r+b") as stream:
            os.fsync(stream.fileno())
    final = final_path(path)
    os.replace(part, final)
    if os.name == "posix":  # where folders can be opened, so that the rename itself is durable
        handle = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def append_trailer(path: Path) -> None:
    """Seal a closed file and synchronise it with the disk; raises OSError, and then the file is as it was."""
    with path.open("r+b") as stream:
        length = path.stat().st_size
        digest = _digest(stream, length)
        try:
            stream.write(MAGIC + length.to_bytes(8, "little") + digest)
            stream.flush()
            os.fsync(stream.fileno())
        except OSError:
            os.truncate(path, length)
            raise


def check_trailer(path: str | os.PathLike[str]) -> None:
    """Raise RunFileError unless the file is whole and unaltered since it was sealed."""
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading from a pipe or a device would not end
            raise RunFileError(f"{path}: {'a directory' if path.is_dir() else 'not a regular file'}")
        if problem := problem_to_run(path):
            raise RunFileError(f"{path} is a problem file; run it first: wpoflow run {problem}")
        with path.open("rb") as stream:
            length = path.stat().st_size - TRAILER_LENGTH
            if length < 0:
                raise NoTrailerError(f"{path}: too short for a run file")
            stream.seek(length)
            trailer = stream.read(TRAILER_LENGTH)
            if trailer[:8] != MAGIC:
                raise NoTrailerError(
                    f"{path}: no trailer: not a run file, truncated, or from a run that did not finish"
                )
            if int.from_bytes(trailer[8:16], "little") != length:
                raise RunFileError(f"{path}: its length differs from the length it was closed with")
            stream.seek(0)
            if _digest(stream, length) != trailer[16:]:
                raise RunFileError(f"{path}: altered or damaged: its SHA-256 differs from the one it was closed with")
    except OSError as error:
        raise RunFileError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:  # a path no file can have
        raise RunFileError(f"{path}: {error}") from error


def _digest(stream: BinaryIO, length: int) -> bytes:
    digest = hashlib.sha256()
    while length > 0 and (block := stream.read(min(_BLOCK, length))):
        digest.update(block)
        length -= len(block)
    return digest.digest()
