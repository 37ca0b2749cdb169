"""Progress over the points of a study: a live bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from wpoflow.core.onlooker import output
from wpoflow.core.text import one_line
from wpoflow.views.progress import BAR, FIRST_LINE_AFTER, on_terminal
from wpoflow.views.terminal import show

if TYPE_CHECKING:
    from wpoflow.studies.sweep.task import Outcome

LONGEST = 24  # characters of a value


class SweepProgress:
    """Shows how many points are done; call it with every outcome, as `sweep` does.

    Parameters
    ----------
    total : int
        Number of points to be done, those that are there and whole included.
    live : bool, optional
        A live bar instead of plain lines; by default where standard output is a terminal.
    shown : bool
        Whether anything is shown.
    """

    def __init__(self, total: int, live: bool | None = None, shown: bool = True) -> None:
        self._total, self._shown = total, shown
        self._live = shown and (on_terminal() if live is None else live)
        self.done: Counter[str] = Counter()
        self._kept, self._begun = 0, time.monotonic()
        self._next_line = FIRST_LINE_AFTER
        self._bar = Progress(
            BarColumn(bar_width=BAR),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=Console(file=cast("IO[str]", output())),
            transient=True,
            refresh_per_second=5,
            disable=not self._live,
        )
        self._task = self._bar.add_task("preparing", total=total)

    def __enter__(self) -> SweepProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, outcome: Outcome, values: Mapping[str, Any]) -> None:
        """Take one point into account."""
        self.done[outcome.status] += 1
        self._kept += outcome.did == "keep"
        self._bar.update(self._task, completed=self.done.total(), description=self._words(values))
        seconds = time.monotonic() - self._begun
        if self._shown and not self._live and seconds >= self._next_line and outcome.did != "keep":
            self._next_line = 1.5 * seconds
            show(f"  {seconds:6.0f} s  {self._words(values)}")

    def _words(self, values: Mapping[str, Any]) -> str:
        failed = f", {self.done['failed']} failed" if self.done["failed"] else ""
        return f"{self.done.total()} of {self._total} points{failed}; {values_text(values)}{self._to_go()}"

    def _to_go(self) -> str:
        """The time the rest takes at the mean speed so far."""
        run, left = self.done.total() - self._kept, self._total - self.done.total()
        if not run or not left:
            return ""
        return f"  {timedelta(seconds=round((time.monotonic() - self._begun) / run * left))} to go"


def values_text(values: Mapping[str, Any]) -> str:
    """Keys and values in one line."""
    return ", ".join(f"{key} {one_line(value, LONGEST)}" for key, value in values.items())
