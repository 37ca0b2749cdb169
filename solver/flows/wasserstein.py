"""Descent steps: maps p -> p' that lower KL(p | Gibbs policy of Q) in every state while Q is frozen.

By the identity of performance differences (I1) such a step lowers V at every state, whatever its
length dt: the one idea that carries the solver.  Flows are descent steps; steppers compose them.

*Wasserstein* (the policy optimisation flow of Šiška & Zhang, arXiv:2605.22622): backward Euler for
the Scharfetter–Gummel generator, one action axis after the other.  Each factor is a Markov kernel
that leaves the Gibbs policy invariant, so relative entropy falls.  With one action axis this is
unsplit backward Euler and contracts KL by 1/(1 + 2 alpha dt); with more it is a descent step only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flux.scharfetter_gummel import add_axis_dissipation, backward_euler_axis
from wpoflow.solver.mdp import GridMDP


class DescentStep(Protocol):
    """One step of a flow with Q frozen."""

    def __call__(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """Advance ``p`` (S, A) by ``dt``, write the result into ``out`` (which may be ``p``) and return it."""
        ...


class WassersteinStep:
    """Backward Euler step of the Wasserstein flow, split by action axes."""

    def __init__(self, mdp: GridMDP) -> None:
        self._log_density = mdp.log_reference_density
        self._temperature = mdp.temperature
        axes = zip(mdp.actions.axes, mdp.actions.strides, strict=True)
        self._axes = [(a.widths, a.distances, stride) for a, stride in axes if a.size > 1]

    def __call__(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """Advance ``p`` by ``dt``; see `DescentStep`."""
        source = p
        for widths, distances, stride in self._axes:
            backward_euler_axis(source, q, self._log_density, widths, distances, stride, dt, self._temperature, out)
            source = out
        if source is not out:
            out[:] = source
        return out


def wasserstein_dissipation(mdp: GridMDP, p: FloatArray, q: FloatArray) -> FloatArray:
    """tau sum_faces J (ln x_k - ln x_{k+1}) per state, (S,): the entropy dissipation of identity (I4)."""
    total = np.zeros(mdp.states.size)
    for axis, stride in zip(mdp.actions.axes, mdp.actions.strides, strict=True):
        if axis.size > 1:
            add_axis_dissipation(
                p,
                q,
                mdp.log_mass,
                mdp.log_reference_density,
                axis.widths,
                axis.distances,
                stride,
                mdp.temperature,
                total,
            )
    return total


FLOWS: dict[str, Callable[[GridMDP], DescentStep]] = {"wasserstein": WassersteinStep}


def descent_step(mdp: GridMDP, flow: str) -> DescentStep:
    """The descent step of a flow, by name.

    Raises
    ------
    ValueError
        Unknown flow.
    """
    if flow not in FLOWS:
        raise ValueError(f"flow {flow!r}; choose one of {', '.join(FLOWS)}")
    return FLOWS[flow](mdp)
