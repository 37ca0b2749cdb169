"""Several processes, started by ``mpiexec`` or a batch system, as one command: who speaks, and how they end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from wpoflow.core.communicator import Communicator, MpiCommunicator, started_together, world
from wpoflow.exits import CommandError, Exit, exit_status, report
from wpoflow.options import Invocation

PATIENCE = 2.0  # seconds that a rank which fails waits for the others to fail alike


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
    return communicator if communicator.size > 1 else None


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
        status = exit_status(error)
        if communicator.all_have_failed(PATIENCE):
            if communicator.rank == 0:
                raise
            raise click.exceptions.Exit(int(status)) from error
        if not communicator.earlier_have_failed():
            report(error, click.get_current_context().ensure_object(Invocation).debug)
        else:
            time.sleep(PATIENCE)
        communicator.abort(int(status))
        os._exit(int(status))
