"""The command line: names, options and help.  The work is done in `wpoflow.commands`.

Only click and the standard library are imported here, so that help and mistakes in the arguments
answer at once.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from wpoflow.command_group import Commands
from wpoflow.core.display import silent
from wpoflow.core.interrupt import CommandSignals
from wpoflow.core.onlooker import Watched
from wpoflow.environment import check_environment, check_room
from wpoflow.exits import CommandError, Exit, describe, report, warnings_in_one_line
from wpoflow.options import (
    Choice,
    Invocation,
    Output,
    RunFile,
    anyway_option,
    changes_options,
    checkpoint_option,
    compare_options,
    debug_option,
    flow_options,
    force_option,
    from_option,
    mpi_option,
    output_option,
    plot_help,
    problem_options,
    quiet_option,
    report_option,
    run_file,
    state_option,
    threads_option,
    until_option,
)
from wpoflow.ranks import refuse_several
from wpoflow.refine_options import refine_options
from wpoflow.rollout_options import rollout_options
from wpoflow.solver.records.provenance import VERSION
from wpoflow.sweep_options import sweep_options
from wpoflow.truth_options import optimum_options, truth_options
from wpoflow.views.figures import EXTENSIONS

WITHOUT_KERNELS = {"gallery", "info", "keys", "seal"}
SINGLE = {"run", "resume"}
"""Commands of one run."""


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(VERSION)
@debug_option
@click.pass_context
def cli(context: click.Context) -> None:
    """Wasserstein policy optimisation flows of entropy-regularised MDPs, exact on the grid.

    PROBLEM is a TOML file (it ends in .toml or holds a slash) or the name of a gallery problem.

    Exit status: 0 done; 1 short of its goal; 2 unusable arguments or problem file; 3 unreadable or altered run
    file; 4 disk, memory or permission; 70 internal error; 130 interrupted.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _call(module: str, function: str = "main", /, **arguments: Any) -> None:
    """Run a command's function and leave with the status it returns."""
    signals = click.get_current_context().ensure_object(Invocation).signals
    signals.begun, signals.single = True, module in SINGLE
    try:
        refuse_several(module)
        check_room(click.get_current_context().info_name or module, module not in WITHOUT_KERNELS)
        if module not in WITHOUT_KERNELS:
            check_environment()
        with warnings_in_one_line():
            status = getattr(importlib.import_module(f"wpoflow.commands.{module}"), function)(**arguments)
    except KeyboardInterrupt as error:
        raise CommandError(Exit.INTERRUPTED, describe(error)) from error
    except Exception as error:
        if signals.asked and not isinstance(
            error, CommandError
        ):  # dropped within a callback, it broke what called that
            raise CommandError(Exit.INTERRUPTED, "interrupted") from error
        raise
    finally:
        signals.begun = False
    if status is not Exit.DONE:
        raise click.exceptions.Exit(int(status))


@cli.command()
@click.argument("name", required=False)
def gallery(**arguments: Any) -> None:
    """List the problems that ship; with NAME print its file to start from."""
    _call("gallery", **arguments)


@cli.command()
@click.argument("name", required=False)
def keys(**arguments: Any) -> None:
    """List the keys of a problem file; with NAME those of one table, as in state, or of one name, as in boundary."""
    _call("keys", **arguments)


@cli.command()
@problem_options
@flow_options
@threads_option
def check(**arguments: Any) -> None:
    """Show the resolved problem, its kernel, memory and time; run nothing."""
    _call("check", **arguments)


@cli.command()
@problem_options
@output_option
@flow_options
@from_option
@checkpoint_option
@threads_option
@quiet_option
@force_option
@mpi_option
def run(**arguments: Any) -> None:
    """Run the flow and write a run file (./NAME.h5 unless -o is given).

    Started as mpiexec -n R wpoflow run ..., R processes share the states, and the file is the same for any R.
    """
    _call("run", **arguments)


@cli.command()
@run_file
@click.option("--anyway", is_flag=True, help="Although wpoflow, a package or the problem file have changed.")
@until_option
@checkpoint_option
@threads_option
@quiet_option
@mpi_option
def resume(**arguments: Any) -> None:
    """Go on with a run that was cut short, from its last checkpoint, or extend one that has ended.

    What it leaves is, number for number, what the run would have left. A limit on wall time counts anew.
    --until replaces the stop criteria: with it a run that has ended goes on from where its last step ended.
    """
    _call("resume", **arguments)


@cli.command()
@problem_options
@optimum_options
@output_option
@threads_option
@quiet_option
@force_option
@mpi_option
def optimum(**arguments: Any) -> None:
    """Compute the soft-optimal value and policy only, or those of the costs alone; -o stores them."""
    _call("optimum", **arguments)


@cli.command()
@problem_options
@truth_options
@threads_option
@quiet_option
@force_option
def truth(**arguments: Any) -> None:
    """Optimal value, Q and policy at given states, with how far the grid is off: a data set to score agents by."""
    _call("truth", **arguments)


@cli.command()
@problem_options
@refine_options
@report_option("Write DIR/refine.json.")
@threads_option
@quiet_option
def refine(**arguments: Any) -> None:
    """Refine grids and steps; show orders of convergence and extrapolated values.

    The finest grid of each direction is about the problem's own (as --cells makes it); what is not refined stays at
    the middle level.
    """
    _call("refine", **arguments)


@cli.command()
@problem_options
@compare_options
@threads_option
@quiet_option
@force_option
def compare(**arguments: Any) -> None:
    """Run several flows on one problem; show what each takes to which gap, at which rates, and where it stalls.

    Writes a run file each, compare.json, compare.csv and compare.png. Run files that are there and whole are kept, and
    those cut short are gone on with. Exit status 1 when a run failed, or none reached what was asked for.
    """
    _call("compare", **arguments)


@cli.command()
@sweep_options(("rates", "constants", "verdicts"))
@changes_options
@flow_options
@checkpoint_option
@threads_option
@quiet_option
def sweep(**arguments: Any) -> None:
    """Run a problem over lists of keys: a run file for each point, and one labelled result, DIR/study.nc.

    Points that are there and whole are kept, those cut short are gone on with, and those that fail are kept with their
    sentence while the others go on. Exit status 1 when a point failed, or none reached what was asked for.
    """
    _call("sweep", **arguments)


@cli.command()
@click.argument("targets", nargs=-1, metavar="[RUN.h5 | PROBLEM ...]")
@changes_options
@click.option("--only", multiple=True, metavar="CLAIM", help="Judge this claim alone; may be repeated.")
@click.option(
    "--level", type=Choice(["quick", "full"]), default="quick", show_default=True,
    help="quick: coarse grids, under a minute for the whole suite; full: own grids, refinement, all claims.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N",
    help="Number of processes, to which the threads are divided. Default: one for each processor.",
)  # fmt: skip
@report_option("Write report.json, report.html there.")
@anyway_option
@threads_option
@quiet_option
def validate(asked: dict[str, Any], **arguments: Any) -> None:
    """Check the theory's claims on run files or problems; with no argument on everything.

    A run file is judged by what it holds: series, optimum and snapshots.  A problem is run first.  Exit status 1 when
    a claim fails or a negative control is missed.
    """
    _call("validate", changes={name: value for name, value in asked.items() if value}, **arguments)


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME ...]")
@report_option("Write DIR/limits.json.")
@threads_option
@quiet_option
def limits(**arguments: Any) -> None:
    """Study the theory's limits, where a hypothesis fails or a constant collapses; with no name all.

    NAME is metastability, jump_cost, deterministic, heavy_tails, discount or unreachable; each takes up to a minute.
    """
    _call("limits", **arguments)


@cli.command()
@run_file
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@anyway_option
def info(**arguments: Any) -> None:
    """Say what a run file is, how the run ended, and its main numbers."""
    _call("info", **arguments)


@cli.command()
@run_file
def seal(**arguments: Any) -> None:
    """Seal again a run file that another program opened for writing, if it holds what the run left.

    HDF5 cuts the seal off, and with it the state from which the run could be extended, whenever a program opens the
    file for writing, even if it writes nothing. A file whose contents were altered is not sealed.
    """
    _call("seal", **arguments)


@cli.command(help=plot_help())
@click.argument("files", nargs=-1, required=True, type=RunFile(), metavar="RUN.h5 ...")
@click.option(
    "-o", "--output", required=True, type=Output(), metavar="FILE",
    help=f"Where to write: {', '.join(EXTENSIONS)}.",
)  # fmt: skip
@click.option("--kind", metavar="NAME", help="What to draw. Default overview, and decay of several runs.")
@click.option("--quantity", metavar="NAME", help="Of a study: the series or number to draw. Default gap and rate.")
@state_option
@force_option
def plot(**arguments: Any) -> None:
    """Draw a figure of a run file."""
    _call("plot", **arguments)


@cli.command()
@run_file
@click.option(
    "-o", "--output", required=True, type=Output(), metavar="FILE",
    help="Where to write: .gif, .apng, .png (animated), or .mp4 where ffmpeg is installed.",
)  # fmt: skip
@state_option
@click.option("--fps", type=float, default=4.0, show_default=True, metavar="N", help="Frames a second.")
@force_option
def movie(**arguments: Any) -> None:
    """Show the policy of a run relaxing: one frame a snapshot.

    More snapshots make more frames: wpoflow run PROBLEM --set record.snapshots=60.
    """
    _call("plot", "movie", **arguments)


@cli.command()
@run_file
@rollout_options
def rollout(**arguments: Any) -> None:
    """Play a stored policy in an environment of Gymnasium or dm_control and report its returns.

    RUN.h5 is a file of `wpoflow run` or `wpoflow optimum`.  Needs Gymnasium: pip install "wpoflow[rl]"; of dm_control
    pip install "wpoflow[control]".
    """
    _call("rollout", **arguments)


@cli.command()
@click.option("--compile", "compile_all", is_flag=True, help="Compile all kernels, so that no later command has to.")
def doctor(**arguments: Any) -> None:
    """Show versions, threads and cache, and run a short self-test."""
    _call("doctor", **arguments)


def main(arguments: Sequence[str] | None = None, *, signals: CommandSignals | None = None) -> None:
    """Run a command and end with its status.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.
    signals : CommandSignals, optional
        Installed before; by default they are taken over for as long as the command runs.
    """
    invocation = Invocation(signals or CommandSignals())
    if signals is None:
        invocation.signals.install()
    try:
        with Watched(), silent():
            try:
                status = int(cli.main(arguments, prog_name="wpoflow", standalone_mode=False, obj=invocation) or 0)
            except Exception as error:  # the last resort: every error ends as one line and a status
                status = int(report(error, invocation.debug))
            invocation.signals.status = status
    finally:
        if signals is None:
            invocation.signals.restore()
    sys.exit(status)
