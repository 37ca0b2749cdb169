"""Whether and where a run may be written, found out before anything is computed.

Only a regular file is ever replaced: not a device, not a pipe, not a folder.  A symbolic link is followed,
so that the file it leads to is written and the link stays.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def final_path(path: str | os.PathLike[str]) -> Path:
    """The file that is written for ``path``: where it leads to, if it is a symbolic link."""
    path = Path(path)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def part_path(path: str | os.PathLike[str]) -> Path:
    """Where a run is written until it is closed: beside the final file."""
    path = final_path(path)
    return path.with_name(path.name + ".part")


def checkpoint_folder(path: str | os.PathLike[str]) -> Path:
    """Where the checkpoints of a run are kept: a folder beside the final file."""
    path = final_path(path)
    return path.with_name(path.name + ".checkpoint")


def lock_path(path: str | os.PathLike[str]) -> Path:
    """The file that is locked while a run is written."""
    path = final_path(path)
    return path.with_name(path.name + ".lock")


def check_output(path: str | os.PathLike[str], force: bool = False) -> None:
    """Find out whether a run may be written to ``path``.

    Raises
    ------
    FileExistsError
        Writing would destroy something, and ``force`` is off; or there is something other than a
        regular file, which is never replaced.
    FileNotFoundError
        The folder does not exist.
    OSError
        No file can be made in the folder; the message names the folder.
    """
    final, part = final_path(path), part_path(path)
    folder = final.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {folder}")
    for place in (final, part):
        if place.is_symlink() or (place.exists() and not place.is_file()):
            raise FileExistsError(f"{place} exists and is not a regular file; choose another name")
    if not force and checkpoint_folder(path).exists():
        raise FileExistsError(
            f"{checkpoint_folder(path)} is of a run that was cut short or is still going; "
            f"go on with it (wpoflow resume {path}), or overwrite it with force (--force)"
        )
    if not force and final.exists():
        raise FileExistsError(f"{path} exists; choose another name, or overwrite it with force (--force)")
    if not force and part.exists():
        raise FileExistsError(
            f"{part} is left from a run that was killed or is still going; "
            "remove it, or overwrite it with force (--force)"
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise type(error)(f"{path}: no file can be made in the folder {folder}: {error.strerror or error}") from error
