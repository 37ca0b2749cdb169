"""Sweeps, with what theory says of each point: rates, constants, and how many claims hold.

rates        guaranteed rate of the gap and the sharp one, as `validation.comparison` has them
constants    lower bound of the log-Sobolev constant alpha, least spectral gap, |d*/rho|_sup, largest and last kappa
verdicts     number of claims that hold, fail, are empty and are not certified, judged on the run file alone
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wpoflow.core.text import did_you_mean
from wpoflow.solver.records.run import Run
from wpoflow.solver.records.settings import Until
from wpoflow.studies.sweep.engine import Executor
from wpoflow.studies.sweep.result import Study
from wpoflow.studies.sweep.study import Progress, Sweep, swept
from wpoflow.studies.sweep.values import StudyError
from wpoflow.validation.comparison import rates_of
from wpoflow.validation.constants.spectral_gap import SpectrumError
from wpoflow.validation.evidence import Evidence, EvidenceError

MEASURES = {name: f"wpoflow.validation.sweep:{name}" for name in ("rates", "constants", "verdicts")}
"""What may be measured of each point, and where."""
NONE = float("nan")


def sweep(
    problem: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    over: Mapping[str, Any] | None = None,
    *,
    together: Sequence[Mapping[str, Any]] = (),
    set: Mapping[str, Any] | None = None,
    cells: Mapping[str, int] | None = None,
    until: Until | None = None,
    flow: str | None = None,
    scheme: str | None = None,
    step: float | None = None,
    accuracy: float | None = None,
    folder: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    jobs: int = 1,
    shard: str | tuple[int, int] | None = None,
    measures: Sequence[str] = (),
    checkpoint: float | None = None,
    retry: bool = False,
    progress: Progress | None = None,
) -> Study:
    """Run a problem over all combinations of values of some keys, and gather the runs in one labelled result.

    A run file each, and ``study.nc``, are written to the folder.  Points that are there and whole are not run again,
    those cut short are gone on with, and those that fail are kept with their sentence while the others go on.

    Parameters
    ----------
    problem : str, path, or sequence of them
        Gallery names or problem files; or one study file.  Several problems are a dimension of their own.
    over : mapping
        Keys of a problem file, or ``cells.AXIS``, ``flow``, ``scheme``, ``step``, ``accuracy``, ``until``,
        ``until.KEY``, ``linear_solver``, each with a list of values or a range
        ``{"from": a, "to": b, "count": n, "spacing": "log"}``.
    together : sequence of mappings, optional
        Groups of keys that go together, first value with first; each is one dimension.
    set, cells, until, flow, scheme, step, accuracy
        The same for all points, as for `load_problem` and `evolve`.
    folder : path, optional
        Where to write; ``NAME-sweep`` by default.
    executor : concurrent.futures.Executor, optional
        Carries the points out; anything with its method ``submit``.
    jobs : int
        Without an executor: number of processes, to which the threads are divided; 1 is this process.
    shard : "i/n", optional
        Only every n-th point, from the i-th on, as in a job array; the part that ends last makes the result.
    measures : sequence of str
        Of ``rates``, ``constants`` and ``verdicts``, what is measured of each run besides its own rows.
    checkpoint : float, optional
        Seconds between checkpoints of a run, as for `evolve`.
    retry : bool
        Run points again that failed.
    progress : callable, optional
        Told of each point that is done: what came of it, and its values.

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        What cannot be swept, or no point can be read; one line that names the key.
    FileExistsError, OSError
        The folder cannot be written to.
    KeyboardInterrupt
        A signal asked to stop; the same call goes on.
    """
    return swept(
        Sweep(
            problem=problem,
            over=over,
            together=together,
            set=set,
            cells=cells,
            settings={"until": until, "flow": flow, "scheme": scheme, "step": step, "accuracy": accuracy},
            folder=folder,
            executor=executor,
            jobs=jobs,
            shard=shard,
            measures=chosen_measures(measures),
            checkpoint=checkpoint,
            retry=retry,
            progress=progress,
        )
    )


def chosen_measures(names: Sequence[str]) -> dict[str, str]:
    """Where they are defined; raises StudyError for one that there is not."""
    for name in [names] if isinstance(names, str) else names:
        if name not in MEASURES:
            raise StudyError(f"measures: {name!r} is none; choose {', '.join(MEASURES)}{did_you_mean(name, MEASURES)}")
    return {name: MEASURES[name] for name in MEASURES if name in names}


def rates(run: Run) -> dict[str, float]:
    """Guaranteed and sharp rate."""
    found = rates_of(run)
    return {f"rate_{name}": float(found.get(name, NONE)) for name in ("guaranteed", "sharp")}


def constants(run: Run) -> dict[str, float]:
    """Those that the rates are made of; no number where one cannot be had."""
    kappa = run.series["occupancy_ratio"]
    found = {"kappa_largest": float(np.max(kappa)), "kappa_last": float(kappa[-1])}
    names = ("alpha", "spectral_gap", "density_ratio")
    try:
        evidence = Evidence("", run)
    except EvidenceError:
        return {**found, **dict.fromkeys(names, NONE)}
    with np.errstate(all="ignore"):
        try:
            least = float(evidence.spectral_gaps[evidence.reached].min())
        except SpectrumError:
            least = NONE
        return {
            **found,
            "alpha": float(evidence.alpha),
            "spectral_gap": least,
            "density_ratio": float(evidence.density_ratio),
        }


def verdicts(run: Run) -> dict[str, float]:
    """How many claims have which verdict."""
    from wpoflow.validation.suite import validate_run

    counts = Counter(str(found.verdict) for found in validate_run(run, run.title or "run").findings)
    return {f"claims_{name.replace(' ', '_')}": float(counts[name]) for name in VERDICTS}


VERDICTS = ("holds", "fails", "empty", "not certified")
