"""Standard output and standard error, behind which someone may look on or not: a failure there ends nothing.

Who reads may have gone, the disk behind a redirection may be full, the terminal may be closed, an encoding may lack a
letter.  What is shown is not what is computed: letters that cannot be written become escapes, and where writing
fails no more is written, and `Onlooker.lost` tells why and from which line on.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from wpoflow.core.text import one_line, printable

SHOWN = 60  # characters of the first line that is lost


class Onlooker(io.TextIOBase):
    """A text stream that can be written to whatever becomes of the stream behind it.

    Parameters
    ----------
    stream : text stream or None
        None, as Python has it where the process was started with the stream closed.

    Attributes
    ----------
    error : Exception or None
        Why nothing is written any more.
    lost : str
        The same in words, with the beginning of what could not be shown; empty as long as all is.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._pending = ""
        self.error: Exception | None = None
        self.lost = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream behind."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """That of the stream behind."""
        return getattr(self._stream, "errors", None) or "strict"

    def isatty(self) -> bool:
        """Whether a terminal is behind it."""
        with suppress(OSError, ValueError):
            return self._stream is not None and self._stream.isatty()
        return False

    def fileno(self) -> int:
        """That of the stream behind; OSError if it has none."""
        if self._stream is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._stream.fileno()

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Write, as far as that can be done."""
        if not isinstance(text, str):
            raise TypeError(f"text is written here, not {type(text).__name__}")
        if self.error is None and text:
            self._pending += text
            try:
                if self._stream is None:
                    raise OSError(errno.EBADF, "closed")
                try:
                    self._stream.write(text)
                except UnicodeEncodeError:
                    self._stream.write(encodable(text, self.encoding))
            except (OSError, ValueError) as error:  # a closed stream is a ValueError
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Send on what was written."""
        if self.error is None and self._stream is not None:
            try:
                self._stream.flush()
                self._pending = ""
            except (OSError, ValueError) as error:
                self._lose(error)

    def _lose(self, error: Exception) -> None:
        self.error = error
        first = next((line for line in self._pending.splitlines() if line.strip()), "")
        why = error.strerror or str(error) if isinstance(error, OSError) else "closed"
        self.lost = f"{why}; not shown: {one_line(first, SHOWN)} ..."
        self._pending = ""
        if (stream := self._stream) is not None and stream in (sys.__stdout__, sys.__stderr__):
            # what is left in buffers would fail again when Python ends, and would change the exit status
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.fileno())
                os.close(nowhere)


def encodable(text: str, encoding: str) -> str:
    """The text with letters that an encoding lacks as escapes, which strings of TOML understand as well."""
    if encoding.lower().replace("-", "").startswith("utf"):  # only halves of surrogate pairs are not encodable
        return printable(text)
    return "".join(letter if _has(encoding, letter) else _escape(letter) for letter in text)


def _has(encoding: str, letter: str) -> bool:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escape(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


def output() -> Onlooker:
    """Standard output as an onlooker."""
    return _as_onlooker(sys.stdout)


def errors() -> Onlooker:
    """Standard error as an onlooker."""
    return _as_onlooker(sys.stderr)


def _as_onlooker(stream: TextIO | None) -> Onlooker:
    return stream if isinstance(stream, Onlooker) else Onlooker(stream)


def fill_closed() -> None:
    """Put the null device where standard input, output or error is closed.

    Else the next file that is opened takes the number, and what a library prints goes into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free is this one


class Watched:
    """Context of a command: both standard streams are onlookers, and at its end one line says what was not shown."""

    def __enter__(self) -> Watched:
        fill_closed()
        self._before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = output(), errors()
        return self

    def __exit__(self, *_: object) -> None:
        out, err = output(), errors()
        out.flush()
        err.flush()
        if out.lost:
            err.write(f"wpoflow: standard output: {out.lost}\n")
            err.flush()
        elif err.lost:
            out.write(f"wpoflow: standard error: {err.lost}\n")
            out.flush()
        sys.stdout, sys.stderr = self._before
