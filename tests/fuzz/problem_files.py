"""Throw problem files at the reader: each leads to a problem, or to a refusal in clear lines; what else is a fault."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.answers import BadAnswerError, check_lines
from tests.fuzz.problem_texts import files
from tests.fuzz.table import Tally
from tests.fuzz.worker import Worker

MOST_PAIRS = 400


def prepare(folder: Path) -> Callable[[bytes], str]:
    """The judge of problem files, all kernels loaded; expressions are interpreted, as compiling takes a second each."""
    import wpoflow.core.compile as door
    from tests.gallery import on_cells
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
        build_problem(read_problem(name, cells=on_cells(name, 3)))
    path = folder / "fuzz.toml"

    def judge(content: bytes) -> str:
        path.write_bytes(content)
        with np.errstate(all="ignore"):
            return judge_file(path)

    return judge


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


def fuzz(count: int, seed: int, keep: Path | None = None) -> Tally:
    """Judge so many problem files."""
    tally = Tally(keep)
    with Worker(prepare) as worker:
        for family, content in files(random.Random(seed), count):
            tally.add(family, content, worker.judge(content))
    return tally
