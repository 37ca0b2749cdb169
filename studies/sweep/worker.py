"""A process that carries points out: how it is begun, asked to stop, and ended.

As light as the floor's light files: numba reads the number of its threads when it is imported, after this.

A run stops by a signal after its present step, with a checkpoint; one that comes when it has taken its last step is
lost on it.  Here such a signal is kept until the point is done, and no other point is begun.

A worker is asked to stop by who started it, through an event; by SIGTERM; or by the end of the process that started it.
Between two points it then ends at once.
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
from types import FrameType
from typing import Any

from wpoflow.core.interrupt import CommandSignals, asking

BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
USUAL = (signal.SIG_DFL, signal.default_int_handler)


class _State:
    """Of this process."""

    def __init__(self) -> None:
        self.worker = self.asked = self.passed_on = self.stepping = False
        self.at_work = 0
        self.stop: Any = None
        self.understood: int = signal.SIGINT  # the signal that runs are stopped by


_state = _State()


def begin(threads: int, begun: Any, stop: Any) -> None:
    """In a new process, before anything else: its share of threads, signals, and a look at who started it.

    Parameters
    ----------
    threads : int
    begun, stop : multiprocessing Events
        The first is set, so that who started the process knows that it can be; the second says that it is to stop.
    """
    _state.stop = stop
    _settle(threads)
    begun.set()
    threading.Thread(target=_end_with, args=(_parent(),), daemon=True).start()


def begin_with(threads: int, ended: Any) -> None:
    """In a new process that does no points: its share of threads; it ends when the other end of a pipe is closed.

    Parameters
    ----------
    threads : int
    ended : multiprocessing Connection
        Not an event: one that somebody is killed waiting for can never be set.
    """
    _settle(threads)
    threading.Thread(target=_end_with, args=(ended, _parent()), daemon=True).start()


def _settle(threads: int) -> None:
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    for name in BLAS:
        os.environ.setdefault(name, str(threads))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it hears Ctrl-C, too
    signal.signal(signal.SIGTERM, _end)
    _state.worker = True
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, asking())
    if "numba" in sys.modules:  # imported by the script that the process begins with
        import numba

        numba.set_num_threads(min(threads, numba.get_num_threads()))


@contextmanager
def unheard() -> Iterator[None]:
    """Context of starting processes: signals wait until it is over, here, and there until they have begun."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, asking())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(*_: object) -> None:
    _state.asked = True
    if not _state.at_work:
        os._exit(0)


def _parent() -> int:
    parent = parent_process()
    assert parent is not None
    return parent.sentinel


def _end_with(*what: Any) -> None:
    """As asked by SIGTERM, when a process or a pipe has ended."""
    wait(what)
    os.kill(os.getpid(), signal.SIGTERM)


def asked() -> bool:
    """Whether this process is to begin nothing more."""
    return _state.asked or (_state.stop is not None and bool(_state.stop.is_set()))


@contextmanager
def at_work() -> Iterator[None]:
    """Context of a point; a worker that was asked to end in it ends with it."""
    _state.at_work += 1
    if _state.worker:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a run takes over
    try:
        yield
    finally:
        _state.at_work -= 1
        _state.stepping = False
        if _state.worker:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if _state.asked:
                os._exit(0)


def stop_if_asked(_: object) -> None:
    """Called after each step of a run: passes on, once, that it is to stop, by a signal that runs understand."""
    _state.stepping = True
    if not _state.passed_on and asked():
        _state.passed_on = True
        signal.raise_signal(_state.understood)


@contextmanager
def listening() -> Iterator[None]:
    """Context of points in this process: a signal is kept while a run takes its steps; else it does as it would.

    One signal is left to the runs, by which they are stopped.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    found = {number: signal.getsignal(number) for number in asking()}
    usual = {n: h for n, h in found.items() if h in USUAL or isinstance(getattr(h, "__self__", None), CommandSignals)}
    understood = next(reversed(usual), signal.SIGINT)
    taken = {number: handler for number, handler in usual.items() if number != understood}

    def hear(number: int, frame: FrameType | None) -> None:
        if _state.stepping and not _state.asked:
            _state.asked = True
            return
        handler = taken[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        else:
            signal.signal(number, handler)
            signal.raise_signal(number)

    _state.understood, _state.asked, _state.passed_on = understood, False, False
    for number in taken:
        signal.signal(number, hear)
    try:
        yield
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)
        _state.asked = _state.passed_on = False
