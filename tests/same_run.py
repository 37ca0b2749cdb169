"""Whether two run files hold the same run, bit for bit."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

MAY_DIFFER = {"wall_seconds", "compile_seconds", "run_id", "resumed"}
"""Attributes in which a run that was cut short and gone on with may differ from one that was not."""


def differences(one: Path, other: Path) -> list[str]:
    """Names of the data sets and attributes in which two run files differ, bit for bit."""
    with h5py.File(one) as first, h5py.File(other) as second:
        names = [_names(file) for file in (first, second)]
        found = sorted(names[0] ^ names[1])
        for name in sorted(names[0] & names[1]):
            arrays = [np.asarray(file[name][()]) for file in (first, second)]
            if arrays[0].shape != arrays[1].shape or arrays[0].tobytes() != arrays[1].tobytes():
                found.append(name)
        for key in sorted((first.attrs.keys() | second.attrs.keys()) - MAY_DIFFER):
            if first.attrs.get(key) != second.attrs.get(key):
                found.append(f"attribute {key}: {first.attrs.get(key)} and {second.attrs.get(key)}")
    return found


def _names(file: h5py.File) -> set[str]:
    found: set[str] = set()
    file.visititems(lambda name, item: found.add(name) if isinstance(item, h5py.Dataset) else None)
    return found
