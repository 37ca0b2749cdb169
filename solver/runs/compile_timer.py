"""Seconds numba spends compiling, so that they can be told apart from computing."""

from __future__ import annotations

import time

from numba.core import event


class CompileTimer(event.Listener):
    """Context that adds up, in ``seconds`` and ``processor_seconds``, what numba spends compiling."""

    def __init__(self) -> None:
        self.seconds = self.processor_seconds = self._processor = 0.0
        self._depth = 0
        self._started = 0.0
        self._kernel = ""

    @property
    def kernel(self) -> str:
        """Name of the kernel that is being compiled, with all that it calls; empty if none is."""
        return self._kernel if self._depth > 0 else ""

    def __enter__(self) -> CompileTimer:
        event.register("numba:compile", self)
        return self

    def __exit__(self, *_: object) -> None:
        event.unregister("numba:compile", self)

    def on_start(self, occurred: event.Event) -> None:
        """Note the start of a compilation; one may start others."""
        if self._depth == 0:
            self._started, self._processor = time.monotonic(), time.process_time()
            self._kernel = occurred.data["dispatcher"].py_func.__name__.lstrip("_")
        self._depth += 1

    def on_end(self, occurred: event.Event) -> None:
        """Note the end of a compilation."""
        self._depth -= 1
        if self._depth == 0:
            self.seconds += time.monotonic() - self._started
            self.processor_seconds += time.process_time() - self._processor
