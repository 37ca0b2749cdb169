"""The tables of a problem file, as pydantic models: types, ranges, defaults, unknown keys.

Each model is one table.  Everything here concerns one table at a time; what ties tables together
(names, expressions, axes that must match) is in :mod:`problems.checks`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from wpoflow.core.text import one_line
from wpoflow.grids.labels import check_label, check_labels, check_units
from wpoflow.problems.hold import MOST_STEPS
from wpoflow.solver.records.flow_table import FlowTable, Positive, Table
from wpoflow.solver.records.settings import RecordTable, check_rows

MAX_CELLS = 10_000_000
MAX_SHOCK_POINTS = 500
_OF_LABELS = ("labels", "label", "units")  # keys that an axis of labels may have


def _formula(value: object) -> object:
    """Numbers are expressions too."""
    return repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Formula = Annotated[str, BeforeValidator(_formula)]
Entries = Annotated[
    Annotated[Formula, Tag("#formula")] | Annotated[dict[str, Formula], Tag("#table")],
    Discriminator(lambda value: "#table" if isinstance(value, dict) else "#formula"),
]
"""One expression, or one for each entry of a vector or matrix."""


class ProblemTable(Table):
    """[problem]."""

    title: str = ""
    discount: Annotated[float, Field(gt=0.0, lt=1.0)]
    temperature: Positive
    hold: Annotated[int, Field(ge=1, le=MOST_STEPS)] = 1
    reflection: list[str] = []


def _graded(spacing: object) -> object:
    """``sinh``, or a ValueError with what every graded axis is stated by."""
    if spacing != "sinh":
        raise ValueError(
            f"{one_line(repr(spacing), 40)} is not a choice; cells that are fine about one point and grow away from "
            'it are spacing = "sinh", with focus = that point and ratio = widest over narrowest, as in ratio = 20.0; '
            "any others are edges = [...] instead of bounds and cells"
        )
    return spacing


class AxisTable(Table):
    """[state.NAME] or [action.NAME]: bounds and cells, perhaps graded, or edges."""

    bounds: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    cells: Annotated[int, Field(ge=1, le=MAX_CELLS)] | None = None
    spacing: Annotated[Literal["sinh"], BeforeValidator(_graded)] | None = None
    focus: float | None = None
    ratio: Annotated[float, Field(ge=1.0)] | None = None
    edges: Annotated[list[float], Field(min_length=2)] | None = None
    label: Annotated[str, AfterValidator(check_label)] | None = None
    units: Annotated[str, AfterValidator(check_units)] | None = None

    def _without_box(self) -> bool:
        """Whether the axis is given by neither bounds nor edges."""
        return False

    @model_validator(mode="after")
    def _one_way(self) -> AxisTable:
        if self._without_box():
            return self
        graded, box = (self.spacing, self.focus, self.ratio), self.box
        if self.edges is not None:
            if (box, self.cells, *graded) != (None,) * 5:
                raise ValueError("give either edges, or bounds and cells, not both")
            if not all(a < b for a, b in pairwise(self.edges)):
                raise ValueError("edges must be strictly increasing")
            return self
        if box is None or self.cells is None:
            raise ValueError("give bounds = [lower, upper] and cells, or edges")
        lower, upper = box
        if not lower < upper:
            raise ValueError(f"bounds [{lower:g}, {upper:g}] must be increasing")
        if graded != (None,) * 3 and None in graded:
            raise ValueError('a graded axis needs all three of spacing = "sinh", focus and ratio')
        if self.focus is not None and not lower <= self.focus <= upper:
            raise ValueError(f"focus {self.focus:g} lies outside the bounds [{lower:g}, {upper:g}]")
        return self

    @property
    def box(self) -> list[float] | None:
        """Lower and upper end of the axis of the grid; None where edges say it."""
        return self.bounds

    @property
    def size(self) -> int:
        """Number of points of the axis."""
        return len(self.edges) - 1 if self.edges is not None else self.cells or 0


class StateAxis(AxisTable):
    """[state.NAME]."""

    boundary: Literal["clamp", "reflect", "periodic"] = "clamp"


class ActionAxis(AxisTable):
    """[action.NAME]: an axis, or labels; with ``feasible`` its axis of the grid is the share between two ends."""

    labels: Annotated[list[str], AfterValidator(lambda labels: list(check_labels(labels)))] | None = None
    feasible: Annotated[list[Formula], Field(min_length=2, max_length=2)] | None = None
    boundary: Literal["no-flux", "clamp", "periodic"] = "no-flux"

    @field_validator("feasible", mode="before")
    @classmethod
    def _two_ends(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(f'give the two ends of an interval, as in ["0", "wealth"], not {value!r}')
        return value

    @model_validator(mode="before")
    @classmethod
    def _labels_alone(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "labels" not in data:
            return data
        other = [key for key in data if key not in _OF_LABELS and key in cls.model_fields]
        if other:
            raise ValueError(f"labels have neither order nor distance: {', '.join(other)} cannot be given with them")
        return data

    @model_validator(mode="after")
    def _one_range(self) -> ActionAxis:
        if self.feasible is not None and self.bounds is not None:
            raise ValueError("give either bounds or feasible, not both")
        return self

    @property
    def box(self) -> list[float] | None:
        """Lower and upper end of the axis of the grid: of shares, 0 and 1; None of labels."""
        return self.bounds if self.feasible is None else [0.0, 1.0]

    @property
    def size(self) -> int:
        """Number of cells."""
        return super().size if self.labels is None else len(self.labels)

    def _without_box(self) -> bool:
        return self.labels is not None


class ShockTable(Table):
    """[shock.NAME]: a state axis that is a Markov chain of its own, by a method or by a table."""

    method: Literal["rouwenhorst", "tauchen"] | None = None
    persistence: Annotated[float, Field(gt=-1.0, lt=1.0)] | None = None
    deviation: Positive | None = None
    mean: float | None = None
    width: Positive | None = None
    points: Annotated[
        Annotated[int, Field(ge=2, le=MAX_SHOCK_POINTS), Tag("#count")]
        | Annotated[list[float], Field(min_length=1, max_length=MAX_SHOCK_POINTS), Tag("#list")],
        Discriminator(lambda value: "#list" if isinstance(value, list) else "#count"),
    ]
    transition: list[list[float]] | None = None
    label: Annotated[str, AfterValidator(check_label)] | None = None
    units: Annotated[str, AfterValidator(check_units)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> ShockTable:
        numbers = {name: getattr(self, name) for name in ("persistence", "deviation", "mean", "width")}
        if self.transition is None:
            if self.method is None:
                raise ValueError("give method, persistence, deviation and points, or a list of points and transition")
            missing = [name for name in ("persistence", "deviation") if numbers[name] is None]
            if missing or not isinstance(self.points, int):
                wanted = [*missing, *([] if isinstance(self.points, int) else ["points as a whole number"])]
                raise ValueError(f"the method {self.method} needs {' and '.join(wanted)}")
            if self.width is not None and self.method != "tauchen":
                raise ValueError(f"width is one of the method tauchen, not of {self.method}")
            return self
        other = [name for name, value in {"method": self.method, **numbers}.items() if value is not None]
        if other:
            raise ValueError(f"give either transition or {', '.join(other)}, not both")
        if isinstance(self.points, int):
            raise ValueError("points must be a list with transition")
        if not all(a < b for a, b in pairwise(self.points)):
            raise ValueError("points must be strictly increasing")
        size = len(self.points)
        if [len(row) for row in self.transition] != [size] * size:
            raise ValueError(f"transition must have {size} rows of {size} probabilities, one for each of the points")
        return self

    @property
    def size(self) -> int:
        """Number of points."""
        return self.points if isinstance(self.points, int) else len(self.points)


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


class RewardTable(Table):
    """[reward], instead of [cost]: what is maximised."""

    running: Formula
    terminal_set: Formula | None = None
    terminal_reward: Formula | None = None

    @model_validator(mode="after")
    def _set_for_reward(self) -> RewardTable:
        if self.terminal_reward is not None and self.terminal_set is None:
            raise ValueError("terminal_reward needs a terminal_set")
        return self


class ReferenceTable(Table):
    """[reference]."""

    potential: Formula = "0"


class InitialTable(Table):
    """[initial]."""

    state_density: Formula = "1"
    policy_density: Formula = "1"
    policy_mean: Entries | None = None
    policy_covariance: Entries | None = None

    @field_validator("policy_covariance")
    @classmethod
    def _both(cls, covariance: object, info: ValidationInfo) -> object:
        if covariance is not None and info.data.get("policy_mean") is None:
            raise ValueError("needs policy_mean beside it")
        return covariance

    @model_validator(mode="after")
    def _one_start(self) -> InitialTable:
        if self.policy_mean is None:
            return self
        if self.policy_covariance is None:
            raise ValueError("policy_mean needs policy_covariance beside it")
        if "policy_density" in self.model_fields_set:
            raise ValueError("give either policy_density, or policy_mean and policy_covariance, not both")
        return self


class Tables(Table):
    """A whole problem file."""

    problem: ProblemTable
    constants: dict[str, float] = {}
    definitions: dict[str, Formula] = {}
    shock: dict[str, ShockTable] = {}
    state: dict[str, StateAxis] = {}
    action: dict[str, ActionAxis]
    dynamics: dict[str, Formula] = {}
    noise: dict[str, Formula] = {}
    outcome: list[OutcomeTable] = []
    cost: CostTable | None = None
    reward: RewardTable | None = None
    reference: ReferenceTable = ReferenceTable()
    initial: InitialTable = InitialTable()
    flow: FlowTable
    record: RecordTable = RecordTable()

    @model_validator(mode="after")
    def _rows(self) -> Tables:
        check_rows(self.flow, self.record)
        return self

    def dump(self) -> dict[str, Any]:
        """All keys with defaults filled in, empty tables left out; ready to be written as TOML."""
        dumped = self.model_dump(exclude_none=True)
        for axis in dumped["action"].values():
            if "labels" in axis:  # which have no boundary
                del axis["boundary"]
        if not dumped["problem"]["reflection"]:
            del dumped["problem"]["reflection"]
        if "policy_mean" in dumped["initial"]:  # which takes its place
            del dumped["initial"]["policy_density"]
        return {key: value for key, value in dumped.items() if value not in ({}, [])}
