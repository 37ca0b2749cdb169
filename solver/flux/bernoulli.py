"""The Bernoulli function B(z) = z/(e^z - 1) of the Scharfetter–Gummel flux."""

from __future__ import annotations

from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.elementary import exp_and_expm1_negative, expm1_nonnegative

TINY = 1e-200  # |z| below which B(z) = 1 to rounding; far smaller numbers are not known to full precision


@kernel()
def bernoulli_pair(z: float) -> tuple[float, float]:
    """B(z) and B(-z) to full relative precision, from B(-|z|) = B(|z|) + |z| without subtraction."""
    size = abs(z)
    small = 1.0 if size == 0.0 else size / expm1_nonnegative(size)
    large = small + size
    return (small if z > 0.0 else large), (large if z > 0.0 else small)


@kernel()
def bernoulli_fractions(z: float) -> tuple[float, float, float]:
    """Numerators of B(z) and B(-z), and their denominator 1 - e^{-|z|}: for those who divide but once.

    With s = |z|, B(s) = s e^{-s} / (1 - e^{-s}) and B(-s) = s / (1 - e^{-s}), each factor of full relative precision
    up to s = 708.4, beyond which B(s) counts as zero.
    """
    size = abs(z)
    decay, rest = exp_and_expm1_negative(size)
    vanishing = size < TINY
    size, rest = (1.0 if vanishing else size), (1.0 if vanishing else -rest)
    small = size * decay
    return (small if z > 0.0 else size), (size if z > 0.0 else small), rest
