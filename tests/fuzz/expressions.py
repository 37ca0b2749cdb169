"""Throw expressions at the parser, guided by coverage: ``python -m tests.fuzz.expressions --count 20000 --seed 0``.

An input that takes the parser or the writer along new paths (arcs between lines, how often in powers of two) joins the
corpus, whose members are mutated and crossed further.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.expression_texts import HARMFUL, HUGE, grown, hostile, mutated
from tests.fuzz.problem_judge import prepare_expressions
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


def prepare(folder: Path) -> Callable[[str], str]:
    """The judge of expressions, which also says whether paths were new."""
    from wpoflow.problems import expressions

    judge = prepare_expressions(folder)
    coverage = Coverage(expressions.__file__)

    def traced(text: str) -> str:
        if len(text) > 2000:  # tracing would take most of the time
            return judge(text)
        answer, new = coverage.run(lambda: judge(text))
        return f"{answer}|{NEW}" if new else answer

    return traced


def fuzz(count: int, seed: int, keep: Path | None = None) -> tuple[Tally, int]:
    """Judge so many expressions; the tally, and how many found new paths."""
    rng, tally = random.Random(seed), Tally(keep)
    corpus = [*HARMFUL, *(grown(rng) for _ in range(20))]
    found = 0
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
            tally.add(family, text, outcome)
            if outcome.message == NEW:
                corpus.append(text)
                found += 1
    return tally, found


def main() -> None:
    """Print a table of outcomes; the status is 1 if there are faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for inputs that led to a fault")
    options = parser.parse_args()
    tally, found = fuzz(options.count, options.seed, options.keep)
    print(f"{tally.text()}\n{found} inputs took new paths")
    sys.exit(bool(tally.faults))


if __name__ == "__main__":
    main()
