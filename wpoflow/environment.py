"""What numba and the libraries obey, looked at before they are loaded: what is unfit is named, not what it spoils.

That is environment variables of numba, and a limit on address space (``ulimit -v``): below what the libraries take for
themselves OpenBLAS waits for ever, LLVM ends the process, and a shared library that is missing is blamed.
"""

from __future__ import annotations

import os
import sys
import warnings

from wpoflow.core.memory import limited_bytes
from wpoflow.core.text import one_line
from wpoflow.exits import CommandError, Exit
from wpoflow.options import MOST_THREADS

LIBRARIES_BYTES, KERNELS_BYTES = 300_000_000, 950_000_000
"""Address space that a command without and with kernels takes on one processor, for itself and a small problem."""
THREAD_BYTES = 90_000_000
"""The same for every further thread: buffers of two copies of OpenBLAS, and stacks."""
MOST_BLAS_THREADS = 64
THREADS, LAYER = "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER"


def check_environment() -> None:
    """Raise CommandError, naming the variable, if numba cannot work with what the environment says."""
    given = {name: value for name, value in os.environ.items() if name.startswith("NUMBA_")}
    number = given.get(THREADS)
    if number is not None and not (number.isdecimal() and 0 < int(number[:9]) <= MOST_THREADS):
        raise _unusable(THREADS, f"the number of threads is a whole number from 1 to {MOST_THREADS}")
    if not given.keys() - {THREADS}:
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Environment variable")
        try:
            import numba

            numba.get_num_threads()  # starts the threading layer
        except (ValueError, RuntimeWarning) as error:
            named = [name for name in given if f"'{name}'" in str(error)]
            raise _unusable(named[0] if named else LAYER, str(error)) from error


def check_room(command: str, kernels: bool) -> None:
    """Raise CommandError if the limit on address space is below what a command takes, whatever it works on.

    Not where the libraries have been loaded: then they had their share.
    """
    if ("numba" if kernels else "h5py") in sys.modules:
        return
    needed = (KERNELS_BYTES if kernels else LIBRARIES_BYTES) + THREAD_BYTES * (_blas_threads() - 1)
    if (found := limited_bytes()) is not None and found[0] < needed:
        raise CommandError(
            Exit.ENVIRONMENT,
            f"out of memory: wpoflow {command} takes {needed / 1e9:.2g} GB of address space before it reads anything, "
            f"and {found[0] / 1e9:.2g} GB are allowed; raise the limit (ulimit -v)",
        )


def _blas_threads() -> int:
    """How many threads OpenBLAS starts."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if (given := os.environ.get(name, "")).isdecimal() and int(given) > 0:
            return min(int(given), MOST_BLAS_THREADS)
    present = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(present, MOST_BLAS_THREADS)


def _unusable(name: str, why: str) -> CommandError:
    return CommandError(
        Exit.ENVIRONMENT, f"{name}={os.environ.get(name, '')}: {one_line(why.strip().splitlines()[-1])}"
    )
