"""Options of the commands, what they may be given, and the help that needs some words.

As light as `wpoflow.cli`: click, the standard library, and lists of names.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from wpoflow.core.interrupt import CommandSignals
from wpoflow.core.registry import choices
from wpoflow.core.text import did_you_mean
from wpoflow.problems.gallery import gallery_names
from wpoflow.solver.registry import (
    AUTOMATIC,
    FLOWS,
    SCHEMES,
    default_accuracy,
    fixed_step_schemes,
    own_step_flows,
    scheme_names,
)
from wpoflow.views.figures.registry import FIGURES

Command = TypeVar("Command", bound=Callable[..., Any])

MOST_DIGITS = 18
MOST_THREADS = 1024  # far more end in a crash of the threading layer
LIMITS = ("time", "gap", "steps", "wall")


def pairs(option: str, entries: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE entries of a repeated option as a dict."""
    found: dict[str, str] = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise click.UsageError(f"{option} {entry}: write NAME=VALUE")
        if name.strip() in found:
            raise click.UsageError(f"{option} {name.strip()} is given twice")
        found[name.strip()] = value.strip()
    return found


class Invocation:
    """What a call of the command has besides its arguments.

    Attributes
    ----------
    signals : CommandSignals
    debug : bool
        Whether a traceback is wanted; set by ``--debug`` before or after the command's name.
    """

    def __init__(self, signals: CommandSignals | None = None) -> None:
        self.signals = signals or CommandSignals()
        self.debug = False


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).debug = True


debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_set_debug, help="Show the traceback of an error."
)


def _parse_cells(_: click.Context, __: click.Parameter, entries: Sequence[str]) -> dict[str, int]:
    cells = {}
    for name, value in pairs("--cells", entries).items():
        if not value.isdecimal() or len(value) > MOST_DIGITS or int(value) < 1:
            raise click.UsageError(f"--cells {name}={value}: the number of cells is a positive whole number")
        cells[name] = int(value)
    return cells


def _parse_until(_: click.Context, __: click.Parameter, entries: Sequence[str]) -> dict[str, float] | None:
    criteria: dict[str, float] = {}
    for name, value in pairs("--until", [entry if "=" in entry else f"time={entry}" for entry in entries]).items():
        if name not in LIMITS:
            raise click.UsageError(f"--until {name}: choose among {', '.join(LIMITS)}{did_you_mean(name, LIMITS)}")
        try:
            criteria[name] = int(value) if name == "steps" else float(value)
        except ValueError:
            if name == "time" and f"time={value}" not in entries:
                raise click.UsageError(
                    f"--until {value}: write a flow time or {', '.join(f'{k}=' for k in LIMITS)}"
                ) from None
            kind = "a whole number" if name == "steps" else "a number"
            raise click.UsageError(f"--until {name}={value}: {value} is not {kind}") from None
        if not 0 < criteria[name] < float("inf"):
            raise click.UsageError(f"--until {name}={value}: must be positive and finite")
    return criteria or None


def parse_times(_: click.Context, __: click.Parameter, entries: Sequence[float]) -> list[float]:
    """Flow times, positive and finite."""
    for time in entries:
        if not 0.0 < time < float("inf"):
            raise click.UsageError(f"--time {time:g}: must be positive and finite")
    return list(entries)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """All these options of a command, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _accuracies() -> str:
    """Default accuracies in words."""
    usual = default_accuracy(AUTOMATIC)
    others = [f"{default_accuracy(name):g} for {name}" for name in SCHEMES if default_accuracy(name) != usual]
    return "; ".join([f"{usual:g}", *others])


_changes_options = together(
    click.option("--cells", multiple=True, metavar="AXIS=N", callback=_parse_cells, help="Grid size of an axis."),
    click.option(
        "--set", multiple=True, metavar="KEY=VALUE", callback=lambda *given: pairs("--set", given[2]),
        help="Override a key of the problem file, as in problem.temperature=0.1; the value is TOML.",
    ),
)  # fmt: skip
_problem_options = together(click.argument("name_or_path", metavar="PROBLEM"), _changes_options)
until_option = click.option(
    "--until", multiple=True, metavar="KEY=VALUE", callback=_parse_until,
    help="Stop criterion: time=, gap=, steps= or wall= (a bare number is a time); the first met stops. "
    "Replaces all criteria there are.",
)  # fmt: skip
_flow_options = together(
    until_option,
    click.option(
        "--scheme", metavar="NAME",
        help=f"Time scheme: {choices(scheme_names())}; those with steps of fixed size are "
        f"{choices(fixed_step_schemes(), 'and')}.",
    ),
    click.option(
        "--step", type=float, metavar="DT",
        help="Fixed time step, cut only for listed or equally spaced times and the end; geometric rows and "
        "snapshots are taken at the first step at or after their time. Of flow "
        f"{choices(own_step_flows(), 'and')} the step of the algorithm, which must be given and is never cut.",
    ),
    click.option(
        "--accuracy", type=float, metavar="TOL",
        help=f"Step control: local error relative to what is left. Default {_accuracies()}.",
    ),
    click.option("--flow", metavar="NAME", help=f"Which flow: {choices(FLOWS)}."),
)  # fmt: skip


def _gathered(options: Callable[[Command], Command], *names: str) -> Callable[[Command], Command]:
    """Options whose values, as far as they are given, reach the command in one mapping ``asked``."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_asked(**arguments: Any) -> Any:
            given = {name: arguments.pop(name) for name in names}
            found = {name: value for name, value in given.items() if value is not None}
            return command(**arguments | {"asked": arguments.get("asked", {}) | found})

        return options(cast(Command, with_asked))

    return decorate


def _use_threads(_: click.Context, __: click.Parameter, number: int | None) -> None:
    """Let numba use this many threads, before anything else touches it."""
    if number is None:
        return
    if "numba" not in sys.modules:
        os.environ["NUMBA_NUM_THREADS"] = str(number)
        return
    import numba

    try:
        numba.set_num_threads(number)
    except ValueError as error:
        raise click.UsageError(f"--threads {number}: {error}") from error


class Choice(click.Choice[str]):
    """One of a few words; another that is near one of them is answered with it."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """What click says, and what was meant."""
        return super().get_invalid_choice_message(value, ctx).removesuffix(".") + did_you_mean(value, self.choices)


class Output(click.Path):
    """The name of a file that is written."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what can be no name."""
        if not os.fspath(value) or "\0" in os.fspath(value):
            raise click.UsageError(f"{'/'.join(param.opts[:1] if param else [])} {value!r}: no file can have this name")
        return super().convert(value, param, ctx)


class RunFile(click.Path):
    """The name of a file that is read, of which a gallery problem has none before it is run."""

    def __init__(self, **how: Any) -> None:
        super().__init__(path_type=Path, **how)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse the name of a problem, with what to do."""
        name = os.fspath(value)
        if name in gallery_names() and not os.path.exists(name):
            raise click.UsageError(f"{name} is a problem of the gallery; run it first: wpoflow run {name}")
        return super().convert(value, param, ctx)


def report_option(writes: str) -> Callable[[Command], Command]:
    """``--report DIR``; ``writes`` is its help."""

    def check(_: click.Context, __: click.Parameter, folder: Path | None) -> Path | None:
        if folder is not None and folder.exists() and not folder.is_dir():
            raise click.UsageError(f"--report {folder}: exists and is no folder")
        return folder

    return click.option("--report", type=click.Path(path_type=Path), metavar="DIR", callback=check, help=writes)


problem_options = _gathered(_problem_options, "name_or_path", "cells", "set")
changes_options = _gathered(_changes_options, "cells", "set")
flow_options = _gathered(_flow_options, "until", "scheme", "step", "accuracy", "flow")
run_file = click.argument("file", type=RunFile(), metavar="RUN.h5")
compare_options = together(
    click.option(
        "--flow", "flows", multiple=True, required=True, metavar="NAME[:KEY=VALUE,...]",
        help="A flow, and keys of it, as in mirror:step=0.5; repeat.",
    ),
    until_option,
    click.option("--accuracy", type=float, metavar="TOL", help="Of flows in continuous time that name none."),
    click.option(
        "-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Where to write. Default ./NAME-compare."
    ),
    click.option("--report", is_flag=True, help="Write compare.html, too."),
)  # fmt: skip
quiet_option = click.option("--quiet", is_flag=True, help="Print errors only.")
threads_option = click.option(
    "--threads", type=click.IntRange(min=1, max=MOST_THREADS), metavar="N", callback=_use_threads, expose_value=False,
    help="Number of threads.",
)  # fmt: skip
anyway_option = click.option(
    "--anyway", is_flag=True, help="Of a damaged or unfinished run file, read what can be read."
)
checkpoint_option = click.option(
    "--checkpoint", type=click.FloatRange(min=0.0), metavar="SECONDS",
    help="Time between checkpoints; inf keeps none. Default: as often as takes 2 % of the time.",
)  # fmt: skip
from_option = click.option(
    "--from", "initial", type=RunFile(dir_okay=False), metavar="RUN.h5",
    help="Begin from the last policy of this run, or its Gaussians or particles, carried over to the problem's grids.",
)  # fmt: skip
mpi_option = click.option(
    "--mpi/--no-mpi", default=None,
    help="Share the run among the processes that mpiexec started. Default: if it says that it started several.",
)  # fmt: skip
force_option = click.option("--force", is_flag=True, help="Replace the output, if it is a file of wpoflow.")
output_option = click.option("-o", "--output", type=Output(), metavar="FILE.h5", help="Where to write.")


def _parse_state(_: click.Context, __: click.Parameter, entries: Sequence[str]) -> dict[str, float]:
    point = {}
    for name, value in pairs("--state", entries).items():
        try:
            point[name] = float(value)
        except ValueError:
            raise click.UsageError(f"--state {name}={value}: {value} is not a number") from None
    return point


state_option = click.option(
    "--state", multiple=True, metavar="AXIS=VALUE", callback=_parse_state,
    help="State to look at, the nearest grid point; axes left out: the middle.",
)  # fmt: skip


def plot_help() -> str:
    """Help of ``plot``, with the kinds of figures."""
    kinds = {name: kind.shows for name, kind in FIGURES.items()}
    kinds["refinement"] = "differences between levels, from the refine.json of wpoflow refine --report"
    kinds["study"] = "curves and a map over the swept keys, from the study.nc of wpoflow sweep; curves or map alone"
    lines = "\n".join(f"  {name:<12}{shows}" for name, shows in kinds.items())
    together = " and ".join(name for name, kind in FIGURES.items() if kind.overlaid)
    return f"Draw a figure of a run file, or of several in one ({together}). Kinds:\n\n\b\n{lines}"
