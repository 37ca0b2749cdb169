"""The Bernoulli function B(z) = z/(e^z - 1) of the Scharfetter–Gummel flux."""

from __future__ import annotations

from grids.compile import kernel
from solver.vector_math import expm1_nonnegative


@kernel()
def bernoulli_pair(z: float) -> tuple[float, float]:
    """B(z) and B(-z) to full relative precision, from B(-|z|) = B(|z|) + |z| without subtraction."""
    size = abs(z)
    small = 1.0 if size == 0.0 else size / expm1_nonnegative(size)
    large = small + size
    return (small if z > 0.0 else large), (large if z > 0.0 else small)
