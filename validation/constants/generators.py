"""The reversible jump processes whose constants are sought: the flow of each state with Q frozen.

With Q frozen the policy of state s obeys dp/dt = L_g p, L_g the Scharfetter–Gummel generator on the
action cells with invariant law g = Gibbs policy of Q(s, .) (see `solver.flux.scharfetter_gummel`).  Over
the face f between cells a and b mass jumps at the rates

    right_f (a -> b) = tau/(Delta h_a) B(z),   left_f (b -> a) = tau/(Delta h_b) B(-z),   z = Phi_b - Phi_a,

and its conductance is c_f = right_f g_a = left_f g_b.  All constants are rates: the temperature is in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.entropy import log_gibbs_row
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.constants.rate_kernels import face_rates


@dataclass(frozen=True, eq=False)
class Faces:
    """Faces between action cells, all axes that have neighbours one after the other; F of them.

    Attributes
    ----------
    here, there : arrays (F,) of int
        Cells on the two sides.
    distance, width_here, width_there : arrays (F,)
        Distance of the cell centres and cell widths, along the face's own axis.
    """

    here: IntArray
    there: IntArray
    distance: FloatArray
    width_here: FloatArray
    width_there: FloatArray


@dataclass(frozen=True, eq=False)
class Rates:
    """Rates over the faces of some states.

    Attributes
    ----------
    right, left : arrays (S, F)
        Rates here -> there and there -> here.
    log_conductance : array (S, F)
        ln(right g_here) = ln(left g_there).
    log_gibbs : array (S, A)
        ln g, finite where g itself underflows.
    """

    right: FloatArray
    left: FloatArray
    log_conductance: FloatArray
    log_gibbs: FloatArray


@dataclass(frozen=True, eq=False)
class Generators:
    """The generators L_g of some states, g the Gibbs policy of Q.

    Parameters
    ----------
    actions : Grid
    q : array (S, A)
    log_mass : array (A,)
        Logarithms of the reference masses.
    temperature : float
    """

    actions: Grid
    q: FloatArray
    log_mass: FloatArray
    temperature: float

    @classmethod
    def of(cls, mdp: GridMDP, q: FloatArray) -> Generators:
        """The generators of a problem for the given Q, (S, A)."""
        return cls(mdp.actions, q, mdp.log_mass, mdp.temperature)

    def select(self, states: slice | IntArray) -> Generators:
        """The generators of some of the states only."""
        return Generators(self.actions, np.ascontiguousarray(self.q[states]), self.log_mass, self.temperature)

    def blocks(self, entries: int = 1 << 20) -> Iterator[tuple[slice, Generators]]:
        """Slices of the states holding about ``entries`` entries of Q each, with their generators."""
        length = max(1, entries // self.actions.size)
        for start in range(0, self.size, length):
            rows = slice(start, min(start + length, self.size))
            yield rows, self.select(rows)

    @property
    def size(self) -> int:
        """Number of states."""
        return len(self.q)

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The action axes that have faces: those of more than one cell, none of labels."""
        return tuple(axis for axis in self.actions.axes if axis.connected)

    @property
    def severed(self) -> bool:
        """Whether some cells cannot be reached from others, as no mass moves between labels: all rates are zero."""
        return any(axis.labels and axis.size > 1 for axis in self.actions.axes)

    @property
    def is_path(self) -> bool:
        """Whether every state's generator is a birth–death chain: one no-flux axis."""
        return not self.severed and len(self.axes) == 1 and not self.axes[0].periodic

    @property
    def is_circle(self) -> bool:
        """Whether every state's generator lives on a circle: one periodic axis."""
        return not self.severed and len(self.axes) == 1 and self.axes[0].periodic

    @cached_property
    def faces(self) -> Faces:
        """All faces, axis by axis."""
        ends: list[tuple[IntArray, IntArray]] = []
        lengths: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        cells = np.arange(self.actions.size)
        for axis, stride in zip(self.actions.axes, self.actions.strides, strict=True):
            if not axis.connected:
                continue
            position = (cells // stride) % axis.size
            n_faces = axis.distances.size
            here = cells[position < n_faces]
            k = position[here]
            after = (k + 1) % axis.size
            there = here + (after - k) * stride
            ends.append((here, there))
            lengths.append((axis.distances[k], axis.widths[k], axis.widths[after]))
        here, there = np.concatenate([np.zeros((2, 0), dtype=np.int64), *ends], axis=1)
        distance, width_here, width_there = np.concatenate([np.zeros((3, 0)), *lengths], axis=1)
        return Faces(here, there, distance, width_here, width_there)

    @cached_property
    def log_density(self) -> FloatArray:
        """ln(m/vol), (A,)."""
        return np.asarray(self.log_mass - np.log(self.actions.volumes))

    @cached_property
    def log_gibbs(self) -> FloatArray:
        """ln g, (S, A)."""
        out = np.empty_like(self.q)
        for row, q in zip(out, self.q, strict=True):
            log_gibbs_row(q, self.log_mass, self.temperature, row)
        return out

    @cached_property
    def potential(self) -> FloatArray:
        """Phi = Q/tau - ln(m/vol), (S, A): the Gibbs density with respect to volume is exp(-Phi), normalised."""
        return np.asarray(self.q / self.temperature - self.log_density)

    @cached_property
    def rates(self) -> Rates:
        """Rates over all faces of all these states; use `blocks` where that is much."""
        faces = self.faces
        shape = (self.size, faces.here.size)
        right, left, log_conductance = np.empty(shape), np.empty(shape), np.empty(shape)
        face_rates(
            self.q,
            self.log_density,
            self.log_gibbs,
            faces.here,
            faces.there,
            self.temperature / (faces.distance * faces.width_here),
            self.temperature / (faces.distance * faces.width_there),
            self.temperature,
            right,
            left,
            log_conductance,
        )
        return Rates(right, left, log_conductance, self.log_gibbs)
