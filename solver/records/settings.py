"""All that a run is asked for besides its problem: the one record, with every default and every check.

The tables ``[flow]`` and ``[record]`` of a problem file, the arguments of `solver.runs.evolve.evolve`, the options of
the command line and what a checkpoint keeps are views of it: no setting is spelled or checked anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from numbers import Integral
from typing import Annotated, Any, Literal

from pydantic import (  # fmt: skip
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from wpoflow.core.faults import worded
from wpoflow.core.registry import choices
from wpoflow.core.text import did_you_mean
from wpoflow.solver.records.series import MAX_ROWS, MAX_SNAPSHOTS
from wpoflow.solver.registry import (
    AUTOMATIC,
    CONTROL,
    DESCENT,
    FLOWS,
    SCHEDULES,
    default_accuracy,
    own_step_flows,
    scheme_names,
)

SERIES_SHAPES = "{ first, per_decade }, or { every }, or { times }"
MAX_PER_DECADE = 10_000

Positive = Annotated[float, Field(gt=0.0)]
FlowTime = Annotated[float, Field(gt=0.0, le=1e300)]  # so that many steps of it are a finite time
Until = float | Mapping[str, float]
Series = Mapping[str, float | Sequence[float]]
SnapshotTimes = int | Mapping[str, Sequence[float]] | Sequence[float] | None


class Table(BaseModel):
    """A table with the keys named here and no others."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


def increasing(values: list[float]) -> list[float]:
    """The values; ValueError unless they are strictly increasing, and not too many."""
    if len(values) > MAX_ROWS:
        raise ValueError(f"are {len(values):,} times; at most {MAX_ROWS:,}")
    if not all(a < b for a, b in pairwise(values)):
        raise ValueError("must be strictly increasing")
    return values


Times = Annotated[list[Annotated[float, Field(ge=0.0)]], AfterValidator(increasing)]


class UntilTable(Table):
    """flow.until: the first criterion met stops the run."""

    time: FlowTime | None = None
    gap: Positive | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    wall: Positive | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> UntilTable:
        if not self.criteria:
            raise ValueError(f"give at least one of {', '.join(UntilTable.model_fields)}")
        return self

    @property
    def criteria(self) -> dict[str, float]:
        """The criteria that are given."""
        return {name: value for name, value in self.model_dump().items() if value is not None}

    @property
    def has_goal(self) -> bool:
        """Whether a time or a gap is to be reached, of which a limit on steps or wall time may fall short."""
        return self.time is not None or self.gap is not None


def _until(value: object) -> object:
    """A bare number is a time."""
    return {"time": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _known(names: Iterable[str], value: str) -> str:
    if value not in names:
        raise ValueError(f"{value!r} is not a choice; choose {choices(map(repr, names))}{did_you_mean(value, names)}")
    return value


def _known_to_flow(key: str, data: Mapping[str, Any]) -> None:
    """Raise ValueError unless the flow, if it is one, knows the key."""
    entry = FLOWS.get(data.get("kind", ""))
    if entry is not None and key not in entry.keys:
        own = "its step belongs to the algorithm; " if entry.own_step and key in CONTROL else ""
        raise ValueError(f"is not a key of {data['kind']}: {own}choose among {choices(entry.keys, 'and')}")


FlowName = Annotated[str, AfterValidator(lambda name: _known(FLOWS, name))]
SchemeName = Annotated[str, AfterValidator(lambda name: _known(scheme_names(), name))]


class AnnealTable(Table):
    """flow.anneal: the temperature falls with flow time."""

    schedule: Annotated[str, AfterValidator(lambda name: _known(SCHEDULES, name))]
    rate: FlowTime

    @property
    def words(self) -> str:
        """How the temperature falls."""
        return f"falls, {self.schedule} at the rate {self.rate:g}"


class FlowTable(Table):
    """[flow]: which flow, until when, and by which steps."""

    kind: FlowName = "wasserstein"
    until: Annotated[UntilTable, BeforeValidator(_until)]
    scheme: SchemeName = AUTOMATIC
    accuracy: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    step: Annotated[FlowTime | None, Field(validate_default=True)] = None
    anneal: AnnealTable | None = None
    beta: FlowTime | None = None

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        kind, scheme = data.get("kind", "wasserstein"), data.get("scheme", AUTOMATIC)
        entry = FLOWS.get(kind) if isinstance(kind, str) else None
        found = {} if entry is None else {**entry.parameters}
        if entry is not None and entry.step is not None:
            found["step"] = entry.step
        if "accuracy" not in data and "step" not in data and isinstance(scheme, str):
            found |= {} if entry is not None and entry.own_step else {"accuracy": default_accuracy(scheme)}
        return found | data

    @field_validator("scheme", "accuracy", "anneal", "beta")
    @classmethod
    def _of_this_flow(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and value != AUTOMATIC and info.field_name is not None:
            _known_to_flow(info.field_name, info.data)
        return value

    @field_validator("step")
    @classmethod
    def _own_step(cls, value: float | None, info: ValidationInfo) -> float | None:
        kind = info.data.get("kind")
        if value is None and kind in own_step_flows():
            raise ValueError(f"must be given: the step of {kind} belongs to the algorithm")
        only = FLOWS[kind].step if kind in FLOWS else None
        if only is not None and value != only:
            raise ValueError(f"is {only:g} for {kind}, whose flow time counts its steps")
        return value

    @property
    def annealing(self) -> dict[str, Any] | None:
        """``anneal`` as `evolve` takes it."""
        return None if self.anneal is None else self.anneal.model_dump()

    @property
    def parameters(self) -> dict[str, float]:
        """Keys of the flow's own, which its class takes."""
        return {key: getattr(self, key) for key in FLOWS[self.kind].parameters}

    @model_validator(mode="after")
    def _one_control(self) -> FlowTable:
        if self.accuracy is not None and self.step is not None:
            raise ValueError("give either accuracy or step, not both")
        return self


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
        parameters: Mapping[str, float] | None = None,
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
        faults = (worded(entry, Settings) for entry in error.errors(include_url=False))
        raise ValueError(
            "; ".join(f"{key.removeprefix('flow.').removeprefix('record.')}: {words}" for key, words in faults)
        ) from None
