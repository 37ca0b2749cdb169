"""How much memory there is, and what is said where it does not suffice: what needed it, how much, and what is allowed.

Lack of memory has many forms: NumPy and Python raise MemoryError, with or without words, the system refuses a thread or
a library, HDF5 only says that a filter failed.  `needed_by` makes them one, that names what was worked on.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from wpoflow.core.text import one_line

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_CGROUP_USED = ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes")
_WORDS = (
    "failed to map segment",
    "cannot allocate memory",
    "unable to allocate",
    "memory allocation failed",
    "bad_alloc",
    "can't start new thread",
)
"""By which errors of other classes tell that it is memory they lack, in lower case."""


class OutOfMemoryError(MemoryError):
    """Memory did not suffice; the message begins with the name of what needed it."""


@contextmanager
def needed_by(what: str) -> Iterator[None]:
    """Context in which every error of memory is told of ``what``: a file, or a problem.

    Raises
    ------
    OutOfMemoryError
        In place of MemoryError, and of what libraries and the system say in its place.
    """
    try:
        yield
    except OutOfMemoryError:
        raise
    except Exception as error:
        if not _lacks_memory(error):
            raise
        reason = one_line(error) if str(error) else "more memory is needed than there is"
        raise OutOfMemoryError(f"{what}: {reason}{_allowance()}") from error


def _lacks_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, OSError | RuntimeError | ImportError) and any(
        words in str(error).lower() for words in _WORDS
    )


def _allowance() -> str:
    """How much of the memory that a limit allows is in use; nothing where there is no limit."""
    found = limited_bytes()
    return "" if found is None else f"; {found[1] / 1e9:.3g} GB are in use, {found[0] / 1e9:.3g} GB are allowed"


def limited_bytes() -> tuple[int, int] | None:
    """Limit on the address space of this process (``ulimit -v``), and how much of it is in use; None without one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if most == resource.RLIM_INFINITY else (int(most), int(psutil.Process().memory_info().vms))


def machine_bytes() -> int:
    """Memory of the machine, of the control group or allowed to this process, the least: whatever is in use of it."""
    found = [int(psutil.virtual_memory().total)]
    found += [limit for path in _CGROUP_LIMITS if (limit := _number(path)) is not None]
    if (limited := limited_bytes()) is not None:
        found.append(limited[0])
    return min(found)


def available_bytes() -> int:
    """Memory this process may still take: of the machine, of its control group, or of its own limit, the least."""
    available = int(psutil.virtual_memory().available)
    for limit_path, used_path in zip(_CGROUP_LIMITS, _CGROUP_USED, strict=True):
        limit, used = _number(limit_path), _number(used_path)
        if limit is not None and used is not None:
            available = min(available, max(0, limit - used))
    if (found := limited_bytes()) is not None:
        available = min(available, max(0, found[0] - found[1]))
    return available


def _number(path: str) -> int | None:
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def check_bytes_fit(what: str, size: int, beside: int, few: int) -> None:
    """Raise MemoryError if so many bytes are more than there are, those that unpacking takes beside them included.

    A few always fit, but into what a limit on address space leaves: there HDF5 would not say what it lacks.
    """
    limited = size + beside if limited_bytes() is not None else 0
    needed = max(limited, size if size > few else 0)
    if needed and needed > (available := available_bytes()):
        raise MemoryError(f"{what} takes {1e-9 * needed:.3g} GB, {1e-9 * available:.3g} GB are available")
