"""Which files may be replaced: only what wpoflow wrote itself, and never what the same command reads.

Runs, optima, figures, movies and reports say in themselves that wpoflow wrote them: sealed files by their trailer,
HDF5 by its attributes, also where the seal is gone or the file was never finished, figures and reports by their
metadata.  Of a file of which nothing but its name is known nobody can tell who misses it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

MAGIC = b"WPOFLOW1"
TRAILER_LENGTH = 48

TABLE = b"flow,gap,"  # a table of `studies.comparison.result`
TRUTH = b",value,value_band,markov_value,markov_band,"  # in the first line of a table of `studies.truth.files`
_KINDS = (
    b"\x89HDF\r\n\x1a\n",
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    b"%PDF-",
    b"<?xml",
    b"<svg",
    b"<!doctype html",
    b"{",
    b"PAR1",
    TABLE,
)
_SUPERBLOCK = 48  # bytes at the beginning of an HDF5 file
_MOVIE = b"ftyp"  # at the fifth byte of an .mp4
_MARK = b"wpoflow"
_LOOKED_AT = 1 << 20  # bytes at either end
_OF_CHECKPOINTS = ("start.npz", "initial.npz", "optimum.npz", "snapshot-*.npz", "state-*.npz", "*.part", ".nfs*")


def is_ours(path: Path, unfinished: bool = False) -> bool:
    """Whether a regular file was written by wpoflow, or holds nothing; OSError if it cannot be read.

    Of a file in the place of an unfinished one HDF5's first bytes count for nothing, nor does what HDF5 cannot open, as
    a process leaves it that is killed before its file says whose it is.
    """
    with path.open("rb") as stream:
        head = stream.read(_LOOKED_AT)
        length = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, length - _LOOKED_AT))
        tail = stream.read()
    if not length or tail[-TRAILER_LENGTH:].startswith(MAGIC):
        return True
    if unfinished and (_is_blank(head, tail) or (head.startswith(_KINDS[0]) and _is_unreadable(path))):
        return True
    known = head[:16].lower().startswith(tuple(kind.lower() for kind in _KINDS)) or head[4:8] == _MOVIE
    return (known and (_MARK in head or _MARK in tail)) or TRUTH in b"," + head.partition(b"\n")[0]


def problem_to_run(path: Path) -> str:
    """What ``wpoflow run`` would be given for a file that states a problem; empty for a file of another kind."""
    with path.open("rb") as stream:
        head = stream.read(_LOOKED_AT)
    written = path.suffix.lower() == ".toml" or any(line.strip() == b"[problem]" for line in head.splitlines())
    if not written or head.startswith(_KINDS[0]):
        return ""
    return str(path) if path.suffix == ".toml" or path.name != str(path) else f"./{path}"


def _is_blank(head: bytes, tail: bytes) -> bool:
    """Whether nothing was written but HDF5's first bytes, as a run leaves it that is killed in its first moments."""
    begun = head.startswith(_KINDS[0]) or not any(head[:_SUPERBLOCK])
    return begun and not any(head[_SUPERBLOCK:]) and not any(tail[_SUPERBLOCK:])


def _is_unreadable(path: Path) -> bool:
    """Whether HDF5 cannot open a file, so that nobody can read anything of it, or finds nothing in it."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return len(file) == 0 and len(file.attrs) == 0
    except (OSError, RuntimeError, LookupError):  # a root of which only a part came to the disk opens, and has no names
        return True


def foreign_entry(folder: Path) -> Path | None:
    """Something in a folder of checkpoints that no run left there; None if there is nothing of the kind."""
    entries = sorted(folder.iterdir())
    return next((e for e in entries if e.is_dir() or not any(e.match(name) for name in _OF_CHECKPOINTS)), None)


def same_as(path: Path, others: Iterable[str | os.PathLike[str]]) -> Path | None:
    """The one of the others that is the same file, by whatever name and through whatever link; None if none is."""
    for other in map(Path, others):
        try:
            if os.path.samefile(path, other):
                return other
        except (OSError, ValueError):  # one of them does not exist
            continue
    return None
