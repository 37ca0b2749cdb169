"""Options of ``wpoflow sweep``.  As light as `wpoflow.options`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from wpoflow.options import Choice, Command, pairs
from wpoflow.studies.sweep.values import StudyError, parse_values

ENGINES = ("processes", "mpi")


def _lists(option: str) -> Callable[[click.Context, click.Parameter, Sequence[str]], dict[str, Any]]:
    """Read KEY=V1,V2,... of a repeated option."""

    def parse(_: click.Context, __: click.Parameter, entries: Sequence[str]) -> dict[str, Any]:
        try:
            return {key: parse_values(f"{option} {key}", text) for key, text in pairs(option, entries).items()}
        except StudyError as error:
            raise click.UsageError(str(error)) from error

    return parse


def sweep_options(measures: Sequence[str]) -> Callable[[Command], Command]:
    """All that are of this command alone; ``measures`` are the names that may be measured."""
    options = (
        click.argument("names", nargs=-1, metavar="[PROBLEM ... | STUDY.toml]"),
        click.option(
            "--over", multiple=True, metavar="KEY=V1,V2,...", callback=_lists("--over"),
            help="Values of a key, or a range { from = a, to = b, count = n, spacing = \"log\" }; all combinations of "
            "several. Keys are those of --set, and cells.AXIS, flow, scheme, step, accuracy, until.",
        ),
        click.option(
            "--zip", "together", multiple=True, metavar="KEY=V1,V2,...", callback=_lists("--zip"),
            help="Values of keys that go together, first with first.",
        ),
        click.option(
            "-o", "--output", type=click.Path(path_type=Path), metavar="DIR",
            help="Where to write. Default ./NAME-sweep.",
        ),
        click.option(
            "--jobs", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
            help="Number of processes, to which the threads are divided.",
        ),
        click.option(
            "--engine", type=Choice(ENGINES), default="processes", show_default=True,
            help="mpi: the ranks that mpiexec -n N wpoflow sweep ... starts, by mpi4py.",
        ),
        click.option("--shard", metavar="I/N", help="Only every N-th point from the I-th on, as in a job array."),
        click.option(
            "--measure", "measures", multiple=True, type=Choice(list(measures)),
            help="Measure this of each run, too; repeat.",
        ),
        click.option("--explain", is_flag=True, help="Show points, memory and time; run nothing."),
        click.option("--collect", is_flag=True, help="Make DIR/study.nc of the runs that are there; run nothing."),
        click.option("--retry", is_flag=True, help="Run points again that failed."),
        click.option("--zarr", is_flag=True, help="Write DIR/study.zarr, too (needs xarray and zarr)."),
    )  # fmt: skip

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
