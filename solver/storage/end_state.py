"""The state at which a run ended, behind the HDF5 data of its file: what it takes to extend the run.

    HDF5 data | archive (`solver.storage.sealed_arrays`) | "WPOSTATE" | length of the archive, 8 bytes | trailer

HDF5 takes no notice of what follows its data, so that every reader sees the run alone; the trailer's SHA-256 covers all
of it.  A program that opens the file for writing cuts it off, with the trailer.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wpoflow.solver.storage.atomic import TRAILER_LENGTH
from wpoflow.solver.storage.seal import check_seal
from wpoflow.solver.storage.sealed_arrays import read_archive, write_archive

MARK = b"WPOSTATE"
_FOOT = len(MARK) + 8


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
