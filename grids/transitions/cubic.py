"""Expectations of high order beside those of a transition: E[(C V)(s')], C limited cubic interpolation.

    interpolated maps       C W at the mean next state, W = H V the expectation over the noise (grids/cubic)
    mixtures                Σ_o w_o of their outcomes'
    tables of probabilities themselves: nothing is interpolated

They are not expectations of a Markov chain: weights may be negative, and limits depend on V.  So they serve to correct
values (`solver.corrected`), and nothing that is certified.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import SHOCK
from wpoflow.grids.cubic.map import CubicMap
from wpoflow.grids.cubic.noise import cubic_noise_matrix
from wpoflow.grids.cubic.table import cubic_tables, mirror_of
from wpoflow.grids.exact_smoothing import node_laws
from wpoflow.grids.interpolation import Stencil, empty_stencil
from wpoflow.grids.smoothing import Banded, SeparableMap
from wpoflow.grids.transitions.base import CoarseTransition, Transition
from wpoflow.grids.transitions.interpolated import InterpolatedTransition
from wpoflow.grids.transitions.mixture import MixtureTransition
from wpoflow.grids.transitions.tabulated import TabulatedTransition
from wpoflow.grids.transitions.tensor_stencil import TensorStencil, expanded


class CubicExpectation(Protocol):
    """Expectations of high order."""

    def expect(self, value: FloatArray, out: FloatArray, limits: Any = None) -> FloatArray:
        """E[(C V)(s') | s, a], (S, A), from V, (S,); what terminates contributes zero.

        By the limits of another value, if they are given: it is linear in V then.
        """
        ...

    def limits(self, value: FloatArray) -> Any:
        """The limits that hold for a value, for `expect`."""
        ...


class Unlimited:
    """The expectations of a transition itself, where nothing is to be corrected."""

    def __init__(self, transition: Transition | CoarseTransition) -> None:
        self._transition = transition

    def expect(self, value: FloatArray, out: FloatArray, limits: Any = None) -> FloatArray:
        """See `CubicExpectation`."""
        return self._transition.expect(value, out)

    def limits(self, value: FloatArray) -> None:
        """See `CubicExpectation`."""


def cubic_expectation(transition: Transition | CoarseTransition) -> CubicExpectation:
    """The expectation of high order beside a transition.

    Raises
    ------
    ValueError
        There is none of this kind of transition; says which have one.
    """
    if type(transition) is TabulatedTransition:
        return Unlimited(transition)
    if isinstance(transition, MixtureTransition):
        return _Mixed([(weight, cubic_expectation(one)) for weight, one in transition.outcomes])
    if isinstance(transition, InterpolatedTransition) and transition.smoothing.alive is None:
        return _of_map(transition)
    described = getattr(transition, "description", "a transition on a coarser grid")
    raise ValueError(
        f"corrected values are of next states that are interpolated, with constant noise that ends no process, "
        f"of their mixtures and of tables; this transition is: {described}"
    )


def _of_map(transition: InterpolatedTransition) -> CubicMap:
    """Beside an interpolated map: of its stencil where there is no noise, else of the places it holds.

    Raises
    ------
    ValueError
        A map with noise on a coarser grid, which is not known well enough.
    """
    axes, nodes, noise = transition.states.axes, transition.nodes, transition.noise
    spread = transition.smoothing.spread
    kept = zip(axes, nodes, spread.shape_in, strict=True)
    points = [axis.points if n == axis.size else y[:n] for axis, y, n in kept]  # those of coarser grids are nodes
    mirror = mirror_of(transition.states, points)
    tables = cubic_tables(transition.states, nodes, mirror)
    if not any(s > 0.0 and y.size > 1 for s, y in zip(noise, nodes, strict=True)):
        assert isinstance(transition.stencil, Stencil)
        return CubicMap(transition.stencil, spread, tables, mirror)
    if spread.shape_in != transition.states.shape:
        raise ValueError("corrected values on a coarser grid are of transitions without noise")
    matrices: list[Banded | None] = []
    for axis, y, s, own in zip(axes, nodes, noise, spread.matrices, strict=True):
        matrices.append(cubic_noise_matrix(axis, y, float(s)) if s > 0.0 and axis.size > 1 else own)
    return CubicMap(_placed(transition), SeparableMap(tuple(matrices), spread.shape_in), tables, mirror)


class _Mixed:
    """Σ_o w_o E_o."""

    def __init__(self, outcomes: Sequence[tuple[FloatArray, CubicExpectation]]) -> None:
        self._outcomes = outcomes

    def limits(self, value: FloatArray) -> list[Any]:
        """See `CubicExpectation`."""
        return [one.limits(value) for _, one in self._outcomes]

    def expect(self, value: FloatArray, out: FloatArray, limits: Any = None) -> FloatArray:
        """See `CubicExpectation`."""
        part = np.empty_like(out)
        out[:] = 0.0
        for number, (weight, one) in enumerate(self._outcomes):
            one.expect(value, part, None if limits is None else limits[number])
            part *= weight
            out += part
        return out


def _placed(transition: InterpolatedTransition) -> Stencil:
    """Corners and weights of the mean next states, which those among three nodes have as their mean."""
    stencil = transition.stencil
    given = expanded(stencil) if isinstance(stencil, TensorStencil) else stencil
    axes, nodes, noise = transition.states.axes, transition.nodes, transition.noise
    shape = [y.size for y in nodes]
    out = empty_stencil(*given.pairs, shape, axes)
    dead = given.base < 0
    column = active = 0
    for j, (axis, y, s) in enumerate(zip(axes, nodes, noise, strict=True)):
        stride = int(np.prod(shape[j + 1 :]))
        lowest: IntArray = (np.maximum(given.base, 0) // stride) % y.size
        laws = node_laws(axis, y, float(s))
        if laws is not None:
            first, second = given.fraction[:, :, column], given.fraction[:, :, column + 1]
            column += 2
            z = laws.mean
            low, middle, high = (z[lowest + step] for step in range(3))
            none, both = (1.0 - first) * (1.0 - second), first * second
            mean = none * low + (1.0 - none - both) * middle + both * high
            interval = np.clip(np.where(mean >= y[lowest + 1], lowest + 1, lowest), 0, y.size - 2)
            w = np.clip((mean - y[interval]) / (y[interval + 1] - y[interval]), 0.0, 1.0)
        else:
            interval, w = lowest, None
            if axis.boundary != SHOCK and y.size > 1:
                w = given.fraction[:, :, column]
                column += 1
        out.base[:] += (stride * interval).astype(np.int32)
        if w is not None:
            out.fraction[:, :, active] = w
            active += 1
    out.base[dead] = -1
    return out
