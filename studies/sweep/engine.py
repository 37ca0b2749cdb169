"""Tasks through an executor: submitted, waited for, and tried again where a point is elsewhere or a worker was lost."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import current_process, get_context
from typing import Any, Protocol

from wpoflow.core.text import one_line
from wpoflow.studies.sweep import worker
from wpoflow.studies.sweep.task import ELSEWHERE, INTERRUPTED, Outcome, Task, carry_out, failure, warm

AGAIN = 0.5  # seconds until a point that is elsewhere is looked at again
LOOK = 0.2  # seconds; futures that are not of the standard library are asked so often
LOSSES = 2  # of a worker by the same point, after which it is not tried any more
GUARD = (
    "the worker processes ended before they began; a script that starts several of them must do so "
    'under if __name__ == "__main__":'
)
NO_FILE = (
    "worker processes read the script that starts them again, and {} is no file, as where a script comes from standard "
    "input; save it as one, or do with jobs=1"
)
LOST = "the worker processes are lost, time and again, before they begin a point"
Tell = Callable[[Task, Outcome], None]


class SweepError(RuntimeError):
    """The processes of a sweep cannot be had."""


class Executor(Protocol):
    """What tasks are submitted to: `concurrent.futures.Executor`, and whatever has its method."""

    def submit(self, fn: Callable[..., Any], /, *arguments: Any) -> Any:
        """A future of the call."""


def in_this_process(tasks: Iterable[Task], tell: Tell) -> None:
    """One after the other; raises KeyboardInterrupt where a run was interrupted."""
    waiting = list(tasks)
    with worker.listening():
        while waiting:
            elsewhere = []
            for task in waiting:
                found = carry_out(task)
                if found.status == ELSEWHERE:
                    elsewhere.append(task)
                elif found.status != INTERRUPTED:
                    tell(task, found)
                if found.status == INTERRUPTED or worker.asked():
                    raise KeyboardInterrupt
            waiting = elsewhere
            if waiting:
                time.sleep(AGAIN)


def through(executor: Executor, tasks: Sequence[Task], tell: Tell) -> None:
    """All tasks through an executor, which stays open; raises KeyboardInterrupt as by Ctrl-C.

    Raises
    ------
    BrokenExecutor
        The executor cannot go on.
    """
    _warm(executor, tasks)
    waiting = list(tasks)
    while waiting:
        elsewhere: list[Task] = []
        running = {executor.submit(carry_out, task): task for task in waiting}
        try:
            while running:
                for future in _done(running):
                    task = running.pop(future)
                    found = _outcome(future, task)
                    if found.status == INTERRUPTED:
                        raise KeyboardInterrupt
                    if found.status == ELSEWHERE:
                        elsewhere.append(task)
                    else:
                        tell(task, found)
        except BaseException:
            for future in running:
                future.cancel()
            raise
        waiting = elsewhere
        if waiting:
            time.sleep(AGAIN)


def _warm(executor: Executor, tasks: Sequence[Task]) -> None:
    """One small run of each kind, alone, so that workers find the kernels in the cache."""
    if len(tasks) < 2:
        return
    flows = [task.stated.flow for task in tasks]
    kinds: dict[Any, Task] = {}
    for task, flow in zip(tasks, flows, strict=True):
        kinds.setdefault((task.label, flow.kind, flow.scheme), task)
    for task in kinds.values():
        executor.submit(warm, task).result()


def _done(running: dict[Any, Task]) -> list[Any]:
    """Some that are done; waits for the first."""
    if all(isinstance(future, Future) for future in running):
        while not (done := wait(running, LOOK, FIRST_COMPLETED).done):  # in short spells, in which signals are heard
            pass
        return list(done)
    while not (found := [future for future in running if not hasattr(future, "done") or future.done()]):
        time.sleep(LOOK)
    return found


def _outcome(future: Any, task: Task) -> Outcome:
    try:
        found: Outcome = future.result()
    except BrokenExecutor:
        raise
    except Exception as error:
        return failure(task, f"the executor lost it: {type(error).__name__}: {one_line(error, 200)}", environment=True)
    return found


def threads_each(jobs: int) -> int:
    """Threads of each of several workers, of those that are there or were asked for."""
    asked = os.environ.get("NUMBA_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, (int(asked) if asked.isdecimal() else cores) // jobs)


def with_processes(jobs: int, tasks: Sequence[Task], tell: Tell) -> None:
    """All tasks in so many spawned processes, to which the threads are divided.

    Where one is lost, as by want of memory, all are started anew.  What had been begun is then gone on with, each point
    alone, so that it is known which one takes its process with it: twice, and it has failed.

    Raises
    ------
    SweepError
        No process can begin.
    """
    _refuse_what_cannot_begin()
    waiting = {task.name: task for task in tasks}
    losses: Counter[str] = Counter()
    begun, stop = get_context("spawn").Event(), get_context("spawn").Event()

    def told(task: Task, found: Outcome) -> None:
        del waiting[task.name]
        tell(task, found)

    while waiting:
        alone = [task for task in waiting.values() if losses[task.name]]
        batch = alone[:1] or list(waiting.values())
        before = len(waiting)
        try:
            with _pool(min(jobs, len(batch)), begun, stop) as executor:
                through(executor, batch, told)
        except BrokenExecutor as error:
            suspects = alone[:1] or [task for task in waiting.values() if task.begun]
            losses[""] += not suspects and len(waiting) == before
            if not begun.is_set() or losses[""] > LOSSES:
                raise SweepError(LOST if begun.is_set() else GUARD) from error
            for task in suspects:
                losses[task.name] += 1
                if losses[task.name] >= LOSSES:
                    told(task, failure(task, "its process was lost twice, as for want of memory", environment=True))


def _refuse_what_cannot_begin() -> None:
    if getattr(current_process(), "_inheriting", False):  # one of ours, running the script that started it
        raise SweepError(GUARD)
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is not None and not os.path.exists(script):
        raise SweepError(NO_FILE.format(script))


@contextmanager
def several_processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """So many spawned processes, to which the threads are divided; whatever leaves the context early ends them at once.

    Raises
    ------
    SweepError
        In one of the processes itself, or where the script that they would read is no file.
    """
    _refuse_what_cannot_begin()
    context = get_context("spawn")
    there, here = context.Pipe(duplex=False)
    executor = _Processes(jobs, context, worker.begin_with, (threads_each(jobs), there))
    try:
        yield executor
        executor.shutdown()
    finally:
        here.close()
        executor.shutdown(cancel_futures=True)
        there.close()


class _Processes(ProcessPoolExecutor):
    """Starts them when something is submitted."""

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """See `concurrent.futures.Executor.submit`."""
        with worker.unheard():
            return super().submit(fn, *arguments, **named)


@contextmanager
def _pool(jobs: int, begun: Any, stop: Any) -> Iterator[ProcessPoolExecutor]:
    executor = _Processes(jobs, get_context("spawn"), worker.begin, (threads_each(jobs), begun, stop))
    try:
        yield executor
        executor.shutdown()
    except BrokenExecutor:
        executor.shutdown()
        raise
    except BaseException:  # asked to stop: each run after its step, with a checkpoint
        stop.set()
        executor.shutdown(cancel_futures=True)
        raise
