"""The keys of a problem file: kinds, ranges and defaults from the models that check it, meanings from here.

The manual and ``wpoflow keys`` print this one table; words in it are marked as in Markdown.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from wpoflow.problems.tables import Tables, _formula
from wpoflow.solver.records.settings import RecordTable
from wpoflow.solver.registry import AUTOMATIC, FLOWS, NOISES, SCHEDULES, default_accuracy, parameter_keys, scheme_names

_AXIS = {
    "label": "What figures call the axis, and the run file's `long_name`; by default its name.",
    "units": "Unit of the axis, in figures and in the run file.",
    "bounds": 'Lower and upper end of the box: numbers, or expressions of constants as in `["-pi", "pi"]`.',
    "cells": "Number of points of the axis, which is that of its cells.",
    "spacing": "Graded cells, the points x = focus + δ sinh(·); needs `focus` and `ratio`.",
    "focus": "Where graded cells are finest; within the bounds.",
    "ratio": "Spacing at the end farther from `focus`, divided by that at `focus`.",
    "edges": "All cell edges, strictly increasing, instead of `bounds` and `cells`.",
}
MEANINGS: dict[str, str] = {
    "problem.title": "What the problem is called; by default the file's name.",
    "problem.discount": "Discount factor γ of a step.",
    "problem.temperature": "Temperature τ of the entropy regularisation.",
    "problem.hold": "Held actions: how many steps h of the dynamics a decision takes, all by one action. Costs are "
    "summed with γ^j, the discount of a decision is γ^h; see [held actions](../howto/state_in_a_file.md#held-actions).",
    "problem.reflection": 'State and action axes that change sign together and leave the problem as it is, as `["x", '
    '"v", "u"]`: it is solved on half of its states; see '
    "[symmetric problems](../howto/state_in_a_file.md#symmetric-problems).",
    "constants.NAME": "A number that every expression may use by this name.",
    "definitions.NAME": "An expression that later ones may use by this name; in the order of the file.",
    "shock.AXIS.method": "How the chain z' = (1 − r) m + r z + s ξ is put on points; `tauchen` or `rouwenhorst`.",
    "shock.AXIS.persistence": "r, the autocorrelation.",
    "shock.AXIS.deviation": "s, the standard deviation of the innovation.",
    "shock.AXIS.mean": "m, the mean; 0 if not given.",
    "shock.AXIS.width": "Outer points of `tauchen`, in stationary deviations from the mean; 3 if not given.",
    "shock.AXIS.points": "How many points; with `transition` the points themselves, strictly increasing.",
    "shock.AXIS.transition": "Instead of a method: probabilities of the next point, a row for each present one.",
    **{f"shock.AXIS.{key}": _AXIS[key] for key in ("label", "units")},
    **{f"state.AXIS.{key}": meaning for key, meaning in _AXIS.items()},
    "state.AXIS.boundary": "Where a next state outside the box goes: to the end, back inside, or around.",
    **{f"action.AXIS.{key}": meaning for key, meaning in _AXIS.items()},
    "action.AXIS.labels": 'Actions that are names in no order, as `["up", "down"]`; besides, only `label` and '
    "`units`. See [actions that are labels](../howto/state_in_a_file.md#actions-that-are-labels).",
    "action.AXIS.feasible": "Ends between which the action is feasible, instead of `bounds`: of states and of actions "
    "further up. The axis of the grid is then `AXIS_share`, in [0, 1]; see [actions whose range depends on the "
    "state](../howto/state_in_a_file.md#actions-whose-range-depends-on-the-state).",
    "action.AXIS.boundary": "Whether the policy's flux stops at the ends of the box or goes around; with `clamp` it "
    "stops, and the ends themselves are points, of cells half as wide: for controls of the bang-bang kind. Not given "
    "with `labels`, between which there is none.",
    "dynamics.AXIS": "Next state along this axis, before noise; one for every state axis. Of states and actions.",
    "noise.AXIS": "Standard deviation of Gaussian noise added to it; an axis left out has none. Of states and actions.",
    "outcome[].probability": "Probability of this outcome, of states and actions; together they are one.",
    "outcome[].dynamics.AXIS": "As `dynamics`, in this outcome.",
    "outcome[].noise.AXIS": "As `noise`, in this outcome.",
    "cost.running": "Cost of a state and action.",
    "cost.terminal_set": "The process ends when the next state lies in it. Of states; a condition.",
    "cost.terminal_cost": "What ending there costs, discounted as a next value is. Of states; needs `terminal_set`.",
    "reward.running": "Reward of a state and action, which is maximised: instead of `[cost]`. The cost is minus it.",
    "reward.terminal_set": "As in `[cost]`.",
    "reward.terminal_reward": "What ending there earns, discounted as a next value is; needs `terminal_set`.",
    "reference.potential": "U in μ ∝ exp(−U) da on the action box. Of actions.",
    "initial.state_density": "Density of the law ρ of the first state, up to normalisation. Of states.",
    "initial.policy_density": "Density of the first policy in da, up to normalisation. Of states and actions.",
    "initial.policy_mean": "Instead of `policy_density`: mean of a first policy that is Gaussian in every state. Of "
    'states; of several action axes a table, `{ u = "0.5*x", v = "0" }`. Flows other than `gaussian` begin with its '
    "projection onto the cells.",
    "initial.policy_covariance": "Its variance, of states; of several action axes a table of the entries, "
    '`{ "u,u" = "1", "u,v" = "0.2", "v,v" = "1" }`, where those of two axes may be left out and are then zero.',
    "flow.kind": "Which flow.",
    "flow.until.time": "Stop at this flow time. (`until = 10.0` is short for `until = { time = 10.0 }`.)",
    "flow.until.gap": "Stop when the suboptimality, averaged over ρ, is at most this.",
    "flow.until.steps": "Stop after so many steps.",
    "flow.until.wall": "Stop after so many seconds.",
    "flow.scheme": "Time scheme; see [speed and memory](../howto/speed.md).",
    "flow.accuracy": "Steps of controlled error: relative to what is left, p − g, for each unit of its progress.",
    "flow.step": "Steps of this fixed size, instead of `accuracy`; of `mirror` the step η of the algorithm, "
    "which must be given.",
    "flow.anneal.schedule": "The temperature falls from that of the problem, as τ/(1 + rt), τ exp(−rt) or "
    "τ/ln(e + rt); of `wasserstein`, `fisher-rao`, `wasserstein-fisher-rao` and `gaussian`.",
    "flow.anneal.rate": "r, per unit of flow time.",
    "flow.particles": "N, how many `particles` each state has; must be given.",
    "flow.seed": "Of the random numbers of `particles`; must be given.",
    "flow.noise": "Whether the states of `particles` have random numbers of their own or the same ones.",
    "flow.bandwidth": "Standard deviation, in units of the action, of the Gaussian kernel that smooths the policy that "
    "`particles` make.",
    "flow.beta": "Weight β of the Fisher–Rao part of `wasserstein-fisher-rao`, and rate at which the weights of the "
    "`components` of `gaussian` change.",
    "flow.components": "Of `gaussian`: how many Gaussians in every state, with weights; see [Gaussian "
    "policies](../howto/gaussian_policies.md).",
    "flow.entropy": "Of `gaussian`: `false` leaves the entropy out of what moves the Gaussians, as in the published "
    "algorithm; needs `step`.",
    "flow.trust_region": "Of `gaussian`: natural-gradient steps of size `step`, shortened in every state until "
    "KL(old | new) is at most this; as published.",
    "record.series.first": "First time of rows that are geometric in time, with `per_decade`.",
    "record.series.per_decade": "Rows in each factor of ten of time.",
    "record.series.every": "Rows equally spaced in time, instead.",
    "record.series.times": "Rows at these times, instead.",
    "record.snapshots": "How many values and policies are kept, geometric in time, both ends included.",
    "record.snapshots.times": "Keep them at these times, instead.",
}


def _shown(value: float | str) -> str:
    """A default as TOML has it."""
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


_CHOICES = {
    "flow.kind": tuple(FLOWS),
    "flow.scheme": scheme_names(),
    "flow.anneal.schedule": SCHEDULES,
    "flow.noise": NOISES,
}  # for the models these are text
_RECORD = RecordTable()


_DEFAULTS = {
    "problem.title": "name of the file",
    **{
        f"flow.{key}": "; ".join(
            f"{_shown(entry.parameters[key])} for `{name}`" for name, entry in FLOWS.items() if key in entry.parameters
        )
        for key in parameter_keys()
        if any(key in entry.parameters for entry in FLOWS.values())
    },
    "flow.accuracy": f"{default_accuracy(AUTOMATIC):g}; {default_accuracy('euler'):g} for `euler`",
    "record.series.first": f"{_RECORD.series.first:g}",
    "record.series.per_decade": f"{_RECORD.series.per_decade}",
    "record.snapshots": f"{_RECORD.snapshots}",
}


def keys() -> dict[str, FieldInfo]:
    """Every key of a problem file, dotted, with the field that checks it."""
    return dict(_keys(Tables, ""))


def _keys(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        yield from _expand(f"{prefix}{name}", field.annotation, field)


def _expand(key: str, annotation: Any, field: FieldInfo) -> Iterator[tuple[str, FieldInfo]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _keys(annotation, f"{key}.")
    elif origin is dict:
        entry = "NAME" if key in ("constants", "definitions") else "AXIS"
        yield from _expand(f"{key}.{entry}", arguments[1], FieldInfo.from_annotation(arguments[1]))
    elif origin is list and any(_is_table(argument) for argument in arguments):
        yield from _expand(f"{key}[]", arguments[0], field)
    elif origin in (Union, types.UnionType) and {type(None), *filter(_is_table, arguments)} == set(arguments):
        yield from _expand(key, next(filter(_is_table, arguments)), field)
    elif origin in (Union, types.UnionType) and any(map(_is_table, arguments)):
        yield key, field
        for argument in arguments:
            if _is_table(argument):
                yield from _expand(key, _bare(argument), field)
    elif origin is Annotated:
        yield from _expand(key, arguments[0], field)
    else:
        yield key, field


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _is_table(annotation: Any) -> bool:
    bare = _bare(annotation)
    return isinstance(bare, type) and issubclass(bare, BaseModel)


def kind(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    """What may be given, in words."""
    if get_origin(annotation) is Annotated:
        return kind(get_args(annotation)[0], (*get_args(annotation)[1:], *metadata))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if any(getattr(entry, "func", None) is _formula for entry in metadata):
        return "expression"
    if origin in (Union, types.UnionType):
        return " or ".join(kind(entry, metadata) for entry in arguments if entry is not type(None))
    if origin is Literal:
        return _one_of(arguments)
    if origin is dict:
        return f"table of {kind(arguments[1])}s"
    if origin is list and "expression" in kind(arguments[0]):
        return "list of two expressions"
    if origin is list and get_origin(arguments[0]) is list:
        return "list of rows of numbers"
    if origin is list and arguments[0] is str:
        return "list of texts"
    if origin is list:
        return f"list of numbers{_range(get_args(_flat(arguments[0]))[1:])}"
    if _is_table(annotation):
        return "table"
    names = {str: "text", float: "number", int: "whole number", bool: "`true` or `false`"}
    return f"{names[annotation]}{_range(metadata)}"


def _one_of(choices: Iterable[str]) -> str:
    return ", ".join(f'`"{choice}"`' for choice in choices)


def _flat(annotation: Any) -> Any:
    return annotation if get_origin(annotation) is Annotated else Annotated[annotation, None]


def _range(metadata: Any) -> str:
    signs = {Gt: (">", "gt"), Ge: ("≥", "ge"), Lt: ("<", "lt"), Le: ("≤", "le")}
    bounds = []
    for entry in metadata:
        for part in (entry, *getattr(entry, "metadata", ())):
            if type(part) in signs and not isinstance(part, MinLen):
                sign, name = signs[type(part)]
                bounds.append(f"{sign} {getattr(part, name):,g}" if getattr(part, name) < 1e6 else "")
    found = ", ".join(filter(None, bounds))
    return f" {found}" if found else ""


def default(key: str, field: FieldInfo) -> str:
    """The default in words; a dash where there is none."""
    if key in _DEFAULTS:
        return _DEFAULTS[key]
    if field.is_required() and not key.endswith(("NAME", "AXIS")):
        return "must be given"
    value = field.default
    return "–" if value is None or value is PydanticUndefined else f"`{value}`"


def table_of(key: str) -> str:
    """Name of the table a key is in."""
    first, second = key.split(".")[:2]
    return f"{first}.{second}" if first in ("shock", "state", "action") else first.removesuffix("[]")


class Key(NamedTuple):
    """A key in words: its table, its name there, what may be given, its default, and what it means."""

    table: str
    name: str
    given: str
    default: str
    meaning: str


def described() -> dict[str, Key]:
    """Every key in words, by its dotted name.

    Raises
    ------
    ValueError
        A key without a meaning here, or a meaning without a key.
    """
    found = keys()
    if found.keys() != MEANINGS.keys():
        raise ValueError(f"keys without a meaning, or meanings without a key: {sorted(found.keys() ^ MEANINGS.keys())}")
    words = {}
    for key, field in found.items():
        table = table_of(key)
        shown = key.removeprefix(f"{'outcome[]' if table == 'outcome' else table}.")
        given = _one_of(_CHOICES[key]) if key in _CHOICES else kind(field.annotation, tuple(field.metadata))
        words[key] = Key(table, shown, given, default(key, field), MEANINGS[key])
    return words
