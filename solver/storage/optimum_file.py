"""A file that holds the soft optimum alone: a run file of no steps."""

from __future__ import annotations

import os

from wpoflow.grids.transitions.base import in_words
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum
from wpoflow.solver.storage.atomic import OutputLock
from wpoflow.solver.storage.problem_arrays import problem_arrays
from wpoflow.solver.storage.writer import RunWriter


def save_optimum(
    mdp: GridMDP, best: Optimum, path: str | os.PathLike[str], *, force: bool = False, seconds: float = 0.0
) -> None:
    """Write grids, soft-optimal value, Q and policy; `solver.storage.writer.open_run` reads them.

    Parameters
    ----------
    force : bool
        Replace an existing file.
    seconds : float
        Wall-clock time that the optimum took.

    Raises
    ------
    FileExistsError
        The file exists and ``force`` is off, or it is being written.
    OSError
        It cannot be written.
    """
    attributes: dict[str, str | int | float] = {
        "title": mdp.title,
        "problem": mdp.statement,
        "discount": mdp.discount,
        "temperature": mdp.temperature,
        "transition": in_words(mdp.transition),
    }
    with (
        OutputLock(path),
        RunWriter(
            path,
            mdp.states,
            mdp.actions,
            reference_mass=mdp.reference_mass,
            rho=mdp.rho,
            attributes=attributes,
            arrays=problem_arrays(mdp),
            force=force,
        ) as writer,
    ):
        writer.optimum(best)
        writer.close("complete", "soft optimum computed; no flow was run", {"wall_seconds": seconds})
