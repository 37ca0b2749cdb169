"""The table ``[flow]``: which flow, until when, and by which steps, with every default and every check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import (  # fmt: skip
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from wpoflow.core.registry import choices
from wpoflow.core.text import did_you_mean
from wpoflow.solver.registry import (
    AUTOMATIC,
    CONTROL,
    DESCENT,
    FLOWS,
    NOISES,
    SCHEDULES,
    default_accuracy,
    own_step_flows,
    parameter_keys,
    scheme_names,
)

MAX_COMPONENTS = 64

Positive = Annotated[float, Field(gt=0.0)]
FlowTime = Annotated[float, Field(gt=0.0, le=1e300)]  # so that many steps of it are a finite time


class Table(BaseModel):
    """A table with the keys named here and no others."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


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
    particles: Annotated[Annotated[int, Field(ge=2)] | None, Field(validate_default=True)] = None
    seed: Annotated[Annotated[int, Field(ge=0, lt=2**63)] | None, Field(validate_default=True)] = None
    noise: Annotated[str, AfterValidator(lambda name: _known(NOISES, name))] | None = None
    bandwidth: Annotated[float, Field(ge=0.0)] | None = None
    components: Annotated[int, Field(ge=1, le=MAX_COMPONENTS)] | None = None
    entropy: bool | None = None
    trust_region: Positive | None = None

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
        if "step" in data and scheme == AUTOMATIC and _natural({**found, **data}):
            return found | data | {"scheme": DESCENT}
        if "accuracy" not in data and "step" not in data and isinstance(scheme, str):
            found |= {} if entry is not None and entry.own_step else {"accuracy": default_accuracy(scheme)}
        return found | data

    @field_validator("scheme", "accuracy", "anneal", *parameter_keys())
    @classmethod
    def _of_this_flow(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and value != AUTOMATIC and info.field_name is not None:
            _known_to_flow(info.field_name, info.data)
        return value

    @field_validator("particles", "seed")
    @classmethod
    def _required(cls, value: int | None, info: ValidationInfo) -> int | None:
        kind = info.data.get("kind")
        if value is None and kind in FLOWS and info.field_name in FLOWS[kind].required:
            raise ValueError(f"must be given for {kind}")
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
    def parameters(self) -> dict[str, float | str]:
        """Keys of the flow's own, which its class takes."""
        given = {key: getattr(self, key) for key in FLOWS[self.kind].own}
        return {key: value for key, value in given.items() if value is not None}

    @model_validator(mode="after")
    def _one_control(self) -> FlowTable:
        if self.accuracy is not None and self.step is not None:
            raise ValueError("give either accuracy or step, not both")
        return self

    @model_validator(mode="after")
    def _natural_steps(self) -> FlowTable:
        if not _natural(self.model_dump(exclude_none=True)):
            return self
        key = "entropy = false" if self.trust_region is None else f"trust_region = {self.trust_region:g}"
        if self.step is None or self.scheme != DESCENT:
            raise ValueError(f"{key}: natural-gradient steps are of fixed size: give step, without accuracy and scheme")
        if self.components is not None and self.components > 1:
            raise ValueError(f"{key}: natural-gradient steps are those of one Gaussian, not of {self.components}")
        return self


def _natural(table: Mapping[str, Any]) -> bool:
    """Whether the steps asked for are natural-gradient steps: of fixed size, and no descent steps."""
    return table.get("trust_region") is not None or table.get("entropy") is False
