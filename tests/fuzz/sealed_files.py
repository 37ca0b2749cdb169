"""Damage to sealed files, and files made in bad faith that are sealed as if they were ours."""

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


def resealed(whole: bytes, rng: random.Random, count: int) -> Iterator[bytes]:
    """The content with a few bits changed or cut short, and a trailer that fits."""
    from hashlib import sha256

    from wpoflow.solver.storage.atomic import MAGIC

    content = whole[:-TRAILER_LENGTH]
    for _ in range(count):
        changed = bytearray(content)
        for _ in range(rng.choice((1, 1, 2, 8, 64))):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        if rng.random() < 0.1:
            changed = changed[: rng.randrange(len(changed))]
        yield bytes(changed) + MAGIC + len(changed).to_bytes(8, "little") + sha256(changed).digest()


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


def _soft_link(file: h5py.File) -> None:
    del file["gap"]
    file["gap"] = h5py.SoftLink("/gap")


def _external_link(file: h5py.File) -> None:
    del file["gap"]
    file["gap"] = h5py.ExternalLink("/etc/passwd", "/")


def _external_storage(file: h5py.File) -> None:
    rows = file["time"].shape[0]
    del file["gap"]
    file.create_dataset("gap", (rows,), "f8", external=[("/etc/passwd", 0, 8 * rows)])


def _virtual(file: h5py.File) -> None:
    rows = file["time"].shape[0]
    del file["gap"]
    layout = h5py.VirtualLayout((rows,), "f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (rows,))
    file.create_virtual_dataset("gap", layout)


def _bomb(file: h5py.File) -> None:
    del file["gap"]
    file.create_dataset("gap", (10**11,), "f8", chunks=(1 << 17,), compression="gzip", fillvalue=1.0)


def _all_bombs(file: h5py.File) -> None:
    for name in ("time", "gap", "value_rho"):
        del file[name]
        data = file.create_dataset(name, (1 << 25,), "f8", chunks=(1 << 22,), compression="gzip")
        for k in range(8):
            data[k << 22 : (k + 1) << 22] = 0.0


def _group_loop(file: h5py.File) -> None:
    del file["optimum"]
    file["optimum"] = file["/"]


CHANGES: dict[str, Change] = {
    "no time": _remove("time"),
    "no gap": _remove("gap"),
    "no optimum value": _remove("optimum/value"),
    "no reference mass": _remove("reference_mass"),
    "no edges": _remove("u_edges"),
    "no schema": _remove_attribute("schema_version"),
    "no packages": _remove_attribute("packages"),
    "no axes": _remove_attribute("action_axes"),
    "no discount": _remove_attribute("discount"),
    "no version": _remove_attribute("wpoflow_version"),
    "schema of the future": _attribute("schema_version", 99),
    "schema of text": _attribute("schema_version", "one"),
    "schema of many": _attribute("schema_version", [1, 1]),
    "schema not a number": _attribute("schema_version", np.nan),
    "empty attribute": _attribute("title", h5py.Empty("S1")),
    "title of bytes": _attribute("title", np.bytes_(b"\xff\xfe")),
    "title for a terminal": _attribute("title", "\x1b]0;owned\x07\x1b[2J"),
    "title of a megabyte": _attribute("title", "t" * 1_000_000),
    "title of a number": _attribute("title", 3.0),
    "a complex attribute": _attribute("extra", 1j),
    "packages no JSON": _attribute("packages", "{"),
    "packages deep": _attribute("packages", "[" * 50_000),
    "packages a list": _attribute("packages", "[1]"),
    "status unknown": _attribute("status", "\x1b"),
    "discount of text": _attribute("discount", "high"),
    "discount not a number": _attribute("discount", np.nan),
    "temperature negative": _attribute("temperature", -1.0),
    "temperature huge": _attribute("temperature", 1e308),
    "accuracy of text": _attribute("accuracy", "__import__('os')"),
    "gap floor of text": _attribute("gap_floor", "low"),
    "steps infinite": _attribute("steps", np.inf),
    "attribute of an array": _attribute("title", np.zeros(1000)),
    "axes unknown": _attribute("action_axes", "nobody"),
    "axes of a path": _attribute("action_axes", "../../u"),
    "axes many": _attribute("action_axes", " ".join(["u"] * 1000)),
    "axes the same": _attribute("action_axes", "u u"),
    "time of text": _replace("time", ["a", "b"]),
    "time of integers": _replace("time", np.arange(3)),
    "time of two axes": _replace("time", np.zeros((2, 2))),
    "time one number": _replace("time", 1.0),
    "time a group": lambda file: (_remove("time")(file), file.create_group("time"))[0],
    "time nowhere": _replace("time", h5py.Empty("f8")),
    "gap too long": _replace("gap", np.zeros(1000)),
    "gap not a number": _replace("gap", np.array([np.nan, np.inf])),
    "gap complex": _replace("gap", np.zeros(2, complex)),
    "gap of single precision": _replace("gap", np.zeros(2, np.float32)),
    "gap opaque": _replace("gap", np.zeros(2, "V8")),
    "gap with another filter": _replace("gap", np.zeros(2), compression="lzf"),
    "edges falling": _replace("u_edges", np.arange(5.0)[::-1]),
    "edges of a number": _replace("u_edges", 1.0),
    "edges not a number": _replace("u_edges", np.full(5, np.nan)),
    "reference mass of zeros": _replace("reference_mass", np.zeros(4)),
    "reference mass of another shape": _replace("reference_mass", np.ones(7)),
    "policy of another shape": _replace("optimum/policy", np.ones((3, 5))),
    "policy not a number": _replace("optimum/policy", np.full((3, 4), np.nan)),
    "q huge": _replace("optimum/q", np.full((3, 4), 1e308)),
    "q of steps": _replace("optimum/q", np.array([[0.0, 1e300, -1e300, 0.0]] * 3)),
    "occupancy of zeros": _replace("optimum/occupancy", np.zeros(3)),
    "snapshot without times": _remove("snapshot/snapshot_time"),
    "snapshot of another shape": _replace("snapshot/policy", np.ones((1, 2, 2))),
    "a link to itself": _soft_link,
    "a link to another file": _external_link,
    "numbers from another file": _external_storage,
    "a virtual data set": _virtual,
    "10^11 numbers": _bomb,
    "a bomb in every series": _all_bombs,
    "a group that holds itself": _group_loop,
}


def forged(whole: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Sealed files that are not what a run leaves, by what is wrong with them."""
    for name, change in CHANGES.items():
        path = folder / "forged.h5"
        shutil.copy(whole, path)
        os.truncate(path, path.stat().st_size - TRAILER_LENGTH)
        with h5py.File(path, "r+") as file:
            change(file)
        append_trailer(path)
        yield name, path.read_bytes()
    for name, content in (("text", b"not a run file\n" * 20), ("nothing", b""), ("zeros", bytes(5000))):
        path.write_bytes(content)
        append_trailer(path)
        yield f"sealed {name}", path.read_bytes()
    path.unlink()
