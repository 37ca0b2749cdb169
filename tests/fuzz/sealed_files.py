"""Damage to sealed files, and run files that another program changed before they were sealed again."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from wpoflow.solver.storage.atomic import TRAILER_LENGTH, append_trailer


def truncations(whole: bytes, rng: random.Random, count: int) -> Iterator[bytes]:
    """The file cut short at so many places; of many, both its ends for sure."""
    near = [*range(0, 64), *range(len(whole) - 64, len(whole))] if count > 256 else []
    rest = rng.sample(range(len(whole)), min(len(whole), max(0, count - len(near))))
    return (whole[:length] for length in (near + rest)[:count])


def flips(whole: bytes, rng: random.Random, count: int) -> Iterator[bytes]:
    """The file with a random bit changed, so many times; every fourth time in the trailer."""
    for number in range(count):
        first = len(whole) - TRAILER_LENGTH if number % 4 == 0 else 0
        changed = bytearray(whole)
        changed[rng.randrange(first, len(whole))] ^= 1 << rng.randrange(8)
        yield bytes(changed)


def scrambles(whole: bytes, rng: random.Random, count: int) -> Iterator[bytes]:
    """The file with blocks zeroed, moved, repeated, left out or made of noise."""
    for _ in range(count):
        start, length = rng.randrange(len(whole)), rng.choice((1, 8, 512, 4096, 20_000))
        block = whole[start : start + length]
        other = rng.choice((bytes(len(block)), rng.randbytes(len(block)), block + block, b"", block[::-1] + b"\x00"))
        yield whole[:start] + other + whole[start + length :]


Change = Callable[[h5py.File], None]


def _replace(name: str, array: object, **options: object) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, data=array, **options)

    return change


def _attribute(name: str, value: object) -> Change:
    def change(file: h5py.File) -> None:
        file.attrs[name] = value

    return change


def _remove(name: str) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]

    return change


def _remove_attribute(name: str) -> Change:
    def change(file: h5py.File) -> None:
        del file.attrs[name]

    return change


CHANGES: dict[str, Change] = {
    "no time": _remove("time"),
    "no gap": _remove("gap"),
    "no optimum value": _remove("optimum/value"),
    "no edges": _remove("u_edges"),
    "no schema": _remove_attribute("schema_version"),
    "no axes": _remove_attribute("action_axes"),
    "schema of the future": _attribute("schema_version", 99),
    "schema of text": _attribute("schema_version", "one"),
    "title for a terminal": _attribute("title", "\x1b]0;owned\x07\x1b[2J"),
    "title of a number": _attribute("title", 3.0),
    "packages no JSON": _attribute("packages", "{"),
    "status unknown": _attribute("status", "\x1b"),
    "discount of text": _attribute("discount", "high"),
    "discount not a number": _attribute("discount", np.nan),
    "temperature negative": _attribute("temperature", -1.0),
    "steps infinite": _attribute("steps", np.inf),
    "axes unknown": _attribute("action_axes", "nobody"),
    "time of text": _replace("time", ["a", "b"]),
    "time of integers": _replace("time", np.arange(3)),
    "time of two axes": _replace("time", np.zeros((2, 2))),
    "time a group": lambda file: (_remove("time")(file), file.create_group("time"))[0],
    "gap too long": _replace("gap", np.zeros(1000)),
    "gap not a number": _replace("gap", np.array([np.nan, np.inf])),
    "gap of single precision": _replace("gap", np.zeros(2, np.float32)),
    "edges falling": _replace("u_edges", np.arange(5.0)[::-1]),
    "edges not a number": _replace("u_edges", np.full(5, np.nan)),
    "reference mass of zeros": _replace("reference_mass", np.zeros(4)),
    "reference mass of another shape": _replace("reference_mass", np.ones(7)),
    "policy of another shape": _replace("optimum/policy", np.ones((3, 5))),
    "policy not a number": _replace("optimum/policy", np.full((3, 4), np.nan)),
    "occupancy of zeros": _replace("optimum/occupancy", np.zeros(3)),
    "snapshot without times": _remove("snapshot/snapshot_time"),
    "snapshot of another shape": _replace("snapshot/policy", np.ones((1, 2, 2))),
}


def changed(whole: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Sealed files that are not what a run leaves, by what is wrong with them."""
    for name, change in CHANGES.items():
        path = folder / "changed.h5"
        shutil.copy(whole, path)
        os.truncate(path, path.stat().st_size - TRAILER_LENGTH)
        with h5py.File(path, "r+") as file:
            change(file)
        append_trailer(path)
        yield name, path.read_bytes()
    path.unlink()
