"""From checked expressions to compiled functions of whole arrays.

One Python module is written per expression, by :meth:`problems.scope.Scope.source`; it holds a
loop.  numba can keep machine code on disk only for functions that come from a file, so the module is
stored in the user's cache directory under a hash of its content: an expression is compiled once,
whatever else changes in the files that have it.  Where that cannot be written it lives in a temporary
directory for as long as the process does.  What is executed is always the text just generated, never
the file found there.  Expressions in which no variable occurs are evaluated once, without compiling.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import types
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

import wpoflow.core.compile
from wpoflow.core.arrays import FloatArray, read_only
from wpoflow.problems.expressions import Expression
from wpoflow.problems.scope import Scope
from wpoflow.solver.storage.atomic import writing

HEADER = '"""Written by wpoflow from an expression of a problem; safe to delete."""\n\nimport numpy as np\n'
_NAME = "expression"


@dataclass(frozen=True, eq=False)
class ArrayFunction:
    """A function of arrays that broadcast against each other; float64 in, float64 out.

    Attributes
    ----------
    positions : tuple of int
        Which of the arguments the expression depends on; empty for a constant.
    constant : float or None
        The value, if no argument matters.
    source : str
        Text of the module in which the loop stands.  It is compiled when first called, and compiled anew where a pickle
        of it arrives.
    """

    positions: tuple[int, ...]
    constant: float | None
    source: str = ""

    @cached_property
    def fill(self) -> Callable[..., None] | None:
        """The compiled loop, of the arrays at the positions and of where to write; None for a constant."""
        if self.constant is not None:
            return None
        return kernel_of(self.source, _NAME)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "fill"}

    def __call__(self, *arrays: FloatArray) -> FloatArray:
        """Value at every element of the broadcast arguments."""
        shape = np.broadcast_shapes(*(np.shape(array) for array in arrays))
        out = np.empty(shape)
        if self.fill is None:
            out[...] = self.constant
            return out
        used = [np.asarray(arrays[position], dtype=np.float64) for position in self.positions]
        flat = [read_only(np.ascontiguousarray(np.broadcast_to(array, shape)).reshape(-1)) for array in used]
        self.fill(*flat, out.reshape(-1))
        return out


def compile_expressions(
    scope: Scope, wanted: Mapping[str, tuple[Expression, Sequence[str]]]
) -> dict[str, ArrayFunction]:
    """Functions for the expressions of one problem.

    Parameters
    ----------
    scope : Scope
        Constants and definitions.
    wanted : mapping of str to (Expression, argument names)
        By key of the problem file; the names say what the function's arguments are, in order.

    Returns
    -------
    dict of str to ArrayFunction
    """
    found = {}
    for key, (expression, arguments) in wanted.items():
        used = scope.variables(expression)
        names = [name for name in arguments if name in used]
        source = "\n\n".join([HEADER, scope.source(_NAME, expression, names)])
        positions = tuple(arguments.index(name) for name in names)
        constant = None if positions else _evaluate(getattr(module_of(source), _NAME))
        found[key] = ArrayFunction(positions, constant, "" if constant is not None else source)
    return found


def _evaluate(fill: Callable[[FloatArray], None]) -> float:
    out = np.empty(1)
    with np.errstate(all="ignore"):
        fill(out)
    return float(out[0])


@cache
def kernel_of(source: str, name: str) -> Callable[..., None]:
    """The compiled function of a name in a generated source; the same object for all who ask in this process."""
    function: Callable[..., None] = getattr(module_of(source), name)
    return wpoflow.core.compile.kernel(fused=False)(function)


def module_of(source: str) -> types.ModuleType:
    """The generated source as a module; registered, because numba's cache looks modules up by name."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:24]
    name = f"wpoflow.problems.generated_{digest}"
    if name not in sys.modules:
        module = types.ModuleType(name)
        module.__file__ = str(_stored(digest, source))
        exec(compile(source, module.__file__, "exec"), module.__dict__)
        sys.modules[name] = module
    return sys.modules[name]


def _stored(digest: str, source: str) -> Path:
    """Path of a file that holds the source."""
    folder = Path(platformdirs.user_cache_dir("wpoflow")) / "expressions"
    try:
        return _written(folder / f"{digest}.py", source)
    except OSError:
        return _written(Path(_temporary_folder().name) / f"{digest}.py", source)


def _written(path: Path, source: str) -> Path:
    if path.is_file() and path.read_bytes() == source.encode():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path, part=path.with_suffix(f".{uuid.uuid4().hex}.part")) as part:
        part.write_text(source, encoding="utf-8")
    return path


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="wpoflow-")
