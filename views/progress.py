"""The progress of a run, and what is waited for before its first step.

It is a live line where standard output is a terminal that can rewrite one, and a few plain lines elsewhere.  What takes
long before the first step, compiling above all, is told as well.

The time to go follows from the share c that is done and the speed v of the last steps, a twentieth of them.  Where all
steps are alike it is (1 - c) / v.  At the start of a run steps grow by orders of magnitude; where the share grows like
an exponential, it is c ln(1/c) / v, at a tenth a quarter of the former.  The mean speed c / t tells the two apart: with
r = c / (t v), one for equal steps and small for growing ones, the estimate is their geometric mean of weights r and
1 - r.  Nothing is said of it before a tenth is done.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import IO, TYPE_CHECKING, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from wpoflow.core.onlooker import output
from wpoflow.views.terminal import show

if TYPE_CHECKING:
    from wpoflow.solver.runs.loop import Progress as Step

BAR = 10  # columns
FIRST_LINE_AFTER = 5.0  # seconds; each further plain line after half as long again
QUIET_LOOK = 1.0  # seconds from one look to the next while there is nothing to say
BEFORE_A_RUN = "preparing: transition, optimum, first step"
TOLD_FROM = 0.1  # share done, from which on the time to go is told
LAST_STEPS, LEAST_STEPS = 0.05, 5  # of which the speed is taken: a share of all, and their least number


def on_terminal() -> bool:
    """Whether standard output is a terminal that can rewrite a line."""
    term = os.environ.get("TERM", "")
    return output().isatty() and term not in ("dumb", "unknown") and (term != "" or os.name != "posix")


@contextmanager
def shown(until: Mapping[str, float]) -> Iterator[ProgressView]:
    """Progress of a run in Python, compiling included; gives what is to be called after each step."""
    from wpoflow.solver.runs.compile_timer import CompileTimer

    with (
        CompileTimer() as compiling,
        BeforeFirstStep(lambda: compiling.kernel) as waiting,
        ProgressView(until, waiting=waiting) as view,
    ):
        yield view


class BeforeFirstStep:
    """Says what is being waited for while no step has been taken, everything once.

    Parameters
    ----------
    compiling : function
        Name of the kernel that is being compiled right now, empty if none is.
    first : float
        Seconds until the first line; a further one after half as long again at least.
    otherwise : str
        What is said while nothing is compiled.
    """

    def __init__(
        self, compiling: Callable[[], str], first: float = FIRST_LINE_AFTER, otherwise: str = BEFORE_A_RUN
    ) -> None:
        self._compiling, self._next_line, self._otherwise = compiling, first, otherwise
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._started = time.monotonic()

    def __enter__(self) -> BeforeFirstStep:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
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
        said = {""}
        while not self._over.wait(self._next_line - self.seconds):
            kernel = self._compiling()
            what = f"compiling kernels (once): {kernel}" if kernel else self._otherwise
            if what in said:
                self._next_line = self.seconds + QUIET_LOOK
                continue
            said.add(what)
            show(f"  {self.seconds:6.0f} s  {what}")
            self._next_line = 1.5 * max(self._next_line, self.seconds)


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
        self, until: Mapping[str, float], live: bool | None = None, waiting: BeforeFirstStep | None = None
    ) -> None:
        self._until, self._waiting = until, waiting
        self._live = on_terminal() if live is None else live
        self._first_gap, self._gap, self._gap_time = math.nan, math.nan, 0.0
        self._next_line, self._seconds = FIRST_LINE_AFTER, 0.0
        self._begun = 0.0  # seconds at the first step
        self._marks: deque[tuple[int, float, float]] = deque()  # steps, seconds and share done, of the last steps
        text = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis"))
        self._bar = Progress(
            BarColumn(bar_width=BAR),
            text,
            TimeElapsedColumn(),
            console=Console(file=cast("IO[str]", output())),
            transient=True,
            refresh_per_second=5,
            disable=not self._live,
        )
        self._task = self._bar.add_task("preparing: kernels, optimum, first step", total=None)

    def __enter__(self) -> ProgressView:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, report: Step) -> None:
        """Take one step into account."""
        if self._waiting is not None and report.steps > 0:
            self._waiting.over()
        if math.isnan(self._first_gap):
            self._first_gap = report.gap
        if report.gap != self._gap:  # a new row
            self._gap, self._gap_time = report.gap, report.time
        self._seconds = report.wall_seconds if self._waiting is None else self._waiting.seconds
        if report.steps > 0:
            share = self.fraction(report)
            self._bar.update(self._task, total=1.0, completed=share)
            self._mark(report.steps, share)
        if self._live and report.steps > 0:
            self._bar.update(self._task, description=self._short_line(report) + self._to_go())
        elif not self._live and self._seconds >= self._next_line and (report.steps > 0 or self._waiting is None):
            self._next_line = 1.5 * self._seconds
            show(f"  {self._seconds:6.0f} s  {self._line(report)}{self._to_go()}")

    def _mark(self, steps: int, share: float) -> None:
        if not self._marks:
            self._begun = self._seconds
        self._marks.append((steps, self._seconds, share))
        before = steps - max(LEAST_STEPS, LAST_STEPS * steps)
        while len(self._marks) > 1 and self._marks[1][0] <= before:
            self._marks.popleft()

    @property
    def seconds_to_go(self) -> float:
        """See the module's text; infinite where the last steps brought nothing or nothing is known."""
        if not self._marks:
            return math.inf
        (_, started, before), (_, now, share) = self._marks[0], self._marks[-1]
        if not (share > before and now > started):
            return math.inf
        speed = (share - before) / (now - started)
        steady = min(1.0, share / (speed * (now - self._begun)))
        if share >= 1.0:
            return 0.0
        equal, growing = (1.0 - share) / speed, share * math.log(1.0 / share) / speed
        return math.exp(steady * math.log(equal) + (1.0 - steady) * math.log(growing))

    def _to_go(self) -> str:
        left = self.seconds_to_go
        known = math.isfinite(left) and self._marks[-1][2] >= TOLD_FROM
        return f"  {timedelta(seconds=round(left))} to go" if known else ""

    def fraction(self, report: Step) -> float:
        """Share done: the largest over the criteria.

        That of a gap is on the logarithmic scale; since the last row it falls at the rate observed there.
        """
        reached = {"time": report.time, "steps": report.steps, "wall": report.wall_seconds}
        shares = [0.0, *(value / self._until[name] for name, value in reached.items() if name in self._until)]
        if "gap" in self._until and 0.0 < report.gap < self._first_gap and self._until["gap"] < self._first_gap:
            folds = math.log(self._first_gap / report.gap)
            if report.gap == self._gap and report.rate > 0.0:
                folds += report.rate * (report.time - self._gap_time)
            shares.append(folds / math.log(self._first_gap / self._until["gap"]))
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
