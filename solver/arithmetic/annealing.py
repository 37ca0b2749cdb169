"""Temperatures that fall with flow time, and what a step makes of them.

    harmonic      tau(t) = tau0 / (1 + r t)
    exponential   tau(t) = tau0 e^{-r t}
    logarithmic   tau(t) = tau0 / ln(e + r t)

A step from t over dt needs, with A(s) the integral of tau from s to t + dt,

    A(t),       B = int_t^{t+dt} e^{-A(s)} ds,       <theta^m>: averages over the step with the weight e^{-A(s)},

as u' = -tau(s) (u - u_m) + f(s) has the solution u_m + e^{-A} (u - u_m) + B <f>.  A is a closed form or, of the
logarithmic schedule, a Gauss–Legendre sum over intervals on which e + r s at most doubles.  B and the averages are
Gauss–Legendre sums over intervals on which tau at most doubles and A at most grows by four, or A is below rounding:
where nothing of the weight is left they end.  Twenty nodes to an interval make both exact to rounding.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.arithmetic.decaying_average import NODES, WEIGHTS

KINDS = ("harmonic", "exponential", "logarithmic")
MOST_FALLEN = 2.0  # factor by which tau may change over an interval
MOST_DECAYED = 4.0  # what A may grow by over an interval
NOTHING = 1e-17  # A below which the weight is one to rounding
FORGOTTEN = 50.0  # A from which on nothing of the weight is left to rounding
BISECTIONS = 40
LEAST_POWER = 200.0  # of one half: the shortest interval that is looked for


@dataclass(frozen=True)
class Annealing:
    """A schedule of temperatures.

    Parameters
    ----------
    schedule : {"harmonic", "exponential", "logarithmic"}
    rate : float
        r > 0, per unit of flow time.
    initial : float
        tau0, the temperature at time zero.

    Raises
    ------
    ValueError
        An unknown schedule, or a rate or temperature that is not positive and finite.
    """

    schedule: str
    rate: float
    initial: float

    def __post_init__(self) -> None:
        if self.schedule not in KINDS:
            raise ValueError(f"anneal: schedule {self.schedule!r}; choose one of {', '.join(KINDS)}")
        for name in ("rate", "initial"):
            number = getattr(self, name)
            if not (math.isfinite(number) and number > 0.0):
                raise ValueError(f"anneal: {name} = {number} must be positive and finite")

    def temperature(self, time: float) -> float:
        """tau at a time."""
        grown = self.rate * time
        if self.schedule == "harmonic":
            return self.initial / (1.0 + grown)
        if self.schedule == "exponential":
            return self.initial * math.exp(-grown)
        return self.initial / math.log(math.e + grown)

    def integral(self, start: FloatArray | float, length: FloatArray | float) -> FloatArray:
        """The integral of tau from ``start`` over ``length``, numbers or arrays (n,)."""
        start, length = np.asarray(start, dtype=np.float64), np.asarray(length, dtype=np.float64)
        rate, grown = self.rate, self.rate * length
        if self.schedule == "harmonic":
            return np.asarray(self.initial / rate * np.log1p(grown / (1.0 + rate * start)))
        if self.schedule == "exponential":
            return np.asarray(self.initial / rate * np.exp(-rate * start) * -np.expm1(-grown))
        base = math.e + rate * start
        doublings = max(1, math.ceil(math.log2(float((1.0 + grown / base).max()))))
        total = np.zeros(np.broadcast(start, length).shape)
        edges = [base * np.expm1(np.log1p(grown / base) * j / doublings) for j in range(doublings + 1)]
        for low, high in pairwise(edges):
            inside = base[..., None] + low[..., None] + (high - low)[..., None] * NODES
            total += (high - low) / rate * self.initial * ((1.0 / np.log(inside)) @ WEIGHTS)
        return total

    def mean(self, start: float, dt: float) -> float:
        """The mean of tau over a step."""
        return float(self.integral(start, dt)) / dt

    def decaying(self, start: float, dt: float) -> tuple[float, float]:
        """A temperature, and a length, that a step with a constant temperature has the same e^{-A} and B with.

        That temperature is (1 - e^{-A})/B, an average of tau over the step.
        """
        total = float(self.integral(start, dt))
        _, weights = self._weights(start, dt)
        temperature = -math.expm1(-total) / (dt * float(weights.sum()))
        return temperature, total / temperature

    def moments(self, start: float, dt: float, count: int) -> FloatArray:
        """<theta^m>, theta the part of the step that has passed, for m = 0, ..., count - 1."""
        theta, weights = self._weights(start, dt)
        return np.asarray(weights @ theta[:, None] ** np.arange(count) / weights.sum())

    def _weights(self, start: float, dt: float) -> tuple[FloatArray, FloatArray]:
        """Nodes theta within the step, and weights of the integral of f e^{-A} for each unit of dt."""
        nodes, weights, near = [], [], 0.0  # parts of the step that are left, as A is small there
        while near < 1.0:
            far = self._far_end(start, dt, near)
            left = near + (far - near) * NODES
            nodes.append(1.0 - left)
            weights.append((far - near) * WEIGHTS * np.exp(-np.minimum(self._after(start, dt, left), FORGOTTEN)))
            if self._after(start, dt, far) >= FORGOTTEN:
                break
            near = far
        return np.concatenate(nodes), np.concatenate(weights)

    def _after(self, start: float, dt: float, left: FloatArray | float) -> FloatArray:
        """A where a part of the step is left."""
        return self.integral(start + dt - left * dt, left * dt)

    def _far_end(self, start: float, dt: float, near: float) -> float:
        """Where the longest interval ends that may begin where the part ``near`` of the step is left."""
        temperature, passed = self.temperature(start + dt - near * dt), float(self._after(start, dt, near))

        def fits(far: float) -> bool:
            after = float(self._after(start, dt, far))
            other = self.temperature(start + dt - far * dt)
            ratio = max(temperature, other) / max(min(temperature, other), sys.float_info.min)
            return after <= NOTHING or (ratio <= MOST_FALLEN and after - passed <= MOST_DECAYED)

        if fits(1.0):
            return 1.0
        short, long = -LEAST_POWER, 0.0
        for _ in range(BISECTIONS):
            middle = 0.5 * (short + long)
            short, long = (middle, long) if fits(near + (1.0 - near) * 2.0**middle) else (short, middle)
        return float(near + (1.0 - near) * 2.0**short)
