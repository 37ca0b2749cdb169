"""Room on the disk: estimated before a run, and made sure of before each write of HDF5.

HDF5 does not survive a write that fails: the file may be lost, and the process with it.  So before each record the
blocks it may take are allocated behind the end of the file; where that fails, by a full disk, a quota or a limit on
sizes, nothing has been written yet and the file is whole up to the record before.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

RECORD_BYTES = 1 << 19  # most that a row of the series with its index may take: a chunk of each series, and B-trees
RESERVED_AT_ONCE = 1 << 22  # allocating takes milliseconds, so rows do it now and then
SMALL_BYTES = 1 << 22  # a run file and checkpoints without arrays of pairs
PAIR_ARRAYS_KEPT = 8  # in the two checkpoints of a state, of the scheme that keeps most


def array_bytes(numbers: int) -> int:
    """Most bytes that arrays of so many doubles may take in a run file, compressed in vain, with their index."""
    return RECORD_BYTES + 8 * numbers + numbers // 4


def needed_bytes(pairs: int, snapshots: int, checkpoints: bool) -> int:
    """Most bytes that a run may write: optimum and snapshots, and with checkpoints all this again and two states."""
    kept = pairs * (2 + snapshots)
    if checkpoints:
        kept += kept + 2 * PAIR_ARRAYS_KEPT * pairs
    return SMALL_BYTES + 9 * kept


def check_disk_space(output: str | os.PathLike[str], pairs: int, snapshots: int, kept: int | None) -> None:
    """Raise OSError unless a run has room for what it may yet write; ``kept`` bytes of checkpoints, if it keeps any."""
    needed = needed_bytes(pairs, snapshots, kept is not None) - (kept or 0)
    free = shutil.disk_usage(Path(output).resolve().parent).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"the disk has {free / 1e6:,.0f} MB free, and the run may write {needed / 1e6:,.0f} MB; "
            "keep fewer snapshots or no checkpoints, or write elsewhere",
            os.fspath(output),
        )


def reserve(path: Path, needed: int, used: int) -> None:
    """Make sure that so many bytes can be added to a file.

    Parameters
    ----------
    path : path
        The file.
    needed : int
    used : int
        Length of the file as its writer knows it; what lies behind was reserved before.

    Raises
    ------
    OSError
        There is no room for them; the file is as it was.
    """
    before = path.stat().st_size
    if before - used >= needed:
        return
    with path.open("r+b") as stream:
        for wanted in (max(needed, RESERVED_AT_ONCE), needed):
            try:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(stream.fileno(), used, wanted)
                elif shutil.disk_usage(path.parent).free < wanted:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return
            except OSError as error:
                os.ftruncate(stream.fileno(), before)
                failed = OSError(error.errno, error.strerror, str(path))
        raise failed


def give_back(path: Path, used: int) -> None:
    """Cut off what was reserved behind a file of this length, once it is closed."""
    if path.exists() and path.stat().st_size > used:
        os.truncate(path, used)
