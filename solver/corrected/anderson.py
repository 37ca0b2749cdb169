"""Anderson's acceleration of a fixed-point iteration x <- x + f(x).

Of the last steps the combination is taken whose residuals, combined alike, are least in the Euclidean norm (Walker & Ni
2011, doi:10.1137/10078356X):

    x <- x + f - (ΔX + ΔF) c,      c = argmin |f - ΔF c|.

On linear problems it is GMRES of the last few residuals; here it is for maps that are linear but for limiters.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.arithmetic.blas import one_blas_thread

DEPENDENT = 1e-10  # of the largest singular value: differences beyond are left out


class Anderson:
    """Differences of the last ``memory`` iterates, one at least, and of their steps."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._iterates: list[FloatArray] = []
        self._steps: list[FloatArray] = []
        self._last: tuple[FloatArray, FloatArray] | None = None

    def after(self, x: FloatArray, step: FloatArray) -> FloatArray:
        """The next iterate after x and its step f(x), both (n,)."""
        if self._last is not None:
            self._iterates.append(x - self._last[0])
            self._steps.append(step - self._last[1])
            del self._iterates[: -self._memory], self._steps[: -self._memory]
        self._last = (x, step)
        out = x + step
        if self._steps:
            with one_blas_thread():
                differences = np.stack(self._steps, axis=1)
                shares = np.linalg.lstsq(differences, step, rcond=DEPENDENT)[0]
            for share, moved, changed in zip(shares, self._iterates, self._steps, strict=True):
                out = out - share * (moved + changed)
        return out
