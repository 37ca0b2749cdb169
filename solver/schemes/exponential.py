"""Scheme ``exponential``: the flow itself, in steps of any length, where the potentials do not move.

If the law of the next state does not depend on the action (a bandit, or many side by side), then Q = c + gamma P V
depends on the policy through a constant of the state only, the generator L does not change, and p(t) = e^{tL} p(0).
The exponential is a rational function of L with a few poles (`solver.flux.rational_exponential`): so many complex
eliminations a step, whatever its length, and no Bellman equation at all unless values are asked for.

In the bulk of p the error of r(hL) p is at most ``error * ||p - g||`` in the norm in which L is self-adjoint.  In that
of `solver.schemes.error_control` it is more by a factor that says how far from normal L is there, as where drift
dominates diffusion.  The companion of the rational function measures it: a step is accepted if even the companion's
error is at most ``accuracy * ||p' - g||``, else repeated with more poles and, where there are no more, halved: so late
rates stay right however much decays at once, and accuracies below 1e-6 cannot be asked for.  Negative entries are
limited locally, as in the other schemes.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.bellman.evaluation import Evaluation
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.solver.flux.limiter import limit_fluxes
from wpoflow.solver.flux.rational_exponential import RATIONAL_EXPONENTIALS
from wpoflow.solver.flux.resolvent import exponential_axis
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.error_control import ErrorControl
from wpoflow.solver.schemes.history import measure_change
from wpoflow.solver.schemes.scheme import Evaluate, Memory, Step, Substeps, attempts_at, mass_drift

MARGIN = 1e-3  # of the accuracy, the error of the first companion that is tried: room for L being far from normal
LEAST_ACCURACY = 1e-6  # within reach of the companion of most poles
GROWTH = 4.0
LAST = len(RATIONAL_EXPONENTIALS) - 1
FIRST_STEP = 1.0  # in units of the time in which diffusion crosses one cell


def exponential_applies(mdp: GridMDP) -> bool:
    """Whether the potentials stand still and one action axis with two ends moves."""
    moving = [axis for axis in mdp.actions.axes if axis.size > 1]
    return len(moving) == 1 and not moving[0].periodic and mdp.potentials_stand_still


class ExponentialScheme:
    """Steps of any length by the exponential of the generator."""

    name = "exponential"
    order = 0

    def __init__(self, mdp: GridMDP, substeps: Substeps, control: ErrorControl) -> None:
        self._mdp, self._substeps, self._control = mdp, substeps, control
        axis, stride = next((a, s) for a, s in zip(mdp.actions.axes, mdp.actions.strides, strict=True) if a.size > 1)
        self._axis, self._stride = axis, stride
        wanted = MARGIN * control.accuracy
        self._level = next((j for j, r in enumerate(RATIONAL_EXPONENTIALS) if r.companion_error <= wanted), LAST)
        self._difference = np.empty_like(mdp.initial_policy)
        self._buffers = [np.empty_like(mdp.initial_policy) for _ in range(3)]
        self._gibbs = np.empty_like(mdp.initial_policy)
        gibbs_policy(mdp.cost, mdp.log_mass, mdp.temperature, self._gibbs)
        control.note_scale(np.zeros(1))
        n_states = mdp.states.size
        self._value = np.zeros(n_states)
        self._squares, self._drift = np.empty((2, n_states)), np.empty(n_states)
        self._negative: IntArray = np.zeros(n_states, dtype=np.int64)
        self._size = FIRST_STEP * float(axis.widths.min()) ** 2 / mdp.temperature

    def advance(self, policy: FloatArray, evaluate: Evaluate, remaining: float) -> Step:
        """One step; see `Scheme`."""
        mdp = self._mdp
        free = next(j for j, buffer in enumerate(self._buffers) if buffer is not policy)
        out = self._buffers.pop(free)
        self._buffers.append(out)
        attempts = attempts_at(self._substeps, self._control, lambda: mdp.cost)
        size, level = remaining if math.isfinite(remaining) else self._size, self._level
        while True:
            attempts.begin(size)
            self._exponential(policy, size, level, out)
            if self._accurate():
                break
            attempts.reject()
            size, level = (size, level + 1) if level < LAST else (0.5 * size, level)
        self._size = GROWTH * size if attempts.rejected == 0 else size
        drift, limited = mass_drift(self._mdp, self._drift), int(self._negative.sum())
        if limited:
            axes = mdp.actions.axes
            sizes: IntArray = np.array(mdp.actions.shape, dtype=np.int64)
            strides: IntArray = np.array(mdp.actions.strides, dtype=np.int64)
            periodic: IntArray = np.array([axis.periodic for axis in axes], dtype=np.int64)
            limit_fluxes(out, sizes, strides, periodic, self._negative)
        exact = cache(lambda: self._evaluate(out))
        return Step(out, exact, size, 1, attempts.rejected, limited, False, drift)

    def memory(self) -> Memory:
        """See `Scheme`."""
        return {"size": float(self._size), "value": self._value}

    def restore(self, memory: Memory, policy: FloatArray) -> FloatArray:
        """See `Scheme`."""
        self._size = float(memory["size"])
        self._value[:] = memory["value"]
        return policy

    def _evaluate(self, policy: FloatArray) -> Evaluation:
        found = self._substeps.evaluate(policy, self._value)
        self._value = found.value
        return found

    def _exponential(self, policy: FloatArray, size: float, level: int, out: FloatArray) -> None:
        axis, mdp, function = self._axis, self._mdp, RATIONAL_EXPONENTIALS[level]
        exponential_axis(
            policy,
            mdp.cost,
            mdp.log_reference_density,
            axis.widths,
            axis.distances,
            self._stride,
            size,
            mdp.temperature,
            np.array(function.poles),
            np.array(function.residues),
            np.array(function.companion),
            out,
            self._difference,
        )
        measure_change(policy, self._gibbs, self._difference, out, self._squares, self._drift, self._negative)

    def _accurate(self) -> bool:
        """Whether even the companion's error in the step just made is allowed, given what is left after it."""
        return self._control.within(self._squares)
