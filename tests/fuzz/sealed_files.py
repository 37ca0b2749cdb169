"""Damage to sealed files, and run files that another program changed before they were sealed again."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from wpoflow.solver.storage.atomic import TRAILER_LENGTH, append_trailer
from wpoflow.solver.storage.seal import data_end


def truncations(whole: bytes, rng: random.Random, count: int, opened: int = -1) -> Iterator[bytes]:
    """The file cut short at so many places; of many, both its ends for sure.

    Not at ``opened``, where HDF5 cuts it that opens it for writing: that is no damage, and its contents are unchanged.
    """
    near = [*range(0, 64), *range(len(whole) - 64, len(whole))] if count > 256 else []
    rest = rng.sample(range(len(whole)), min(len(whole), max(0, count - len(near))))
    return (whole[:length] for length in (near + rest)[:count] if length != opened)


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


def damaged(whole: bytes, rng: random.Random, count: int, opened: int = -1) -> Iterator[tuple[str, bytes]]:
    """Family and content: twice as many flips as truncations and as many scrambles."""
    for family, made in (
        ("truncated", truncations(whole, rng, count, opened)),
        ("flipped", flips(whole, rng, 2 * count)),
        ("scrambled", scrambles(whole, rng, count)),
    ):
        yield from ((family, case) for case in made if case != whole)


OPENED = "opened for writing"
GONE, GROUP = object(), object()
CHANGES: dict[str, tuple[str, object]] = {
    "no time": ("time", GONE),
    "no gap": ("gap", GONE),
    "no optimum value": ("optimum/value", GONE),
    "no edges": ("u_edges", GONE),
    "no schema": ("@schema_version", GONE),
    "no axes": ("@action_axes", GONE),
    "schema of the future": ("@schema_version", 99),
    "schema of text": ("@schema_version", "one"),
    "title for a terminal": ("@title", "\x1b]0;owned\x07\x1b[2J"),
    "title of a number": ("@title", 3.0),
    "packages no JSON": ("@packages", "{"),
    "status unknown": ("@status", "\x1b"),
    "discount of text": ("@discount", "high"),
    "discount not a number": ("@discount", np.nan),
    "temperature negative": ("@temperature", -1.0),
    "steps infinite": ("@steps", np.inf),
    "axes unknown": ("@action_axes", "nobody"),
    "time of text": ("time", ["a", "b"]),
    "time of integers": ("time", np.arange(3)),
    "time of two axes": ("time", np.zeros((2, 2))),
    "time a group": ("time", GROUP),
    "gap too long": ("gap", np.zeros(1000)),
    "gap not a number": ("gap", np.array([np.nan, np.inf])),
    "gap of single precision": ("gap", np.zeros(2, np.float32)),
    "edges falling": ("u_edges", np.arange(5.0)[::-1]),
    "edges not a number": ("u_edges", np.full(5, np.nan)),
    "reference mass of zeros": ("reference_mass", np.zeros(4)),
    "reference mass of another shape": ("reference_mass", np.ones(7)),
    "policy of another shape": ("optimum/policy", np.ones((3, 5))),
    "policy not a number": ("optimum/policy", np.full((3, 4), np.nan)),
    "occupancy of zeros": ("optimum/occupancy", np.zeros(3)),
    "snapshot without times": ("snapshot/snapshot_time", GONE),
    "snapshot of another shape": ("snapshot/policy", np.ones((1, 2, 2))),
}


def _change(file: h5py.File, name: str, value: object) -> None:
    table = file.attrs if name.startswith("@") else file
    key = name.removeprefix("@")
    del table[key]
    if value is GROUP:
        file.create_group(key)
    elif value is not GONE:
        table[key] = value


def changed(whole: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Sealed files that are not what a run leaves, by what is wrong with them; and one that was opened for writing."""
    yield OPENED, whole.read_bytes()[: data_end(whole)]
    for name, (key, value) in CHANGES.items():
        path = folder / "changed.h5"
        shutil.copy(whole, path)
        os.truncate(path, path.stat().st_size - TRAILER_LENGTH)
        with h5py.File(path, "r+") as file:
            _change(file, key, value)
        append_trailer(path)
        yield name, path.read_bytes()
    path.unlink()
