"""What a comparison found: one entry a flow, in Python and in JSON's types."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.display import Displayed
from wpoflow.solver.records.provenance import VERSION
from wpoflow.solver.records.run import Run
from wpoflow.studies.comparison.measures import Reached, Stall, levels, observed_rate, reached, stall

RATES = ("guaranteed", "observed", "sharp")
SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Entry:
    """One flow.

    Attributes
    ----------
    label, file : str
        As it was asked for; its run file, empty where none was written.
    run : Run
    cpu : array (rows,)
        Seconds of processor time until each row, without those of compiling; nan where not noted.
    known_rates : mapping
        Guaranteed and sharp rate, those known.
    """

    label: str
    file: str
    run: Run
    cpu: FloatArray
    known_rates: Mapping[str, float]

    @property
    def rates(self) -> dict[str, float]:
        """Of `RATES`; nan where there is none."""
        series = self.run.series
        observed = observed_rate(series["time"], series["gap"], series["rate_observed"], self.floor)
        return {**dict.fromkeys(RATES, math.nan), **self.known_rates, "observed": observed}

    @property
    def evaluations(self) -> FloatArray:
        """Bellman evaluations until each row, (rows,)."""
        return np.cumsum(self.run.series["bellman_evaluations"])

    @property
    def floor(self) -> float:
        """Rounding floor of the gap."""
        return 0.0 if self.run.optimum is None else self.run.optimum.gap_floor

    @property
    def stall(self) -> Stall | None:
        """The longest stall."""
        return stall(self.run.series["time"], self.run.series["gap"], self.floor)

    def reached(self, gap: float) -> Reached:
        """What it took to a gap."""
        return reached(gap, self.run.series["time"], self.run.series["gap"], self.evaluations, self.cpu)


@dataclass(frozen=True, eq=False)
class Comparison(Displayed):
    """Flows on one problem.

    Attributes
    ----------
    title, problem : str
        Title and name of the problem.
    entries : tuple of Entry
        In the order asked for.
    """

    title: str
    problem: str
    entries: tuple[Entry, ...]
    levels: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        found = levels([entry.run.series["gap"] for entry in self.entries])
        object.__setattr__(self, "levels", tuple(found))

    def __repr__(self) -> str:
        return f"Comparison({self.title!r}, {', '.join(entry.label for entry in self.entries)})"

    def find(self, label: str) -> Entry:
        """The entry of a flow as it was asked for; KeyError if there is none."""
        for entry in self.entries:
            if entry.label == label:
                return entry
        raise KeyError(f"{label!r}; there are {', '.join(entry.label for entry in self.entries)}")

    def as_dict(self) -> dict[str, Any]:
        """All of it in JSON's types; null where there is no number."""
        return {
            "schema": SCHEMA,
            "wpoflow_version": VERSION,
            "title": self.title,
            "problem": self.problem,
            "levels": list(self.levels),
            "flows": [self._as_dict(entry) for entry in self.entries],
        }

    def _as_dict(self, entry: Entry) -> dict[str, Any]:
        attributes, series, found = entry.run.attributes, entry.run.series, entry.stall
        return {
            "label": entry.label,
            "file": entry.file,
            "run_id": str(attributes.get("run_id", "")),
            "flow": str(attributes["flow"]),
            "scheme": str(attributes.get("scheme", "")),
            "status": entry.run.status,
            "stop_reason": entry.run.stop_reason,
            "time": float(series["time"][-1]),
            "gap": _finite(series["gap"][-1]),
            "gap_floor": entry.floor,
            "steps": int(attributes["steps"]),
            "evaluations": float(entry.evaluations[-1]),
            "cpu_seconds": _finite(entry.cpu[-1]),
            "reached": [{key: _finite(value) for key, value in asdict(entry.reached(g)).items()} for g in self.levels],
            "rates": {name: _finite(rate) for name, rate in entry.rates.items()},
            "stall": None if found is None else asdict(found),
            "rows": {
                "time": [_finite(value) for value in series["time"]],
                "gap": [_finite(value) for value in series["gap"]],
                "evaluations": [_finite(value) for value in entry.evaluations],
                "cpu_seconds": [_finite(value) for value in entry.cpu],
            },
        }

    def as_csv(self) -> str:
        """One line a flow and gap; empty where there is no number."""
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        measured = ("time", "evaluations", "cpu_seconds", *RATES, "stall_begin", "stall_end")
        rows.writerow(("flow", "gap", *measured, "wpoflow_version"))
        for entry in self.entries:
            found, rates = entry.stall, list(entry.rates.values())
            ends = ("", "") if found is None else (found.begin, found.end)
            for gap in self.levels:
                at = entry.reached(gap)
                numbers = (at.time, at.evaluations, at.cpu_seconds, *rates)
                rows.writerow((entry.label, gap, *("" if math.isnan(x) else repr(x) for x in numbers), *ends, VERSION))
        return out.getvalue()


def _finite(value: float) -> float | None:
    """A number, or null where JSON has none."""
    return float(value) if math.isfinite(value) else None
