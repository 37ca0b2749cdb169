"""What ties the tables of a problem file together: names, expressions, axes that must match.

These checks read the raw tables and skip what has the wrong type, so that they report their faults
together with those of :mod:`problems.tables`, which concern one table each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from wpoflow.core.text import did_you_mean
from wpoflow.problems.constant_value import constant_value
from wpoflow.problems.expressions import (
    ARGUMENTS,
    CONSTANTS,
    Expression,
    ExpressionError,
    parse_expression,
    valid_name,
)
from wpoflow.problems.hold import leaving_while_held, random_and_held
from wpoflow.problems.scope import Scope
from wpoflow.solver.records.layout import AXIS_ENDINGS, RESERVED_NAMES

PREDEFINED = ("discount", "temperature")
"""Keys of [problem] that expressions may use by name."""

MAX_OPERATIONS = 3000
"""In all expressions of a file; compiling them takes seconds."""
MAX_AXES = 8
MAX_PAIRS = 10**10

_NUMBERS_OF_AXES = ("bounds", "edges", "focus", "ratio")

_ZERO = parse_expression("0", ())


class Place(NamedTuple):
    """An expression in the file: its key, its text, and the axes it may depend on."""

    key: str
    text: str
    axes: tuple[str, ...]


Fault = tuple[str, str]
"""Key and message."""


def faults(raw: Mapping[str, Any]) -> list[Fault]:
    """Everything wrong between the tables."""
    scope, wrong = read_scope(raw)
    wrong = [*_name_faults(raw), *_size_faults(raw), *_transition_faults(raw), *_objective_faults(raw), *wrong]
    wrong += _hold_faults(raw, scope)
    operations, reported = 0, {key for key, _ in wrong}
    for place in places(raw):
        if place.key in reported:
            continue
        try:
            operations += scope.operations(read_expression(place, scope))
        except ExpressionError as error:
            wrong.append((place.key, str(error)))
        if operations > MAX_OPERATIONS:
            found = f"the expressions have more than {MAX_OPERATIONS} operations, definitions included"
            wrong.append((place.key, found))
            break
    return wrong


def resolve_numbers(raw: Mapping[str, Any]) -> list[Fault]:
    """Replace expressions where axes take numbers, as in ``bounds = ["-pi", "pi"]``, by their values; what is wrong."""
    wrong: list[Fault] = []
    scope, _ = read_scope(raw)
    known = [*scope.constants, *scope.definitions]

    def value(key: str, text: object) -> object:
        if not isinstance(text, str):
            return text
        try:
            expression = parse_expression(text, [*known, *sum(axis_names(raw), ())], axis_labels(raw))
            if depends := sorted(scope.variables(expression)):
                raise ExpressionError(f"{text!r} depends on {', '.join(depends)}; here only constants can occur")
            return constant_value(expression, scope)
        except ExpressionError as error:
            wrong.append((key, str(error)))
            return text

    for kind in ("state", "action"):
        for name, axis in _table(raw, kind).items():
            for key in _NUMBERS_OF_AXES if isinstance(axis, dict) else ():
                place, given = f"{kind}.{name}.{key}", axis.get(key)
                if isinstance(given, list):
                    axis[key] = [value(f"{place}.{number}", entry) for number, entry in enumerate(given)]
                elif isinstance(given, str):
                    axis[key] = value(place, given)
    return wrong


def places(raw: Mapping[str, Any]) -> Iterator[Place]:
    """All expressions of the file but the definitions."""
    states, actions = axis_names(raw)
    pair = states + actions
    tables = [("dynamics", _table(raw, "dynamics"), pair), ("noise", _table(raw, "noise"), pair)]
    for number, outcome in enumerate(_outcomes(raw)):
        chance = {"probability": outcome.get("probability")}
        tables.append((f"outcome.{number}", chance, pair))
        tables += [(f"outcome.{number}.{key}", _table(outcome, key), pair) for key in ("dynamics", "noise")]
    rest = {
        "cost": {"running": pair, "terminal_set": states, "terminal_cost": states},
        "reward": {"running": pair, "terminal_set": states, "terminal_reward": states},
        "reference": {"potential": actions},
        "initial": {"state_density": states, "policy_density": pair},
    }
    for key in ("policy_mean", "policy_covariance"):
        given = _table(raw, "initial").get(key)
        tables += (
            [(f"initial.{key}", given, states)] if isinstance(given, dict) else [("initial", {key: given}, states)]
        )
    for table, keys in rest.items():
        tables += [(table, {key: _table(raw, table).get(key)}, axes) for key, axes in keys.items()]
    for number, name in enumerate(_table(raw, "action")):
        ends = {str(end): value for end, value in enumerate(_feasible(raw, name))}
        tables.append((f"action.{name}.feasible", ends, (*states, *actions[:number])))
    for prefix, table_of, axes in tables:
        for key, value in table_of.items():
            text = _text(value)
            if text is not None:
                yield Place(f"{prefix}.{key}", text, axes)


def axis_names(raw: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the state axes, shocks first, and of the action axes of the grids.

    An action between feasible ends has the axis of its share.
    """
    actions = (share_name(name) if _feasible(raw, name) else name for name in _table(raw, "action"))
    return (*_table(raw, "shock"), *_table(raw, "state")), tuple(actions)


def axis_labels(raw: Mapping[str, Any]) -> dict[str, list[str]]:
    """Labels of the action axes that have some."""
    found = {name: axis.get("labels") for name, axis in _table(raw, "action").items() if isinstance(axis, dict)}
    return {
        name: [label for label in given if isinstance(label, str)]
        for name, given in found.items()
        if isinstance(given, list)
    }


def share_name(action: str) -> str:
    """Name of the axis of the share of the way between the feasible ends of an action."""
    return f"{action}_share"


def _feasible(raw: Mapping[str, Any], action: str) -> Sequence[Any]:
    """The two ends between which an action is feasible; empty for one that has bounds of its own."""
    axis = _table(raw, "action").get(action)
    ends = axis.get("feasible") if isinstance(axis, dict) else None
    return ends if isinstance(ends, list) and len(ends) == 2 else []


def read_scope(raw: Mapping[str, Any]) -> tuple[Scope, list[Fault]]:
    """Constants and definitions, and the faults of the definitions (which then count as zero).

    The discount and the temperature of [problem] are constants too, so that no file need repeat them.  An action
    between feasible ends is a definition: (1 - share) lower + share upper, the share being the variable.
    """
    wrong: list[Fault] = []
    predefined = {name: value for name, value in _table(raw, "problem").items() if name in PREDEFINED}
    constants = {
        name: float(value)
        for name, value in {**predefined, **_table(raw, "constants")}.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1.7e308
    }
    states, actions = axis_names(raw)
    between = [name for name in _table(raw, "action") if _feasible(raw, name)]
    known = [*states, *actions, *between, *PREDEFINED, *_table(raw, "constants")]
    definitions: dict[str, Expression] = {}
    labels = axis_labels(raw)
    for name, value in _table(raw, "definitions").items():
        text = _text(value)
        try:
            definitions[name] = _ZERO if text is None else parse_expression(text, known, labels)
        except ExpressionError as error:
            wrong.append((f"definitions.{name}", str(error)))
            definitions[name] = _ZERO
        known.append(name)
    if not between:
        return Scope(constants, definitions, labels), wrong
    for number, name in enumerate(_table(raw, "action")):
        if name in between:
            earlier = [*actions[:number], *(other for other in between[: between.index(name)])]
            names = [*states, *earlier, *constants, *_table(raw, "definitions")]
            definitions[name] = _between(name, _feasible(raw, name), names, labels, wrong)
    return Scope(constants, _in_order(definitions, between, wrong), labels), wrong


def _between(
    action: str, ends: Sequence[Any], names: Sequence[str], labels: Mapping[str, Sequence[str]], wrong: list[Fault]
) -> Expression:
    """The action as an expression in its share; zero where an end does not parse, which is added to what is wrong."""
    texts = []
    for number, value in enumerate(ends):
        try:
            texts.append(parse_expression(_text(value) or "0", names, labels).text)
        except ExpressionError as error:
            wrong.append((f"action.{action}.feasible.{number}", str(error)))
    if len(texts) < len(ends):
        return _ZERO
    share = share_name(action)
    try:
        return parse_expression(f"(1 - {share})*({texts[0]}) + {share}*({texts[1]})", [*names, share], labels)
    except ExpressionError as error:
        wrong.append((f"action.{action}.feasible", str(error)))
        return _ZERO


def _in_order(
    definitions: Mapping[str, Expression], between: Sequence[str], wrong: list[Fault]
) -> dict[str, Expression]:
    """Definitions, each after those it uses; actions that would be defined by themselves are wrong, and count as zero.

    Those of the file are in order; ends of actions may use any of them that uses no such action.
    """
    ordered: dict[str, Expression] = {}
    waiting = dict(definitions)
    while waiting:
        before = len(waiting)
        for name in list(waiting):
            if not any(used in waiting for used in waiting[name].names):
                ordered[name] = waiting.pop(name)
        if len(waiting) == before:
            for name in [name for name in between if name in waiting]:
                wrong.append((f"action.{name}.feasible", f"its ends depend on {name} itself, through a definition"))
                waiting[name] = _ZERO
    return ordered


def read_expression(place: Place, scope: Scope) -> Expression:
    """The expression of one place.

    Raises
    ------
    ExpressionError
        It does not parse, or depends on an axis that means nothing there.
    """
    expression = parse_expression(place.text, [*place.axes, *scope.constants, *scope.definitions], scope.labels)
    foreign = sorted(scope.variables(expression) - set(place.axes))
    if foreign:
        valid = f"only {', '.join(place.axes)} can occur" if place.axes else "no axis can occur"
        raise ExpressionError(f"{place.text!r} depends on {', '.join(foreign)} through a definition; here {valid}")
    return expression


def _table(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _outcomes(raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    value = raw.get("outcome")
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    return value if isinstance(value, str) else None


def _name_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    owner: dict[str, str] = {name: f"problem.{name}" for name in PREDEFINED}
    for table in ("shock", "state", "action", "constants", "definitions"):
        for name in _table(raw, table):
            key = f"{table}.{name}"
            if not valid_name(name):
                words = ", ".join([*ARGUMENTS, *CONSTANTS, "Python's keywords"])
                yield key, f"{name!r} cannot be a name: use ASCII letters, digits and _, and none of {words}"
            if name in owner:
                yield key, f"the name is already taken by {owner[name]}"
            owner.setdefault(name, key)
            if table in ("shock", "state", "action") and (name in RESERVED_NAMES or name.endswith(AXIS_ENDINGS)):
                taken = ", ".join(sorted(RESERVED_NAMES))
                yield key, f"an axis may not be called {name!r}, *_edges, *_bounds or one of {taken}"
    for name in _table(raw, "action"):
        share = share_name(name)
        if _feasible(raw, name) and share in owner:
            yield f"action.{name}", f"its share is called {share}, a name already taken by {owner[share]}"
    if isinstance(raw.get("action"), dict) and not raw["action"]:
        yield "action", "at least one action axis is needed"


def _size_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """Grids that no machine holds are refused before any of their arrays exists."""
    pairs = 1
    for kind, names in zip(("state", "action"), axis_names(raw), strict=True):
        if len(names) > MAX_AXES:
            yield kind, f"has {len(names)} axes; at most {MAX_AXES}"
        axes = [*(_table(raw, "shock").values() if kind == "state" else ()), *_table(raw, kind).values()]
        for axis in axes:
            pairs *= _cells(axis)
    if pairs > MAX_PAIRS:
        yield "state" if axis_names(raw)[0] else "action", f"the grids have {pairs:.1e} pairs; at most {MAX_PAIRS:.0e}"


def _cells(axis: object) -> int:
    if not isinstance(axis, dict):
        return 1
    if isinstance(axis.get("labels"), list):
        return max(1, len(axis["labels"]))
    if isinstance(axis.get("edges"), list):
        return max(1, len(axis["edges"]) - 1)
    if isinstance(axis.get("points"), list):
        return max(1, len(axis["points"]))
    cells = axis.get("cells", axis.get("points"))
    return cells if isinstance(cells, int) and 1 <= cells <= MAX_PAIRS else 1


def _objective_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    if "cost" in raw and "reward" in raw:
        yield "reward", "give either [cost], which is minimised, or [reward], which is maximised, not both"
    if "cost" not in raw and "reward" not in raw:
        yield "cost", "is missing (or [reward], for what is to be maximised)"


def _hold_faults(raw: Mapping[str, Any], scope: Scope) -> Iterator[Fault]:
    """What actions cannot be held with: chance, and ends that may move meanwhile."""
    hold = _table(raw, "problem").get("hold")
    if not isinstance(hold, int) or isinstance(hold, bool) or hold <= 1:
        return
    random = [f"noise.{name}" for name, value in _table(raw, "noise").items() if not _constant(value, scope, 0.0)]
    random += [f"shock.{name}" for name in _table(raw, "shock")] + ["outcomes"][: len(_outcomes(raw))]
    if random:
        yield "problem.hold", random_and_held(hold, random[0])
    for name in _table(raw, "action"):
        if not all(_constant(end, scope) for end in _feasible(raw, name)):
            yield "problem.hold", leaving_while_held(hold, name)


def _constant(value: object, scope: Scope, number: float | None = None) -> bool:
    """Whether an expression depends on no axis, and is this number if one is given."""
    try:
        expression = parse_expression(_text(value) or "0", [*scope.constants, *scope.definitions], scope.labels)
        if scope.variables(expression):
            return False
        return number is None or constant_value(expression, scope) == number
    except ExpressionError:
        return False


def _transition_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    states = tuple(_table(raw, "state"))
    single = [key for key in ("dynamics", "noise") if raw.get(key)]
    if raw.get("outcome") and single:
        yield single[0], "give either [dynamics] and [noise], or [[outcome]], not both"
    if states and not raw.get("outcome") and not raw.get("dynamics"):
        yield "dynamics", f"is missing: the next state of {', '.join(states)} (or [[outcome]])"
    if not states and raw.get("outcome"):
        yield "outcome", "a problem without state axes has no next state"
    wholes = [("", raw)] if raw.get("dynamics") or raw.get("noise") else []
    wholes += [(f"outcome.{number}.", outcome) for number, outcome in enumerate(_outcomes(raw))]
    listed = ", ".join(states) or "none"
    for prefix, whole in wholes:
        dynamics, noise = _table(whole, "dynamics"), _table(whole, "noise")
        whole_table_missing = not (dynamics or (prefix and "dynamics" in whole))  # which is reported already
        for name in () if whole_table_missing else states:
            if name not in dynamics:
                yield f"{prefix}dynamics.{name}", "is missing"
        for table, entries in (("dynamics", dynamics), ("noise", noise)):
            for name in entries:
                if name in _table(raw, "shock"):
                    yield f"{prefix}{table}.{name}", "is a shock, whose next value comes from its own chain"
                elif name not in states:
                    near = did_you_mean(name, states)
                    yield f"{prefix}{table}.{name}", f"is not a state axis; state axes are {listed}{near}"
