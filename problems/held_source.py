"""The steps of a decision as one compiled loop, written from the expressions of a problem file.

Within a step every definition is computed once, whichever of the dynamics and the cost use it.  What the loop computes
is told in :mod:`problems.held`; its numbers are those of :func:`problems.held.composed` to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray, read_only
from wpoflow.grids.axis import Axis
from wpoflow.problems.expressions import Expression
from wpoflow.problems.generated import HEADER, kernel_of
from wpoflow.problems.held import furthest
from wpoflow.problems.scope import Scope, Writer

_NAME = "held"


@dataclass(frozen=True, eq=False)
class HeldFunction:
    """Steps of decisions, (n, dim + 2), at arrays of the coordinates of pairs; compiled when first called."""

    source: str
    dim: int

    @cached_property
    def fill(self) -> Callable[..., None]:
        """The compiled loop, of the coordinates and of where to write."""
        return kernel_of(self.source, _NAME)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "fill"}

    def __call__(self, *coordinates: FloatArray) -> FloatArray:
        """Steps at every element of the broadcast coordinates, along one more axis at the end."""
        shape = np.broadcast_shapes(*(np.shape(x) for x in coordinates))
        flat = [
            read_only(np.ascontiguousarray(np.broadcast_to(np.asarray(x, dtype=np.float64), shape)).reshape(-1))
            for x in coordinates
        ]
        out = np.zeros((*shape, self.dim + 2))
        self.fill(*flat, out.reshape(-1, self.dim + 2))
        return out


def held_function(
    scope: Scope,
    axes: Sequence[Axis],
    actions: Sequence[str],
    dynamics: Mapping[str, Expression],
    cost: Expression,
    terminal_set: Expression | None,
    terminal_cost: Expression | None,
    *,
    sign: float,
    discount: float,
    hold: int,
) -> HeldFunction:
    """The steps of a decision by a file's expressions; ``sign`` is -1 where cost and terminal cost are rewards."""
    states, dim = [axis.name for axis in axes], len(axes)
    step = _StepWriter(scope, "t", states)
    step.define([*dynamics.values(), cost])
    paid = step.number(cost.tree)
    following = [step.number(dynamics[name].tree) for name in states]
    body = [
        *step.lines,
        f"total += weight * ({sign!r} * {paid})",
        f"weight *= np.float64({float(discount)!r})",
        *(f"f_{name} = {value}" for name, value in zip(states, following, strict=True)),
        *(f"out[i, {j}] = f_{name}" for j, name in enumerate(states)),
        *(line for axis in axes for line in _left(axis)),
        *(f"if not np.abs(f_{axis.name}) <= np.float64({furthest(axis)!r}): break" for axis in axes),
        *(line for axis in axes for line in _bounded(axis)),
    ]
    if terminal_set is not None:
        ends = _StepWriter(scope, "e", states)
        ends.define([terminal_set])
        ended = ends.truth(terminal_set.tree)
        body += ends.lines
        if ended.unknown:  # a cost that is none is refused, with its place
            body += [f"if {ended.unknown}:", "    total = np.nan", "    break"]
        body.append(f"if {ended.text}:")
        if terminal_cost is not None:
            last = _StepWriter(scope, "l", states)
            last.define([terminal_cost])
            value = last.number(terminal_cost.tree)
            body += [f"    {line}" for line in (*last.lines, f"total += weight * ({sign!r} * {value})")]
        body.append("    break")
    arguments = ", ".join([*(f"v_{name}" for name in (*states, *actions)), "out"])
    before = [
        *(f"s_{name} = v_{name}[i]" for name in states),
        "total, weight, left = np.float64(0.0), np.float64(1.0), np.float64(0.0)",
    ]
    lines = [
        f"def {_NAME}({arguments}):",
        "    for i in range(out.shape[0]):",
        *(f"        {line}" for line in before),
        f"        for step in range({int(hold)}):",
        *(f"            {line}" for line in body),
        f"        out[i, {dim}] = total",
        f"        out[i, {dim + 1}] = left",
    ]
    return HeldFunction("\n\n".join([HEADER, "\n".join(lines) + "\n"]), dim)


def _left(axis: Axis) -> list[str]:
    """Note a next state beyond a clamped end."""
    if axis.boundary != "clamp":
        return []
    low, high = _ends(axis)
    return [f"if f_{axis.name} < {low} or f_{axis.name} > {high}: left = np.float64(1.0)"]


def _bounded(axis: Axis) -> list[str]:
    """The next state in the box, as `grids.interpolation.boundary_map` has it."""
    f, s, (low, high) = f"f_{axis.name}", f"s_{axis.name}", _ends(axis)
    if axis.boundary == "clamp":
        return [f"{s} = np.minimum(np.maximum({f}, {low}), {high})"]
    length = f"np.float64({float(axis.length)!r})"
    if axis.periodic:
        outside = [f"{s} = {low} + ({f} - {low}) % {length}"]
    else:
        outside = [
            f"{s} = ({f} - {low}) % (2.0 * {length})",
            f"{s} = {low} + np.minimum({s}, 2.0 * {length} - {s})",
        ]
    return [f"if {f} >= {low} and {f} <= {high}:", f"    {s} = {f}", "else:", *(f"    {line}" for line in outside)]


def _ends(axis: Axis) -> tuple[str, str]:
    return f"np.float64({float(axis.lower)!r})", f"np.float64({float(axis.upper)!r})"


class _StepWriter(Writer):
    """Writes expressions at the present state of a step; its own names begin with a prefix."""

    def __init__(self, scope: Scope, prefix: str, states: Sequence[str]) -> None:
        super().__init__(scope, prefix)
        self.states = states

    def define(self, expressions: Sequence[Expression]) -> None:
        """Write the definitions that some expressions need, each once."""
        needed = {name for expression in expressions for name in self.scope.definitions_used(expression)}
        for name in self.scope.definitions:
            if name in needed:
                self.known[name] = self.value(self.scope.definitions[name].tree)

    def variable(self, name: str) -> str:
        """Where the present value of a state, or of a held action, is."""
        return f"s_{name}" if name in self.states else f"v_{name}[i]"
