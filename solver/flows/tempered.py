"""The problem and its flow at the temperature of any time: what a step is made with where the temperature falls.

**Descent.**  A descent step of the problem at any temperature tau' between tau(t) and tau(t + dt) lowers V at tau(t):
with mu a probability KL(p|mu) >= 0, so V at a fixed policy grows with the temperature, and

    V_{tau(t+dt)}(p') <= V_{tau'}(p') <= V_{tau'}(p) <= V_{tau(t)}(p)       in every state.

**Which.**  The mean of tau over the step, which keeps what diffuses.  Of flows of logarithms, where
ln p' = e^{-A} ln p + (1 - e^{-A}) ln m - B Q + constant, A the integral of tau and B that of e^{-A(s)}, the temperature
(1 - e^{-A})/B and the length A over it: with Q frozen the step is the solution.
"""

from __future__ import annotations

from typing import NamedTuple

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.arithmetic.annealing import Annealing
from wpoflow.solver.arithmetic.decaying_average import moments
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.mdp import GridMDP


class Span(NamedTuple):
    """What a step is made with: the problem, its flow, and the length of the step as that flow takes it."""

    mdp: GridMDP
    flow: Flow
    length: float


class Tempered:
    """A problem and its flow as functions of time.

    Parameters
    ----------
    mdp : GridMDP
    flow : Flow
    annealing : Annealing, optional
        Constant temperature without one.
    """

    def __init__(self, mdp: GridMDP, flow: Flow, annealing: Annealing | None = None) -> None:
        self._mdp, self._flow, self.annealing = mdp, flow, annealing

    def mdp(self, time: float) -> GridMDP:
        """The problem at a time; raises TooColdError where the temperature is no longer one."""
        return self._mdp if self.annealing is None else self._mdp.at_temperature(self.annealing.temperature(time))

    def at(self, time: float) -> Span:
        """The problem and the flow at a time."""
        if self.annealing is None:
            return Span(self._mdp, self._flow, 0.0)
        mdp = self.mdp(time)
        return Span(mdp, self._flow.at_temperature_of(mdp), 0.0)

    def over(self, time: float, dt: float) -> Span:
        """What a step from a time on is made with."""
        if self.annealing is None:
            return Span(self._mdp, self._flow, dt)
        self.mdp(time + dt)  # the lowest temperature
        if self._flow.logarithmic:
            temperature, length = self.annealing.decaying(time, dt)
        else:
            temperature, length = self.annealing.mean(time, dt), dt
        mdp = self._mdp.at_temperature(temperature)
        return Span(mdp, self._flow.at_temperature_of(mdp), length)

    def moments(self, time: float, dt: float, count: int) -> FloatArray:
        """Averages of powers over a step with the weight of a flow of logarithms; see `solver.arithmetic.annealing`."""
        if self.annealing is None:
            return moments(self._flow.decay * dt, count)
        return self.annealing.moments(time, dt, count)
