"""How a command ends: exit statuses, and one line on standard error for whatever went wrong."""

from __future__ import annotations

import os
import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import click

from wpoflow.core.onlooker import errors
from wpoflow.core.text import escaped_line, one_line
from wpoflow.core.travel import TravellingError
from wpoflow.solver.records.notices import RunFileWarning


class Exit(IntEnum):
    """Exit statuses of the command line."""

    DONE = 0
    SHORT_OF_GOAL = 1
    UNUSABLE = 2
    RUN_FILE = 3
    ENVIRONMENT = 4
    INTERNAL = 70
    INTERRUPTED = 130


class CommandError(TravellingError):
    """An error with its exit status; the message is one line, or one line per fault."""

    def __init__(self, status: Exit, message: str) -> None:
        super().__init__(message)
        self.status = status


_BY_NAME = {
    "ProblemError": Exit.UNUSABLE,
    "StudyError": Exit.UNUSABLE,
    "FigureError": Exit.UNUSABLE,
    "UnsuitableFlowError": Exit.UNUSABLE,
    "TooColdError": Exit.UNUSABLE,
    "FileExistsError": Exit.UNUSABLE,
    "NoFolderError": Exit.UNUSABLE,
    "RunFileError": Exit.RUN_FILE,
    "BellmanError": Exit.SHORT_OF_GOAL,
    "NotFiniteError": Exit.SHORT_OF_GOAL,
    "SpectrumError": Exit.SHORT_OF_GOAL,
    "EvidenceError": Exit.SHORT_OF_GOAL,
    "MemoryError": Exit.ENVIRONMENT,
    "SweepError": Exit.ENVIRONMENT,
    "OSError": Exit.ENVIRONMENT,
    "ImportError": Exit.ENVIRONMENT,
    "KeyboardInterrupt": Exit.INTERRUPTED,
    "Abort": Exit.INTERRUPTED,
}


def exit_status(error: BaseException) -> Exit:
    """Exit status for an error; classes go by name, so that none has to be imported."""
    if isinstance(error, CommandError):
        return error.status
    if isinstance(error, click.ClickException):
        return Exit.UNUSABLE
    named = (_BY_NAME[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _BY_NAME)
    return next(named, Exit.INTERNAL)


_FLAGS = re.compile(r"\b(force|anyway)=True\b")
_ENTRIES = re.compile(r"(?:^|(?<=\(with )|(?<=, ))(set|cells)\['([^']*)'\]")
_SETTINGS = re.compile(r"^(until|scheme|step|accuracy|flow)(?:\.(\w+))?(?=: )")


def as_options(message: str) -> str:
    """A message that names arguments of Python, as in ``set['problem.discount']``, with the options of the command."""
    lines = _FLAGS.sub(r"--\1", message).split("\n")
    for number, line in enumerate(lines):
        line = _ENTRIES.sub(r"--\1 \2", line)
        line = _SETTINGS.sub(lambda found: f"--{found[1]}" + (f" {found[2]}" if found[2] else ""), line)
        lines[number] = re.sub(r"^step and accuracy(?=: )", "--step and --accuracy", line)
    return "\n".join(lines)


def describe(error: BaseException) -> str:
    """What went wrong, in one line (a faulty problem file: one line per fault)."""
    status = exit_status(error)
    if status is Exit.INTERRUPTED:
        return str(error) or "interrupted"
    if isinstance(error, click.ClickException):
        return one_line(error.format_message())
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if str(error) else "out of memory"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{os.fspath(error.filename)}: {error.strerror}"
    if status is Exit.INTERNAL:
        frame = traceback.extract_tb(error.__traceback__)[-1:]
        where = f" ({os.path.basename(frame[0].filename)}:{frame[0].lineno})" if frame else ""
        return f"internal error: {type(error).__name__}: {one_line(error)}{where}; --debug shows more"
    message = as_options(str(error))
    several = any(kind.__name__ == "ProblemError" for kind in type(error).__mro__)  # one line a fault
    return message if several else escaped_line(message)


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Context in which what is said of a run file that was read all the same is one line on standard error."""

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, RunFileWarning):
            warn(one_line(message))
        else:
            otherwise(message, category, *where, **more)

    with warnings.catch_warnings():
        otherwise, warnings.showwarning = warnings.showwarning, show
        warnings.simplefilter("always", RunFileWarning)
        yield


def report(error: BaseException, debug: bool) -> Exit:
    """Say on standard error what went wrong, and give the exit status."""
    if isinstance(error, BrokenPipeError):
        return Exit.DONE  # who reads us has what it wanted
    if debug:
        traceback.print_exception(error)
    for line in describe(error).splitlines():
        warn(line)
    return exit_status(error)


def warn(text: str) -> None:
    """One line on standard error."""
    print(f"wpoflow: {escaped_line(text)}", file=errors(), flush=True)
