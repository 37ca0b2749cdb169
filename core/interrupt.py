"""Ctrl-C and SIGTERM while a command runs: one line and status 130, from the first of its own instructions on.

Python raises KeyboardInterrupt wherever it happens to be, also where it cannot be heard: within an import, whose module
may catch everything, or within a callback from compiled code or a finaliser, where it is dropped.  The signal therefore
comes again until the command ends or puts things in order for it.  Within a call of LLVM, whose objects do not survive
being interrupted half made, nothing is raised; one takes a second at most.  Before a command has begun there is nothing
to put in order, and a third signal wants no more of that: the process then ends at once.

Only built-in modules are imported above the handler, so that it is in place within milliseconds.
"""

from __future__ import annotations

import _thread
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

STATUS = 130
AGAIN = 0.05  # seconds
ENOUGH = 3  # signals
RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK")  # by which launchers of MPI number the processes they start
_IMPORT = "<frozen importlib"
_COMPILER = f"{os.sep}llvmlite{os.sep}"


def asking() -> list[Any]:
    """The signals that ask a process to end; a terminal that is closed asks as Ctrl-C does."""
    import signal

    return [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class CommandSignals:
    """What becomes of signals that ask to end while a command runs.

    Attributes
    ----------
    begun : bool
        Whether there may be something to put in order.
    status : int or None
        The status a command that is over ends with: nothing is left to interrupt.
    end : callable
        Ends the process at once with a status; of several processes that share a command all of them.
    single : bool
        Whether all the command does is one run: what is asked of it after its last step is done anyway.
    """

    def __init__(self) -> None:
        self.begun = False
        self.status: int | None = None
        self.end: Any = os._exit
        self.single = False
        self._count = 0
        self._main = _thread.get_ident()
        self._repeated = False  # the next signal is not the user's
        self._before: dict[int, Any] = {}
        self._hook: Any = None

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._count > 0

    def install(self) -> None:
        """Take the signals over where they would do what they usually do; in the main thread, elsewhere nothing."""
        import signal

        for number in asking():
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                try:
                    self._before[number] = signal.signal(number, self.handle)
                except ValueError:  # another thread
                    return
        self._hook, sys.unraisablehook = sys.unraisablehook, self._unraisable

    def restore(self) -> None:
        """Give the signals back."""
        import signal

        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._hook is not None:
            sys.unraisablehook = self._hook

    def ignore(self) -> None:
        """From now on, while Python takes itself down, nothing is interrupted."""
        import signal

        for number in self._before:
            signal.signal(number, signal.SIG_IGN)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """End at once, or raise KeyboardInterrupt where it is heard."""
        repeated, self._repeated = self._repeated, False
        if self.status is not None:
            if not repeated:
                os._exit(self.status)
            return
        if not repeated:
            self._count += 1
            if not self.begun or self._count >= ENOUGH:
                leave(self.end)
        elif not self.begun:
            return
        _thread.start_new_thread(self._again, (number,))
        if not _heard(sys.exception()) and not _deaf(frame):
            raise KeyboardInterrupt

    def too_late(self, number: int) -> None:
        """A signal that a run was to hear, and that came after its last step: what is to follow hears it."""
        if not self.single:
            self.handle(number, None)

    def _again(self, number: int) -> None:
        time.sleep(AGAIN)
        if self.status is None:
            import signal

            self._repeated = True
            if hasattr(signal, "pthread_kill"):
                signal.pthread_kill(self._main, number)  # which wakes the thread if it waits for something
            else:
                signal.raise_signal(number)

    def _unraisable(self, what: Any) -> None:
        if not self._count:  # what is dropped after a signal is its doing
            self._hook(what)


def _heard(error: BaseException | None) -> bool:
    """Whether an interruption is being dealt with right now."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False


def _deaf(frame: FrameType | None) -> bool:
    """Whether an import is under way, or a call of the compiler."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_IMPORT) or _COMPILER in name:
            return True
        frame = frame.f_back
    return False


def leave(end: Any = os._exit) -> None:
    """End the process with the one line and the status of an interruption; of several the first one says it."""
    try:
        if all(os.environ.get(name, "0") == "0" for name in RANKS):
            os.write(2, b"wpoflow: interrupted\n")
    finally:
        end(STATUS)
