r"""Temperatures of a schedule and of its steps, by their closed forms and by quadrature.

    harmonic tau0/(1 + r t),   exponential tau0 e^(-r t),   logarithmic tau0/ln(e + r t)

A step over (t, t + dt) is made at the mean of tau, and of its own length; of a flow of logarithms at (1 - e^-A)/B and
of the length A over that, A the integral of tau, B that of e^(-A from s to the end).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.integrate import quad

CLOSED: dict[str, Callable[[float, float, float], float]] = {
    "harmonic": lambda initial, rate, time: initial / (1.0 + rate * time),
    "exponential": lambda initial, rate, time: initial * math.exp(-rate * time),
    "logarithmic": lambda initial, rate, time: initial / math.log(math.e + rate * time),
}
RELATIVE, MOST_INTERVALS = 1e-12, 400


def _integral(f: Callable[[float], float], start: float, end: float) -> float:
    return float(quad(f, start, end, epsabs=0.0, epsrel=RELATIVE, limit=MOST_INTERVALS)[0])


def scheduled(schedule: str, initial: float, rate: float, time: float) -> float:
    """tau at a time."""
    return CLOSED[schedule](initial, rate, time)


def of_step(
    schedule: str, initial: float, rate: float, time: float, dt: float, logarithmic: bool
) -> tuple[float, float]:
    """Temperature and length of a step."""

    def integral(start: float) -> float:
        return _integral(lambda s: scheduled(schedule, initial, rate, s), start, time + dt)

    total = integral(time)
    if not logarithmic:
        return total / dt, dt
    acting = _integral(lambda s: math.exp(-integral(s)), time, time + dt)
    temperature = -math.expm1(-total) / acting
    return temperature, total / temperature
