"""The command line: names, options and help.  The work is done in `wpoflow.commands`.

Only click and the standard library are imported here, so that help and mistakes in the arguments
answer at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from solver.provenance import VERSION
from wpoflow.exits import CommandError, Exit, report

Command = TypeVar("Command", bound=Callable[..., Any])

LIMITS = ("time", "gap", "steps", "wall")


class Debug:
    """Whether a traceback is wanted; set by ``--debug`` before or after the command's name."""

    wanted = False


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Debug).wanted = True


_debug = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_set_debug, help="Show the traceback of an error."
)


def _pairs(option: str, entries: Sequence[str]) -> dict[str, str]:
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


def _parse_cells(_: click.Context, __: click.Parameter, entries: Sequence[str]) -> dict[str, int]:
    cells = {}
    for name, value in _pairs("--cells", entries).items():
        if not value.isdecimal() or int(value) < 1:
            raise click.UsageError(f"--cells {name}={value}: the number of cells is a positive whole number")
        cells[name] = int(value)
    return cells


def _parse_set(_: click.Context, __: click.Parameter, entries: Sequence[str]) -> dict[str, str]:
    return _pairs("--set", entries)


def _parse_until(_: click.Context, __: click.Parameter, entries: Sequence[str]) -> dict[str, float] | None:
    criteria: dict[str, float] = {}
    for name, value in _pairs("--until", [entry if "=" in entry else f"time={entry}" for entry in entries]).items():
        if name not in LIMITS:
            raise click.UsageError(f"--until {name}: choose among {', '.join(LIMITS)}")
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


def _parse_times(_: click.Context, __: click.Parameter, entries: Sequence[float]) -> list[float]:
    for time in entries:
        if not 0.0 < time < float("inf"):
            raise click.UsageError(f"--time {time:g}: must be positive and finite")
    return list(entries)


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_problem = _options(
    click.argument("problem"),
    click.option("--cells", multiple=True, metavar="AXIS=N", callback=_parse_cells, help="Grid size of an axis."),
    click.option(
        "--set", "overrides", multiple=True, metavar="KEY=VALUE", callback=_parse_set,
        help="Override a key of the problem file, as in problem.temperature=0.1; the value is TOML.",
    ),
)  # fmt: skip
_flow = _options(
    click.option(
        "--until", multiple=True, metavar="KEY=VALUE", callback=_parse_until,
        help="Stop criterion: time=, gap=, steps= or wall= (a bare number is a time); the first met stops. "
        "Replaces all criteria of the file.",
    ),
    click.option(
        "--scheme", metavar="NAME",
        help="Time scheme: automatic (default), multistep, exponential, extrapolated or euler; those with steps of "
        "fixed size are extrapolated and euler.",
    ),
    click.option(
        "--step", type=float, metavar="DT",
        help="Fixed time step, cut only for listed or equally spaced times and the end; geometric rows and "
        "snapshots are taken at the first step at or after their time.",
    ),
    click.option(
        "--accuracy", type=float, metavar="TOL",
        help="Step control: local error relative to what is left. Default 1e-6; 1e-3 for euler.",
    ),
    click.option("--flow", metavar="NAME", help="Which flow: wasserstein."),
)  # fmt: skip
_threads = click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Number of threads.")
_force = click.option("--force", is_flag=True, help="Overwrite the output.")
_output = click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.h5", help="Where to write."
)

_checkpoint = click.option(
    "--checkpoint", type=click.FloatRange(min=0.0), metavar="SECONDS",
    help="Time between checkpoints; inf keeps none. Default: as often as takes 2 % of the time.",
)  # fmt: skip


class Commands(click.Group):
    """Commands in the order of their declaration; an unknown one is answered with the choices."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of declaration."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise click.UsageError(f"{args[0]!r} is not a command; choose among {', '.join(self.commands)}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(VERSION)
@_debug
@click.pass_context
def cli(context: click.Context) -> None:
    """Wasserstein policy optimisation flows of entropy-regularised MDPs, exact on the grid.

    PROBLEM is a TOML file (it ends in .toml or holds a slash) or the name of a gallery problem.

    Exit status: 0 done; 1 short of its goal; 2 unusable arguments or problem file; 3 unreadable or altered run
    file; 4 disk, memory or permission; 70 internal error; 130 interrupted.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _call(module: str, **arguments: Any) -> None:
    """Run a command's function ``main`` and leave with the status it returns."""
    status = importlib.import_module(f"wpoflow.commands.{module}").main(**arguments)
    if status is not Exit.DONE:
        raise click.exceptions.Exit(int(status))


@cli.command()
@click.argument("name", required=False)
@_debug
def gallery(name: str | None) -> None:
    """List the problems that ship; with NAME print its file to start from."""
    _call("gallery", name=name)


@cli.command()
@_problem
@_flow
@_threads
@_debug
def check(**arguments: Any) -> None:
    """Show the resolved problem, its kernel, memory and time; run nothing."""
    _call("check", **arguments)


@cli.command()
@_problem
@_output
@_flow
@_checkpoint
@_threads
@click.option("--quiet", is_flag=True, help="Print errors only.")
@_force
@_debug
def run(**arguments: Any) -> None:
    """Run the flow and write a run file (./NAME.h5 unless -o is given)."""
    _call("run", **arguments)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="RUN.h5")
@click.option("--anyway", is_flag=True, help="Although wpoflow, a package or the problem file have changed.")
@_checkpoint
@_threads
@click.option("--quiet", is_flag=True, help="Print errors only.")
@_debug
def resume(**arguments: Any) -> None:
    """Go on with a run that was cut short, from its last checkpoint.

    What it leaves is, number for number, what the run would have left. A limit on wall time counts anew.
    """
    _call("resume", **arguments)


@cli.command()
@_problem
@_output
@_threads
@click.option("--quiet", is_flag=True, help="Print errors only.")
@_force
@_debug
def optimum(**arguments: Any) -> None:
    """Compute the soft-optimal value and policy only; -o stores them."""
    _call("optimum", **arguments)


@cli.command()
@_problem
@click.option(
    "--levels", type=click.IntRange(min=3), default=4, show_default=True, metavar="N", help="Number of grids in each."
)
@click.option(
    "--quantity",
    "quantities",
    multiple=True,
    metavar="SERIES",
    help="What to look at: any series of a run; repeat. Default value_rho and gap.",
)
@click.option(
    "--axis",
    "directions",
    multiple=True,
    metavar="AXIS",
    help="Refine this axis alone, or states, actions, grid (all axes), time (the step), all; repeat. "
    "Default states, actions, grid and time.",
)
@click.option(
    "--time",
    "times",
    type=float,
    multiple=True,
    metavar="T",
    callback=_parse_times,
    help="Flow time at which to look; repeat. Default the time in the file's until.",
)
@click.option(
    "--factor", type=click.Choice(["2", "sqrt2"]), default="2", show_default=True, help="Ratio of mesh sizes."
)
@click.option(
    "--scheme",
    type=click.Choice(["extrapolated", "euler"]),
    help="Scheme whose steps are refined. Default the file's, or extrapolated where that takes no fixed steps.",
)
@click.option("--step", type=float, metavar="DT", help="Coarsest step. Default T/64 or somewhat less.")
@click.option("--accuracy", type=float, metavar="TOL", help="Of the time steps where grids are refined. Default 1e-7.")
@click.option("--report", type=click.Path(path_type=Path), metavar="DIR", help="Write DIR/refine.json.")
@_threads
@click.option("--quiet", is_flag=True, help="Print errors only.")
@_debug
def refine(**arguments: Any) -> None:
    """Refine grids and steps; show orders of convergence and extrapolated values.

    The finest grid of each direction is about the problem's own (as --cells makes it); what is not refined stays at
    the middle level.
    """
    _call("refine", **arguments)


@cli.command()
@click.argument("targets", nargs=-1, metavar="[RUN.h5 | PROBLEM ...]")
@click.option("--only", multiple=True, metavar="CLAIM", help="Judge this claim alone; may be repeated.")
@click.option(
    "--level", type=click.Choice(["quick", "full"]), default="quick", show_default=True,
    help="quick: coarse grids, under a minute for the whole suite; full: own grids, refinement, all claims.",
)  # fmt: skip
@click.option("--report", type=click.Path(path_type=Path), metavar="DIR", help="Write DIR/report.json.")
@_threads
@click.option("--quiet", is_flag=True, help="Print errors only.")
@_debug
def validate(**arguments: Any) -> None:
    """Check the theory's claims on run files or problems; with no argument on everything.

    A run file is judged by what it holds: series, optimum and snapshots.  A problem is run first.  Exit status 1 when
    a claim fails or a negative control is missed.
    """
    _call("validate", **arguments)


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME ...]")
@click.option("--report", type=click.Path(path_type=Path), metavar="DIR", help="Write DIR/bends.json.")
@_threads
@click.option("--quiet", is_flag=True, help="Print errors only.")
@_debug
def bend(**arguments: Any) -> None:
    """Study where the theory bends: a hypothesis fails or a constant collapses; with no name all.

    NAME is metastability, jump_cost, deterministic, heavy_tails, discount or unreachable; each takes up to a minute.
    """
    _call("bend", **arguments)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="RUN.h5")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_debug
def info(file: Path, as_json: bool) -> None:
    """Say what a run file is, how the run ended, and its main numbers."""
    _call("info", file=file, as_json=as_json)


@cli.command()
@_debug
def doctor() -> None:
    """Show versions, threads and cache, look for shadowed packages, and run a short self-test."""
    _call("doctor")


def use_threads(number: int | None) -> None:
    """Let numba use this many threads; to be called before anything else touches numba."""
    if number is None:
        return
    if "numba" not in sys.modules:
        os.environ["NUMBA_NUM_THREADS"] = str(number)
        return
    import numba

    try:
        numba.set_num_threads(number)
    except ValueError as error:
        raise CommandError(Exit.UNUSABLE, f"--threads {number}: {error}") from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console command."""
    debug = Debug()
    try:
        status = cli.main(arguments, prog_name="wpoflow", standalone_mode=False, obj=debug)
        sys.stdout.flush()
    except KeyboardInterrupt as error:
        sys.exit(report(error, debug.wanted))
    except Exception as error:  # the last resort: every error ends as one line and a status
        sys.exit(report(error, debug.wanted))
    sys.exit(status or 0)
