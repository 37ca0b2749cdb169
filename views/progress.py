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
from typing import TYPE_CHECKING, Any

from wpoflow.views.terminal import show
from wpoflow.views.time_to_go import Step, TimeToGo, duration_text

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

BAR = 10  # columns
FIRST_LINE_AFTER = 5.0  # seconds; each further plain line after half as long again


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
        self._to_go = TimeToGo(until)
        self._first_gap = math.nan
        self._next_line = FIRST_LINE_AFTER
        self._bar: Bar | None = None
        self._task: Any = None

    def __enter__(self) -> ProgressView:
        if self._live:
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
            from rich.table import Column

            text = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis"))
            bar = BarColumn(bar_width=BAR)
            self._bar = Progress(bar, text, TimeElapsedColumn(), transient=True, refresh_per_second=5)
            self._task = self._bar.add_task("preparing: kernels, optimum, first step", total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, report: Step) -> None:
        """Take one step into account."""
        if self._waiting is not None and report.steps > 0:
            self._waiting.over()
        if math.isnan(self._first_gap):
            self._first_gap = report.gap
        left = self._to_go(report)
        to_go = "" if left is None else f"  {duration_text(left)} to go"
        if self._bar is not None:
            if report.steps > 0:
                line = f"{self._short_line(report)}{to_go}"
                self._bar.update(self._task, description=line, total=1.0, completed=self.fraction(report))
            return
        seconds = report.wall_seconds if self._waiting is None else self._waiting.seconds
        if seconds >= self._next_line and (report.steps > 0 or self._waiting is None):
            self._next_line = 1.5 * seconds
            show(f"  {seconds:6.0f} s  {self._line(report)}{to_go}")

    def fraction(self, report: Step) -> float:
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
    def _short_line(report: Step) -> str:
        """What fits a terminal of 80 columns beside bar and clock."""
        return f"t {report.time:.4g}  gap {report.gap:.1e}  rate {report.rate:.3g}  step {report.step_size:.1e}"

    @staticmethod
    def _line(report: Step) -> str:
        return (
            f"time {report.time:.4g}  gap {report.gap:.3e}  rate {report.rate:.4g}  "
            f"step {report.step_size:.2e}  steps {report.steps}"
        )
