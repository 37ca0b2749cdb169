"""From a problem file to its statement and its grid problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wpoflow.core.communicator import Communicator
from wpoflow.grids.axis import Axis, edges_axis, label_axis, shock_axis, sinh_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.halving import halved_grid
from wpoflow.grids.markov_chains import rouwenhorst, tauchen
from wpoflow.problems.checks import axis_names, places, read_expression, read_scope
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.expressions import Expression
from wpoflow.problems.generated import compile_expressions
from wpoflow.problems.held_source import HeldFunction, held_function
from wpoflow.problems.hold import check_power
from wpoflow.problems.memory import refuse_if_too_large
from wpoflow.problems.problem_file import ProblemFile, parse_problem, read_problem
from wpoflow.problems.scope import Scope
from wpoflow.problems.statement import Outcome, Statement, Value, build
from wpoflow.problems.tables import ActionAxis, ShockTable
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.settings import Until


def load_problem(
    name_or_path: str | Path,
    *,
    cells: Mapping[str, int] | None = None,
    set: Mapping[str, Any] | None = None,
    until: Until | None = None,
    communicator: Communicator | None = None,
) -> GridMDP:
    """The grid problem of a problem file or of a gallery problem.

    Parameters
    ----------
    name_or_path : str or Path
        A file if it ends in ``.toml`` or holds a slash, else a gallery name.
    cells : mapping of axis name to int, optional
        Replaces grid sizes.
    set : mapping of dotted key to value, optional
        Replaces any key of the file; a string is parsed as a TOML value.
    until : float or mapping, optional
        Replaces the file's stop criteria.
    communicator : Communicator, optional
        Of the processes that share the problem (`wpoflow.core.communicator`); each holds the rows of its states.

    Raises
    ------
    ProblemError
        Faults of the file, or values that cannot be used; one line each.
    MemoryError
        The arrays of the problem alone do not fit.
    """
    return build_problem(read_problem(name_or_path, cells=cells, set=set, until=until), communicator)


def build_problem(problem: ProblemFile, communicator: Communicator | None = None) -> GridMDP:
    """The grid problem of a file that has been read; errors as in :func:`load_problem`."""
    try:
        statement = read_statement(problem)
        refuse_if_too_large(problem.label, statement.plan, ranks=1 if communicator is None else communicator.size)
        mdp = build(statement, communicator).stated_by(problem.text)
        return mdp.made_by(_rebuilt, problem.text, problem.label, problem.name)
    except ProblemError:
        raise
    except ValueError as error:
        raise ProblemError(f"{problem.label}: {error}") from error


def _rebuilt(text: str, label: str, name: str) -> GridMDP:
    """The grid problem of a file's resolved text, in whatever process it has travelled to."""
    return build_problem(replace(parse_problem(text, label), name=name))


def read_statement(problem: ProblemFile) -> Statement:
    """The statement of a problem file, its expressions compiled."""
    tables = problem.tables
    raw = tables.dump()
    scope, _ = read_scope(raw)
    wanted = {place.key: (read_expression(place, scope), place.axes) for place in places(raw)}
    values: dict[str, Value] = {
        key: function if function.constant is None else function.constant
        for key, function in compile_expressions(scope, wanted).items()
    }

    def named(prefix: str, names: Mapping[str, str]) -> dict[str, Value]:
        return {name: values[f"{prefix}.{name}"] for name in names}

    try:
        check_power(tables.problem.discount, "problem.hold", tables.problem.hold)
        names = axis_names(raw)
        states, actions = _grid(names[0], {**tables.shock, **tables.state}), _grid(names[1], tables.action)
        if tables.problem.reflection:
            halved_grid(states, actions, tables.problem.reflection)
    except ValueError as error:
        raise ProblemError(f"{problem.label}: {error}") from error
    return Statement(
        states=states,
        actions=actions,
        discount=tables.problem.discount,
        temperature=tables.problem.temperature,
        **_objective(values),
        dynamics=named("dynamics", tables.dynamics),
        noise=named("noise", tables.noise),
        outcomes=[
            Outcome(
                values[f"outcome.{number}.probability"],
                named(f"outcome.{number}.dynamics", outcome.dynamics),
                named(f"outcome.{number}.noise", outcome.noise),
            )
            for number, outcome in enumerate(tables.outcome)
        ],
        potential=values["reference.potential"],
        state_density=values["initial.state_density"],
        policy_density=values.get("initial.policy_density", 1.0),
        policy_mean=_entries(values, "initial.policy_mean", tables.initial.policy_mean),
        policy_covariance=_entries(values, "initial.policy_covariance", tables.initial.policy_covariance),
        feasible={
            name: (values[f"action.{name}.feasible.0"], values[f"action.{name}.feasible.1"])
            for name, axis in tables.action.items()
            if axis.feasible is not None
        },
        title=problem.title,
        hold=tables.problem.hold,
        reflection=tables.problem.reflection,
        held=_held(problem, states, actions, scope, wanted) if tables.problem.hold > 1 else None,
    )


def _held(
    problem: ProblemFile, states: Grid, actions: Grid, scope: Scope, wanted: Mapping[str, tuple[Expression, Any]]
) -> HeldFunction:
    """The steps of a decision as one compiled function."""
    tables = problem.tables
    kind = "reward" if tables.reward is not None else "cost"
    terminal = (wanted.get(key, (None, ()))[0] for key in (f"{kind}.terminal_set", f"{kind}.terminal_{kind}"))
    return held_function(
        scope,
        states.axes,
        [axis.name for axis in actions.axes],
        {name: wanted[f"dynamics.{name}"][0] for name in tables.dynamics},
        wanted[f"{kind}.running"][0],
        *terminal,
        sign=-1.0 if kind == "reward" else 1.0,
        discount=tables.problem.discount,
        hold=tables.problem.hold,
    )


def _entries(values: Mapping[str, Value], key: str, given: object) -> Value | dict[str, Value] | None:
    """A vector or matrix of expressions as it was given: one, or one for each entry."""
    if isinstance(given, dict):
        return {name: values[f"{key}.{name}"] for name in given}
    return None if given is None else values[key]


def _grid(names: Sequence[str], axes: Mapping[str, Any]) -> Grid:
    return Grid(tuple(_axis(name, table) for name, table in zip(names, axes.values(), strict=True)))


def _objective(values: Mapping[str, Value]) -> dict[str, Any]:
    """What is minimised, or maximised, and where the process ends, as arguments of the statement."""
    kind = "reward" if "reward.running" in values else "cost"
    keys = {kind: "running", "terminal_set": "terminal_set", f"terminal_{kind}": f"terminal_{kind}"}
    return {name: values[f"{kind}.{key}"] for name, key in keys.items() if f"{kind}.{key}" in values}


def _axis(name: str, table: Any) -> Axis:
    return replace(_unlabelled(name, table), label=table.label or "", units=table.units or "")


def _unlabelled(name: str, table: Any) -> Axis:
    if isinstance(table, ShockTable):
        return _shock(name, table)
    if isinstance(table, ActionAxis) and table.labels is not None:
        return label_axis(name, table.labels)
    if table.edges is not None:
        return edges_axis(name, table.edges, table.boundary)
    lower, upper = table.box
    if table.spacing is None:
        return uniform_axis(name, lower, upper, table.cells, table.boundary)
    return sinh_axis(name, lower, upper, table.cells, table.boundary, focus=table.focus, ratio=table.ratio)


def _shock(name: str, table: ShockTable) -> Axis:
    if table.transition is not None:
        assert isinstance(table.points, list)
        return shock_axis(name, table.points, table.transition)
    given = table.model_dump(exclude_none=True, exclude={"method", "label", "units"})
    return shock_axis(name, *(rouwenhorst if table.method == "rouwenhorst" else tauchen)(**given))
