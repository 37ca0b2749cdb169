"""Tables and summaries on the terminal: plain aligned text, the same in a terminal, a pipe and a log."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from wpoflow.core.onlooker import output
from wpoflow.core.text import escaped_line, one_line, printable
from wpoflow.solver.records.objective import COSTS_ALONE

if TYPE_CHECKING:
    from wpoflow.grids.axis import Axis
    from wpoflow.grids.grid import Grid
    from wpoflow.solver.mdp import GridMDP
    from wpoflow.solver.records.run import Run

MOST_LABELS = 8  # named in a line


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Two aligned columns, one line a row; further lines of a value are indented to its column."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(
        f"{name:<{width}}  {printable(value)}".replace("\n", "\n" + " " * (width + 2)).rstrip() for name, value in rows
    )


def show(text: str) -> None:
    """Print on standard output at once, if it can be; it never fails, and what a terminal would obey is escaped."""
    out = output()
    out.write(f"{printable(text)}\n")
    out.flush()


def hand_out(text: str) -> None:
    """Print what is the result of a command, as JSON or a problem file.

    Raises
    ------
    OSError
        It could not be written; then nobody may take it for whole.
    """
    show(text)
    out = output()
    if out.error is not None:
        if isinstance(out.error, BrokenPipeError):
            raise BrokenPipeError
        lost, out.lost = out.lost, ""  # the error says it, and nobody a second time
        raise OSError(f"standard output: {lost}")


def path_text(path: object) -> str:
    """The name of a file in one line."""
    return escaped_line(path)


def grid_line(grid: Grid) -> str:
    """A grid in words: ``x 128 on [-4, 4] clamp``, ``move 3 labels (up, down, wait)``, axes separated by commas."""
    return ", ".join(map(_axis_words, grid.axes))


def _axis_words(axis: Axis) -> str:
    if axis.labels:
        more = f" and {axis.size - MOST_LABELS} more" if axis.size > MOST_LABELS else ""
        return f"{axis.name} {_count(axis.size, 'label')} ({', '.join(axis.labels[:MOST_LABELS])}{more})"
    lower, upper = (axis.points[0], axis.points[-1]) if axis.boundary == "shock" else (axis.lower, axis.upper)
    return f"{axis.name} {axis.size} on [{lower:.6g}, {upper:.6g}] {axis.boundary}"


def grid_rows(of: GridMDP | Run) -> list[tuple[str, str]]:
    """Both grids and their sizes."""
    return [
        ("states", grid_line(of.states) or "one state (a bandit)"),
        *([] if of.states.reflection is None else [("reflection", of.states.reflection.words)]),
        ("actions", grid_line(of.actions)),
        ("sizes", sizes_line(of.states.size, of.actions.size)),
    ]


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


def count_text(number: float) -> str:
    """A count held as a float; the word ``unknown`` if it is none."""
    return f"{number:.0f}" if math.isfinite(number) else "unknown"


def summary(run: Run) -> list[tuple[str, str]]:
    """The main numbers of a run, and how it ended."""
    attributes = run.attributes
    rows = [
        ("title", one_line(run.title, 200) or "(none)"),
        *grid_rows(run),
        ("discount", _discount(run)),
        ("temperature", _temperature(run)),
        ("transition", str(attributes.get("transition", "unknown"))),
    ]
    if "objective" in attributes:
        rows.append(("objective", str(attributes["objective"])))
    if "initial" in attributes:
        rows.append(("begun from", str(attributes["initial"])))
    if "bellman_solver" in attributes:
        rows.append(("Bellman solver", str(attributes["bellman_solver"])))
    if "scheme" in attributes:
        control = [f"{key} {attributes[key]}" for key in ("accuracy", "step") if key in attributes]
        if "accuracy_floor" in attributes:
            control[-1:] = [f"{control[-1]} + {float(attributes['accuracy_floor']):.2g} of rounding"]
        rows.append(("flow", ", ".join([str(attributes.get("flow", "unknown")), str(attributes["scheme"]), *control])))
        if "remark" in attributes:
            rows.append(("", str(attributes["remark"])))
    if len(run.series["time"]):
        rows += _series_rows(run)
    rows.append(("gap floor", f"{number_text(float(attributes.get('gap_floor', math.nan)))} (rounding)"))
    if "wall_seconds" in attributes:
        wall, compiling = float(attributes["wall_seconds"]), float(attributes.get("compile_seconds", 0.0))
        rows.append(("seconds", f"{wall:.2f}, of which {compiling:.2f} compiling"))
    short = ", goal not reached" if attributes.get("reached_goal") == 0 else ""
    rows += [("status", f"{run.status}{short}"), ("stopped", run.stop_reason)]
    return rows


def _discount(run: Run) -> str:
    """That from decision to decision, and of which steps they are made where actions are held."""
    of_decisions = number_text(float(run.attributes.get("discount", math.nan)))
    try:
        stated = tomllib.loads(str(run.attributes.get("problem", ""))).get("problem", {})
        hold = stated.get("hold", 1)
    except (tomllib.TOMLDecodeError, AttributeError):  # of a damaged file, which is told beside
        return of_decisions
    return of_decisions if hold == 1 else f"{of_decisions} of a decision: {hold} steps of {stated['discount']:g}"


def _temperature(run: Run) -> str:
    """That of the problem, or of an optimum that is of another."""
    stated = number_text(float(run.attributes.get("temperature", math.nan)))
    if run.attributes.get("objective") not in COSTS_ALONE:
        return stated
    return f"0, the costs alone ({stated} in the problem)"


NO_GAUSSIAN = ", to the optimum of all policies, which need not be Gaussian"


def _series_rows(run: Run) -> list[tuple[str, str]]:
    series, attributes = run.series, run.attributes
    steps, rejected = attributes.get("steps", "unknown"), attributes.get("rejected_steps", "unknown")
    fallen = f", {attributes['fallback_steps']} fallen back to euler" if attributes.get("fallback_steps") else ""
    limited = count_text(float(series["limited_cells"].sum()))
    evaluations = count_text(float(series["bellman_evaluations"].sum()))

    def change(name: str) -> str:
        return f"{series[name][0]:.6g} -> {series[name][-1]:.6g}"

    annealed, cooled = "cost_gap" in series, list[tuple[str, str]]()
    parametric = "outside_mass" in series
    if annealed:
        cooled = [("cost", change("cost_rho")), ("cost gap", f"{change('cost_gap')}, above the least cost there is")]
    return [
        *([("falling to", f"temperature {series['temperature'][-1]:.6g}")] if annealed else []),
        ("steps", f"{steps} ({rejected} rejected{fallen}), {evaluations} evaluations"),
        ("flow time", f"{series['time'][-1]:.6g}, in {len(series['time'])} rows"),
        ("value", change("value_rho")),
        ("gap", change("gap") + (NO_GAUSSIAN if parametric else "")),
        ("largest gap", change("gap_sup")),
        *cooled,
        ("observed rate", number_text(float(series["rate_observed"][-1]))),
        ("mass error", f"{series['mass_error'].max():.2g} at most"),
        ("density", f"{series['density_min'].min():.3g} at least, {limited} cells limited"),
        ("end mass", f"{series['end_mass'][-1]:.3g}; moved by clamping {series['clamped_mass'][-1]:.3g}"),
        *([("outside mass", f"{change('outside_mass')}, of the Gaussians beyond the box")] if parametric else []),
    ]
