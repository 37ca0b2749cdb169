"""One long-lived process that judges hostile inputs, and a watchdog that kills it when it does not answer.

The process is spawned, imports what it needs once, then may use no more than a GiB beyond what it holds, and every
action of Python that could harm (a program started, a file written, a connection made) is noticed by an audit hook.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import platformdirs
import psutil

SECONDS = 2.0
GIB = 1 << 30
ROOT = str(Path(__file__).resolve().parents[2])
START_SECONDS = 300.0
PATIENCE = 2
"""How often a case must time out to count as a hang."""
IDLE = 10.0
"""How many times as long a process may take that has not used its time: it may wait for the machine, or for ever."""

Judge = Callable[[Any], str]
"""Says in a word or two how an input was dealt with, and after a bar more; raises for what must not be."""


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Attributes
    ----------
    kind : str
        What the judge said, or one of the faults "traceback", "hang", "killed", "memory", "harm".
    message : str
        For a fault, what happened.
    seconds, megabytes : float
        Time it took, and growth of the process's largest memory.
    """

    kind: str
    message: str
    seconds: float
    megabytes: float

    @property
    def is_fault(self) -> bool:
        """Whether it must not be."""
        return self.kind in ("traceback", "hang", "killed", "memory", "harm")


class Worker:
    """The process; used as a context.

    Parameters
    ----------
    prepare : callable
        Module-level function that imports, warms up and returns the judge; called in the process with a scratch folder.
    seconds : float
        How long a case may take, in processor time.
    """

    def __init__(self, prepare: Callable[[Path], Judge], seconds: float = SECONDS) -> None:
        self._prepare, self._seconds = prepare, seconds
        self._context = multiprocessing.get_context("spawn")
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self._process: Any = None
        self._pipe: Any = None

    def __enter__(self) -> Worker:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._folder.cleanup()

    def judge(self, case: Any) -> Outcome:
        """What becomes of one input."""
        for attempt in range(PATIENCE):
            self._pipe.send(case)
            try:
                if self._answers():
                    outcome: Outcome = self._pipe.recv()
                    return outcome
            except (EOFError, ConnectionError):
                self._process.join()
                outcome = Outcome("killed", f"the process ended with status {self._process.exitcode}", 0.0, 0.0)
                self._restart()
                return outcome
            self._restart()
            if attempt == PATIENCE - 1:
                break
        return Outcome("hang", f"no answer within {self._seconds:g} s, {PATIENCE} times", self._seconds, 0.0)

    def _answers(self) -> bool:
        """Whether the process answers in time: in so much time of its own, as the machine may be busy with others."""
        began = time.monotonic()
        process = psutil.Process(self._process.pid)
        used = sum(process.cpu_times()[:2])
        while not self._pipe.poll(self._seconds):
            with contextlib.suppress(psutil.NoSuchProcess):
                if sum(process.cpu_times()[:2]) - used > self._seconds:
                    return False
            if time.monotonic() - began > IDLE * self._seconds:
                return False
        return True

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        arguments = (theirs, self._prepare, self._folder.name)
        self._process = self._context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(START_SECONDS):
            raise RuntimeError("the process does not start")
        self._pipe.recv()

    def _stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _restart(self) -> None:
        self._stop()
        self._start()


def _serve(pipe: Connection, prepare: Callable[[Path], Judge], folder: str) -> None:
    kernels = platformdirs.user_cache_dir("wpoflow")
    judge = prepare(Path(folder))
    most = psutil.Process().memory_info().vms + GIB
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    harm: list[str] = []
    sys.addaudithook(_watch(harm, (folder, kernels)))
    pipe.send("ready")
    with contextlib.suppress(EOFError):
        while True:
            pipe.send(_judged(judge, pipe.recv(), harm))


def _judged(judge: Judge, case: Any, harm: list[str]) -> Outcome:
    harm.clear()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    try:
        kind, _, message = judge(case).partition("|")
    except MemoryError as error:
        kind, message = "memory", f"MemoryError: {error}"
    except BaseException as error:  # whatever comes is a finding
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        where = " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in reversed(frames))
        kind, message = "traceback", f"{type(error).__name__}: {str(error)[:300]} ({where})"
    seconds = time.process_time() - started
    if harm:
        kind, message = "harm", "; ".join(harm)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024.0
    return Outcome(kind, message, seconds, grown)


_HARMFUL = ("os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "subprocess.", "socket.", "shutil.")
_CHANGING = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")


def _watch(harm: list[str], own: tuple[str, ...]) -> Callable[[str, tuple[Any, ...]], None]:
    """Notes what harms: programs, connections, and changes outside the scratch folder and the cache of kernels."""

    def elsewhere(path: object) -> bool:
        return isinstance(path, str | bytes | os.PathLike) and not os.fsdecode(path).startswith(own)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_HARMFUL):
            harm.append(event)
        elif event.startswith(_CHANGING):
            if any(elsewhere(argument) for argument in arguments[:2]):
                harm.append(f"{event} {arguments[:2]}")
        elif event == "open" and elsewhere(arguments[0]) and arguments[0] != os.devnull:
            mode, flags = arguments[1], arguments[2]
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes or (isinstance(mode, str) and set(mode) & set("wax+")):
                harm.append(f"open {arguments[0]!r} {mode} {flags}")
        elif event == "exec":
            name, caller = getattr(arguments[0], "co_filename", ""), sys._getframe(1).f_code.co_filename
            if elsewhere(name) and caller.startswith(ROOT):  # numba and the standard library make their own functions
                harm.append(f"exec {name} by {caller}")

    return hook


def outcomes(worker: Worker, cases: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any, Outcome]]:
    """Family, input and outcome of every case."""
    for family, case in cases:
        yield family, case, worker.judge(case)
