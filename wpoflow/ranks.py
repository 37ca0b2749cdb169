"""Several processes, started by ``mpiexec`` or a batch system, as one command: who speaks, and how they end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from wpoflow.core.interrupt import leave
from wpoflow.core.launched import launched_first, started_together
from wpoflow.exits import CommandError, Exit, exit_status, report
from wpoflow.options import Invocation

if TYPE_CHECKING:
    from wpoflow.core.communicator import Communicator, MpiCommunicator

SHARED = ("run", "resume", "optimum", "sweep")
"""Commands that several processes, started together, may be."""
PATIENCE = 2.0  # seconds that a rank which fails waits for the others to fail alike
HEARD = 0.5  # seconds that what it says is given to reach the terminal, before the launcher is ended with all its pipes


def refuse_several(command: str) -> None:
    """End, as one of several processes started together, a command that each would do by itself; the first says why."""
    if command in SHARED or started_together() == 1:
        return
    if not launched_first():
        raise click.exceptions.Exit(int(Exit.UNUSABLE))
    raise CommandError(
        Exit.UNUSABLE,
        f"{command} is for one process, and {started_together()} were started together; start it without mpiexec",
    )


def joined(asked: bool | None) -> MpiCommunicator | None:
    """The communicator of a command: None where there is one process.

    Parameters
    ----------
    asked : bool or None
        Whether the processes started are to share the work; by default where a launcher says that it started several.

    Raises
    ------
    CommandError
        mpi4py is missing, or is of another MPI than the launcher.
    """
    started = started_together()
    if asked is False or (asked is None and started == 1):
        return None
    from wpoflow.core.communicator import world

    try:
        communicator = world()
    except (ImportError, RuntimeError) as error:
        raise CommandError(Exit.ENVIRONMENT, f"--mpi: {error}") from error
    if started > 1 and communicator.size != started:
        raise CommandError(
            Exit.ENVIRONMENT,
            f"--mpi: {started} processes were started, and mpi4py sees {communicator.size}: start them with the "
            "mpiexec of the MPI that mpi4py uses",
        )
    if communicator.size == 1:
        return None
    _invocation().signals.end = communicator.abort
    return communicator


def speaks(communicator: Communicator | None) -> bool:
    """Whether this process is the one that prints and writes."""
    return communicator is None or communicator.rank == 0


@contextmanager
def ending_together(communicator: MpiCommunicator | None) -> Iterator[None]:
    """Context of what all processes do: an error of all is raised by the first alone, one of some ends all at once.

    In both cases one line is printed, by one process: the others wait for a message that will never come, or have the
    same to say.
    """
    try:
        yield
    except BaseException as error:
        if communicator is None:
            raise
        status = int(exit_status(error))
        try:
            if not communicator.all_have_failed(PATIENCE):
                if communicator.earlier_have_failed():
                    time.sleep(PATIENCE)
                else:
                    report(error, _invocation().debug)
                    time.sleep(HEARD)
                communicator.abort(status)
        except KeyboardInterrupt:  # while it waits for the others
            leave(communicator.abort)
        if communicator.rank == 0:
            raise
        raise click.exceptions.Exit(status) from error


def _invocation() -> Invocation:
    return click.get_current_context().ensure_object(Invocation)
