"""Progress of a run on the terminal.

It is a live line (rich, imported only then) where standard output is a terminal, and a few plain lines
elsewhere.  What takes long before the first step, compiling above all, is told as well.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from views.terminal import show

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

FIRST_LINE_AFTER = 5.0  # seconds; each further plain line after half as long again


class Report(Protocol):
    """What a run reports after each step (see `solver.evolve.Progress`)."""

    @property
    def time(self) -> float:
        """Flow time."""
        ...

    @property
    def gap(self) -> float:
        """Suboptimality at the last row of the series."""
        ...

    @property
    def rate(self) -> float:
        """Observed rate at the last row of the series."""
        ...

    @property
    def step_size(self) -> float:
        """Last time step."""
        ...

    @property
    def steps(self) -> int:
        """Steps taken."""
        ...

    @property
    def wall_seconds(self) -> float:
        """Seconds since the start."""
        ...


class BeforeFirstStep:
    """Says, now and then, what is being waited for while no step has been taken.

    Parameters
    ----------
    compiling : function
        Whether kernels are being compiled right now.
    first : float
        Seconds until the first line; each further one after half as long again.
    """

    def __init__(self, compiling: Callable[[], bool], first: float = FIRST_LINE_AFTER) -> None:
        self._compiling, self._next_line = compiling, first
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._started = time.monotonic()

    def __enter__(self) -> BeforeFirstStep:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def over(self) -> None:
        """The first step has been taken: nothing more is said."""
        if not self._over.is_set():
            self._over.set()
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._next_line - self.seconds):
            what = "compiling kernels (once)" if self._compiling() else "preparing: transition, optimum, first step"
            with suppress(OSError, ValueError):  # who reads us may have gone; the next line of the run will tell
                show(f"  {self.seconds:6.0f} s  {what}")
            self._next_line *= 1.5


class ProgressView:
    """Shows the progress of a run; call it after each step, as `evolve` does.

    Parameters
    ----------
    until : mapping
        The stop criteria.
    live : bool, optional
        A live line instead of plain lines; by default where standard output is a terminal.
    waiting : BeforeFirstStep, optional
        To be told when the first step has been taken.
    """

    def __init__(
        self, until: dict[str, float], live: bool | None = None, waiting: BeforeFirstStep | None = None
    ) -> None:
        self._until, self._waiting = until, waiting
        self._live = sys.stdout.isatty() if live is None else live
        self._first_gap = math.nan
        self._next_line = FIRST_LINE_AFTER
        self._bar: Bar | None = None
        self._task: Any = None

    def __enter__(self) -> ProgressView:
        if self._live:
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            text = TextColumn("{task.description}")
            self._bar = Progress(BarColumn(), text, TimeElapsedColumn(), transient=True, refresh_per_second=5)
            self._task = self._bar.add_task("compiling, soft optimum", total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, report: Report) -> None:
        """Take one step into account."""
        if self._waiting is not None and report.steps > 0:
            self._waiting.over()
        if math.isnan(self._first_gap):
            self._first_gap = report.gap
        if self._bar is not None:
            self._bar.update(self._task, description=self._line(report), total=1.0, completed=self.fraction(report))
            return
        seconds = report.wall_seconds if self._waiting is None else self._waiting.seconds
        if seconds >= self._next_line and (report.steps > 0 or self._waiting is None):
            self._next_line = 1.5 * seconds
            show(f"  {seconds:6.0f} s  {self._line(report)}")

    def fraction(self, report: Report) -> float:
        """Share done: the largest over the criteria, that of a gap on the logarithmic scale."""
        shares = [0.0]
        if "time" in self._until:
            shares.append(report.time / self._until["time"])
        if "steps" in self._until:
            shares.append(report.steps / self._until["steps"])
        if "wall" in self._until:
            shares.append(report.wall_seconds / self._until["wall"])
        if "gap" in self._until and 0.0 < report.gap < self._first_gap and self._until["gap"] < self._first_gap:
            shares.append(math.log(self._first_gap / report.gap) / math.log(self._first_gap / self._until["gap"]))
        return min(1.0, max(shares))

    @staticmethod
    def _line(report: Report) -> str:
        return (
            f"time {report.time:.4g}  gap {report.gap:.3e}  rate {report.rate:.4g}  "
            f"step {report.step_size:.2e}  steps {report.steps}"
        )
