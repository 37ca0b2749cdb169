"""Environment variables that numba obeys, looked at before it is: a bad one is named instead of what it spoils."""

from __future__ import annotations

import os
import warnings

from wpoflow.core.text import one_line
from wpoflow.exits import CommandError, Exit
from wpoflow.options import MOST_THREADS

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


def _unusable(name: str, why: str) -> CommandError:
    return CommandError(
        Exit.ENVIRONMENT, f"{name}={os.environ.get(name, '')}: {one_line(why.strip().splitlines()[-1])}"
    )
