"""A file that holds an optimum alone, the soft one or that of the costs: a run file of no steps."""

from __future__ import annotations

import os

import numpy as np

from wpoflow.core.arguments import check_kind
from wpoflow.solver.mdp import GridMDP, check_problem
from wpoflow.solver.records.objective import COSTS_ALONE
from wpoflow.solver.records.run import Optimum
from wpoflow.solver.storage.atomic import OutputLock
from wpoflow.solver.storage.problem_arrays import problem_arrays, problem_head
from wpoflow.solver.storage.writer import RunWriter, SendingWriter, spread_optimum


def save_optimum(
    mdp: GridMDP, best: Optimum, path: str | os.PathLike[str], *, force: bool = False, seconds: float = 0.0
) -> None:
    """Write grids, optimal value, Q and policy; `solver.storage.writer.open_run` reads them.

    Of several processes that share the problem all must come here, and the root writes.

    Parameters
    ----------
    force : bool
        Replace an existing file.
    seconds : float
        Wall-clock time that the optimum took.

    Raises
    ------
    ValueError
        The optimum is of a problem of other sizes.
    FileExistsError
        The file exists and ``force`` is off, or it is being written.
    OSError
        It cannot be written.
    """
    check_problem(mdp)
    check_kind("best", best, Optimum, "an Optimum: wpoflow.solve_optimum")
    for name, shape in (("value", mdp.rho.shape), ("q", mdp.cost.shape), ("policy", mdp.cost.shape)):
        if (found := np.shape(getattr(best, name))) != shape:
            raise ValueError(f"optimum: its {name} has shape {found}, not {shape}: it is of another problem")
    alone = COSTS_ALONE[mdp.rewards] if best.temperature == 0.0 else mdp.objective
    kind = "optimum without regularisation" if best.temperature == 0.0 else "soft optimum"
    stated, head = spread_optimum(mdp.slab, best.stated(mdp.temperature)), problem_head(mdp, {"objective": alone})
    if not mdp.slab.root:
        SendingWriter(path).optimum(stated)
        return
    with OutputLock(path), RunWriter(path, head, arrays=problem_arrays(mdp), force=force) as writer:
        writer.optimum(stated)
        writer.close("complete", f"{kind} computed; no flow was run", {"wall_seconds": seconds})
