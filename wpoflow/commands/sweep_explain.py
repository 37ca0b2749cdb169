"""``wpoflow sweep --explain``: points, memory and time of a study, of which nothing is run."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta
from itertools import islice

from wpoflow.core.text import one_line
from wpoflow.estimate import seconds_per_step
from wpoflow.problems.load import read_statement
from wpoflow.problems.memory import Estimate, estimate
from wpoflow.problems.problem_file import ProblemFile
from wpoflow.solver.flows.flow import flow_class
from wpoflow.solver.registry import AUTOMATIC, DESCENT
from wpoflow.solver.schemes.choice import chosen_scheme
from wpoflow.solver.storage.atomic import RunFileError, checkpoint_folder
from wpoflow.solver.storage.writer import open_run
from wpoflow.studies.sweep.study import Asked
from wpoflow.studies.sweep.task import Task
from wpoflow.studies.sweep.values import label
from wpoflow.views.sweep_progress import values_text
from wpoflow.views.terminal import bytes_text, sizes_line, table

SHOWN = 8  # values of a key, and points with faults
USUAL_STEPS = 300  # of a run with steps of controlled size
LOOKED_AT = 20  # runs that are there, for the time they took


def explained(study: Asked, jobs: int) -> str:
    """All of it as text."""
    plan = study.plan
    sizes = " x ".join(f"{group.dim} {group.size}" for group in plan.groups)
    rows = [("title", one_line(study.title, 200)), ("points", f"{plan.size:,} = {sizes}")]
    for group in plan.groups:
        rows += [(key, _values(values)) for key, values in group.keys.items()]
    rows.append(("folder", f"{study.folder}: {_states(study.tasks)}"))
    faults = [point for point in study.points if point.fault]
    if faults:
        shown = [f"{values_text(point.values)}: {point.fault}" for point in faults[:SHOWN]]
        more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        rows.append(("cannot be run", "\n".join([f"{len(faults):,}", *shown, *more])))
    stated = {point.name: point.stated for point in study.points if point.stated is not None}
    expected = {name: estimate(read_statement(one), one.flow) for name, one in stated.items()}
    largest = max(expected.values(), key=lambda one: one.needed)
    rows += [
        ("largest", sizes_line(largest.plan.n_states, largest.plan.n_actions)),
        ("memory", _memory(largest, min(jobs, len(study.tasks)))),
        ("time", _time(study.tasks, stated, expected, jobs)),
    ]
    return table(rows)


def _values(values: object) -> str:
    entries = [str(label(value)) for value in values]  # type: ignore[attr-defined]
    shown = entries if len(entries) <= SHOWN else [*entries[: SHOWN - 1], "...", entries[-1]]
    return one_line(", ".join(shown), 200)


def _states(tasks: list[Task]) -> str:
    counts = Counter(map(_state, tasks))
    return ", ".join(f"{number:,} {state}" for state, number in sorted(counts.items()))


def _state(task: Task) -> str:
    """As seen from outside the files."""
    if checkpoint_folder(task.path).is_dir():
        return "cut short"
    if task.path.exists():
        return "there"
    return "failed before" if task.notes.path.exists() else "to be run"


def _memory(largest: Estimate, jobs: int) -> str:
    each, all_of_them = bytes_text(largest.needed), bytes_text(jobs * largest.needed)
    together = f", about {all_of_them} in {jobs} processes," if jobs > 1 else ""
    short = "; use fewer jobs" if jobs > 1 and jobs * largest.needed > largest.available else ""
    return f"about {each} a point at most{together} of {bytes_text(largest.available)} available{short}"


def _time(tasks: list[Task], stated: dict[str, ProblemFile], expected: dict[str, Estimate], jobs: int) -> str:
    """Seconds a step, and in all for what is left: by runs that are there, or by the usual number of steps."""
    steps = {name: seconds_per_step(expected[name], _scheme(stated[name])) for name in stated}
    a_step = f"about {min(steps.values()):.1g} to {max(steps.values()):.1g} s a step, within a factor of three"
    left = [task for task in tasks if _state(task) != "there"]
    known = [
        seconds for task in islice((t for t in tasks if _state(t) == "there"), LOOKED_AT) if (seconds := _took(task))
    ]
    if not left:
        return a_step
    if known:
        in_all = len(left) * sum(known) / len(known)
        by = f"by the {len(known)} runs looked at"
    else:
        in_all = sum(steps[task.name] * _number(stated[task.name]) for task in left)
        by = f"with {USUAL_STEPS} steps where their number is not fixed"
    alone = timedelta(seconds=math.ceil(in_all / jobs))
    return f"{a_step}; about {alone} for the {len(left):,} points left, {by}"


def _scheme(stated: ProblemFile) -> str:
    asked, statement = stated.flow, read_statement(stated)
    if flow_class(asked.kind).obstacle(statement.actions):
        return DESCENT
    if asked.scheme != AUTOMATIC:
        return asked.scheme
    return chosen_scheme(statement, asked.scheme, asked.step, asked.kind, annealed=asked.anneal is not None)


def _number(stated: ProblemFile) -> float:
    until, step = stated.flow.until, stated.flow.step
    if step is not None and until.time is not None:
        return min(until.time / step, until.steps or math.inf)
    return min(USUAL_STEPS, until.steps or math.inf)


def _took(task: Task) -> float:
    try:
        return float(open_run(task.path).attributes.get("wall_seconds", 0.0))
    except RunFileError:
        return 0.0
