"""A run: the flow from its start to a stop criterion, observed, recorded, and told why it stopped.

Stop criteria are flow time, gap, number of steps and wall-clock seconds; the first one met stops the
run, and a run without any is refused.  With error control the snapshots, the rows of the series and the end
time are landed on exactly; a fixed step is cut only for times that were listed or are equally
spaced and for the end, and geometric rows and snapshots are taken at the first step at or after
their time.

A run that writes a file keeps checkpoints beside it (`solver.runs.checkpointing`); `solver.runs.resume` goes on from
the last one, and what it leaves is, number for number, what the uninterrupted run would have left.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from wpoflow.core.arguments import check_kind
from wpoflow.core.display import shown_progress
from wpoflow.core.renamed import renamed
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.bellman.optimum import refuse_other_optimum
from wpoflow.solver.flows.flow import AnyFlow, as_flow, name_of, parameters_of
from wpoflow.solver.mdp import GridMDP, check_problem
from wpoflow.solver.records.layout import check_axis_names
from wpoflow.solver.records.provenance import package_versions, source_hash
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.solver.records.settings import Series, Settings, SnapshotTimes, Until
from wpoflow.solver.registry import AUTOMATIC, own_step_flows
from wpoflow.solver.runs.beginning import Beginning, Initial, beginning_of, refuse_own_beginning
from wpoflow.solver.runs.conduct import conduct, refuse_too_cold
from wpoflow.solver.runs.loop import Progress as Progress
from wpoflow.solver.schemes.choice import chosen_scheme
from wpoflow.solver.storage.atomic import OutputLock, check_output
from wpoflow.solver.storage.checkpoints import AnyFolder, CheckpointFolder, RunStart, SendingFolder, identity
from wpoflow.solver.storage.problem_arrays import problem_digest


@renamed(solver="linear_solver")
def evolve(
    mdp: GridMDP,
    *,
    until: Until,
    step: float | None = None,
    accuracy: float | None = None,
    scheme: str = AUTOMATIC,
    flow: AnyFlow = "wasserstein",
    series: Series | None = None,
    snapshots: SnapshotTimes = None,
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Callable[[Progress], None] | bool | None = None,
    optimum: Optimum | None = None,
    linear_solver: str | None = None,
    checkpoint: float | None = None,
    origin: Mapping[str, str] | None = None,
    initial: Initial | None = None,
    anneal: Mapping[str, Any] | None = None,
) -> Run:
    """Run the flow and return what was recorded.

    Parameters
    ----------
    mdp : GridMDP
    until : float or mapping
        Flow time at which to stop, or a mapping with any of the keys ``time`` (flow time), ``gap``
        (suboptimality averaged over rho), ``steps`` and ``wall`` (seconds); the first met stops.
    step, accuracy, scheme, flow
        As for `solver.schemes.trajectory.flow`.  A fixed step is kept: it is cut only to meet times that ``series`` or
        ``snapshots`` list or space equally, and the end time.
    series : mapping, optional
        Times of the rows: ``{"first": t, "per_decade": n}`` (the default, 1e-3 and 20),
        ``{"every": dt}`` or ``{"times": [...]}``; the start and the stop are rows as well.  With a fixed
        step a geometric row is that of the first step at or after its time.
    snapshots : int, list of times or {"times": [...]}, optional
        Times at which value and policy are kept, 30 by default; the stop is one as well.  A number of
        them is geometric in time.
    output : path, optional
        Write a run file; snapshots then stay in the file and are read from it when asked for.
    force : bool
        Replace an existing file, and checkpoints of an earlier run; these stay until this one has some of its own.
    progress : bool or callable, optional
        Whether progress is shown on standard output: a live line on a terminal, a few plain lines elsewhere.  By
        default it is in notebooks and on terminals, and not in pipes, other threads and other processes.  A callable is
        called with a `Progress` after every step instead.
    optimum : Optimum, optional
        As returned by `solve_optimum`; computed if not given.
    linear_solver : {"dense", "sparse", "krylov"}, optional
        Of the Bellman equations; by default the cheapest for the sizes.
    checkpoint : float, optional
        Seconds between checkpoints of a run that writes a file; by default the first within ten, then as often as takes
        a fiftieth of the time; ``math.inf`` keeps none.
    origin : mapping of str, optional
        Kept with the checkpoints for whoever resumes, as the name of the problem file.
    initial : Run, path of a run file, or array (S, A), optional
        Begin from the last policy of another run, or from these cell probabilities, instead of ``mdp.initial_policy``.
        A policy on other grids of the same boxes is carried over (see `grids.transfer`); a flow of Gaussians or
        particles takes up those of a run that has as many.  The run file says which.
    anneal : mapping, optional
        ``{"schedule": "harmonic", "rate": r}``: the temperature falls from that of the problem, as tau0/(1 + r t); with
        "exponential" as tau0 e^{-rt}, with "logarithmic" as tau0/ln(e + rt).  Values and gaps are then at the
        temperature of the moment, and the rows tell the cost without entropy, ``cost_rho``, and what it lies above the
        least one, ``cost_gap``.  For the flows wasserstein, fisher-rao, wasserstein-fisher-rao and gaussian.

    Returns
    -------
    Run
        Its ``status`` is "failed" where a number stopped being finite, a Bellman equation could not be
        solved (after five attempts with shorter steps) or the step size vanished; ``stop_reason`` says
        so in a sentence, and ``reached_goal`` whether what was asked for was reached.  It is "interrupted"
        after Ctrl-C or SIGTERM, which let the present step be finished.

    Raises
    ------
    ValueError
        Unusable arguments, among them a gap below the rounding floor of this problem, an optimum of another one, and a
        run to begin from whose axes are others.
    RunFileError
        The run to begin from cannot be read.
    FileExistsError
        The output exists and ``force`` is off, or another run is writing it.
    OSError
        The disk is full, or the output cannot be written.
    BellmanError
        The optimum could not be computed.
    """
    check_problem(mdp)
    if output is not None:
        check_kind("output", output, (str, os.PathLike), "the name of a file")
    asked = Settings.of(
        until=until,
        flow=name_of(flow),
        parameters=parameters_of(flow),
        scheme=scheme,
        step=step,
        accuracy=accuracy,
        series=series,
        snapshots=snapshots,
        linear_solver=linear_solver,
        checkpoint=checkpoint,
        anneal=anneal,
    )
    if output is not None and isinstance(initial, str | os.PathLike) and mdp.slab.root:
        refuse_own_beginning(output, initial)
    beginning = None if initial is None else beginning_of(mdp, initial, as_flow(mdp, flow, asked.flow.parameters))
    with shown_progress(progress, asked.flow.until.criteria) as show:
        return run_settings(
            mdp,
            asked,
            flow=flow,
            output=output,
            force=force,
            progress=show,
            optimum=optimum,
            origin=origin,
            beginning=beginning,
        )


def run_settings(
    mdp: GridMDP,
    asked: Settings,
    *,
    flow: AnyFlow | None = None,
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
    optimum: Optimum | None = None,
    origin: Mapping[str, str] | None = None,
    beginning: Beginning | None = None,
) -> Run:
    """`evolve` with its settings in one record; ``flow`` where it is an object."""
    flow, slab = asked.flow.kind if flow is None else flow, mdp.slab
    if slab.ranks > 1:
        _refuse_of_several(mdp, output)
    settings = _resolved(mdp, asked, flow)
    start = RunStart(
        run_id=slab.decided(uuid.uuid4().hex),
        settings=settings,
        problem=mdp.statement,
        digest="" if output is None or mdp.statement else problem_digest(mdp),
        origin=origin or {},
        replaces=identity(output) if force and output is not None and slab.root else "",
        source_hash=source_hash(),
        packages=package_versions(),
        initial={} if beginning is None else beginning.attributes,
    )
    initial = None if beginning is None else beginning.arrays
    if optimum is not None:
        refuse_other_optimum(mdp, optimum)
    with ExitStack() as stack:
        folder: AnyFolder | None = None
        if output is not None and slab.root:
            stack.enter_context(OutputLock(output))
            check_output(output, force)
            check_axis_names([axis.name for axis in (*mdp.states.axes, *mdp.actions.axes)])
        if output is not None:
            folder = CheckpointFolder(output, slab.ranks > 1) if slab.root else SendingFolder()
        return conduct(
            mdp, start, flow, output=output, progress=progress, optimum=optimum, folder=folder, initial=initial
        )


def _refuse_of_several(mdp: GridMDP, output: str | os.PathLike[str] | None) -> None:
    """Raise ValueError for what one process alone can do."""
    if output is None:
        raise ValueError("output: a run of several processes is kept in a file; name one")
    if mdp.slab.total(int(not mdp.statement)):
        raise ValueError("mdp: several processes share a problem that is stated in a file; this one has no text")


def _resolved(mdp: GridMDP, asked: Settings, flow: AnyFlow) -> Settings:
    """The settings with the scheme and the linear solver that are used; ValueError if the scheme does not apply."""
    table = asked.flow
    scheme = chosen_scheme(mdp, table.scheme, table.step, flow, table.accuracy, table.anneal is not None)
    refuse_too_cold(mdp.temperature, table)
    if not asked.own_flow and table.kind in own_step_flows():
        scheme = AUTOMATIC  # it has none to be named
    return asked.model_copy(
        update={
            "flow": table.model_copy(update={"scheme": scheme}),
            "linear_solver": asked.linear_solver or linear_solver_of(mdp),
        }
    )


def evolve_to_the_end(mdp: GridMDP, **how: Any) -> Run:
    """`evolve` for studies of many runs, of which none is to be taken for whole that was cut short.

    Raises
    ------
    KeyboardInterrupt
        A signal asked for the run to stop.
    """
    run = evolve(mdp, **how)
    if run.status == "interrupted":
        raise KeyboardInterrupt
    return run
