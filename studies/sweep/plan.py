"""What is swept: problems, keys with their values, which of them go together, and what is the same for all points.

The points are the product of all groups; within a group the keys go together, first with first.  A group is one
dimension of the result, called as its first key.  Keys are those of a problem file (``problem.temperature``,
``flow.anneal.rate``), and the settings of a run by their short names: ``cells.AXIS``, ``flow``, ``scheme``, ``step``,
``accuracy``, ``until``, ``until.KEY`` and ``linear_solver``.  A flow may be given with keys of its own, as
``"mirror:step=0.5"``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wpoflow.core.text import did_you_mean, one_line
from wpoflow.problems.tables import Tables
from wpoflow.studies.sweep.values import StudyError, checked_values, refuse_repeated

PROBLEM = "problem"
"""The dimension of several problems."""
SETTINGS = ("flow", "scheme", "step", "accuracy", "until", "linear_solver")
PREFIXES = ("cells", "until", *Tables.model_fields)
MOST_POINTS = 1_000_000
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Group:
    """Keys that go together: as many values each, one dimension."""

    keys: Mapping[str, Sequence[Any]]

    @property
    def dim(self) -> str:
        """Name of the dimension."""
        return next(iter(self.keys))

    @property
    def size(self) -> int:
        """How many values."""
        return len(self.keys[self.dim])

    def at(self, number: int) -> dict[str, Any]:
        """What each key is at a place of the dimension."""
        return {key: values[number] for key, values in self.keys.items()}


@dataclass(frozen=True)
class Plan:
    """A study as it is stated.

    Attributes
    ----------
    problems : tuple of str
        Names of the gallery, or paths; a dimension of its own where there are several.
    groups : tuple of Group
        Dimensions, in order, that of the problems included.
    set, cells : mapping
        The same for all points, as `problems.load.load_problem` takes them.
    settings : mapping
        The same for all points: until, flow, scheme, step, accuracy, linear_solver.
    title : str
    places : mapping
        How errors call a swept key, where that is not just its name.
    """

    problems: tuple[str, ...]
    groups: tuple[Group, ...]
    set: Values = field(default_factory=dict)
    cells: Mapping[str, int] = field(default_factory=dict)
    settings: Values = field(default_factory=dict)
    title: str = ""
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each dimension."""
        return tuple(group.size for group in self.groups)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    def points(self) -> Iterator[tuple[tuple[int, ...], dict[str, Any]]]:
        """Place and values of each point, the last dimension fastest."""
        for place in itertools.product(*map(range, self.shape)):
            found: dict[str, Any] = {}
            for group, number in zip(self.groups, place, strict=True):
                found |= group.at(number)
            yield place, found


def make_plan(
    problems: Sequence[str],
    over: Mapping[str, Any],
    together: Sequence[Mapping[str, Any]] = (),
    *,
    set: Values | None = None,
    cells: Mapping[str, int] | None = None,
    settings: Values | None = None,
    title: str = "",
    places: Mapping[str, str] | None = None,
) -> Plan:
    """Check what is asked for.

    Parameters
    ----------
    problems : sequence of str
    over : mapping
        Keys with their values, of which all combinations are taken.
    together : sequence of mappings
        Groups of keys that go together.
    set, cells, settings, title, places
        As in `Plan`.

    Raises
    ------
    StudyError
        One line that names the key at fault.
    """
    called = places or {}
    given = {key: value for key, value in (settings or {}).items() if value is not None}
    groups: list[Group] = []
    if not problems:
        raise StudyError("problem: give a gallery name or a file")
    refuse_repeated("problem", problems)
    if len(problems) > 1:
        groups.append(Group({PROBLEM: list(problems)}))
    known: dict[str, str] = {}
    for asked in (*({key: values} for key, values in over.items()), *together):
        if not asked:
            raise StudyError("zip: an empty group of keys")
        found: dict[str, Sequence[Any]] = {}
        for key, values in asked.items():
            where = called.get(key, key)
            _check_key(key, where)
            place = _place(key)
            if place in known:
                other = known[place]
                raise StudyError(f"{where}: is swept twice" + (f", as {other}, too" if other != key else ""))
            for there, other in known.items():
                if place.startswith(f"{there}.") or there.startswith(f"{place}."):
                    raise StudyError(f"{where}: is swept, and so is {other}; one is a part of the other")
            known[place] = key
            found[key] = checked_values(where, values)
        group = Group(found)
        for key, values in found.items():
            if len(values) != group.size:
                raise StudyError(
                    f"{called.get(key, key)}: {len(values)} values, and {called.get(group.dim, group.dim)}, which goes "
                    f"together with it, has {group.size}"
                )
        refuse_repeated(
            " and ".join(called.get(key, key) for key in found),
            group.keys[group.dim] if len(found) == 1 else [list(group.at(k).values()) for k in range(group.size)],
        )
        groups.append(group)
    if not any(group.dim != PROBLEM for group in groups) and len(problems) == 1:
        raise StudyError("there is nothing to sweep over; give keys with lists, as in problem.temperature = [0.1, 0.2]")
    parts = (f"until.{name}" for name in until_parts(given.get("until")))
    fixed = (*(set or {}), *(f"cells.{axis}" for axis in cells or {}), *given, *parts)
    for key in fixed:
        if (place := _place(key)) in known:
            raise StudyError(
                f"{called.get(known[place], known[place])}: is swept, and set to one value for all points, too"
            )
        for there, other in known.items():
            if place.startswith(f"{there}."):
                raise StudyError(
                    f"{called.get(other, other)}: is swept, and {key}, a part of it, set to one value, too"
                )
    plan = Plan(tuple(problems), tuple(groups), dict(set or {}), dict(cells or {}), given, title, dict(called))
    if plan.size > MOST_POINTS:
        raise StudyError(f"{plan.size:,} points; at most {MOST_POINTS:,}")
    return plan


def canonical(key: str) -> str:
    """A key by its name in the problem file, as far as it has one."""
    if key in ("flow", "flow.kind"):
        return "flow.kind"
    if key in SETTINGS[1:5] or key.startswith("until."):
        return f"flow.{key}"
    return key


def _place(key: str) -> str:
    """What a key sets, the same for all keys that set it."""
    table, _, rest = key.partition(".")
    axis = rest.removesuffix(".cells")
    return f"cells.{axis}" if table in ("state", "action") and axis != rest else canonical(key)


def until_parts(until: Any) -> dict[str, Any]:
    """Stop criteria by their names; a number is a time."""
    if isinstance(until, Mapping):
        return dict(until)
    return {} if until is None else {"time": until}


def _check_key(key: object, where: str) -> None:
    """Raise StudyError for what is no key of a problem file or of a run, as far as that is seen from its beginning."""
    if not isinstance(key, str) or not key.isprintable() or " " in key or "/" in key or not key:
        raise StudyError(f"{where}: {one_line(repr(key), 60)} is not a key")
    head, dot, rest = key.partition(".")
    if (not dot and key in SETTINGS) or (dot and rest and head in PREFIXES and key != PROBLEM):
        return
    choices = (*SETTINGS, *(f"{prefix}.KEY" for prefix in PREFIXES))
    near = did_you_mean(head, [*SETTINGS, *PREFIXES]) if head not in PREFIXES else ""
    raise StudyError(f"{where}: is not a key to sweep over; choose {', '.join(choices)}{near}")
