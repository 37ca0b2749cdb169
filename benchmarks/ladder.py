"""Work against error: every method at a ladder of tolerances, timed in interleaved rounds, compared at equal error.

One round runs every rung of every method once, so that a slow minute of the machine falls on all of them; the time of
a rung is the median over the rounds of the CPU seconds of the whole process, threads included.  The error of a rung is
that of its first run.  ``time_at(e)`` is the cost at error e:

    ln T(e)  interpolated linearly in ln e between neighbours of the Pareto front (no other rung as cheap and as exact);

an error larger than that of the cheapest rung costs what that rung costs, one below the best rung cannot be had.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Method:
    """A way to solve a problem.

    Attributes
    ----------
    name : str
    run : callable
        Solves the problem at a tolerance (or number of steps) and returns what ``error`` is taken of.
    rungs : sequence of float
        The ladder, from loose to tight.
    ours : bool
    note : str
        What must be known to read its row.
    warm_up : float, optional
        Rung that is run once, untimed, so that everything is compiled; the first by default.
    """

    name: str
    run: Callable[[float], Any]
    rungs: Sequence[float]
    ours: bool = False
    note: str = ""
    warm_up: float | None = None


@dataclass(eq=False)
class Rung:
    """One tolerance of one method: its error, and CPU seconds of every round."""

    tolerance: float
    error: float = math.nan
    details: dict[str, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median CPU seconds."""
        return float(np.median(self.seconds))


@dataclass(eq=False)
class Ladder:
    """What was measured of one method."""

    method: Method
    rungs: list[Rung]
    compile_seconds: float = math.nan
    failure: str = ""

    def front(self) -> list[tuple[float, float]]:
        """(error, seconds) of the rungs no other of which is as cheap and more exact, errors falling."""
        best: list[tuple[float, float]] = []
        for error, seconds in sorted((r.error, r.median) for r in self.rungs if r.seconds and r.error > 0.0):
            if not best or seconds < best[-1][1]:
                best.append((error, seconds))
        return best[::-1]

    def time_at(self, error: float) -> float:
        """CPU seconds at this error by log-log interpolation; infinite if no rung is as exact."""
        front = self.front()
        if not front or front[-1][0] > error:
            return math.inf
        if front[0][0] <= error:
            return front[0][1]
        after = next(k for k, (e, _) in enumerate(front) if e <= error)
        (e0, t0), (e1, t1) = front[after - 1], front[after]
        share = math.log(e0 / error) / math.log(e0 / e1)
        return t0 * math.exp(share * math.log(t1 / t0))

    def least_time(self, error: float) -> float:
        """Least CPU seconds among the rungs with at most this error; infinite if there is none."""
        return min((r.median for r in self.rungs if r.seconds and r.error <= error), default=math.inf)


def measure(
    methods: Sequence[Method],
    error: Callable[[Any], float | dict[str, float]],
    repeat: int,
    say: Callable[[str], None] = print,
) -> list[Ladder]:
    """Run all methods in ``repeat`` interleaved rounds.

    Parameters
    ----------
    error : callable
        Error of what a run returned, or a mapping whose entry ``error`` it is.
    repeat : int
        Rounds.

    Returns
    -------
    list of Ladder
        A method that raises keeps what it had measured and the line of its failure.
    """
    ladders = [Ladder(method, [Rung(tolerance) for tolerance in method.rungs]) for method in methods]
    for ladder in ladders:
        started = time.process_time()
        warm_up = ladder.method.rungs[0] if ladder.method.warm_up is None else ladder.method.warm_up
        _guarded(ladder, warm_up)
        ladder.compile_seconds = time.process_time() - started
    for round_number in range(repeat):
        started = time.perf_counter()
        for ladder in ladders:
            for rung in ladder.rungs:
                if ladder.failure:
                    break
                begun = time.process_time()
                result = _guarded(ladder, rung.tolerance)
                taken = time.process_time() - begun
                if result is None:
                    break
                rung.seconds.append(taken)
                if math.isnan(rung.error):
                    found = error(result)
                    rung.details = found if isinstance(found, dict) else {}
                    rung.error = found["error"] if isinstance(found, dict) else found
        say(f"round {round_number + 1} of {repeat}: {time.perf_counter() - started:.0f} s")
    return ladders


def _guarded(ladder: Ladder, tolerance: float) -> Any:
    """The result of a run; None, with the failure noted, if it raised or returned none."""
    try:
        result = ladder.method.run(tolerance)
    except Exception as failure:  # whatever a peer raises is its result, shown in the table
        ladder.failure = f"at {tolerance:g}: {type(failure).__name__}: {failure}".splitlines()[0][:200]
        return None
    if result is None:
        ladder.failure = f"at {tolerance:g}: no result"
    return result
