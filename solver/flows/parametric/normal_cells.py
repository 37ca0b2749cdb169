"""Probabilities of intervals under the normal law, with their slopes, to full relative precision in every tail.

With z standard normal, phi its density and N = P(z_0 < z < z_1), three numbers say all that is needed of an interval:

    ln N,     [phi]/N = (phi(z_1) - phi(z_0))/N,     [z phi]/N = (z_1 phi(z_1) - z_0 phi(z_0))/N

For z = (a - m)/sqrt(C) they give  d ln N/dm = -[phi]/(sqrt(C) N)  and  d ln N/dC = -[z phi]/(2 C N).

Differences of the distribution function are taken from the nearer tail, in logarithms, and beyond 25 standard
deviations by the continued fraction of Mills' ratio (Abramowitz & Stegun 26.2.14), so that nothing underflows.
Intervals so short that these differences would cancel, h (|c| + 1) < 0.3 with centre c and half width h, go by

    N = 2 h phi(c) sum_n He_2n(c) h^2n/(2n + 1)!,

with Hermite polynomials He; the terms left out are below rounding.
"""

from __future__ import annotations

import math

from wpoflow.core.compile import kernel

ROOT_HALF = math.sqrt(0.5)
LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
FAR = 25.0  # standard deviations, where erfc has long been a density times a fraction
SHORT = 0.3
DEPTH = 40  # of the fraction


@kernel()
def log_upper(z: float) -> float:
    """ln P(. > z), z not negative."""
    if z < FAR:
        return math.log(0.5 * math.erfc(z * ROOT_HALF))
    tail = z
    for j in range(DEPTH, 0, -1):
        tail = z + j / tail
    return -0.5 * z * z - LOG_ROOT - math.log(tail)


@kernel()
def upper(z: float) -> float:
    """P(. > z)."""
    return 0.5 * math.erfc(z * ROOT_HALF)


@kernel()
def _short(centre: float, half: float) -> tuple[float, float, float]:
    """`interval` of one that is short for the series."""
    c2, h2 = centre * centre, half * half
    # He_{n+1} = c He_n - n He_{n-1}, of even order by He_{n+2} = (c^2 - 2n - 1) He_n - n (n-1) He_{n-2}
    before, now, power, total = 0.0, 1.0, 1.0, 1.0
    for n in range(0, 12, 2):
        before, now = now, (c2 - 2.0 * n - 1.0) * now - n * (n - 1.0) * before
        power *= h2 / ((n + 2.0) * (n + 3.0))
        total += now * power
    t = centre * half
    ends = math.exp(-0.5 * h2) / total
    ratio = math.sinh(t) / half
    log_mass = -0.5 * c2 - LOG_ROOT + math.log(2.0 * half * total)
    return log_mass, -ends * ratio, ends * (math.cosh(t) - centre * ratio)


@kernel()
def interval(lower: float, higher: float) -> tuple[float, float, float]:
    """ln N, [phi]/N and [z phi]/N of lower < z < higher."""
    half, centre = 0.5 * (higher - lower), 0.5 * (higher + lower)
    if half * (abs(centre) + 1.0) < SHORT:
        return _short(centre, half)
    # seen from the upper side, of which the lower is the mirror image
    sign = 1.0 if centre >= 0.0 else -1.0
    near, far = (lower, higher) if centre >= 0.0 else (-higher, -lower)
    if near > 0.0:
        first = log_upper(near)
        log_mass = first + math.log1p(-math.exp(log_upper(far) - first))
    else:
        log_mass = math.log(0.5 * (math.erf(far * ROOT_HALF) + math.erf(-near * ROOT_HALF)))
    at_far = math.exp(-0.5 * far * far - LOG_ROOT - log_mass)
    at_near = math.exp(-0.5 * near * near - LOG_ROOT - log_mass)
    return log_mass, sign * (at_far - at_near), far * at_far - near * at_near
