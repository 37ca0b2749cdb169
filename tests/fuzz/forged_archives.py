"""Archives made in bad faith, and sealed as if they were ours."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np

from wpoflow.solver.storage.atomic import MAGIC, TRAILER_LENGTH

MEGABYTE = 1 << 20


class _Harm:
    """Runs a program when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("true",)


def sealed(content: bytes) -> bytes:
    """The content with a trailer that fits."""
    return content + MAGIC + len(content).to_bytes(8, "little") + sha256(content).digest()


def npy(array: Any) -> bytes:
    """An array as NumPy writes it, objects and all."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=True)
    return stream.getvalue()


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    """An array of nothing but a header."""
    size = 2 if version == b"\x01\x00" else 4
    return b"\x93NUMPY" + version + (len(text) + 1).to_bytes(size, "little") + text.encode() + b"\n"


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return stream.getvalue()


def forged_archives(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Sealed files that are not what a run leaves, by what is wrong with them."""
    with zipfile.ZipFile(io.BytesIO(whole[:-TRAILER_LENGTH])) as ours:
        members = {name: ours.read(name) for name in ours.namelist()}
    for name in members:
        yield f"without {name}", sealed(archive({key: value for key, value in members.items() if key != name}))
        for what, value in WRONG.items():
            yield f"{name} is {what}", sealed(archive({**members, name: value}))
    yield "one array more", sealed(archive({**members, "more.npy": npy(1.0)}))
    yield "one array too many", sealed(archive({**members, **{f"{k}.npy": npy(1.0) for k in range(2000)}}))
    yield "compressed", sealed(archive(members, zipfile.ZIP_DEFLATED))
    yield "a bomb", sealed(archive({**members, "more.npy": npy(np.zeros(20 * MEGABYTE))}, zipfile.ZIP_DEFLATED))
    yield "a bomb of LZMA", sealed(archive({**members, "more.npy": npy(np.zeros(MEGABYTE))}, zipfile.ZIP_LZMA))
    yield "a pickle", sealed(pickle.dumps(_Harm()))
    yield "one array alone", sealed(npy(np.zeros(3)))
    yield "no archive", sealed(b"no archive\n" * 100)
    yield "nothing", sealed(b"")
    yield "an empty archive", sealed(archive({}))
    yield "a path", sealed(archive({**members, "../../more.npy": npy(1.0)}))
    yield "before it a program", sealed(b"#!/bin/sh\n" + whole[:-TRAILER_LENGTH])
    yield "as it was", sealed(whole[:-TRAILER_LENGTH])


WRONG: dict[str, bytes] = {
    "an object": npy(np.array([_Harm()], dtype=object)),
    "a table of objects": npy(np.array([(1, "a")], dtype=[("a", "i8"), ("b", object)])),
    "not a number": npy(np.nan),
    "huge": npy(1e308),
    "negative": npy(-1),
    "a large index": npy(np.int64(2**62)),
    "many indices": npy(np.full(5, 7)),
    "a text": npy("text"),
    "deep JSON": npy("[" * 5000),
    "of one axis": npy(np.ones(3)),
    "of no entries": npy(np.ones((0, 4))),
    "of many axes": npy(np.ones((1,) * 20)),
    "a truth": npy(True),
    "complex": npy(1j),
    "of short floats": npy(np.float32(1.0)),
    "of a wrong text": npy("x").replace(b"x\0\0\0", b"\xff\xff\xff\x7f"),
    "10^12 numbers": header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"),
    "10^30 empty texts": header(f"{{'descr': '<U0', 'fortran_order': False, 'shape': ({10**30},), }}"),
    "10^12 empty texts": header("{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,), }"),
    "many nothings": header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 1000000000000000000), }"),
    "many dimensions": header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({'1, ' * 5000}), }}"),
    "a deep header": header("-" * 9000 + "1"),
    "a long header": header(" " * MEGABYTE, b"\x02\x00"),
    "a header of code": header("__import__('os').system('true')"),
    "of the future": header("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", b"\x09\x00"),
    "nothing": b"",
}
