"""``study.zarr``: the result of a study in the format of that name, by xarray and zarr, where both are installed."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path

from wpoflow.studies.sweep.notes import own_part
from wpoflow.studies.sweep.result import Study

ZARR = "study.zarr"
_MARKS = ("zarr.json", ".zgroup")


def check_zarr() -> None:
    """Raise ImportError, which says what to install, unless both libraries are there."""
    for name in ("xarray", "zarr"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ImportError(f"--zarr needs {name}: pip install xarray zarr") from error


def write_zarr(study: Study, path: Path) -> None:
    """Write a study as a zarr store, whole or not at all; an older one is replaced.

    Raises
    ------
    FileExistsError
        There is something else of this name.
    """
    if path.exists() and not (path.is_dir() and any((path / mark).exists() for mark in _MARKS)):
        raise FileExistsError(f"{path} exists and is no zarr store; it is never replaced")
    part = own_part(path)
    try:
        dataset = study.to_xarray()
        texts = [name for name, array in dataset.variables.items() if array.dtype == object]
        fixed = dataset.assign({name: dataset[name].astype(str) for name in texts})
        fixed.to_zarr(part, mode="w", consolidated=False, zarr_format=2)  # 3 has no specification of texts yet
        if path.exists():
            older = own_part(path.with_name(f"{path.name}.old"))
            os.replace(path, older)
            os.replace(part, path)
            shutil.rmtree(older)
        else:
            os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
