"""BLAS held to one thread while discounted systems are factored and solved.

Its own threads would make sums depend on their number, and on systems of this size they cost more than they save.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def blas() -> ThreadpoolController:
    """Controller of the BLAS libraries loaded by NumPy and SciPy."""
    return ThreadpoolController()


_lock = threading.Lock()
_held: list[list[tuple[Any, int]]] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread; inside another such block nothing is to be done.

    The limit is the process's: whoever comes last, in whatever thread, restores it.  Libraries are set one by one: to
    have ``threadpoolctl`` list and limit all of them takes longer than a small system.
    """
    with _lock:
        limits = []
        if not _held:
            for library in blas().lib_controllers:
                threads = library.num_threads if library.user_api == "blas" else 1
                if threads != 1:
                    library.set_num_threads(1)
                    limits.append((library, threads))
        _held.append(limits if not _held else _held[0])
    try:
        yield
    finally:
        with _lock:
            limits = _held.pop()
            if not _held:
                for library, threads in limits:
                    library.set_num_threads(threads)


def _after_fork() -> None:
    """In a process that was forked nobody is left to open the lock; BLAS keeps the limit it had."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
