"""Named arrays and numbers in one whole file: NumPy's ``.npz``, followed by the trailer of run files.

Such a file is written aside, sealed, synchronised with the disk and renamed, so that under its name there is either
all of it or what was there before, whatever happens.  ``numpy.load`` opens it.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from solver.trailer import RunFileError, append_trailer, check_trailer, synchronise_folder

ASIDE = ".aside"


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write arrays, numbers and texts under their names, durably and in one piece.

    Raises
    ------
    OSError
        The file cannot be written; what was there before stays.
    """
    aside = path.with_name(path.name + ASIDE)
    try:
        with aside.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **content)
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
        The file is missing, damaged or altered.
    """
    check_trailer(path)
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise RunFileError(f"{path}: not a checkpoint: {error}") from error
    return {name: array.item() if array.ndim == 0 else array for name, array in arrays.items()}
