"""Throw expressions at the parser, guided by coverage.

An input that takes the parser or the writer along new paths (arcs between lines, how often in powers of two) joins the
corpus, whose members are mutated and crossed further.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from tests.fuzz.answers import check_lines
from tests.fuzz.expression_texts import HARMFUL, HUGE, grown, hostile, mutated
from tests.fuzz.table import Tally
from tests.fuzz.worker import Worker

NEW = "new paths"


class Coverage:
    """Paths through one file, seen so far."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._seen: set[tuple[int, int, int]] = set()
        self._arcs: Counter[tuple[int, int]] = Counter()
        self._last = 0

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != self._file:
            return None
        if event == "line":
            self._arcs[self._last, frame.f_lineno] += 1
            self._last = frame.f_lineno
        return self._trace

    def run(self, function: Callable[[], str]) -> tuple[str, bool]:
        """Call the function; gives its answer, and whether it took new paths."""
        self._arcs.clear()
        self._last = 0
        sys.settrace(self._trace)
        try:
            answer = function()
        finally:
            sys.settrace(None)
        found = {(*arc, count.bit_length()) for arc, count in self._arcs.items()}
        new = not found <= self._seen
        self._seen |= found
        return answer, new


def prepare_untraced(folder: Path) -> Callable[[str], str]:
    """The judge of expressions."""
    from wpoflow.problems.expressions import ExpressionError, parse_expression
    from wpoflow.problems.scope import Scope

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


def prepare(folder: Path) -> Callable[[str], str]:
    """The judge of expressions, which also says whether paths were new."""
    from wpoflow.problems import expressions

    judge = prepare_untraced(folder)
    coverage = Coverage(expressions.__file__)

    def traced(text: str) -> str:
        if len(text) > 2000:  # tracing would take most of the time
            return judge(text)
        answer, new = coverage.run(lambda: judge(text))
        return f"{answer}|{NEW}" if new else answer

    return traced


def fuzz(count: int, seed: int, keep: Path | None = None) -> Tally:
    """Judge so many expressions."""
    rng, tally = random.Random(seed), Tally(keep)
    corpus = [*HARMFUL, *(grown(rng) for _ in range(20))]
    with Worker(prepare) as worker:
        for text in HARMFUL:
            tally.add("means harm", text, worker.judge(text))
        for _, make in HUGE:
            tally.add("huge", make(), worker.judge(make()))
        for _ in range(count - len(HARMFUL) - len(HUGE)):
            if rng.random() < 0.3:
                family, text = "random", hostile(rng)
            else:
                family, text = "guided", mutated(rng, rng.choice(corpus))
                if rng.random() < 0.2:
                    other = rng.choice(corpus)
                    text = text[: rng.randrange(len(text) + 1)] + other[rng.randrange(len(other) + 1) :]
            text = text.encode("utf-8", "replace").decode()
            outcome = worker.judge(text)
            tally.add(NEW if outcome.message == NEW else family, text, outcome)
            if outcome.message == NEW:
                corpus.append(text)
    return tally
