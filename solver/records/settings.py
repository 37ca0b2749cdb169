"""All that a run is asked for besides its problem: the one record, with every default and every check.

The tables ``[flow]`` and ``[record]`` of a problem file, the arguments of `solver.runs.evolve.evolve`, the options of
the command line and what a checkpoint keeps are views of it: no setting is spelled or checked anywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from numbers import Integral
from typing import Annotated, Any, Literal

from pydantic import (  # fmt: skip
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from wpoflow.core.faults import worded
from wpoflow.solver.records.flow_table import FlowTable, Positive, Table
from wpoflow.solver.records.series import MAX_ROWS, MAX_SNAPSHOTS
from wpoflow.solver.registry import (
    AUTOMATIC,
    DESCENT,
    FLOWS,
)

SERIES_SHAPES = "{ first, per_decade }, or { every }, or { times }"
MAX_PER_DECADE = 10_000

Until = float | Mapping[str, float]
Series = Mapping[str, float | Sequence[float]]
SnapshotTimes = int | Mapping[str, Sequence[float]] | Sequence[float] | None


def increasing(values: list[float]) -> list[float]:
    """The values; ValueError unless they are strictly increasing, and not too many."""
    if len(values) > MAX_ROWS:
        raise ValueError(f"are {len(values):,} times; at most {MAX_ROWS:,}")
    if not all(a < b for a, b in pairwise(values)):
        raise ValueError("must be strictly increasing")
    return values


Times = Annotated[list[Annotated[float, Field(ge=0.0)]], AfterValidator(increasing)]


class SeriesTable(Table):
    """record.series: geometric, evenly spaced, or listed times; after `MAX_ROWS` of them only the stop is a row."""

    first: Positive | None = None
    per_decade: Annotated[int, Field(ge=1, le=MAX_PER_DECADE)] | None = None
    every: Positive | None = None
    times: Times | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> SeriesTable:
        given = {name for name, value in self.model_dump().items() if value is not None}
        if given not in ({"first", "per_decade"}, {"every"}, {"times"}):
            raise ValueError(f"give {SERIES_SHAPES}")
        return self


class SnapshotTable(Table):
    """record.snapshots as a table: listed times."""

    times: Annotated[Times, Field(max_length=MAX_SNAPSHOTS)]


Snapshots = Annotated[
    Annotated[int, Field(ge=0, le=MAX_SNAPSHOTS), Tag("#count")] | Annotated[SnapshotTable, Tag("#times")],
    Discriminator(lambda value: "#times" if isinstance(value, dict | SnapshotTable) else "#count"),
]


class RecordTable(Table):
    """[record]: when rows of the series and snapshots are taken."""

    series: SeriesTable = SeriesTable(first=1e-3, per_decade=20)
    snapshots: Snapshots = 30


class Settings(Table):
    """What a run is asked for.

    Attributes
    ----------
    flow : FlowTable
    record : RecordTable
    own_flow : str
        Class of a flow that is given as an object and has no name in the registry; else empty.
    linear_solver : str or None
        Of the Bellman equations; chosen from the sizes if None.
    checkpoint : float or None
        Seconds between checkpoints; as often as costs little if None, and never if infinite.
    """

    flow: FlowTable
    record: RecordTable = RecordTable()
    own_flow: str = ""
    linear_solver: Literal["dense", "sparse", "krylov"] | None = None
    checkpoint: Annotated[float, Field(ge=0.0, allow_inf_nan=True)] | None = None

    @model_validator(mode="after")
    def _rows(self) -> Settings:
        check_rows(self.flow, self.record)
        return self

    @property
    def flow_name(self) -> str:
        """By which the flow is recorded."""
        return self.own_flow or self.flow.kind

    @property
    def flow_parameters(self) -> dict[str, Any]:
        """What the flow was made with, its own step and its annealing included, as a run file keeps it."""
        table = self.flow
        anneal = {} if table.annealing is None else {"anneal": table.annealing}
        if self.own_flow:
            return anneal
        step = {"step": table.step} if FLOWS[table.kind].own_step and table.step is not None else {}
        return {**table.parameters, **step, **anneal}

    @property
    def scheme_used(self) -> str:
        """By which the scheme is recorded."""
        return DESCENT if not self.own_flow and FLOWS[self.flow.kind].own_step else self.flow.scheme

    @staticmethod
    def of(
        *,
        until: Until,
        flow: str = "wasserstein",
        parameters: Mapping[str, float | str] | None = None,
        scheme: str = AUTOMATIC,
        step: float | None = None,
        accuracy: float | None = None,
        series: Series | None = None,
        snapshots: SnapshotTimes = None,
        linear_solver: str | None = None,
        checkpoint: float | None = None,
        anneal: Mapping[str, Any] | None = None,
    ) -> Settings:
        """From arguments of Python, where numbers and lists may be NumPy's and times in any order.

        Raises
        ------
        ValueError
            What cannot be asked for, by the argument's name.
        """
        lengths = {name: value for name, value in (("step", step), ("accuracy", accuracy)) if value is not None}
        record = {"series": series, "snapshots": _as_table(snapshots)}
        named = flow in FLOWS
        raw = {
            "flow": {
                "kind": flow if named else "wasserstein",
                "until": until,
                "scheme": scheme,
                **lengths,
                **({} if anneal is None else {"anneal": anneal}),
                **(parameters or {}),
            },
            "record": {name: value for name, value in record.items() if value is not None},
            "own_flow": "" if named else flow,
            "linear_solver": linear_solver,
            "checkpoint": checkpoint,
        }
        return _validated(_plain(raw))

    def changed(self, until: Until | None = None, checkpoint: float | None = None) -> Settings:
        """The same with what a run that is gone on with may change, where it is given; errors as `of`."""
        raw = self.model_dump(exclude_none=True)
        if until is not None:
            raw["flow"]["until"] = _plain(until)
        if checkpoint is not None:
            raw["checkpoint"] = checkpoint
        return _validated(raw)

    def text(self) -> str:
        """As JSON; numbers keep every digit."""
        return self.model_dump_json(exclude_none=True)

    @staticmethod
    def parse(text: str) -> Settings:
        """From `text`; ValueError if it is not."""
        return Settings.model_validate_json(text)


def check_rows(flow: FlowTable, record: RecordTable) -> None:
    """Raise ValueError if evenly spaced rows would be too many."""
    every, time = record.series.every, flow.until.time
    if every is not None and time is not None and time / every > MAX_ROWS:
        raise ValueError(f"record.series.every = {every:g} gives more than {MAX_ROWS:,} rows until time {time:g}")


def _as_table(snapshots: SnapshotTimes) -> Any:
    """A number, or a table of times."""
    listed = snapshots is not None and not isinstance(snapshots, Integral | Mapping)
    return {"times": snapshots} if listed else snapshots


def _plain(value: Any) -> Any:
    """Tables, lists and numbers of other libraries as Python's own; times in order, each once."""
    if isinstance(value, Mapping):
        plain = {name: _plain(entry) for name, entry in value.items()}
        if isinstance(plain.get("times"), list):
            plain["times"] = sorted(set(plain["times"]))
        if isinstance(plain.get("steps"), float) and plain["steps"].is_integer():
            plain["steps"] = int(plain["steps"])
        return plain
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _validated(raw: Mapping[str, Any]) -> Settings:
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        faults = (worded(entry, Settings, raw) for entry in error.errors(include_url=False))
        raise ValueError(
            "; ".join(f"{key.removeprefix('flow.').removeprefix('record.')}: {words}" for key, words in faults)
        ) from None
