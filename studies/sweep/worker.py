"""A process that carries points out for another one: how it is begun, asked to stop, and ended.

As light as the floor's light files: numba reads the number of its threads when it is imported, after this.

A worker is asked to stop by SIGTERM, or by the end of the process that started it.  In a run it stops after the present
step, with a checkpoint, as by Ctrl-C; between two points it ends at once.  Ctrl-C on the terminal, which reaches it as
well, it leaves to the process that started it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.connection import wait

BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class _State:
    installed = asked = passed_on = False
    depth = 0


_state = _State()


def begin(threads: int) -> None:
    """In a new process, before anything else: its share of threads, signals, and a look at who started it."""
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    for name in BLAS:
        os.environ.setdefault(name, str(threads))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _ask)
    _state.installed = True
    if "numba" in sys.modules:  # imported by the script that the process begins with
        import numba

        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    threading.Thread(target=_watch_parent, daemon=True).start()


def _ask(*_: object) -> None:
    _state.asked = True
    if not _state.depth:
        os._exit(0)


def _watch_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def asked() -> bool:
    """Whether this process is to stop."""
    return _state.asked


@contextmanager
def at_work() -> Iterator[None]:
    """Context of a point; a worker that was asked to stop in it ends with it."""
    _state.depth += 1
    try:
        yield
    finally:
        _state.depth -= 1
        if _state.installed and _state.asked and not _state.depth:
            os._exit(0)


def stop_if_asked(_: object) -> None:
    """Called after each step of a run: passes on, once, that it is to stop, by a signal that runs understand."""
    if _state.asked and not _state.passed_on:
        _state.passed_on = True
        signal.raise_signal(getattr(signal, "SIGHUP", signal.SIGINT))
