"""How objects and long computations show themselves: each asks one renderer, which a higher floor brings along.

Lower floors know neither HTML nor terminals.  The front door names who shows what (`show_with`, `progress_with`);
without one, as when a floor is used by itself, notebooks show the text, and computations say nothing.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

Renderer = Callable[[object], str]
Show = Callable[[Any], None]
ProgressMaker = Callable[[Mapping[str, float]], AbstractContextManager[Show]]

_renderers: list[Renderer] = []
_progress: list[ProgressMaker] = []
_silences: list[object] = []  # one for each context in which nothing is shown unasked


def show_with(renderer: Renderer) -> None:
    """Let this renderer write the HTML of whatever is displayed."""
    _renderers[:] = [renderer]


class Displayed:
    """Something that notebooks show as HTML."""

    def _repr_html_(self) -> str | None:
        """HTML for a notebook; None where there is no renderer, and the text is shown instead."""
        return _renderers[0](self) if _renderers else None


def progress_with(maker: ProgressMaker) -> None:
    """Let this show the progress of runs whose callers have not said how."""
    _progress[:] = [maker]


def shown_progress(wanted: bool | Show | None, until: Mapping[str, float]) -> AbstractContextManager[Show | None]:
    """What a run reports its steps to, as a context.

    Parameters
    ----------
    wanted : bool, callable or None
        A callable is used as it is.  None: shown where somebody looks on (`looked_at`).
    until : mapping
        The stop criteria, of which the share done is told.

    Raises
    ------
    ValueError
        What is wanted is none of these.
    """
    if callable(wanted):
        return nullcontext(wanted)
    if not (wanted is None or isinstance(wanted, bool)):
        raise ValueError(f"progress: {wanted!r} is neither true, false nor a function")
    shown = looked_at() if wanted is None else wanted
    return _progress[0](until) if shown and _progress else nullcontext(None)


@contextmanager
def silent() -> Iterator[None]:
    """Context of what shows its progress itself: runs in it show theirs only if they are told to."""
    _silences.append(None)
    try:
        yield
    finally:
        _silences.pop()


def looked_at() -> bool:
    """Whether this is a notebook, or a terminal is behind standard output; never in other threads and processes."""
    threads, processes = importlib.import_module("threading"), importlib.import_module("multiprocessing")
    if _silences or threads.current_thread() is not threads.main_thread() or processes.parent_process() is not None:
        return False
    if "ipykernel" in sys.modules and "IPython" in sys.modules:
        return True
    try:
        return sys.stdout is not None and sys.stdout.isatty()
    except (OSError, ValueError):
        return False
