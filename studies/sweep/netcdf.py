"""``study.nc``: a study as netCDF-4, which any netCDF tool reads, followed by the trailer of sealed files.

Swept keys and ``time`` are dimension scales; texts are strings of variable length.  Keys that go together with the
first of their dimension are named in the attribute ``coordinates``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from wpoflow.solver.storage.atomic import NoTrailerError, RunFileError, check_trailer, writing
from wpoflow.solver.storage.room import RECORD_BYTES, array_bytes, give_back, reserve
from wpoflow.solver.storage.writer import chunk_shape
from wpoflow.studies.sweep.notes import RESULT, STUDY, own_part
from wpoflow.studies.sweep.result import Array, Study

_FILTERS: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}
_BESIDE = "coordinates"


def write_study(study: Study, path: Path) -> None:
    """Write a study, whole or not at all.

    Raises
    ------
    OSError
        It cannot be written; what was there before stays.
    """
    with writing(path, sealed=True, part=own_part(path)) as part:
        with h5py.File(part, "w", libver=("v108", "v110"), track_order=True) as file:
            texts = sum(len(str(entry)) for array in study.arrays.values() for entry in _texts(array.values))
            numbers = sum(array.values.size for array in study.arrays.values())
            attributes = sum(len(str(value)) for value in study.attributes.values())
            most = array_bytes(2 * numbers) + 4 * texts + 4 * attributes + RECORD_BYTES * len(study.arrays) // 8
            reserve(part, most, file.id.get_filesize())
            _fill(file, study)
            file.flush()
            used = file.id.get_filesize()
        give_back(part, used)


def _texts(values: Any) -> Any:
    return values.ravel() if values.dtype == object else ()


def _fill(file: Any, study: Study) -> None:
    file.attrs.update(study.attributes)
    if beside := [name for name in study.coordinates() if study.arrays[name].dims != (name,)]:
        file.attrs[_BESIDE] = " ".join(beside)
    scales = sorted(study.arrays, key=lambda name: study.arrays[name].dims != (name,))
    for name in scales:
        array = study.arrays[name]
        if array.values.dtype == object:
            data = file.create_dataset(name, shape=array.values.shape, dtype=h5py.string_dtype("utf-8"))
        elif array.values.shape and array.values.size:
            stored = {"chunks": chunk_shape(array.values.shape), **_FILTERS}
            data = file.create_dataset(name, shape=array.values.shape, dtype=array.values.dtype, **stored)
        else:
            data = file.create_dataset(name, shape=array.values.shape, dtype=array.values.dtype)
        data.attrs.update(array.attributes)
        if array.values.size:
            data[...] = array.values
        if array.dims == (name,):
            data.make_scale(name)
        else:
            for k, dim in enumerate(array.dims):
                data.dims[k].attach_scale(file[dim])


def open_study(path: str | os.PathLike[str]) -> Study:
    """Read the result of a study.

    Parameters
    ----------
    path : path
        Its folder, or the file ``study.nc`` in it.

    Raises
    ------
    RunFileError
        There is none, it is damaged or altered, or it is something else.
    """
    path = Path(path)
    file_path = path / RESULT if path.is_dir() else path
    if not file_path.exists() and (file_path.parent / STUDY).exists():
        raise RunFileError(
            f"{file_path}: is not there yet; of the runs that are: wpoflow sweep --collect {file_path.parent}"
        )
    try:
        check_trailer(file_path)
        with h5py.File(file_path, "r") as file:
            return _read(file, file_path)
    except NoTrailerError as error:
        raise RunFileError(f"{error}; from the runs beside it: wpoflow sweep --collect {file_path.parent}") from error
    except (OSError, RuntimeError, LookupError, ValueError, TypeError) as error:
        raise RunFileError(f"{file_path}: not a study: {error}") from error


def _read(file: Any, path: Path) -> Study:
    if "study_schema_version" not in file.attrs:
        raise ValueError("it is another file of wpoflow")
    attributes = {name: _plain(value) for name, value in file.attrs.items() if name != _BESIDE}
    arrays: dict[str, Array] = {}
    for name, data in file.items():
        dims = tuple(
            name if data.is_scale else next(iter(dim.keys())).rpartition("/")[2] or next(iter(dim.keys()))
            for dim in data.dims
        )
        values = data.asstr()[...] if h5py.check_string_dtype(data.dtype) else data[...]
        if h5py.check_string_dtype(data.dtype):
            values = np.asarray(values, dtype=object)
        meanings = {key: str(data.attrs[key]) for key in ("units", "long_name") if key in data.attrs}
        arrays[name] = Array(dims, values, meanings)
    dims = arrays["status"].dims
    return Study(path.parent, str(attributes.get("title", "")), dims, arrays, attributes)


def _plain(value: Any) -> str | int:
    return int(value) if isinstance(value, np.integer) else str(value)
