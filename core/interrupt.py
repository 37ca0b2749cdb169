"""Ctrl-C and SIGTERM while a command runs: one line and status 130, from the first of its own instructions on.

Python raises KeyboardInterrupt wherever it happens to be, also where it cannot be heard: within an import, whose
module may catch everything, within a callback from C or a finaliser, where it is printed and forgotten.  Within an
import it is therefore raised a little later, and where it was printed and forgotten it is raised again.  Before a
command has begun there is nothing to put in order, and a second signal wants no more of that: the process ends at once.

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
AGAIN = 0.02  # seconds
_IMPORT = "<frozen importlib"


def raise_where_heard(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt now or, within an import, when that is over."""
    if _importing(frame):
        again(number)
    else:
        raise KeyboardInterrupt


def again(number: int) -> None:
    """Let the signal come again in a moment."""

    def soon() -> None:
        time.sleep(AGAIN)
        _thread.interrupt_main(number)  # type: ignore[arg-type]

    _thread.start_new_thread(soon, ())


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORT):
            return True
        frame = frame.f_back
    return False


class CommandSignals:
    """What becomes of SIGINT and SIGTERM while a command runs.

    Attributes
    ----------
    begun : bool
        Whether there may be something to put in order.
    status : int or None
        The status a command that is over ends with: nothing is left to interrupt.
    """

    def __init__(self) -> None:
        self.begun = False
        self.status: int | None = None
        self._raised = False
        self._last = 0
        self._before: dict[int, Any] = {}
        self._hook: Any = None

    def install(self) -> None:
        """Take the signals over where they would do what they usually do; in the main thread, elsewhere nothing."""
        import signal

        for number in (signal.SIGINT, signal.SIGTERM):
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

    def handle(self, number: int, frame: FrameType | None) -> None:
        """End at once, or raise KeyboardInterrupt where it is heard."""
        if self.status is not None:
            os._exit(self.status)
        if not self.begun or self._raised:
            leave()
        self._last = number
        if _importing(frame):
            again(number)
        else:
            self._raised = True
            raise KeyboardInterrupt

    def _unraisable(self, what: Any) -> None:
        if issubclass(what.exc_type, KeyboardInterrupt):
            self._raised = False
            again(self._last or 2)
        else:
            self._hook(what)


def leave() -> None:
    """End the process with the one line and the status of an interruption."""
    try:
        os.write(2, b"wpoflow: interrupted\n")
    finally:
        os._exit(STATUS)
