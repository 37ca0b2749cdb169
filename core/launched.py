"""Whether this process is one of several that a launcher of MPI started; light, for it is asked before all else."""

from __future__ import annotations

import os

from wpoflow.core.interrupt import RANKS

SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
"""Variables by which the launchers of MPICH and of Open MPI say how many processes they started."""


def started_together() -> int:
    """How many processes the launcher says it has started, this one included; one where nothing says so."""
    return max((int(number) for number in _numbers(SIZES)), default=1)


def launched_first() -> bool:
    """Whether the launcher calls this process the first one, as it is if there is no launcher."""
    return all(int(number) == 0 for number in _numbers(RANKS))


def _numbers(names: tuple[str, ...]) -> list[str]:
    return [number for number in (os.environ.get(name, "") for name in names) if number.isdecimal()]
