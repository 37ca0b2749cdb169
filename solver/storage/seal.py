"""Whether a run file is sealed; and of one whose seal another program has cut, whether its contents are as they were.

HDF5 cuts a file at the end of its own data when a program opens it for writing: h5py with "r+", h5netcdf and netCDF4
with "a", even where that is refused or nothing is written.  The trailer goes, and with it the state from which the run
can be extended (`solver.storage.sealed_arrays`).  Such a file ends exactly where its superblock says that its data
end; one that was truncated ends before, and one whose trailer is damaged after it.  The digests it keeps
(`solver.storage.digests`) then tell whether what is in it is what the run left.
"""

from __future__ import annotations

import os
from pathlib import Path

import h5py

from wpoflow.core.memory import needed_by
from wpoflow.solver.storage.atomic import NoTrailerError, OutputLock, RunFileError, append_trailer, check_trailer
from wpoflow.solver.storage.contents import DAMAGE
from wpoflow.solver.storage.digests import added, altered

UNSEALED = "not sealed: another program opened it for writing"
NAMED = 5

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_END_ADDRESS = {0: 40, 1: 44, 2: 28, 3: 28}
"""Where the superblock of each version has the end of the data, with addresses of eight bytes."""


def check_seal(path: str | os.PathLike[str]) -> str:
    """Empty of a sealed file; of one whose seal was cut, and whose contents are as they were, that in words.

    Raises
    ------
    RunFileError
        The file is missing, damaged, truncated or altered.
    """
    try:
        check_trailer(path)
    except NoTrailerError as error:
        path = Path(path)
        if data_end(path) != path.stat().st_size:
            raise
        more = _check_contents(path, str(error))
        since = f"; added since: {_some(more)}" if more else ""
        return f"{UNSEALED}, which cuts the seal; what the run left in it is unchanged{since}"
    return ""


def seal_again(path: str | os.PathLike[str]) -> str:
    """Seal a file whose seal another program cut, if its contents are as the run left them.

    Returns
    -------
    What `check_seal` says of it before; empty if it is sealed.

    Raises
    ------
    RunFileError
        As `check_seal`.
    FileExistsError
        A run is writing the file.
    OSError
        The file cannot be written; it is as it was.
    """
    with OutputLock(path):
        found = check_seal(path)
        if found:
            append_trailer(Path(path))
        return found


def data_end(path: Path) -> int | None:
    """Length of a file as its HDF5 superblock has it; None of a file that is not HDF5."""
    with path.open("rb") as stream:
        block = stream.read(64)
    if len(block) < 64 or not block.startswith(_SIGNATURE) or block[8] not in _END_ADDRESS:
        return None
    start = _END_ADDRESS[block[8]]
    return int.from_bytes(block[start : start + 8], "little")


def _check_contents(path: Path, otherwise: str) -> list[str]:
    """Raise RunFileError unless the contents of a file without a trailer are as they were; what was added to them."""
    try:
        with needed_by(str(path)), h5py.File(path, "r") as file:
            changed = altered(file)
            more = [] if changed is None else added(file)
    except DAMAGE as error:
        raise RunFileError(f"{otherwise}; and HDF5 cannot read it: {error}") from error
    if changed is None:
        raise RunFileError(
            f"{otherwise}; or another program opened it for writing, and it is too old to tell whether it was altered"
        )
    if changed:
        raise RunFileError(f"{path}: {UNSEALED}, and altered or damaged: {_some(changed)}")
    return more


def _some(names: list[str]) -> str:
    """Names, at most a few."""
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
