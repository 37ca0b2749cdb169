"""Saying that kernels are compiled, where a command would else be silent for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wpoflow.views.progress import BeforeFirstStep

FIRST_LINE_AFTER = 1.0


@contextmanager
def telling_of_compiling(quiet: bool) -> Iterator[None]:
    """While kernels are compiled inside, say which, now and then, unless ``quiet``."""
    if quiet:
        yield
        return
    from wpoflow.solver.runs.compile_timer import CompileTimer

    with CompileTimer() as timer, BeforeFirstStep(lambda: timer.kernel, FIRST_LINE_AFTER, otherwise=""):
        yield
