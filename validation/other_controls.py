"""Negative controls of claims of annealed runs, policy iteration and corrected values; see `validation.controls`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.transitions import InterpolatedTransition, interpolated_transition
from wpoflow.solver.corrected.value import CorrectedValue
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.solver.flows.fisher_rao import FisherRaoFlow
from wpoflow.solver.flows.policy_iteration import PolicyIteration
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.control import FAILS, NOT_CERTIFIED, TWO_PERCENT, Control, How, recorded
from wpoflow.validation.evidence import Evidence

ANNEALED = How(until=40.0, accuracy=1e-4, snapshots=2, anneal=("harmonic", 0.3))
STEPPED = How(until=40.0, step=0.5, scheme="euler", snapshots=2, anneal=("harmonic", 0.3))
ITERATED = How(step=1.0, snapshots=2)
SMALLER = 10.0
DAMPED = 0.05  # of the way to the Gibbs policy


class SlowerCosts(FisherRaoFlow):
    """B too small: costs act on ln p with a tenth of their weight, while the past decays as it does."""

    def log_step(self, log_p: FloatArray, q: FloatArray, dt: float, log_out: FloatArray, out: FloatArray) -> FloatArray:
        """See `Flow.log_step`."""
        return super().log_step(log_p, q / SMALLER, dt, log_out, out)


class RisingTemperature(FisherRaoFlow):
    """Its steps are made at tau0^2/tau(t), which rises as tau(t) falls."""

    def __init__(self, mdp: GridMDP, first: float | None = None) -> None:
        super().__init__(mdp)
        self._first = mdp.temperature if first is None else first
        self._hot = FisherRaoFlow(mdp.at_temperature(self._first**2 / mdp.temperature))

    def log_step(self, log_p: FloatArray, q: FloatArray, dt: float, log_out: FloatArray, out: FloatArray) -> FloatArray:
        """See `Flow.log_step`."""
        return self._hot.log_step(log_p, q, dt, log_out, out)

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        return self._hot.step(p, q, dt, out)

    def at_temperature_of(self, mdp: GridMDP) -> RisingTemperature:
        """See `Flow.at_temperature_of`."""
        return RisingTemperature(mdp, self._first)


class DampedIteration(PolicyIteration):
    """Moves a twentieth of the way, in place of all of it."""

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        gibbs = np.empty_like(q)
        gibbs_policy(q, self.mdp.log_mass, self.mdp.temperature, gibbs)
        out[:] = p + DAMPED * (gibbs - p)
        return out


def _without_noise(mdp: GridMDP) -> GridMDP:
    """The problem, its next states interpolated where they are on the mean: so they are interpolated again."""
    kernel = mdp.transition
    assert isinstance(kernel, InterpolatedTransition)
    following = np.stack(kernel.next_points(0, mdp.states.size), axis=-1)
    return replace(mdp, transition=interpolated_transition(mdp.states, following))


class HighCorrection(Evidence):
    """Its corrected value is 2 % too large."""

    def corrected(self) -> CorrectedValue:
        """See `Evidence.corrected`."""
        found = super().corrected()
        return replace(found, value=TWO_PERCENT * found.value)


class LinearCorrection(Evidence):
    """In place of the corrected value that of linear interpolation, which solves an equation of its own."""

    def corrected(self) -> CorrectedValue:
        """See `Evidence.corrected`."""
        best = self.optimum
        return replace(super().corrected(), value=best.value, q=best.q, residual=np.inf)


OTHERS = (
    Control(
        "annealed, B too small",
        "costs act with a tenth of their weight",
        SlowerCosts,
        {"annealed_identity": FAILS, "annealed_cost": FAILS},
        how=ANNEALED,
        sound=FisherRaoFlow,
    ),
    Control(
        "annealed, steps of a rising temperature",
        "the steps are made at tau0^2/tau(t)",
        RisingTemperature,
        {"annealed_descent": FAILS},
        how=STEPPED,
        sound=FisherRaoFlow,
    ),
    Control(
        "annealed, a temperature that rises",
        "recorded in the opposite order",
        FisherRaoFlow,
        {"annealed_descent": NOT_CERTIFIED},
        how=ANNEALED,
        falsify=recorded(temperature=lambda values: values[::-1]),
        sound=FisherRaoFlow,
    ),
    Control(
        "annealed, value rises by 1e-9",
        "as recorded",
        FisherRaoFlow,
        {"annealed_descent": FAILS},
        how=ANNEALED,
        falsify=recorded(descent_defect=lambda values: values + 1e-9),
        sound=FisherRaoFlow,
    ),
    Control(
        "policy iteration, damped",
        "a twentieth of the way to the Gibbs policy",
        DampedIteration,
        {"iteration_contraction": FAILS},
        how=ITERATED,
        sound=PolicyIteration,
    ),
    Control("corrected value 2 % too large", "its Q as it is", None, {"corrected": FAILS}, evidence=HighCorrection),
    Control(
        "corrected value without correction",
        "value and Q are those of linear interpolation, of any residual",
        None,
        {"corrected": FAILS},
        _without_noise,
        evidence=LinearCorrection,
    ),
)
