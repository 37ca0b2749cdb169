"""What a command reads and what it may write, looked at before it computes anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from wpoflow.problems.problem_file import names_file
from wpoflow.solver.storage.atomic import check_output


def files_read(asked: Mapping[str, Any]) -> list[str]:
    """The file a problem is read from; none for a gallery problem."""
    problem = str(asked["name_or_path"])
    return [problem] if names_file(problem) else []


def check_report(folder: Path | None, names: Iterable[str], reads: Iterable[str | Path]) -> None:
    """Refuse a folder for reports in which they would replace what is not ours or what is read.

    Raises
    ------
    FileExistsError, OSError
        As `solver.storage.atomic.check_output`, of which reports of ours may be replaced.
    """
    if folder is not None and folder.is_dir():
        reads = list(reads)
        for name in names:
            check_output(folder / name, force=True, reads=reads)
