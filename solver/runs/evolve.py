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

import math
import os
import time as clock
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.wasserstein import DescentStep
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.provenance import package_versions, source_hash
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.solver.records.schedule import Series, SnapshotTimes, first_time, landings, series_times, snapshot_times
from wpoflow.solver.records.settings import RunSettings
from wpoflow.solver.records.stop import StopCriteria, StopKind
from wpoflow.solver.runs.checkpoint_files import CheckpointFolder, RunStart, State, identity
from wpoflow.solver.runs.checkpointing import Checkpoints
from wpoflow.solver.runs.compile_timer import CompileTimer
from wpoflow.solver.runs.loop import Progress as Progress
from wpoflow.solver.runs.loop import RunLoop
from wpoflow.solver.runs.recorder import Recorder
from wpoflow.solver.runs.signals import StopSignals
from wpoflow.solver.schemes.choice import AUTOMATIC, DEFAULT_ACCURACY, chosen_scheme
from wpoflow.solver.schemes.integrator import OF_FLOW
from wpoflow.solver.schemes.integrator import flow as iterate_flow
from wpoflow.solver.schemes.scheme import part_of
from wpoflow.solver.storage.output_lock import OutputLock
from wpoflow.solver.storage.output_path import check_output
from wpoflow.solver.storage.problem_arrays import problem_digest
from wpoflow.solver.storage.room import check_disk_space, needed_bytes

FAILURES = (StopKind.NOT_FINITE, StopKind.STAGNATED, StopKind.STEP_VANISHED, StopKind.MASS)


def evolve(
    mdp: GridMDP,
    *,
    until: float | Mapping[str, float],
    step: float | None = None,
    accuracy: float | None = None,
    scheme: str = AUTOMATIC,
    flow: str | DescentStep = "wasserstein",
    series: Series | None = None,
    snapshots: SnapshotTimes = None,
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
    optimum: Optimum | None = None,
    solver: str | None = None,
    checkpoint: float | None = None,
    origin: Mapping[str, str] | None = None,
) -> Run:
    """Run the flow and return what was recorded.

    Parameters
    ----------
    mdp : GridMDP
    until : float or mapping
        Flow time at which to stop, or a mapping with any of the keys ``time`` (flow time), ``gap``
        (suboptimality averaged over rho), ``steps`` and ``wall`` (seconds); the first met stops.
    step, accuracy, scheme, flow
        As for `solver.schemes.integrator.flow`.  A fixed step is kept: it is cut only to meet times that ``series`` or
        ``snapshots`` list or space equally, and the end time.
    series : mapping, optional
        Times of the rows: ``{"first": t, "per_decade": n}`` (the default, 1e-3 and 20),
        ``{"every": dt}`` or ``{"times": [...]}``; the start and the stop are rows as well.  With a fixed
        step a geometric row is that of the first step at or after its time.
    snapshots : int, list of times or {"times": [...]}, optional
        Times at which value and policy are kept, 10 by default; the stop is one as well.  A number of
        them is geometric in time.
    output : path, optional
        Write a run file; snapshots then stay in the file and are read from it when asked for.
    force : bool
        Replace an existing file.
    progress : callable, optional
        Called with a `Progress` after every step.
    optimum : Optimum, optional
        As returned by `solve_optimum`; computed if not given.
    solver : str, optional
        Linear solver of the Bellman equations.
    checkpoint : float, optional
        Seconds between checkpoints of a run that writes a file; by default the first within ten, then as often as takes
        a fiftieth of the time; ``math.inf`` keeps none.
    origin : mapping of str, optional
        Kept with the checkpoints for whoever resumes, as the name of the problem file.

    Returns
    -------
    Run
        Its ``status`` is "failed" where a number stopped being finite, a Bellman equation could not be
        solved (after five attempts with shorter steps) or the step size vanished; ``stop_reason`` says
        so in a sentence.  It is "interrupted" after Ctrl-C or SIGTERM, which let the present step be finished.

    Raises
    ------
    ValueError
        Unusable arguments, among them a gap below the rounding floor of this problem.
    FileExistsError
        The output exists and ``force`` is off, or another run is writing it.
    OSError
        The disk is full, or the output cannot be written.
    BellmanError
        The optimum could not be computed.
    """
    criteria = StopCriteria.of(until)
    if checkpoint is not None and not checkpoint >= 0.0:
        raise ValueError(f"checkpoint = {checkpoint} must be a number of seconds, not negative")
    scheme = chosen_scheme(mdp, scheme, step, flow, accuracy)
    settings = RunSettings(
        until=until if isinstance(until, Mapping) else {"time": until},
        step=step,
        accuracy=(DEFAULT_ACCURACY[scheme] if accuracy is None else accuracy) if step is None else accuracy,
        scheme=scheme,
        flow=flow if isinstance(flow, str) else type(flow).__name__,
        solver=linear_solver_of(mdp) if solver is None else solver,
        series=series,
        snapshots=snapshots,
    )
    landings(series, snapshots, criteria.time, fixed_step=step is not None)  # refuses what cannot be recorded
    start = RunStart(
        run_id=uuid.uuid4().hex,
        settings=settings,
        problem=mdp.statement,
        digest="" if output is None or mdp.statement else problem_digest(mdp),
        origin=origin or {},
        replaces=identity(output) if force and output is not None else "",
        source_hash=source_hash(),
        packages=package_versions(),
    )
    with ExitStack() as stack:
        folder = None
        if output is not None:
            stack.enter_context(OutputLock(output))
            check_output(output, force)
            folder = CheckpointFolder(output)
            folder.remove()
            if checkpoint is None or checkpoint < math.inf:
                folder.begin(start, optimum)
        return carry_out(mdp, start, flow, output, progress, optimum, folder, checkpoint)


def carry_out(
    mdp: GridMDP,
    start: RunStart,
    flow: str | DescentStep,
    output: str | os.PathLike[str] | None,
    progress: Callable[[Progress], None] | None,
    optimum: Optimum | None,
    folder: CheckpointFolder | None,
    interval: float | None,
    notice: Callable[[str], None] | None = None,
) -> Run:
    """A run from its start or, where ``notice`` is given, on from its last checkpoint if there is one; see `evolve`.

    A checkpoint that is damaged is passed over for the one before, of which ``notice`` is told.
    """
    goes_on = notice is not None
    settings, criteria = start.settings, start.settings.criteria
    started = clock.monotonic()
    with ExitStack() as stack:
        compiling = stack.enter_context(CompileTimer())
        signals = stack.enter_context(StopSignals())
        last = None if folder is None or notice is None else _taken_up(folder, mdp, settings.scheme, notice)
        number, memory, rows = (0, None, []) if last is None else (last.number, last.memory, last.rows)
        spent = {name: (memory or {}).get(name, 0) for name in ("wall_seconds", "compile_seconds", "resumed")}
        if folder is not None:
            stack.callback(_remove_unless_begun, folder)
        if output is not None:
            check_disk_space(output, _bytes_left(mdp, settings, folder if interval != math.inf else None))
        resumed = int(spent["resumed"]) + int(goes_on)
        whose: dict[str, str | int | float] = {"run_id": start.run_id, "resumed": resumed}
        recorder = stack.enter_context(Recorder(mdp, output, force=True, attributes=whose))
        if goes_on and folder is not None:
            optimum = folder.optimum(mdp)
        if optimum is None:
            optimum = solve_optimum(mdp, linear_solver=settings.solver)
        if criteria.gap is not None and criteria.gap < optimum.gap_floor:
            recorder.discard()
            raise ValueError(
                f"until: gap = {criteria.gap:.3g} lies below this problem's rounding floor {optimum.gap_floor:.3g}"
            )
        recorder.optimum(optimum)
        kept = int((memory or {}).get("snapshots", 0))
        for row in rows:
            recorder.row(row)
        for index in range(kept):
            assert folder is not None
            recorder.snapshot(*folder.snapshot(index, mdp))

        def spending() -> dict[str, float]:
            return {
                "wall_seconds": clock.monotonic() - started + spent["wall_seconds"],
                "compile_seconds": compiling.seconds + spent["compile_seconds"],
                "resumed": resumed,
            }

        checkpoints = None
        if folder is not None and interval != math.inf:
            checkpoints = Checkpoints(folder, recorder, interval, spending, number, kept)
        loop = RunLoop(mdp, optimum, criteria, recorder, started, signals, progress, checkpoints, memory)
        states = iterate_flow(
            mdp,
            step=settings.step,
            accuracy=settings.accuracy,
            scheme=settings.scheme,
            flow=flow,
            landings=landings(settings.series, settings.snapshots, criteria.time, fixed_step=settings.step is not None),
            solver=settings.solver,
            weights=optimum.occupancy + mdp.rho,
            watch=loop.watch,
            memory=None if memory is None else part_of(memory, OF_FLOW),
        )
        last = memory = None  # its arrays are many, and have been taken up
        kind, sentence = loop.run(
            states,
            series_times(settings.series),
            snapshot_times(settings.snapshots, first_time(settings.series), criteria.time),
        )
        status = "failed" if kind in FAILURES else "interrupted" if kind is StopKind.INTERRUPTED else "complete"
        run = recorder.close(
            status,
            sentence,
            {
                "stop_kind": kind.value,
                "reached_goal": int(kind in (StopKind.TIME, StopKind.GAP) or not criteria.has_goal),
                **spending(),
                **loop.counters(),
                **settings.attributes(),
            },
        )
        if folder is not None and status == "complete" and kind is not StopKind.WALL:
            folder.remove()
        return run


def _taken_up(folder: CheckpointFolder, mdp: GridMDP, scheme: str, notice: Callable[[str], None]) -> State | None:
    """The newest state that is whole, with all it refers to; found before anything is written."""
    state = folder.newest(mdp, scheme)
    if state is not None:
        folder.check_kept(state, mdp)
        if state.passed_over:
            notice(f"{state.passed_over}; going on from the checkpoint before it")
    return state


def _bytes_left(mdp: GridMDP, settings: RunSettings, folder: CheckpointFolder | None) -> int:
    """Most bytes a run may still write, given what it has kept."""
    times = snapshot_times(settings.snapshots, first_time(settings.series), settings.criteria.time)
    most = needed_bytes(mdp.initial_policy.size, len(times) + 1, folder is not None)
    return most - (0 if folder is None else folder.bytes_kept())


def _remove_unless_begun(folder: CheckpointFolder) -> None:
    """Leave no checkpoints of a run that ended before it had one: beginning anew is as good."""
    if not folder.states():
        folder.remove()
