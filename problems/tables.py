"""The tables of a problem file, as pydantic models: types, ranges, defaults, unknown keys.

Each model is one table.  Everything here concerns one table at a time; what ties tables together
(names, expressions, axes that must match) is in :mod:`problems.checks`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from wpoflow.problems.expressions import number_text

Scheme = Literal["automatic", "multistep", "exponential", "extrapolated", "euler"]
DEFAULT_ACCURACY = {name: 1e-3 if name == "euler" else 1e-6 for name in get_args(Scheme)}
MAX_CELLS = 10_000_000
MAX_ROWS = 10_000_000
MAX_PER_DECADE = 10_000
MAX_SNAPSHOTS = 100_000


def _formula(value: object) -> object:
    """Numbers are expressions too."""
    return number_text(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Formula = Annotated[str, BeforeValidator(_formula)]
Positive = Annotated[float, Field(gt=0.0)]
Times = Annotated[list[Annotated[float, Field(ge=0.0)]], Field(min_length=1)]


def _increasing(values: list[float]) -> bool:
    return all(a < b for a, b in pairwise(values))


class Table(BaseModel):
    """A table with the keys named here and no others."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class ProblemTable(Table):
    """[problem]."""

    title: str = ""
    discount: Annotated[float, Field(gt=0.0, lt=1.0)]
    temperature: Positive


class AxisTable(Table):
    """[state.NAME] or [action.NAME]: bounds and cells, perhaps graded, or edges."""

    bounds: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    cells: Annotated[int, Field(ge=1, le=MAX_CELLS)] | None = None
    spacing: Literal["sinh"] | None = None
    focus: float | None = None
    ratio: Annotated[float, Field(ge=1.0)] | None = None
    edges: Annotated[list[float], Field(min_length=2)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> AxisTable:
        graded = (self.spacing, self.focus, self.ratio)
        if self.edges is not None:
            if (self.bounds, self.cells, *graded) != (None,) * 5:
                raise ValueError("give either edges, or bounds and cells, not both")
            if not _increasing(self.edges):
                raise ValueError("edges must be strictly increasing")
            return self
        if self.bounds is None or self.cells is None:
            raise ValueError("give bounds = [lower, upper] and cells, or edges")
        lower, upper = self.bounds
        if not lower < upper:
            raise ValueError(f"bounds [{lower:g}, {upper:g}] must be increasing")
        if graded != (None,) * 3 and None in graded:
            raise ValueError('a graded axis needs all three of spacing = "sinh", focus and ratio')
        if self.focus is not None and not lower <= self.focus <= upper:
            raise ValueError(f"focus {self.focus:g} lies outside the bounds [{lower:g}, {upper:g}]")
        return self

    @property
    def size(self) -> int:
        """Number of points of the axis."""
        return len(self.edges) - 1 if self.edges is not None else self.cells or 0


class StateAxis(AxisTable):
    """[state.NAME]."""

    boundary: Literal["clamp", "reflect", "periodic"] = "clamp"


class ActionAxis(AxisTable):
    """[action.NAME]."""

    boundary: Literal["no-flux", "periodic"] = "no-flux"


class OutcomeTable(Table):
    """[[outcome]]: one of finitely many next states."""

    probability: Formula
    dynamics: dict[str, Formula]
    noise: dict[str, Formula] = {}


class CostTable(Table):
    """[cost]."""

    running: Formula
    terminal_set: Formula | None = None
    terminal_cost: Formula | None = None

    @model_validator(mode="after")
    def _set_for_cost(self) -> CostTable:
        if self.terminal_cost is not None and self.terminal_set is None:
            raise ValueError("terminal_cost needs a terminal_set")
        return self


class ReferenceTable(Table):
    """[reference]."""

    potential: Formula = "0"


class InitialTable(Table):
    """[initial]."""

    state_density: Formula = "1"
    policy_density: Formula = "1"


class UntilTable(Table):
    """flow.until: the first criterion met stops the run."""

    time: Positive | None = None
    gap: Positive | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    wall: Positive | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> UntilTable:
        if not self.criteria:
            raise ValueError("give at least one of time, gap, steps, wall")
        return self

    @property
    def criteria(self) -> dict[str, float]:
        """The criteria that are given."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


def _until(value: object) -> object:
    """A bare number is a time."""
    return {"time": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


class FlowTable(Table):
    """[flow]."""

    kind: Literal["wasserstein"] = "wasserstein"
    until: Annotated[UntilTable, BeforeValidator(_until)]
    scheme: Scheme = "automatic"
    accuracy: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    step: Positive | None = None

    @model_validator(mode="before")
    @classmethod
    def _default_accuracy(cls, data: Any) -> Any:
        if isinstance(data, dict) and "accuracy" not in data and "step" not in data:
            scheme = data.get("scheme", "automatic")
            if isinstance(scheme, str) and scheme in DEFAULT_ACCURACY:
                return {**data, "accuracy": DEFAULT_ACCURACY[scheme]}
        return data

    @model_validator(mode="after")
    def _one_control(self) -> FlowTable:
        if self.accuracy is not None and self.step is not None:
            raise ValueError("give either accuracy or step, not both")
        return self


class SeriesTable(Table):
    """record.series: geometric, evenly spaced, or listed times."""

    first: Positive | None = None
    per_decade: Annotated[int, Field(ge=1, le=MAX_PER_DECADE)] | None = None
    every: Positive | None = None
    times: Times | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> SeriesTable:
        given = {name for name, value in self.model_dump().items() if value is not None}
        if given not in ({"first", "per_decade"}, {"every"}, {"times"}):
            raise ValueError("give { first, per_decade }, or { every }, or { times }")
        if self.times is not None and not _increasing(self.times):
            raise ValueError("times must be strictly increasing")
        return self


class SnapshotTable(Table):
    """record.snapshots as a table: listed times."""

    times: Times

    @model_validator(mode="after")
    def _in_order(self) -> SnapshotTable:
        if not _increasing(self.times):
            raise ValueError("times must be strictly increasing")
        return self


Snapshots = Annotated[
    Annotated[int, Field(ge=0, le=MAX_SNAPSHOTS), Tag("#count")] | Annotated[SnapshotTable, Tag("#times")],
    Discriminator(lambda value: "#times" if isinstance(value, dict | SnapshotTable) else "#count"),
]


class RecordTable(Table):
    """[record]."""

    series: SeriesTable = SeriesTable(first=1e-3, per_decade=20)
    snapshots: Snapshots = 10


class Tables(Table):
    """A whole problem file."""

    problem: ProblemTable
    constants: dict[str, float] = {}
    definitions: dict[str, Formula] = {}
    state: dict[str, StateAxis] = {}
    action: dict[str, ActionAxis]
    dynamics: dict[str, Formula] = {}
    noise: dict[str, Formula] = {}
    outcome: list[OutcomeTable] = []
    cost: CostTable
    reference: ReferenceTable = ReferenceTable()
    initial: InitialTable = InitialTable()
    flow: FlowTable
    record: RecordTable = RecordTable()

    @model_validator(mode="after")
    def _rows(self) -> Tables:
        every, time = self.record.series.every, self.flow.until.time
        if every is not None and time is not None and time / every > MAX_ROWS:
            raise ValueError(f"record.series.every = {every:g} gives more than {MAX_ROWS:.0e} rows until time {time:g}")
        return self

    def dump(self) -> dict[str, Any]:
        """All keys with defaults filled in, empty tables left out; ready to be written as TOML."""
        return {key: value for key, value in self.model_dump(exclude_none=True).items() if value not in ({}, [])}
