"""Tables and progress on the terminal.

Tables are plain aligned text, the same in a terminal, a pipe and a log.  Progress is a live line
(rich, imported only then) where standard output is a terminal, and a few plain lines elsewhere.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from grids.grid import Grid
    from solver.run import Run

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


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Two aligned columns, one line a row; further lines of a value are indented to its column."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(
        f"{name:<{width}}  {value}".replace("\n", "\n" + " " * (width + 2)).rstrip() for name, value in rows
    )


def show(text: str) -> None:
    """Print on standard output at once."""
    print(text, flush=True)


def grid_line(grid: Grid) -> str:
    """A grid in words: ``x 128 on [-4, 4] clamp``, its axes separated by commas."""
    return ", ".join(
        f"{axis.name} {axis.size} on [{axis.lower:.6g}, {axis.upper:.6g}] {axis.boundary}" for axis in grid.axes
    )


def sizes_line(n_states: int, n_actions: int) -> str:
    """Number of states, of actions, and of pairs."""
    return f"{_count(n_states, 'state')} x {_count(n_actions, 'action')} = {_count(n_states * n_actions, 'pair')}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def bytes_text(number: float) -> str:
    """Memory in words, in powers of ten."""
    for unit in ("B", "kB", "MB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000.0
    return f"{number:,.3g} GB" if number < 999.5 else f"{number:,.0f} GB"


def number_text(number: float) -> str:
    """A number to six digits, or the word ``unknown``."""
    return "unknown" if math.isnan(number) else f"{number:.6g}"


def summary(run: Run) -> list[tuple[str, str]]:
    """The main numbers of a run, and how it ended."""
    attributes = run.attributes
    states = grid_line(run.states) or "one state (a bandit)"
    rows = [
        ("title", run.title or "(none)"),
        ("states", states),
        ("actions", grid_line(run.actions)),
        ("sizes", sizes_line(run.states.size, run.actions.size)),
        ("discount", number_text(float(attributes.get("discount", math.nan)))),
        ("temperature", number_text(float(attributes.get("temperature", math.nan)))),
        ("transition", str(attributes.get("transition", "unknown"))),
    ]
    if "bellman_solver" in attributes:
        rows.append(("Bellman solver", str(attributes["bellman_solver"])))
    if "scheme" in attributes:
        control = [f"{key} {attributes[key]}" for key in ("accuracy", "step") if key in attributes]
        rows.append(("flow", ", ".join([str(attributes["flow"]), str(attributes["scheme"]), *control])))
    if len(run.series["time"]):
        rows += _series_rows(run)
    rows.append(("gap floor", f"{number_text(float(attributes.get('gap_floor', math.nan)))} (rounding)"))
    if "wall_seconds" in attributes:
        wall, compiling = float(attributes["wall_seconds"]), float(attributes.get("compile_seconds", 0.0))
        rows.append(("seconds", f"{wall:.2f}, of which {compiling:.2f} compiling"))
    rows += [("status", run.status), ("stopped", run.stop_reason)]
    return rows


def _series_rows(run: Run) -> list[tuple[str, str]]:
    series, attributes = run.series, run.attributes
    steps, rejected = attributes.get("steps", "unknown"), attributes.get("rejected_steps", "unknown")
    fallen = f", {attributes['fallback_steps']} fallen back to euler" if attributes.get("fallback_steps") else ""
    limited = int(series["limited_cells"].sum())

    def change(name: str) -> str:
        return f"{series[name][0]:.6g} -> {series[name][-1]:.6g}"

    return [
        ("steps", f"{steps} ({rejected} rejected{fallen}), {int(series['bellman_evaluations'].sum())} evaluations"),
        ("flow time", f"{series['time'][-1]:.6g}, in {len(series['time'])} rows"),
        ("value", change("value_rho")),
        ("gap", change("gap")),
        ("largest gap", change("gap_sup")),
        ("observed rate", number_text(float(series["rate_observed"][-1]))),
        ("mass error", f"{series['mass_error'].max():.2g} at most"),
        ("density", f"{series['density_min'].min():.3g} at least, {limited} cells limited"),
        ("end mass", f"{series['end_mass'][-1]:.3g}; moved by clamping {series['clamped_mass'][-1]:.3g}"),
    ]


class ProgressView:
    """Shows the progress of a run; call it after each step, as `evolve` does.

    Parameters
    ----------
    until : mapping
        The stop criteria.
    live : bool, optional
        A live line instead of plain lines; by default where standard output is a terminal.
    """

    def __init__(self, until: dict[str, float], live: bool | None = None) -> None:
        self._until = until
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
        if math.isnan(self._first_gap):
            self._first_gap = report.gap
        if self._bar is not None:
            self._bar.update(self._task, description=self._line(report), total=1.0, completed=self.fraction(report))
        elif report.wall_seconds >= self._next_line:
            self._next_line = 1.5 * report.wall_seconds
            show(f"  {report.wall_seconds:6.0f} s  {self._line(report)}")

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
