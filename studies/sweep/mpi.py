"""The ranks of an MPI job as an executor: the first one hands the points out, the others carry them out."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wpoflow.core.text import one_line
from wpoflow.studies.sweep.engine import threads_each
from wpoflow.studies.sweep.values import StudyError

THREADS = "NUMBA_NUM_THREADS"


@contextmanager
def mpi_pool() -> Iterator[Any]:
    """The executor on the first rank; None on the others, once nothing is left for them to do.

    Raises
    ------
    ImportError
        mpi4py, or the MPI library it needs, is not installed.
    StudyError
        There is a single rank, and so nobody to carry anything out.
    """
    try:
        futures, mpi = importlib.import_module("mpi4py.futures"), importlib.import_module("mpi4py.MPI")
    except (ImportError, RuntimeError) as error:  # the second where there is no library of MPI
        raise ImportError(
            f"the engine mpi needs mpi4py and an MPI library: pip install mpi4py mpich ({one_line(error, 120)})"
        ) from error
    world = mpi.COMM_WORLD
    if world.Get_size() < 2:
        raise StudyError(
            "--engine mpi: there is one rank, which has nobody to hand points to: mpiexec -n 3 wpoflow sweep ..."
        )
    if THREADS not in os.environ:
        os.environ[THREADS] = str(threads_each(world.Split_type(mpi.COMM_TYPE_SHARED).Get_size()))
    with futures.MPICommExecutor(world, root=0) as executor:
        yield executor
