"""The one door through which kernels reach numba.

numba's on-disk cache notices neither a change in a helper kept in another file nor a change of
decorator flags, so cached machine code can be stale.  Kernels are therefore cached in a directory
of their own whose name is a hash of this and every kernel file and of the versions of Python and numba;
``numba.config.CACHE_DIR`` is set only while our own decorators run, so that the user's caches stay
where they are.

Threads cost more than they save on small arrays, and far more on a busy machine.  A parallel kernel is
therefore compiled a second time without threads, and the size of its arrays alone decides which of the
two is called, never the number of threads.

Code is compiled for the types of the arguments and never for their values: numba would else compile a kernel once more
for every constant that some other kernel passes to it.

Kernels are inlined into the kernels that call them.  A call left standing would lead, in the process that compiles,
to the callee's own code, and in later ones, which load the caller from the cache, to the copy kept with it: the two may
sum in other orders.

A *kernel file* is a file that imports this module.  It may import NumPy, numba and other kernel
files and nothing else, so that the hash covers all that its machine code depends on.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import platformdirs

from wpoflow.core.floors import source_files

Function = TypeVar("Function", bound=Callable[..., Any])

LEAST_ROOM = 50_000_000  # bytes, on the disk of the cache: all kernels take about half of it
LEAST_THREADED = 1 << 17  # entries of the largest array from which threads pay

KERNELS: dict[str, Any] = {}
"""All kernels of the modules imported so far, as numba holds them, by name; those with threads apart."""

_settings: Any = numba.config


def kernel_files() -> dict[str, bytes]:
    """Contents of this file and of all files of the package that import it, by name."""
    mark = b"from wpoflow.core.compile import"
    contents = ((name, path.read_bytes()) for name, path in source_files(".py"))
    return {name: content for name, content in contents if mark in content}


def _cache_directory() -> Path:
    digest = hashlib.sha256(f"{sys.version_info[:3]} {numba.__version__}".encode())
    for name, content in kernel_files().items():
        digest.update(name.encode() + b"\0" + content)
    return Path(platformdirs.user_cache_dir("wpoflow")) / "kernels" / digest.hexdigest()[:16]


CACHE_DIRECTORY = _cache_directory()


@functools.cache
def cache_usable() -> bool:
    """Whether kernels can be kept on disk: else numba would keep them beside the sources, where they go stale."""
    if not CACHE_DIRECTORY.is_absolute():  # nobody's home is known
        return False
    try:
        CACHE_DIRECTORY.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=CACHE_DIRECTORY):
            return any(CACHE_DIRECTORY.iterdir()) or shutil.disk_usage(CACHE_DIRECTORY).free >= LEAST_ROOM
    except OSError:
        return False  # each process compiles anew, as `wpoflow doctor` tells


def kernel(
    *, parallel: bool = False, largest: int | None = None, fused: bool = True, any_order: bool = False
) -> Callable[[Function], Function]:
    """Decorate a kernel: compiled on first call, cached on disk, division as in IEEE arithmetic.

    Parameters
    ----------
    fused : bool
        Let a product and a sum be fused into one operation of one rounding.
    parallel : bool
        Let ``numba.prange`` loops of the kernel use threads.  Such loops must have one writer per
        row, and sums that cross rows are taken by one thread, so that results do not depend on their number.
    largest : int, optional
        Position of the argument that is the largest array, where it is always the same: calls then look at no other.
    any_order : bool
        Let the compiler choose the order of sums, once and for all when it compiles: scalar products then vectorise.
        Parallel kernels get at it through the small kernels they call, row by row.

    Notes
    -----
    ``fastmath`` stays off, as it would make ``x != x`` false for a NaN, but for "contract", which fuses products and
    sums (sweeps 1.2 to 1.4 times faster, exponentials 1.4), and, where any order will do, "reassoc" and "nsz" (scalar
    products of 128 numbers 3 times faster).
    """
    if parallel and any_order:
        raise ValueError("sums in any order belong into a kernel that a parallel one calls")
    flags = ({"contract"} if fused else set()) | ({"reassoc", "nsz"} if any_order else set())

    def decorate(function: Function) -> Function:
        serial = _compiled(function, parallel=False, flags=flags)
        if not parallel:
            return cast(Function, serial)
        threaded = _compiled(function, parallel=True, flags=flags)

        if largest is not None:
            place = largest

            @functools.wraps(function)
            def by_place(*arguments: Any) -> Any:
                return threaded(*arguments) if arguments[place].size >= LEAST_THREADED else serial(*arguments)

            return cast(Function, by_place)

        @functools.wraps(function)
        def by_size(*arguments: Any) -> Any:
            for argument in arguments:
                if type(argument) is np.ndarray and argument.size >= LEAST_THREADED:
                    return threaded(*arguments)
            return serial(*arguments)

        return cast(Function, by_size)

    return decorate


def _compiled(function: Callable[..., Any], *, parallel: bool, flags: set[str]) -> Callable[..., Any]:
    """The numba dispatcher; code of other flags is cached apart, as the cache ignores them."""
    before = _settings.CACHE_DIR
    _settings.CACHE_DIR = str(CACHE_DIRECTORY / "-".join(["threaded" if parallel else "serial", *sorted(flags)]))
    try:
        compiled: Any = numba.njit(
            cache=cache_usable(), parallel=parallel, error_model="numpy", fastmath=flags or False, forceinline=True
        )(function)
    finally:
        _settings.CACHE_DIR = before
    found = compiled.get_call_template

    def of_types(arguments: Any, by_name: Any) -> Any:
        return found(
            tuple(map(numba.types.unliteral, arguments)),
            {name: numba.types.unliteral(argument) for name, argument in by_name.items()},
        )

    compiled.get_call_template = of_types
    KERNELS[f"{function.__module__}.{function.__name__}{', threaded' if parallel else ''}"] = compiled
    return cast("Callable[..., Any]", compiled)
