"""Scheme ``euler``: one descent step at a time, order one, unconditionally descending.

With a fixed step it is the descent step itself.  With an accuracy each step is two half steps, Q
refreshed in between, and the whole step made beside them gives the error; the result is then
still a composition of descent steps.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.error_control import ErrorControl
from wpoflow.solver.schemes.scheme import (
    RECOVERABLE,
    Evaluate,
    Memory,
    Step,
    Substeps,
    attempts_at,
    known,
    landing_step,
)

GROWTH = 4.0
SHRINKING = 0.1
SAFETY = 0.8


class EulerScheme:
    """First-order descent steps, of fixed or controlled size."""

    name = "euler"
    order = 1

    def __init__(
        self, mdp: GridMDP, substeps: Substeps, step: float | None, control: ErrorControl | None, first: float
    ) -> None:
        self._mdp = mdp
        self._substeps = substeps
        self._size = first if step is None else step
        self._control = control
        count = 2 if control is None else 3
        self._buffers = [np.empty_like(mdp.initial_policy) for _ in range(count)]

    def advance(self, policy: FloatArray, evaluate: Evaluate, remaining: float) -> Step:
        """One step; see `Scheme`."""
        evaluation = evaluate()
        self._buffers.append(self._buffers.pop(0))
        out = self._buffers[0]
        if self._control is None:
            self._substeps.watch()
            size = landing_step(self._size, remaining)
            self._substeps(policy, evaluation, size, 1, out)
            after = self._substeps.evaluate(out, evaluation.value)
            return Step(out, known(after), size, 1)
        self._substeps.tolerance = self._control.start(policy, evaluation)
        attempts, before = attempts_at(self._substeps, self._control, lambda: evaluation.q), self._substeps.evaluations
        whole = self._buffers[1] if self._buffers[1] is not policy else self._buffers[2]
        while True:
            attempts.begin(self._size)
            size = landing_step(self._size, remaining)
            try:
                self._substeps(policy, evaluation, size, 1, whole)
                self._substeps(policy, evaluation, size, 2, out)
                ratio = self._control.ratio(out, whole, policy)
                factor = min(GROWTH, max(SHRINKING, SAFETY / max(ratio, 1e-12))) if ratio == ratio else SHRINKING
                if not ratio <= 1.0:
                    attempts.reject()
                    self._size = factor * size
                    continue
                after = self._substeps.evaluate(out, evaluation.value)
            except RECOVERABLE as error:
                self._size = attempts.failed(error, size)
                continue
            self._size = max(self._size, factor * size) if factor >= 1.0 else factor * size
            return Step(out, known(after), size, self._substeps.evaluations - before, attempts.rejected)

    def memory(self) -> Memory:
        """See `Scheme`."""
        return {"size": self._size}

    def restore(self, memory: Memory, policy: FloatArray) -> FloatArray:
        """See `Scheme`."""
        self._size = float(memory["size"])
        return policy
