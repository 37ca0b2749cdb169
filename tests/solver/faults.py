"""Faults put in where they occur: in the flow's step, and in the linear systems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.system import BellmanError
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP


class Faulty(WassersteinFlow):
    """The Wasserstein flow, but for what ``fault`` does to the results of its steps."""

    def __init__(self, mdp: GridMDP, fault: Callable[[int, float, FloatArray], None]) -> None:
        super().__init__(mdp)
        self.calls = 0
        self._fault = fault

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        super().step(p, q, dt, out)
        self.calls += 1
        self._fault(self.calls, dt, out)
        return out


class Climbing(WassersteinFlow):
    """Climbs instead of descending, smoothly, so that no estimate of an error tells."""

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        return super().step(p, -q, dt, out)


class Still(Flow):
    """A flow that stands still, and states no dissipation."""

    name = "still"

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        out[:] = p
        return out


class Stagnating:
    """A transition whose linear systems cannot be solved from the ``first`` policy on that it is asked for."""

    def __init__(self, transition: Any, first: int) -> None:
        self._transition, self._first = transition, first
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transition, name)

    def under(self, policy: FloatArray) -> Any:
        """P^pi, or the failure of its system."""
        self.asked += 1
        if self.asked >= self._first:
            raise BellmanError("residual 1")
        return self._transition.under(policy)


def total_variation(a: FloatArray, b: FloatArray) -> float:
    """Worst over the states."""
    return 0.5 * float(np.abs(a - b).sum(axis=1).max())
