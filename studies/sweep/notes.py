"""What a study keeps in its folder besides run files: what it is, and of single points why they failed.

    study.json     the study, and every point with its name
    NAME.h5        the run of a point, with its checkpoints beside it while it is not whole
    NAME.json      of a point that failed without a run file why; of others what was measured of their run
    study.nc       the result

Each is written whole or not at all, under a name of its own until then: several processes may do so at once.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wpoflow.core.text import one_line
from wpoflow.solver.records.provenance import VERSION, source_hash
from wpoflow.solver.storage.atomic import RunFileError, writing

STUDY, RESULT = "study.json", "study.nc"
SCHEMA = 1


def own_part(path: Path) -> Path:
    """The name under which this process and thread writes a file."""
    return path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    with writing(path, part=own_part(path)) as part:
        part.write_text(json_text({"wpoflow_version": VERSION, **content}, indent=1) + "\n", encoding="utf-8")


def json_text(content: Mapping[str, Any], indent: int | None = None) -> str:
    """JSON of numbers and texts, those of NumPy included."""
    return json.dumps(content, indent=indent, ensure_ascii=False, default=lambda value: value.tolist())


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote; empty of a file that is not there.

    Raises
    ------
    RunFileError
        It is something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RunFileError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise RunFileError(f"{path}: not a file of wpoflow sweep: {one_line(error, 80)}") from error
    if not isinstance(content, dict) or "wpoflow_version" not in content:
        raise RunFileError(f"{path}: not a file of wpoflow sweep")
    return content


class PointNotes:
    """The notes of one point.

    Parameters
    ----------
    folder : Path
    name : str
        Of the point.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.json"

    def failure(self) -> str:
        """Why it failed, if that was of its own making and by the present sources; else empty."""
        found = read_json(self.path)
        own = not found.get("environment", True) and found.get("source_hash") == source_hash()
        return str(found.get("sentence", "")) if own else ""

    def keep_failure(self, sentence: str, environment: bool) -> None:
        """Note why it failed; ``environment``: not by its own numbers, so that it is tried again without being told."""
        write_json(self.path, {"sentence": sentence, "environment": environment, "source_hash": source_hash()})

    def measured(self, run_id: str) -> dict[str, dict[str, float]]:
        """What was measured of a run, by the measures' names."""
        found = read_json(self.path)
        return dict(found.get("measured", {})) if found.get("run_id") == run_id else {}

    def keep_measured(self, run_id: str, measured: Mapping[str, Mapping[str, float]]) -> None:
        """Note what was measured; where that is nothing there is no file."""
        if measured:
            write_json(self.path, {"run_id": run_id, "measured": measured})
        else:
            self.path.unlink(missing_ok=True)
