"""Several flows on one problem, with the rates that theory guarantees to each beside those observed.

guaranteed    Wasserstein, Wasserstein–Fisher–Rao: 2 alpha/kappa of the last row that is judged, or what certificates
of gap(rho) give there; Fisher–Rao: tau (`fisher_rao_bound`); mirror descent: that of its sup-norm
bound, -ln(gamma + (1 - gamma)/(1 + tau eta))/eta (`mirror_contraction`); none of proximal descent
observed      the local rate of the gap in the last row clear of rounding
sharp         what it tends to in the end, in the slowest state that is visited (`Flow.late_rate`)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.records.settings import Until
from wpoflow.studies.comparison.result import Comparison
from wpoflow.studies.comparison.study import Asked, measured
from wpoflow.validation.constants.spectral_gap import SpectrumError
from wpoflow.validation.evidence import Evidence, EvidenceError

NONE = float("nan")


def compare(
    problem: str | Path | GridMDP,
    flows: Sequence[str],
    *,
    until: Until | None = None,
    accuracy: float | None = None,
    cells: Mapping[str, int] | None = None,
    set: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
    force: bool = False,
    progress: Callable[[str, str], None] | None = None,
) -> Comparison:
    """Run flows on a problem and say what each takes to which gap, at which rate, and where it stalls.

    Parameters
    ----------
    problem : str, Path or GridMDP
        A gallery name or a file, as for `load_problem`, or a grid problem.
    flows : sequence of str
        As ``"fisher-rao"`` or ``"mirror:step=0.5"``: a flow, and any of its keys.
    until : float or mapping, optional
        For all of them, as for `evolve`; by default what the problem's file says.
    accuracy : float, optional
        Of those in continuous time that name none.
    cells, set : mappings, optional
        Replace grid sizes and keys of the file, as in `load_problem`.
    folder : path, optional
        Where run files are written; those that are there and whole are not made again, and those cut short are gone on
        with.  By default none are written.
    force : bool
        Replace run files that are there.
    progress : callable, optional
        Told of every flow and what is done with it, "run", "resume" or "keep", before it is.

    Returns
    -------
    Comparison
        ``entries``, ``find(label)``, ``levels``, ``as_dict()`` and ``as_csv()``.

    Raises
    ------
    ProblemError, ValueError
        Faults of the file, of a flow or of what is asked for: one line that names it.
    RunFileError
        A run file in the folder is of something else, or damaged.
    """
    asked = Asked(
        problem=problem, flows=flows, until=until, accuracy=accuracy, cells=cells, set=set, folder=folder, force=force,
        progress=progress,
    )  # fmt: skip
    return measured(asked, rates_of)


def rates_of(run: Run) -> dict[str, float]:
    """Guaranteed and sharp rate of a run; no number where there is none."""
    try:
        evidence = Evidence("", run)
    except EvidenceError:
        return {}
    with np.errstate(all="ignore"):
        try:
            sharp = evidence.sharp_rate
        except SpectrumError:
            sharp = NONE
        return {"guaranteed": _guaranteed(evidence), "sharp": sharp}


def _guaranteed(evidence: Evidence) -> float:
    name, tau, gamma = evidence.judged_as.name, evidence.temperature, evidence.discount
    if name == "fisher-rao":
        return tau
    if name == "mirror":
        step = float(evidence.judged_as.parameters["step"])
        return -math.log(gamma + (1.0 - gamma) / (1.0 + tau * step)) / step
    rows = np.flatnonzero(evidence.judged)
    if not evidence.transports or not rows.size:
        return NONE
    return float(max(evidence.guaranteed_rate[rows[-1]], evidence.certified_rho.rate[rows[-1]]))
