"""What a problem file may lead to: a problem, or a refusal in clear lines; what else is a fault."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from wpoflow.problems.gallery import gallery_text

LONGEST_LINE = 1000
MOST_LINES = 40
MOST_PAIRS = 400
MOST_CODE = 40_000


class BadAnswerError(AssertionError):
    """An answer that is not in one clear line."""


def check_lines(lines: Iterable[str], begin: str) -> None:
    """Raise BadAnswerError unless there are a few clear lines that begin with a name."""
    lines = list(lines)
    if not 1 <= len(lines) <= MOST_LINES:
        raise BadAnswerError(f"{len(lines)} lines")
    for line in lines:
        if not line.isprintable() or len(line) > LONGEST_LINE:
            raise BadAnswerError(f"a line of {len(line)} characters: {line[:200]!r}")
        if not line.startswith(begin):
            raise BadAnswerError(f"a line that does not begin with {begin}: {line[:200]!r}")


def prepare(folder: Path) -> Callable[[bytes], str]:
    """The judge of problem files, all kernels loaded; expressions are interpreted, as compiling takes a second each."""
    import wpoflow.core.compile as door
    from wpoflow.problems.gallery import gallery_names
    from wpoflow.problems.load import build_problem
    from wpoflow.problems.problem_file import read_problem

    compiled = door.kernel

    def kernel(*arguments: Any, **options: Any) -> Callable[[Any], Any]:
        decorate = compiled(*arguments, **options)
        return lambda function: function if "generated" in function.__module__ else decorate(function)

    door.kernel = kernel
    os.environ["XDG_CACHE_HOME"] = str(folder)  # read when a generated module is stored
    for name in gallery_names():
        problem = read_problem(name)
        small = dict.fromkeys((*problem.tables.state, *problem.tables.action), 3)
        build_problem(read_problem(name, cells=small))
    path = folder / "fuzz.toml"

    def judge(content: bytes) -> str:
        path.write_bytes(content)
        with np.errstate(all="ignore"):
            return judge_file(path)

    return judge


def prepare_running(folder: Path) -> Callable[[bytes], str]:
    """As `prepare`; problems that are built are also run for a few steps."""
    judge_built = prepare(folder)
    judge_built(gallery_text("lqr").replace("cells = 128", "cells = 4").encode())
    path = folder / "fuzz.toml"

    def judge(content: bytes) -> str:
        answer = judge_built(content)
        with np.errstate(all="ignore"):
            return judge_run(path) if answer == "built" else answer

    judge(gallery_text("lqr").replace("cells = 128", "cells = 4").encode())
    return judge


def judge_run(path: Path) -> str:
    """Take three steps of a problem; a run ends by itself, is refused in one line, or records only numbers."""
    from wpoflow.exits import Exit, exit_status
    from wpoflow.problems.load import build_problem
    from wpoflow.problems.problem_file import read_problem
    from wpoflow.solver.runs.evolve import evolve

    problem = read_problem(path)
    flow = problem.flow
    try:
        run = evolve(
            build_problem(problem),
            until={**flow.until.criteria, "steps": 3, "wall": 0.5},
            step=flow.step,
            accuracy=flow.accuracy,
            scheme=flow.scheme,
            snapshots=2,
        )
    except (ArithmeticError, ValueError) as error:
        known = str(error).startswith(("until: ", "scheme"))  # which the commands tell of
        if exit_status(error) is Exit.INTERNAL and not known:
            raise
        check_lines([str(error)], "")
        return "refused by the solver"
    for name, values in run.series.items():
        if np.any(np.isnan(values)) and name != "rate_observed":
            raise BadAnswerError(f"{name} is nan")
    if run.snapshots is not None and not (np.all(np.isfinite(run.policy)) and run.policy.min() >= 0.0):
        raise BadAnswerError("a policy that is none")
    return run.status


def judge_file(path: Path) -> str:
    """Read a problem file and build it if it is small; says how far it came."""
    from wpoflow.problems.errors import ProblemError
    from wpoflow.problems.load import build_problem, read_statement
    from wpoflow.problems.memory import estimate, refuse_if_too_large
    from wpoflow.problems.problem_file import parse_problem, read_problem

    try:
        problem = read_problem(path)
        if parse_problem(problem.text).tables != problem.tables:
            raise BadAnswerError("the resolved text is another problem")
        statement = read_statement(problem)
        expected = estimate(statement, problem.flow)
        refuse_if_too_large("fuzz.toml", expected.plan, expected.needed)
        if statement.plan.pairs > MOST_PAIRS:
            return "accepted"
        mdp = build_problem(problem)
    except ProblemError as error:
        check_lines(error.lines, str(path))
        return "refused"
    except MemoryError as error:
        check_lines([str(error)], "fuzz.toml")
        return "too large"
    arrays = (mdp.cost, mdp.reference_mass, mdp.rho, mdp.initial_policy)
    if not all(np.all(np.isfinite(array)) for array in arrays):
        raise BadAnswerError("a problem with numbers that are not finite")
    return "built"


def prepare_expressions(folder: Path) -> Callable[[str], str]:
    """The judge of expressions."""
    from wpoflow.problems.expressions import ExpressionError, Scope, parse_expression

    names = ("x", "u", "gain", "push", "discount", "temperature")
    push = parse_expression("gain*u", ("gain", "u"))
    scope = Scope({"gain": 0.3, "discount": 0.9, "temperature": 0.1}, {"push": push})
    points = list(itertools.product((-1.0, 0.0, 2.5, np.inf, np.nan), repeat=2))
    arrays = {name: np.array(column) for name, column in zip(("x", "u"), zip(*points, strict=True), strict=True)}

    def judge(text: str) -> str:
        try:
            expression = parse_expression(text, names)
        except ExpressionError as error:
            check_lines([str(error)], "")
            return "refused"
        used = [name for name in ("x", "u") if name in scope.variables(expression)]
        namespace: dict[str, Any] = {"np": np}
        exec(compile(scope.source("f", expression, used), str(folder / "expression.py"), "exec"), namespace)
        out = np.empty(len(points))
        with np.errstate(all="ignore"):
            namespace["f"](*(arrays[name] for name in used), out)
        return "accepted"

    return judge
