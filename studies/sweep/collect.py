"""From the outcomes of points to arrays over the swept keys.

The rows of all points are put on common flow times: the start, the times at which the points were to record, as far as
the longest of them went, and their end where all have the same.  At each of them stands the first row of the run at or
after it, which is the row recorded for it; steps of controlled size meet the times exactly, and `row_time` tells the
flow time of the row where they do not.  After the end of a run, and of points that failed, there is no number.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.memory import available_bytes
from wpoflow.solver.records.provenance import VERSION, package_versions, source_hash
from wpoflow.solver.records.schedule import SAME, merge, series_times
from wpoflow.solver.records.series import FURTHER_SERIES, SERIES
from wpoflow.solver.records.settings import RecordTable
from wpoflow.solver.storage.atomic import RunFileError, checkpoint_folder
from wpoflow.solver.storage.writer import open_run
from wpoflow.studies.comparison.measures import observed_rate
from wpoflow.studies.sweep.notes import PointNotes, read_json
from wpoflow.studies.sweep.result import Array, Study
from wpoflow.studies.sweep.task import ATTRIBUTES, COMPLETE, FAILED, INTERRUPTED, MISSING, Outcome
from wpoflow.studies.sweep.values import label

TIME, ROW_TIME = "time", "row_time"
SCHEMA = 1
NUMBERS = {
    "steps": "accepted steps",
    "rejected_steps": "steps repeated shorter",
    "gap_floor": "rounding floor of the gap",
    "reached_goal": "1 if the run reached what it was asked for, 0 if it stopped short of it",
}
TEXTS = {
    "status": "complete, failed, interrupted or missing",
    "stop_reason": "why the run stopped, or why the point failed, in a sentence",
    "run_id": "the run_id of the run file",
    "point": "name of the point's files in the folder of the study",
}
_ROWS = {**SERIES, **FURTHER_SERIES}


def from_files(folder: Path, name: str, measures: Iterable[str] = ()) -> Outcome:
    """The outcome of a point as its files tell it."""
    path, notes = folder / f"{name}.h5", PointNotes(folder, name)
    try:
        if path.exists():
            run = open_run(path)
            if run.status != COMPLETE:
                return Outcome(name, run.status, sentence=run.stop_reason)
            kept = {key: run.attributes[key] for key in ATTRIBUTES if key in run.attributes}
            found = notes.measured(str(kept.get("run_id", "")))
            measured = {measure: found[measure] for measure in measures if measure in found}
            return Outcome(name, COMPLETE, "keep", run.stop_reason, dict(run.series), kept, measured)
        if sentence := read_json(notes.path).get("sentence"):
            return Outcome(name, FAILED, sentence=str(sentence))
    except RunFileError as error:
        return Outcome(name, FAILED, sentence=str(error))
    if checkpoint_folder(path).is_dir():
        return Outcome(name, INTERRUPTED, sentence="cut short")
    return Outcome(name, MISSING)


def common_times(schedules: Sequence[tuple[RecordTable, float | None]], ends: Sequence[float]) -> FloatArray:
    """Flow times of the result, from how each point was to record and until when, and from where each run ended."""
    last = max(ends, default=0.0)
    records = dict.fromkeys(record.series.model_dump_json() for record, _ in schedules)
    series = [next(r.series for r, _ in schedules if r.series.model_dump_json() == text) for text in records]
    stops = {end for _, end in schedules}
    same = [stops.pop()] if len(stops) == 1 else []
    ends_there = iter([end for end in same if end is not None])
    until = (1.0 + SAME) * last
    times = itertools.takewhile(lambda t: t <= until, merge(iter([0.0]), ends_there, *map(series_times, series)))
    return np.fromiter(times, dtype=np.float64)


def collected(content: Mapping[str, Any], outcomes: Mapping[str, Outcome], folder: Path) -> Study:
    """The result of a study.

    Parameters
    ----------
    content : mapping
        Of ``study.json``.
    outcomes : mapping
        By the names of the points.
    folder : Path

    Raises
    ------
    MemoryError
        There is no room for it.
    """
    shape = tuple(len(next(iter(group.values()))) for group in content["groups"])
    dims = tuple(next(iter(group)) for group in content["groups"])
    points = content["points"]
    of_points = [outcomes.get(point["name"], Outcome(point["name"], MISSING)) for point in points]
    whole = [(k, found) for k, found in enumerate(of_points) if found.status == COMPLETE and found.series["time"].size]
    schedules = [
        (RecordTable.model_validate(content["records"][point["record"]]), point["until"])
        for point in points
        if point["record"] is not None
    ]
    times = common_times(_distinct(schedules), [float(found.series["time"][-1]) for _, found in whole])
    names = [name for name in _ROWS if name != TIME and any(name in found.series for _, found in whole)] or ["gap"]
    needed = 8 * len(points) * (len(names) + 1) * max(1, times.size)
    if 2 * needed > available_bytes():
        raise MemoryError(f"{folder}: {len(points):,} points at {times.size:,} times need {2 * needed / 1e9:.3g} GB")
    rows: dict[str, FloatArray] = {name: np.full((len(points), times.size), np.nan) for name in (ROW_TIME, *names)}
    ended: dict[str, FloatArray] = {name: np.full(len(points), np.nan) for name in (TIME, *names)}
    numbers: dict[str, FloatArray] = {name: np.full(len(points), np.nan) for name in (*NUMBERS, "rate")}
    measured: dict[str, FloatArray] = {}
    for k, found in whole:
        own = found.series[TIME]
        at = np.searchsorted(own, times * (1.0 - SAME))
        there = at < own.size
        rows[ROW_TIME][k, there] = own[at[there]]
        for name in names:
            if name in found.series:
                rows[name][k, there] = found.series[name][at[there]]
        for name in ended:
            if name in found.series:
                ended[name][k] = found.series[name][-1]
        for name in NUMBERS:
            numbers[name][k] = float(found.attributes.get(name, math.nan))
        numbers["rate"][k] = _rate(found)
        for entries in found.measured.values():
            for name, value in entries.items():
                measured.setdefault(name, np.full(len(points), np.nan))[k] = value
    arrays: dict[str, Array] = {}
    for group in content["groups"]:
        for key, values in group.items():
            arrays[key] = Array((next(iter(group)),), _coordinate(values), {"long_name": f"{key}, as swept"})
    arrays[TIME] = Array((TIME,), times, _described(_ROWS[TIME]))
    for name, array in rows.items():
        meaning = "flow time of the row: the first at or after time" if name == ROW_TIME else _ROWS[name]
        arrays[name] = Array((*dims, TIME), array.reshape(*shape, times.size), _described(meaning))
    for name, array in ended.items():
        arrays[f"end_{name}"] = Array(dims, array.reshape(shape), _described(f"{_ROWS[name]}; at the end of the run"))
    meanings = {**NUMBERS, "rate": "observed rate of the gap in the last row that is clear of rounding"}
    for name, array in {**numbers, **dict(sorted(measured.items()))}.items():
        arrays[name] = Array(dims, array.reshape(shape), _described(meanings.get(name, name.replace("_", " "))))
    texts = [
        {
            "status": found.status if point["name"] else FAILED,
            "stop_reason": found.sentence if point["name"] else point["fault"],
            "run_id": str(found.attributes.get("run_id", "")),
            "point": point["name"],
        }
        for point, found in zip(points, of_points, strict=True)
    ]
    for name, meaning in TEXTS.items():
        text = np.array([entry[name] for entry in texts], dtype=object)
        arrays[name] = Array(dims, text.reshape(shape), {"long_name": meaning})
    return Study(folder, content["title"], dims, arrays, _attributes(content))


def _distinct(
    schedules: Sequence[tuple[RecordTable, float | None]],
) -> list[tuple[RecordTable, float | None]]:
    return list({(record.model_dump_json(), end): (record, end) for record, end in schedules}.values())


def _rate(found: Outcome) -> float:
    series = found.series
    floor = float(found.attributes.get("gap_floor", 0.0))
    with np.errstate(all="ignore"):
        return observed_rate(series["time"], series["gap"], series["rate_observed"], floor)


def _coordinate(values: Sequence[Any]) -> Any:
    labels = [label(value) for value in values]
    if any(isinstance(value, str) for value in labels):
        return np.array(labels, dtype=object)
    return np.array(labels, dtype=np.int64 if all(isinstance(value, int) for value in labels) else np.float64)


def _described(meaning: str) -> dict[str, str]:
    return {"units": "1", "long_name": meaning}


def _attributes(content: Mapping[str, Any]) -> dict[str, str | int]:
    return {
        "title": content["title"],
        "Conventions": "CF-1.11",
        "study": content["text"],
        "study_schema_version": SCHEMA,
        "wpoflow_version": VERSION,
        "source_hash": source_hash(),
        "packages": package_versions(),
    }
