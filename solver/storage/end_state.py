"""The state at which a run ended, behind the HDF5 data of its file: what it takes to extend the run.

    HDF5 data | archive (``numpy.savez``) | "WPOSTATE" | length of the archive, 8 bytes | trailer

HDF5 takes no notice of what follows its data, so that every reader sees the run alone; the trailer's SHA-256 covers all
of it.  A program that opens the file for writing cuts it off.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wpoflow.solver.storage.atomic import TRAILER_LENGTH, RunFileError, check_trailer

MARK = b"WPOSTATE"
_FOOT = len(MARK) + 8


def append_end_state(path: Path, content: Mapping[str, Any]) -> None:
    """Append arrays, numbers and texts to a closed file that has no trailer yet; raises OSError."""
    with path.open("r+b") as stream:
        start = stream.seek(0, os.SEEK_END)
        np.savez(stream, allow_pickle=False, **content)
        length = stream.seek(0, os.SEEK_END) - start
        stream.write(MARK + length.to_bytes(8, "little"))


def read_end_state(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What was appended, numbers and texts as Python's own; None if nothing was.

    Raises
    ------
    RunFileError
        The file is missing, damaged or altered.
    """
    check_trailer(path)
    with Path(path).open("rb") as stream:
        end = stream.seek(-TRAILER_LENGTH - _FOOT, os.SEEK_END)
        foot = stream.read(_FOOT)
        if not foot.startswith(MARK):
            return None
        length = int.from_bytes(foot[len(MARK) :], "little")
        stream.seek(end - length)
        archive = io.BytesIO(stream.read(length))
    try:
        with np.load(archive, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError) as error:
        raise RunFileError(f"{path}: its end state cannot be read: {error}") from error
    return {name: array.item() if array.ndim == 0 else array for name, array in found.items()}
