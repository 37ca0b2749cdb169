"""Ctrl-C and SIGTERM: once to stop after the present step, twice to stop at once.

While a run steps, the first signal only asks: the step is finished, a checkpoint is written and the run file is closed.
The second one ends the run where it is, and the last checkpoint stands.  Before the first step there is nothing to
finish; after the last one the file is closed, and the command then goes on to nothing else.  Handlers are set in the
main thread only, where Python allows it, and only in place of the usual ones and of those of a command.  A terminal
that is closed asks as they do.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from wpoflow.core.interrupt import CommandSignals, asking

USUAL = (signal.SIG_DFL, signal.default_int_handler)


class StopAtOnce(KeyboardInterrupt):
    """A second signal came before the step was finished."""


class StopSignals:
    """Context in which SIGINT, SIGTERM and SIGHUP are requests.

    Attributes
    ----------
    asked : bool
        Whether the run is to stop after the present step.
    stepping : bool
        Whether steps are being taken; before, a signal interrupts at once.
    heard : bool
        Whether the run has ended as it was asked to.
    """

    def __init__(self) -> None:
        self.asked = False
        self.stepping = False
        self.heard = False
        self._number = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in asking():
                handler = signal.getsignal(number)
                if handler in USUAL or isinstance(getattr(handler, "__self__", None), CommandSignals):
                    self._before[number] = handler
                    signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.asked and not self.heard and kind is None:
            command = getattr(self._before[signal.Signals(self._number)], "__self__", None)
            if isinstance(command, CommandSignals):
                command.too_late(self._number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.stepping:
            before = self._before[signal.Signals(number)]
            if isinstance(getattr(before, "__self__", None), CommandSignals):
                before(number, frame)  # which sees to it that it is heard
                return
            raise KeyboardInterrupt
        if self.asked:
            raise StopAtOnce("stopped at once; the last checkpoint stands")
        self.asked, self._number = True, number
